"""Wrong arguments, which must raise ValueError or TypeError before anything is computed."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from lightning_seq.cells.cell import State
from lightning_seq.layers.bidirectional import Bidirectional
from lightning_seq.layers.recurrent import Recurrent


def refused(what: str, call: Callable[..., object], *arguments: object) -> None:
    """Raises AssertionError unless the call raises ValueError or TypeError."""
    try:
        call(*arguments)
    except (ValueError, TypeError):
        return
    except Exception as error:
        raise AssertionError(f"{what}: {type(error).__name__}, expected ValueError or TypeError") from error
    raise AssertionError(f"{what} is accepted")


def others(tensor: Tensor, typed: bool = True) -> Iterator[tuple[str, Tensor]]:
    """Tensors of another shape, type or device than this one `[B, …]`, each with a description.

    typed: with other floating types.
    """
    yield "unbatched", tensor[0]
    yield "of one more dimension", tensor[None]
    yield "of one row", tensor[:1]
    yield "on another device", tensor.to("meta")
    if not tensor.is_floating_point():  # a mask, or a step counter
        yield "of real numbers", tensor.double()
    else:
        yield "of bits", tensor > 0
        yield "of whole numbers", tensor.long()
    if tensor.is_floating_point() and typed:
        yield "of single precision", tensor.float()
        yield "of half precision", tensor.half()
    yield "narrower", tensor[..., :-1]
    yield "wider", torch.cat([tensor, tensor[..., :1]], -1)


def check_layer(layer: Recurrent, both: Bidirectional, x: Tensor, mask: Tensor, state: State) -> None:
    """Raises AssertionError for an argument that a layer, two directions or the cell alone accept."""
    cell = layer.cell
    wider = torch.cat([x, x[:, :, :1]], 2)  # for maps: another number of channels
    for what, wrong in (("of other channels", wider), *others(x)):
        if what != "of one row":
            refused(f"an input {what}", layer, wrong)
            refused(f"an input {what}, in two directions,", both, wrong)
        refused(f"an input {what}, with a mask,", layer, wrong, mask)
    for what, wrong in (("of other channels", wider[:, 0]), *others(x[:, 0])):
        may_be_part = what in ("unbatched", "of one more dimension", "of one row", "narrower", "of whole numbers")
        if not may_be_part:
            refused(f"an input {what}, of the cell alone,", cell.project, wrong)
    for what, wrong in others(mask):
        refused(f"a mask {what}", layer, x, wrong)
    projected_t = cell.project(x[:, 0])
    wrong_states: list[tuple[str, object]] = [
        ("of no tensors", ()),
        ("of one more", (*state, state[0])),
        ("alone", state[0]),
    ]
    for index, tensor in enumerate(state):
        wrong_states += [
            (f"{what} ({index})", (*state[:index], wrong, *state[index + 1 :])) for what, wrong in others(tensor)
        ]
    for what, wrong_state in wrong_states:
        refused(f"a state {what}", layer, x, mask, wrong_state)
        refused(f"a state {what}, of the cell alone,", cell.step, projected_t, wrong_state)
