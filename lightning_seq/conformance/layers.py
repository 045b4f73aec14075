"""Random weights, inputs and comparisons for the suites, in double precision.

Weights are random and differ gate by gate: with constant weights, a cell with two gates swapped would pass.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from lightning_seq.cells.cell import Cell, State
from lightning_seq.layers.recurrent import Recurrent

TOLERANCE = 1e-10


def randomise(module: nn.Module, seed: int = 0) -> None:
    """Every parameter from a normal with its own scale, in place, in double precision."""
    module.double()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for index, parameter in enumerate(module.parameters()):
            scale = 0.3 + 0.1 * index
            parameter.copy_(scale * torch.randn(parameter.shape, generator=generator, dtype=torch.double))


def close(found: Tensor | Sequence[Tensor], expected: Tensor | Sequence[Tensor], tolerance: float = TOLERANCE) -> None:
    """Raises AssertionError unless all tensors are equal up to the tolerance."""
    torch.testing.assert_close(found, expected, rtol=0, atol=tolerance)


def example(cell: Cell, lengths: Sequence[int], seed: int = 1, padding: float = 0.0) -> tuple[Tensor, Tensor, State]:
    """Inputs `[B, T, …]` with `padding` beyond each length, their mask, and a random state."""
    generator = torch.Generator().manual_seed(seed)
    B, T = len(lengths), max(lengths)
    x = torch.randn(B, T, *cell.input_shape, generator=generator, dtype=torch.double)
    mask = torch.arange(T) < torch.tensor(lengths)[:, None]
    x[~mask] = padding
    state = (
        torch.randn(B, *shape, generator=generator, dtype=torch.double)
        if dtype.is_floating_point
        else torch.randint(2 if dtype == torch.bool else 5, (B, *shape), generator=generator).to(dtype)
        for shape, dtype in zip(cell.state_shapes, cell.state_types(), strict=True)
    )
    return x, mask, tuple(state)


def real(tensors: Iterable[Tensor]) -> list[Tensor]:
    """The tensors that may have a gradient: no step counters."""
    return [tensor for tensor in tensors if tensor.is_floating_point()]


def with_gradients(state: State) -> State:
    """Copies; each real tensor is a leaf with a gradient."""
    return tuple(tensor.detach().clone().requires_grad_(tensor.is_floating_point()) for tensor in state)


def weighed(tensors: Iterable[Tensor]) -> Tensor:
    """A loss with a different weight for each number."""
    weights = ((t, torch.linspace(0.5, 1.5, t.numel(), dtype=t.dtype).reshape(t.shape)) for t in real(tensors))
    return torch.stack([(t.sin() * weight).sum() for t, weight in weights]).sum()


def outcome(layer: Recurrent, x: Tensor, mask: Tensor | None, state: State) -> list[Tensor]:
    """Outputs, final state, and the gradients of a loss over both."""
    x = x.clone().requires_grad_()
    state = with_gradients(state)
    outputs, final = layer(x, mask, state)
    wanted = [x, *real(state), *layer.parameters()]
    return [outputs, *final, *torch.autograd.grad(weighed((outputs, *final)), wanted)]


def check_alone_equals_batch(layer: Recurrent, lengths: list[int]) -> None:
    """Each sequence gives the same outputs and final state alone and in a batch."""
    x, mask, state = example(layer.cell, lengths)
    outputs, final = layer(x, mask, state)
    for row, length in enumerate(lengths):
        end = tuple(tensor[row : row + 1] for tensor in state)
        if length:
            alone, end = layer(x[row : row + 1, :length], None, end)
            close(outputs[row : row + 1, :length], alone)
        close([tensor[row : row + 1] for tensor in final], end)
