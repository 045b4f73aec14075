"""What a cell must do with its state, and how its output follows from it."""

from __future__ import annotations

import torch

from lightning_seq.cells.cell import Noise, Step
from lightning_seq.conformance.check import RAGGED
from lightning_seq.conformance.layers import close, example, real
from lightning_seq.conformance.subject import Subject
from lightning_seq.engines.engine import Run


def check_zoneout(subject: Subject) -> None:
    """Zoneout with probability 1 holds the state, with 0 it changes nothing, and the output follows the state that is
    kept."""
    layer = subject.layer()
    x, mask, state = example(layer.cell, RAGGED)

    def run(share: float) -> Run:
        kept = (
            torch.full((t.shape[0], x.shape[1], *t.shape[1:]), share, dtype=t.dtype) if t.is_floating_point() else None
            for t in state
        )
        return layer.run(x, mask, state, noise=Noise(zoneout=tuple(kept)))

    held, moved, plain = run(1.0), run(0.0), layer.run(x, mask, state)
    for found, expected in zip(real(held.state), real(state), strict=True):
        close(found, expected)
    for found, expected in zip((moved.outputs, *moved.state), (plain.outputs, *plain.state), strict=True):
        close(found, expected)
    step = layer.cell.step(layer.cell.project(x[:, 0]), state)
    close(layer.cell.output_of(step, step.state), step.output)
    place = _handed_out(step)
    if place is not None:
        close(held.outputs[mask], state[place][:, None].expand_as(held.outputs)[mask])


def _handed_out(step: Step) -> int | None:
    """Which tensor of the state is the output itself; None where none is."""
    return next((place for place, tensor in enumerate(step.state) if tensor is step.output), None)


def check_shapes(subject: Subject) -> None:
    """Output and state have the shapes that the cell says, and the state keeps its types; the tensor that meets U holds
    real numbers."""
    cell = subject.layer().cell
    x, _, state = example(cell, [1, 1])
    start = cell.initial_state(x[:, 0])
    step = cell.step(cell.project(x[:, 0]), state)
    wanted = (2, *cell.output_shape)
    assert step.output.shape == wanted, f"the output has shape {tuple(step.output.shape)}, output_shape says {wanted}"
    types = cell.state_types()
    expected = [((2, *shape), kind) for shape, kind in zip(cell.state_shapes, types, strict=True)]
    for name, made in (("initial_state", start), ("the state after a step", step.state)):
        found = [(tuple(tensor.shape), tensor.dtype) for tensor in made]
        assert found == expected, f"{name} is {found}, expected {expected}"
    assert types[0].is_floating_point, f"the first tensor of the state holds {types[0]}, expected real numbers"


def check_trace(subject: Subject) -> None:
    """The trace shows the state after every step, `last` the output of the last one; an output that is a tensor of the
    state is that of the trace."""
    layer = subject.recurrent(subject.layer().cell, subject.reverse, "loop")
    x, mask, state = example(layer.cell, [4, 2])
    run = layer.run(x, mask, state, trace=True)
    assert run.trace is not None
    place = _handed_out(layer.cell.step(layer.cell.project(x[:, 0]), state))
    if place is not None:
        close(run.trace.states[place][mask], run.outputs[mask])
    last = 0 if subject.reverse else 3
    for tensor, final in zip(run.trace.states, run.state, strict=True):
        close(tensor[0, last], final[0])
    close(run.last, run.outputs[[0, 1], [last, 0 if subject.reverse else 1]])
