"""The contract of a cell: one step of a recurrence, and nothing about sequences."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

State = tuple[Tensor, ...]


@dataclass(frozen=True)
class Noise:
    """What was drawn before the loop, so that every step and every engine uses the same draw.

    recurrent: `[B, H]` multiplies h_{t-1} where it meets U, and only there (recurrent dropout, already scaled).
    zoneout:   for each tensor of the state, `[B, …]` bool: True keeps the old value, or None for "none of it".
    weights:   replacements for the cell's `recurrent_weights()`, by name (a weight-dropped U).
    """

    recurrent: Tensor | None = None
    zoneout: tuple[Tensor | None, ...] | None = None
    weights: Mapping[str, Tensor] = field(default_factory=dict)


class Step(NamedTuple):
    """output `[B, *output_shape]`; the new state; the gates by name, each `[B, H]`."""

    output: Tensor
    state: State
    gates: dict[str, Tensor]


class Cell(nn.Module, ABC):
    """One step of a recurrence.

    input_shape, output_shape: shapes of one sample at one step.
    state_shapes:              shapes of one sample's state, the tensor that is handed on first.
    splits_input:              whether `project` may be given some columns of the input at a time.
    """

    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    state_shapes: tuple[tuple[int, ...], ...]
    splits_input: bool = True

    def initial_state(self, x: Tensor) -> State:
        """Zeros for a batch like `x` `[B, …]`, in the parameters' type."""
        like = next(self.parameters())
        return tuple(
            torch.zeros(x.shape[0], *shape, dtype=like.dtype, device=like.device) for shape in self.state_shapes
        )

    @abstractmethod
    def project(self, x: Tensor, start: int = 0) -> Tensor:
        """All that depends on the input alone, for any leading shape: `[…, D']` to `[…, G*H]`.

        `x` holds the input's columns from `start` on; the bias is added only at 0. Token ids (an integer tensor
        `[…]`) stand for one-hot vectors.
        """

    @abstractmethod
    def step(self, projected_t: Tensor, state: State, noise: Noise | None = None) -> Step:
        """The recurrence's equations, from what `project` made of x_t and the state before."""

    @abstractmethod
    def recurrent_weights(self) -> dict[str, Tensor]:
        """The matrices that act on the state, by name."""

    def gate_rows(self) -> dict[str, slice]:
        """Which rows of W, U and b belong to which gate."""
        return {}


class DenseCell(Cell):
    """What the cells with `W [G*H, D]`, `U [G*H, H]` and `b [G*H]` share: parameters and their product with the input.

    bias:  False leaves b out.
    """

    gates: tuple[str, ...]

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True, state_tensors: int = 1) -> None:
        super().__init__()
        for name, size in (("input_size", input_size), ("hidden_size", hidden_size)):
            if size < 1:
                raise ValueError(f"{name} is {size}, expected a whole number of at least 1")
        self.input_size, self.hidden_size = input_size, hidden_size
        self.input_shape, self.output_shape = (input_size,), (hidden_size,)
        self.state_shapes = ((hidden_size,),) * state_tensors
        rows = len(self.gates) * hidden_size
        self.W = nn.Parameter(torch.empty(rows, input_size))
        self.U = nn.Parameter(torch.empty(rows, hidden_size))
        self.b = nn.Parameter(torch.empty(rows)) if bias else None
        self.reset_parameters()

    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """Uniform in ±1/√H, as torch initialises its recurrent layers."""
        bound = self.hidden_size**-0.5
        for parameter in self.parameters(recurse=False):
            nn.init.uniform_(parameter, -bound, bound, generator=generator)

    def project(self, x: Float[Tensor, "*lead D"] | Int[Tensor, "*lead"], start: int = 0) -> Float[Tensor, "*lead GH"]:
        b = self.b if start == 0 else None
        if not x.is_floating_point():
            product = functional.embedding(x, self.W.t())
            return product if b is None else product + b
        W = self.W if start == 0 and x.shape[-1] == self.input_size else self.W[:, start : start + x.shape[-1]]
        return functional.linear(x, W, b)

    def recurrent_weights(self) -> dict[str, Tensor]:
        return {"U": self.U}

    def gate_rows(self) -> dict[str, slice]:
        H = self.hidden_size
        return {gate: slice(index * H, (index + 1) * H) for index, gate in enumerate(self.gates)}

    def extra_repr(self) -> str:
        return f"{self.input_size}, {self.hidden_size}, bias={self.b is not None}"


def recurrent_input(h_prev: Tensor, noise: Noise | None) -> Tensor:
    """h_{t-1} as it meets U: under recurrent dropout, masked."""
    return h_prev if noise is None or noise.recurrent is None else h_prev * noise.recurrent


def recurrent_weight(U: Tensor, noise: Noise | None, name: str = "U") -> Tensor:
    """U, or what weight-drop made of it."""
    return U if noise is None else noise.weights.get(name, U)
