"""What a recurrent layer must do, whatever its cell, engine and direction: each function raises AssertionError if not.

Weights are random and differ gate by gate, in double precision: with constant weights, a cell with two gates swapped
would pass.
"""

from __future__ import annotations

from collections.abc import Iterable

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


def close(found: Tensor, expected: Tensor, tolerance: float = TOLERANCE) -> None:
    torch.testing.assert_close(found, expected, rtol=0, atol=tolerance)


def example(cell: Cell, lengths: list[int], seed: int = 1, padding: float = 0.0) -> tuple[Tensor, Tensor, State]:
    """Inputs `[B, T, …]` with `padding` beyond each length, their mask, and a random state."""
    generator = torch.Generator().manual_seed(seed)
    B, T = len(lengths), max(lengths)
    x = torch.randn(B, T, *cell.input_shape, generator=generator, dtype=torch.double)
    mask = torch.arange(T) < torch.tensor(lengths)[:, None]
    x[~mask] = padding
    return (
        x,
        mask,
        tuple(
            torch.randn(B, *shape, generator=generator, dtype=torch.double)
            if kind.is_floating_point
            else torch.randint(2 if kind == torch.bool else 5, (B, *shape), generator=generator).to(kind)
            for shape, kind in zip(cell.state_shapes, cell.state_types(), strict=True)
        ),
    )


def real(tensors: Iterable[Tensor]) -> list[Tensor]:
    """Those that may have a gradient: no step counters."""
    return [tensor for tensor in tensors if tensor.is_floating_point()]


def with_gradients(state: State) -> State:
    """The same numbers, each real tensor a leaf with a gradient of its own."""
    return tuple(tensor.detach().clone().requires_grad_(tensor.is_floating_point()) for tensor in state)


def weighed(tensors: Iterable[Tensor]) -> Tensor:
    """A loss that weighs each of their numbers differently."""
    parts = [
        (t.sin() * torch.linspace(0.5, 1.5, t.numel(), dtype=t.dtype).reshape(t.shape)).sum() for t in real(tensors)
    ]
    return torch.stack(parts).sum()


def outcome(layer: Recurrent, x: Tensor, mask: Tensor | None, state: State) -> list[Tensor]:
    """Outputs, final state, and the gradients of a loss over both."""
    x = x.clone().requires_grad_()
    state = with_gradients(state)
    outputs, final = layer(x, mask, state)
    wanted = [x, *real(state), *layer.parameters()]
    return [outputs, *final, *torch.autograd.grad(weighed((outputs, *final)), wanted)]


def check_engines_agree(layer: Recurrent, reference: Recurrent, lengths: list[int]) -> None:
    """Equal in value and gradient, from any state, ragged or not."""
    x, mask, state = example(layer.cell, lengths)
    for found, expected in zip(outcome(layer, x, mask, state), outcome(reference, x, mask, state), strict=True):
        close(found, expected)


def check_alone_equals_batch(layer: Recurrent, lengths: list[int]) -> None:
    """Each sequence gives the same outputs and final state alone and in a batch."""
    x, mask, state = example(layer.cell, lengths)
    outputs, final = layer(x, mask, state)
    for row, length in enumerate(lengths):
        mine = tuple(tensor[row : row + 1] for tensor in state)
        if length == 0:
            for tensor, held in zip(final, mine, strict=True):
                close(tensor[row : row + 1], held)
            continue
        alone, end = layer(x[row : row + 1, :length], None, mine)
        close(outputs[row : row + 1, :length], alone)
        for tensor, expected in zip(final, end, strict=True):
            close(tensor[row : row + 1], expected)


def check_padding_is_ignored(layer: Recurrent, lengths: list[int]) -> None:
    """Whatever the padding holds, NaN included: same values, same gradients, zero outputs there."""
    clean, mask, state = example(layer.cell, lengths)
    dirty, _, _ = example(layer.cell, lengths, padding=float("nan"))
    expected, found = outcome(layer, clean, mask, state), outcome(layer, dirty, mask, state)
    for one, other in zip(found, expected, strict=True):
        close(one, other)
    assert not found[0][~mask].any()


def check_chunks_equal_whole(layer: Recurrent, steps: int) -> None:
    """Cut at every place, with the state carried (in reverse, the last chunk first)."""
    x, _, state = example(layer.cell, [steps] * 3)
    whole, final = layer(x, None, state)
    for cut in range(1, steps):
        first, second = (x[:, cut:], x[:, :cut]) if layer.reverse else (x[:, :cut], x[:, cut:])
        one, carried = layer(first, None, state)
        two, end = layer(second, None, carried)
        close(torch.cat([two, one] if layer.reverse else [one, two], 1), whole)
        for tensor, expected in zip(end, final, strict=True):
            close(tensor, expected)


def check_reverse_is_flipped(forwards: Recurrent, backwards: Recurrent, lengths: list[int]) -> None:
    """Reverse = flip, run, flip, on each row's own length."""
    x, mask, state = example(forwards.cell, lengths)
    outputs, final = backwards(x, mask, state)
    for row, length in enumerate(lengths):
        mine = tuple(tensor[row : row + 1] for tensor in state)
        flipped, end = forwards(x[row : row + 1, :length].flip(1), None, mine)
        close(outputs[row : row + 1, :length], flipped.flip(1))
        for tensor, expected in zip(final, end, strict=True):
            close(tensor[row : row + 1], expected)


def check_gradients(layer: Recurrent, lengths: list[int]) -> None:
    """Against finite differences, through the mask; and every parameter gets a gradient."""
    x, mask, state = example(layer.cell, lengths)

    def run(x: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        outputs, final = layer(x, mask, state)
        return outputs, *final

    inputs = [tensor.clone().requires_grad_() for tensor in (x, *state)]
    assert torch.autograd.gradcheck(run, inputs, eps=1e-6, atol=1e-6)
    sum(tensor.sum() for tensor in run(*inputs)).backward()  # type: ignore[union-attr]
    for name, parameter in layer.named_parameters():
        assert parameter.grad is not None, f"{name} has no gradient"
        assert parameter.grad.abs().sum() > 0, f"{name} has no gradient"
