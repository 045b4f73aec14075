"""The contract of a cell: one step of a recurrence, and nothing about sequences."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial, wraps
from typing import NamedTuple, TypeVar

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from lightning_seq.errors import UserError, at_least_one, near
from lightning_seq.tensors import IDS, Size, check_tensor

State = tuple[Tensor, ...]
R = TypeVar("R")


@dataclass(frozen=True)
class Noise:
    """Random numbers drawn before the loop over the steps, so that every engine uses the same draw.

    recurrent: `[B, *state_shapes[0]]`, multiplies h_{t-1} in its product with U alone, the same at every step
               (recurrent dropout, already scaled).
    zoneout:   for each tensor of the state, `[B, T, …]` in the order of the steps: the share of the old value to keep
               (0 or 1 in training, the probability in evaluation); None: no zoneout of that tensor.
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


def checked(method: Callable[..., R], check: Callable[..., None]) -> Callable[..., R]:
    """The method, after `check` of its arguments. A call by `super()` from a subclass is not checked again."""

    @wraps(method)
    def call(self: Cell, *arguments: object, **named: object) -> R:
        if getattr(type(self), method.__name__) is call:
            check(self, *arguments, **named)
        return method(self, *arguments, **named)

    call.unchecked = method  # type: ignore[attr-defined]
    return call


def unchecked(method: Callable[..., R]) -> Callable[..., R]:
    """A cell's method without its check, for a loop whose inputs are checked before the first step."""
    bare = getattr(method, "unchecked", None)
    return method if bare is None else partial(bare, method.__self__)  # type: ignore[attr-defined]


def check_run(cell: Cell, x: Tensor, state: State | None, noise: Noise | None) -> None:
    """Raises ValueError or TypeError unless x is `[B, T, *input_shape]` (or ids `[B, T]`, if the cell takes them) of
    the parameters' type and device, and state and noise fit such a batch."""
    like = cell.like(x)
    _check_input(cell, x, ("B", "T"), cell.input_shape, like)
    if state is not None:
        _check_state(cell, state, x, like)
    if noise is not None:
        _check_noise(cell, noise, x, like, x.shape[1] if x.dim() > 1 else 0)


def check_project(cell: Cell, x: Tensor, start: int = 0) -> None:
    """Raises ValueError or TypeError unless x is `[…, *input_shape]`, some of its columns (if the cell splits its
    input), or ids `[…]`."""
    shape = cell.input_shape
    if start and not (cell.splits_input and 0 < start < shape[0]):
        last = shape[0] - 1 if cell.splits_input else 0
        raise ValueError(f"{_name(cell)}: start is {start}, expected 0{f' to {last}' if last else ''}")
    if cell.splits_input and isinstance(x, Tensor) and x.dim():
        left = shape[0] - start
        shape = (x.shape[-1] if 0 < x.shape[-1] < left else left,)
    _check_input(cell, x, ("…",), shape, cell.like(x))


def check_step(cell: Cell, projected_t: Tensor, state: State, noise: Noise | None = None) -> None:
    """Raises ValueError or TypeError unless `projected_t`, state and noise are those of one batch of this cell."""
    like, shape = cell.like(projected_t), cell.projected_shape
    check_tensor(_name(cell), "projected_t", projected_t, ("…", "B") if shape is None else ("B", *shape), like)
    _check_state(cell, state, projected_t, like)
    if noise is not None:
        _check_noise(cell, noise, projected_t, like, None)


def _check_input(cell: Cell, x: Tensor, lead: tuple[Size, ...], shape: tuple[int, ...], like: Tensor) -> None:
    if not (isinstance(x, Tensor) and x.dtype in IDS):
        check_tensor(_name(cell), "input", x, (*lead, *shape), like)
    elif cell.takes_ids:
        check_tensor(_name(cell), "input of ids", x, lead, like, IDS)
    else:
        raise UserError(f"{_name(cell)} takes vectors, not token ids: use embedding=random or embedding=word2vec")


def _check_state(cell: Cell, state: State, batch: Tensor, like: Tensor) -> None:
    """A tensor `[B, *shape]` for each of `state_shapes`, of the type of the cell's own initial state."""
    B, name = len(batch), _name(cell)
    if not isinstance(state, tuple | list) or len(state) != len(cell.state_shapes):
        came = f"{len(state)} tensors" if isinstance(state, tuple | list) else f"a {type(state).__name__}"
        shapes = ", ".join(str([B, *shape]) for shape in cell.state_shapes)
        raise ValueError(f"{name}: state is {came}, expected a tuple of {len(cell.state_shapes)}: {shapes}")
    for index, (tensor, shape) in enumerate(zip(state, cell.state_shapes, strict=True)):
        own = like
        if index in cell.counters() or (isinstance(tensor, Tensor) and tensor.dtype != like.dtype):
            own = cell.initial_state(batch)[index]
        check_tensor(name, f"state[{index}]", tensor, (B, *shape), own)


def _check_noise(cell: Cell, noise: Noise, batch: Tensor, like: Tensor, steps: int | None) -> None:
    """steps: T; None: one step."""
    B, name, shapes = len(batch), _name(cell), cell.state_shapes
    if noise.recurrent is not None:
        check_tensor(name, "noise.recurrent", noise.recurrent, (B, *shapes[0]), like)
    if noise.zoneout is not None and steps is not None:
        if len(noise.zoneout) != len(shapes):
            raise ValueError(f"{name}: noise.zoneout has {len(noise.zoneout)} tensors, expected {len(shapes)}")
        for kept, shape in zip(noise.zoneout, shapes, strict=True):
            if kept is not None:
                check_tensor(name, "noise.zoneout", kept, (B, steps, *shape), like)
    own = cell.recurrent_weights() if noise.weights else {}
    for key, weight in noise.weights.items():
        if key not in own:
            raise ValueError(f"{name}: noise.weights has {key!r}, expected names among {sorted(own)}")
        check_tensor(name, f"noise.weights[{key!r}]", weight, own[key].shape, like)


def _name(cell: Cell) -> str:
    return cell._get_name()


class Cell(nn.Module, ABC):
    """One step of a recurrence.

    input_shape, output_shape: shapes of one sample at one step.
    state_shapes:              shapes of one sample's state, one for each tensor; the first one meets U.
    projected_shape:           shape of the result of `project` for one sample at one step; None if unknown.
    splits_input:              whether `project` accepts some columns of the input.
    takes_ids:                 whether `project` accepts token ids.
    resets_submodules:         whether `reset_parameters` also fills the parameters of the cell's submodules.
    keeps:                     the gate that keeps the old state; 1 if the open gate keeps it, -1 if it forgets.

    The output may be a tensor of the state or another one, of any width: see `output_of`. The first tensor of the
    state holds real numbers. An integer or boolean tensor (a step counter) gets no noise and no gradient.

    `project` and `step` of every subclass check their arguments: ValueError or TypeError.
    """

    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    state_shapes: tuple[tuple[int, ...], ...]
    projected_shape: tuple[int, ...] | None = None
    splits_input: bool = True
    takes_ids: bool = True
    resets_submodules: bool = False
    keeps: tuple[str, int] | None = None
    _counters: frozenset[int] | None = None

    def __init_subclass__(cls, **options: object) -> None:
        super().__init_subclass__(**options)
        for name, check in (("project", check_project), ("step", check_step)):
            method = getattr(cls, name)
            if not hasattr(method, "unchecked") and not getattr(method, "__isabstractmethod__", False):
                setattr(cls, name, checked(method, check))

    def like(self, x: Tensor) -> Tensor:
        """A tensor of the computation's type and device: a parameter, or x if the cell has none."""
        for parameter in self._parameters.values():  # the common case, several times as fast as `parameters()`
            if parameter is not None:
                return parameter
        return next(self.parameters(), x)

    def initial_state(self, x: Tensor) -> State:
        """Zeros for a batch like `x` `[B, …]`, in the parameters' type."""
        like = self.like(x)
        return tuple(
            torch.zeros(x.shape[0], *shape, dtype=like.dtype, device=like.device) for shape in self.state_shapes
        )

    @abstractmethod
    def project(self, x: Tensor, start: int = 0) -> Tensor:
        """The part of a step that depends on the input alone, for any leading shape: `[…, D']` to `[…, G*H]`.

        `x` holds the input's columns from `start` on; the bias is added only if that is 0. Token ids (an integer
        tensor `[…]`) are one-hot vectors.
        """

    def projection(self, start: int, width: int) -> Callable[[Tensor], Tensor]:
        """`project` for `width` columns of the input from `start` on, for the steps of a loop."""
        return lambda x: self.project(x, start)

    @abstractmethod
    def step(self, projected_t: Tensor, state: State, noise: Noise | None = None) -> Step:
        """The equations of the recurrence, from the projection of x_t and the previous state."""

    def output_of(self, step: Step, state: State) -> Tensor:
        """The output `[B, *output_shape]` of a step whose state zoneout has replaced by `state`.

        If the step's output is a tensor of its state (the same object, as h_t of an LSTM), the result is that tensor
        of `state`, else the step's output. A cell whose output is computed from the new state, as [h_t ; s_t] or V h_t,
        overrides this. For `step.state` the result is `step.output`.
        """
        return next((kept for new, kept in zip(step.state, state, strict=True) if new is step.output), step.output)

    @torch.no_grad()
    def state_types(self) -> tuple[torch.dtype, ...]:
        """The type of each tensor of the state."""
        like = next(self.parameters(), torch.empty(0))
        return tuple(tensor.dtype for tensor in self.initial_state(like.new_zeros(1, *self.input_shape)))

    def counters(self) -> frozenset[int]:
        """The indices of the state's integer and boolean tensors."""
        if self._counters is None:
            types = enumerate(self.state_types())
            self._counters = frozenset(index for index, dtype in types if not dtype.is_floating_point)
        return self._counters

    @abstractmethod
    def recurrent_weights(self) -> dict[str, Tensor]:
        """The matrices that act on the state, by name."""

    def gate_rows(self) -> dict[str, slice]:
        """Which rows of W and U belong to which gate."""
        return {}

    def gate_bias(self, gate: str) -> Tensor | None:
        """A view of the gate's learned bias, to be filled in place; None if it has none."""
        return None


Bias = bool | Mapping[str, float | int]
"""True, False, or the gates whose bias is frozen at a value."""


class GatedCell(Cell):
    """Cells with gates: a bias for each gate, learned or frozen, and its initial value.

    gates:       their names, in the order of their rows.
    forget_bias: initial value of gate f's bias; None: as the other biases. A subclass sets it before this constructor.
    bias:        True; False for none; `{gate: value}` freezes the biases of some gates at a value.
    """

    gates: tuple[str, ...]
    forget_bias: float | None = None

    def __init__(self, hidden_size: int, bias: Bias = True) -> None:
        super().__init__()
        self.hidden_size = at_least_one("hidden_size", hidden_size)
        self.frozen = {} if isinstance(bias, bool) else dict(bias)
        for gate, value in self.frozen.items():
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise UserError(f"bias freezes gate {gate!r} at {value!r}, expected a number")
            if gate not in self.gates:
                raise UserError(f"bias freezes gate {gate!r}, this cell has no such gate: {near(gate, self.gates)}")
        self._learned = tuple(gate for gate in self.gates if gate not in self.frozen) if bias is not False else ()
        self.b = nn.Parameter(torch.empty(len(self._learned) * hidden_size)) if self._learned else None

    def bias(self) -> Tensor | None:
        """`[G*H]`, learned and frozen together."""
        if not self.frozen:
            return self.b
        like = next(self.parameters())
        learned = {} if self.b is None else dict(zip(self._learned, self.b.split(self.hidden_size), strict=True))
        return torch.cat(
            [learned[g] if g in learned else like.new_full((self.hidden_size,), self.frozen[g]) for g in self.gates]
        )

    def reset_parameters(self) -> None:
        """Uniform in ±1/√H, as torch initialises its recurrent layers."""
        bound = self.hidden_size**-0.5
        for parameter in self.parameters(recurse=False):
            nn.init.uniform_(parameter, -bound, bound)
        self.start_forget_bias()

    @torch.no_grad()
    def start_forget_bias(self) -> None:
        """Fill the learned bias of the forget gate with `forget_bias`, if both are there."""
        b_f = self.gate_bias("f")
        if b_f is not None and self.forget_bias is not None:
            b_f.fill_(self.forget_bias)

    def gate_rows(self) -> dict[str, slice]:
        H = self.hidden_size
        return {gate: slice(index * H, (index + 1) * H) for index, gate in enumerate(self.gates)}

    def gate_bias(self, gate: str) -> Tensor | None:
        if self.b is None or gate not in self._learned:
            return None
        return self.b.split(self.hidden_size)[self._learned.index(gate)]

    def _bias_repr(self) -> str:
        return f"bias={self.frozen or self.b is not None}"


class DenseCell(GatedCell):
    """Cells with `W [G*H, D]`, `U [G*H, H]` and `b [G*H]`: their parameters and the product with the input.

    recurrent_size: columns of U, for a state whose first tensor is not H wide.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: Bias = True,
        state_tensors: int = 1,
        recurrent_size: int | None = None,
    ) -> None:
        super().__init__(hidden_size, bias)
        self.input_size = at_least_one("input_size", input_size)
        output_size = at_least_one("output_size", recurrent_size or hidden_size)
        self.input_shape, self.output_shape = (input_size,), (output_size,)
        self.state_shapes = ((output_size,), *((hidden_size,),) * (state_tensors - 1))
        rows = len(self.gates) * hidden_size
        self.projected_shape = (rows,)
        self.W = nn.Parameter(torch.empty(rows, input_size))
        self.U = nn.Parameter(torch.empty(rows, output_size))
        self.reset_parameters()

    def project(self, x: Float[Tensor, "*lead D"] | Int[Tensor, "*lead"], start: int = 0) -> Float[Tensor, "*lead GH"]:
        return product(x, self.W, self.bias(), start)

    def projection(self, start: int, width: int) -> Callable[[Tensor], Tensor]:
        """W is sliced once: the gradient of every slice is as large as W."""
        W, b = self.W[:, start : start + width], self.bias() if start == 0 else None
        return lambda x: functional.linear(x, W, b)

    def recurrent_product(self, h_prev: Float[Tensor, "B R"], noise: Noise | None) -> Float[Tensor, "B GH"]:
        """U h_{t-1}, with the recurrent dropout and the weight drop of `noise`."""
        return functional.linear(recurrent_input(h_prev, noise), recurrent_weight(self.U, noise))

    def recurrent_weights(self) -> dict[str, Tensor]:
        return {"U": self.U}

    def extra_repr(self) -> str:
        return f"{self.input_size}, {self.hidden_size}, {self._bias_repr()}"


def product(x: Tensor, W: Tensor, b: Tensor | None = None, start: int = 0) -> Tensor:
    """`W x + b` for any leading shape; `x` holds the columns from `start` on, and b is added only if that is 0.

    Token ids are one-hot vectors: their product is a column of W.
    """
    b = b if start == 0 else None
    if not x.is_floating_point():
        columns = functional.embedding(x, W.t())
        return columns if b is None else columns + b
    if start or x.shape[-1] != W.shape[1]:
        W = W[:, start : start + x.shape[-1]]
    return functional.linear(x, W, b)


def recurrent_input(h_prev: Tensor, noise: Noise | None) -> Tensor:
    """h_{t-1} before the product with U: masked under recurrent dropout."""
    return h_prev if noise is None or noise.recurrent is None else h_prev * noise.recurrent


def recurrent_weight(U: Tensor, noise: Noise | None, name: str = "U") -> Tensor:
    """U, or its weight-dropped replacement."""
    return U if noise is None else noise.weights.get(name, U)
