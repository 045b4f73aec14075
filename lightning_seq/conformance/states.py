"""Checks of a cell's state, and of the output that follows from it."""

from __future__ import annotations

import torch

from lightning_seq.cells.cell import Noise, Step
from lightning_seq.conformance.check import require
from lightning_seq.conformance.layers import close, example, real
from lightning_seq.conformance.subject import Subject
from lightning_seq.engines.engine import Run


def check_zoneout(subject: Subject) -> None:
    """Zoneout with probability 1 keeps the state, with 0 it has no effect, and the output follows the state kept."""
    layer, x, mask, state = subject.example()

    def run(share: float) -> Run:
        kept = (
            torch.full((t.shape[0], x.shape[1], *t.shape[1:]), share, dtype=t.dtype) if t.is_floating_point() else None
            for t in state
        )
        return layer.run(x, mask, state, noise=Noise(zoneout=tuple(kept)))

    always, never, plain = run(1.0), run(0.0), layer.run(x, mask, state)
    close(real(always.state), real(state))
    close((never.outputs, *never.state), (plain.outputs, *plain.state))
    step = layer.cell.step(layer.cell.project(x[:, 0]), state)
    close(layer.cell.output_of(step, step.state), step.output)
    index = _output_index(step)
    if index is not None:
        close(always.outputs[mask], state[index][:, None].expand_as(always.outputs)[mask])


def _output_index(step: Step) -> int | None:
    """The index of the tensor of the state that is also the output; None if the output is another tensor."""
    return next((index for index, tensor in enumerate(step.state) if tensor is step.output), None)


def check_shapes(subject: Subject) -> None:
    """Output and state have the declared shapes, and the state keeps its types; its first tensor holds real numbers."""
    cell = subject.layer().cell
    x, _, state = example(cell, [1, 1])
    start = cell.initial_state(x[:, 0])
    step = cell.step(cell.project(x[:, 0]), state)
    wanted = (2, *cell.output_shape)
    shape = tuple(step.output.shape)
    require(shape == wanted, f"the output has shape {shape}, output_shape says {wanted}")
    types = cell.state_types()
    expected = [((2, *shape), kind) for shape, kind in zip(cell.state_shapes, types, strict=True)]
    for name, made in (("initial_state", start), ("the state after a step", step.state)):
        found = [(tuple(tensor.shape), tensor.dtype) for tensor in made]
        require(found == expected, f"{name} is {found}, expected {expected}")
    require(types[0].is_floating_point, f"the first tensor of the state holds {types[0]}, expected real numbers")


def check_trace(subject: Subject) -> None:
    """The trace holds the state after every step, and `last` the output of the last step; an output that is a tensor of
    the state equals it in the trace."""
    layer = subject.recurrent(subject.layer().cell, subject.reverse, "loop")
    x, mask, state = example(layer.cell, [4, 2])
    run = layer.run(x, mask, state, trace=True)
    if run.trace is None:
        raise AssertionError("a traced run has no trace")
    index = _output_index(layer.cell.step(layer.cell.project(x[:, 0]), state))
    if index is not None:
        close(run.trace.states[index][mask], run.outputs[mask])
    last = 0 if subject.reverse else 3
    close([tensor[0, last] for tensor in run.trace.states], [tensor[0] for tensor in run.state])
    close(run.last, run.outputs[[0, 1], [last, 0 if subject.reverse else 1]])
