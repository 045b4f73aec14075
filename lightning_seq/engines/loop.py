"""The reference engine: the cell's own `step`, once per step."""

from __future__ import annotations

import torch
from torch import Tensor

from lightning_seq.cells.cell import Cell, Noise, State, unchecked
from lightning_seq.engines.engine import Run, Trace


class Loop:
    """Runs every cell with every noise; the only engine that can trace."""

    name = "loop"
    ignores_padding = False

    def refuses(self, cell: Cell, x: Tensor, noise: Noise | None, trace: bool) -> str | None:
        return None

    def run(
        self,
        cell: Cell,
        x: Tensor,
        lengths: Tensor | None,
        state: State,
        noise: Noise | None = None,
        trace: bool = False,
    ) -> Run:
        outputs, states, gates = [], [], []
        one_step = unchecked(cell.step)
        for t, projected_t in enumerate(cell.project(x).unbind(1)):
            step = one_step(projected_t, state, noise)
            new = _zoneout(step.state, state, noise, t)
            output = step.output if noise is None or noise.zoneout is None else cell.output_of(step, new)
            output_index = next((index for index, tensor in enumerate(new) if tensor is output), None)
            if lengths is not None:
                alive = t < lengths
                new = tuple(torch.where(_like(alive, n), n, old) for n, old in zip(new, state, strict=True))
                output = torch.where(_like(alive, output), output, torch.zeros_like(output))
            state = new
            outputs.append(output)
            if trace:
                states.append(state)
                gates.append(step.gates)
        traced = None
        if trace:
            traced = Trace(
                states=tuple(torch.stack(tensors, 1) for tensors in zip(*states, strict=True)),
                gates={name: torch.stack([gate[name] for gate in gates], 1) for name in gates[0]},
                steps=tuple(states),
            )
        return Run(torch.stack(outputs, 1), state, traced, output_index)


def _like(alive: Tensor, value: Tensor) -> Tensor:
    return alive.reshape(-1, *(1,) * (value.dim() - 1))


def _zoneout(new: State, old: State, noise: Noise | None, t: int) -> State:
    """Zoneout (Krueger et al. 2017, eqs. 3-4) keeps a share of the old value; in training the share is 0 or 1."""
    if noise is None or noise.zoneout is None:
        return new
    return tuple(
        n if kept is None else torch.lerp(n, o, kept[:, t]) for n, o, kept in zip(new, old, noise.zoneout, strict=True)
    )
