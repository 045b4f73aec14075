"""How the gradient fades, or grows, on its way back through time, as a model learns."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Bool, Float
from lightning.pytorch import LightningModule, Trainer
from torch import Tensor

from lightning_seq.callbacks.diagnostic import Diagnostic
from lightning_seq.callbacks.jacobian import (
    blocks,
    bound,
    joined,
    leaf,
    matrices,
    memory_terms,
    spectral_norm,
    spectral_radius,
)
from lightning_seq.callbacks.probe import looking
from lightning_seq.callbacks.through_time import (
    Meeting,
    Unrolled,
    doubling_spans,
    hands_on_its_state,
    kept_product,
    kept_share,
    meetings,
    memory_length,
    norms,
    shares,
    state_gradients,
    unroll,
    weight_gradients,
)
from lightning_seq.cells.cell import Cell
from lightning_seq.files import Plain, write_text
from lightning_seq.layers.recurrent import Recurrent, Seen, watched
from lightning_seq.records.gradient_flow import Look, Looked, Looks, Measured
from lightning_seq.records.sentences import Place
from lightning_seq.spec import Batch
from lightning_seq.tasks.task import Task

FILE = "gradient_flow.json"
POINTS = 48
"""Distances that a curve keeps: the first sixteen, then ever fewer."""
ROWS, PLACES = 4, 8
"""Jacobians are those of so many rows, at so many distances each."""
WIDEST = 1024
"""The widest state whose Jacobian is worth its time."""
WIDEST_MATRIX = 512
"""The widest matrix whose eigenvalues are."""
WORK = 2**28
"""Jacobians times the cube of their width, at most (but one): wide states have fewer of them."""


class GradientFlow(Diagnostic):
    """Writes `gradient_flow.json`: before training and after each epoch, for each recurrence of the encoder

        name, layer, direction  of `forward backward combined`; `why`, alone, where it was not looked at
        distances, rows         T - t, and how many rows are as long
        norm                    of dL_T/ds_t, s_t being h_t, or (h_t, c_t): mean, low and high (a tenth and nine
                                tenths of the rows), log10
        tensors                 the means of dL_T/dh_t and dL_T/dc_t, where a state has several tensors
        direct                  the mean with all that the loss reads of h_t directly; null where it reads h_T alone
        memory_length           the first distance at which the mean of `norm` is a hundredth of that at 0, or null
        longest                 the greatest distance there is
        lags, share             spans of lags, and the share of dL_T/dU that comes from each
        kept                    the mean share of the old state that a step keeps, and the mean over units of its
                                product over a distance, log10; null without a gate that keeps
        bound                   γ_w γ_g, or null
        matrices                spectral radius and largest singular value of each U
        jacobian                of ∂s_t/∂s_{t-1} at a few steps: mean spectral norm by distance, of each block, and of
                                each of the four terms of ∂c_t/∂c_{t-1}

    L_T is the loss of the last target (`Task.last_step_loss`) through the last step that it reads, so that pooling over
    all steps is no short cut: `direct` has those. For a layer that runs in reverse it is the loss of the first target.

    Nothing is drawn, and the model is left as it was: training is the same with it and without.
    """

    STATE = "looks"

    def __init__(self, directory: Path, data: Any, probe: Batch) -> None:
        super().__init__(directory, data, probe)
        self.found: list[Plain] = []

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not self.found and trainer.is_global_zero:
            with self.cost.counted():
                self.look(trainer, pl_module, 0)

    def look(self, trainer: Trainer, task: LightningModule, epoch: int) -> None:
        layers = flows(task, self.probe.to(task.device)) if isinstance(task, Task) else ()
        if layers:
            before = (Look.from_plain(look) for look in self.found if look["epoch"] != epoch)
            looks = Looks(len(self.probe.ids), (*before, Look(epoch, trainer.global_step, layers))).to_plain()
            self.found = looks["looks"]
            write_text(self.directory / FILE, json.dumps(looks, allow_nan=False, separators=(",", ":")) + "\n")


def flows(task: Task, batch: Batch) -> tuple[Looked, ...]:
    """One look at each recurrence of the encoder, from the input up."""
    encoder: Any = task.model.encoder
    names = {module: name for name, module in encoder.named_modules() if isinstance(module, Recurrent)}
    found: dict[str, Looked] = {}
    with looking(task.model):
        for reverse in sorted({layer.reverse for layer in names}):
            with watched() as seen:
                loss = task.last_step_loss(batch, reverse)
            mine = [each for each in seen if each.layer in names and each.layer.reverse == reverse]
            known = [each for each in mine if hands_on_its_state(each)]
            met = {each.layer: meeting for each, meeting in zip(known, meetings(loss, known), strict=True)}
            for each in mine:
                name = names[each.layer]
                found[name] = _looked(name, each, met.get(each.layer))
    return tuple(found[name] for name in names.values() if name in found)


def _place(name: str, layer: Recurrent) -> Place:
    numbers = re.findall(r"\.(\d+)", name)
    last = name.rpartition(".")[2]
    direction = last if last == "combined" else "backward" if layer.reverse else "forward"
    return Place(int(numbers[-1]) + 1 if numbers else 1, direction)


def _looked(name: str, seen: Seen, meeting: Meeting | None) -> Looked:
    place = _place(name, seen.layer)
    if meeting is None:
        return Looked(name, place, None, "its output is not its state")
    try:
        unrolled = unroll(seen, meeting, doubling_spans)
    except ValueError as error:
        return Looked(name, place, None, str(error))
    if unrolled is None:
        return Looked(name, place, None, "the loss does not read it")
    return Looked(name, place, _measured(seen.layer.cell, meeting, unrolled))


def _measured(cell: Cell, meeting: Meeting, unrolled: Unrolled) -> Measured:
    gradients = state_gradients(unrolled)
    whole = norms(gradients)
    valid = unrolled.alive.flip(1) & (whole[:, :1] != 0)
    distances = thinned(unrolled.steps)
    logs = by_distance(whole, valid)

    def curve(values: Tensor) -> list[float | None]:
        return plain(mean(by_distance(values, valid)), distances)

    share = kept_share(cell, unrolled.gates)
    limit = bound(cell)
    return Measured(
        distances=distances,
        rows=valid.sum(0)[distances].tolist(),
        norm=spread(logs, distances),
        tensors=[curve(norms([each])) for each in gradients] if len(gradients) > 1 else None,
        direct=None if meeting.at_one_step else curve(norms(state_gradients(unrolled, direct=True))),
        memory_length=memory_length(mean(logs)),
        longest=unrolled.steps - 1,
        lags=[list(span) for span in unrolled.spans],
        share=_shares(unrolled),
        kept=None if share is None else _kept(share, unrolled.alive, curve(kept_product(share))),
        bound=None if limit is None else rounded(limit),
        matrices={name: _matrix(matrix) for name, matrix in matrices(cell).items()},
        jacobian=_jacobian(cell, unrolled),
    )


def thinned(steps: int, most: int = POINTS) -> list[int]:
    """Distances 0 to `steps` - 1: all of them, or the first third of `most` and the rest ever further apart.

    Of at most two, the one in the middle.
    """
    if steps <= most:
        return list(range(steps))
    if most < 3:
        return [(steps - 1) // 2]
    near = most // 3
    factor = ((steps - 1) / near) ** (1 / (most - near - 1))
    return sorted({*range(near), *(round(near * factor**n) for n in range(most - near))})


def by_distance(values: Float[Tensor, "B N"], valid: Bool[Tensor, "B N"]) -> Float[Tensor, "B N"]:
    """log10; NaN where a row is not as long."""
    return torch.where(valid, values.log10(), torch.nan)


def mean(logs: Float[Tensor, "B N"]) -> Float[Tensor, "N"]:
    """Over the rows that are as long."""
    return logs.nanmean(0)


def spread(logs: Float[Tensor, "B N"], distances: list[int]) -> dict[str, list[float | None]]:
    low, high = (logs.nanquantile(share, 0) for share in (0.1, 0.9))
    return {"mean": plain(mean(logs), distances), "low": plain(low, distances), "high": plain(high, distances)}


def plain(values: Float[Tensor, "N"], places: list[int]) -> list[float | None]:
    return [rounded(value) for value in values[places].tolist()]


def rounded(value: float) -> float | None:
    return float(f"{value:.4g}") if math.isfinite(value) else None


def _shares(unrolled: Unrolled) -> list[float | None] | None:
    if not unrolled.weights[0]:
        return None
    found = shares(weight_gradients(unrolled))
    return None if found is None else [rounded(value) for value in found]


def _kept(share: Tensor, alive: Tensor, product: list[float | None]) -> dict[str, Plain]:
    return {"a_step": rounded(float(share[alive].mean())), "product": product}


def _matrix(matrix: Tensor) -> dict[str, float | None]:
    if max(matrix.shape) > WIDEST or not bool(matrix.isfinite().all()):
        return {"radius": None, "norm": None}
    radius = spectral_radius(matrix) if max(matrix.shape) <= WIDEST_MATRIX else None
    return {"radius": None if radius is None else rounded(radius), "norm": rounded(float(spectral_norm(matrix)))}


def _jacobian(cell: Cell, unrolled: Unrolled) -> dict[str, Plain] | None:
    """Of the rows that are longest; None for rows of one step, and for states that are too wide."""
    N, width = unrolled.steps, sum(unrolled.arriving[place][0].numel() for place in unrolled.places)
    if N < 2 or width > WIDEST:
        return None
    most = max(1, WORK // width**3)
    rows = unrolled.alive.sum(1).argsort(descending=True, stable=True)[: min(ROWS, most)]
    distances = thinned(N - 1, min(PLACES, most // len(rows)))
    steps = torch.tensor([N - 1 - distance for distance in distances], device=rows.device)
    row, step = (each.flatten() for each in torch.meshgrid(rows, steps, indexing="ij"))
    begun = unrolled.alive[row, step - 1]
    row, step = row[begun], step[begun]
    if not len(row):
        return None
    start = leaf(tuple(_state(unrolled, place, row, step - 1) for place in range(len(unrolled.arriving))))
    before = cell.step(unrolled.projected[row, step - 1], start)
    middle = leaf(before.state)
    after = cell.step(unrolled.projected[row, step], middle).state
    parts = blocks([after[place] for place in unrolled.places], [middle[place] for place in unrolled.places])
    whole = joined(parts)
    if not bool(whole.isfinite().all()):
        return None
    sizes = spectral_norm(whole)
    near = [N - 1 - int(each) for each in step]
    found: dict[str, Plain] = {
        "distances": [d for d in distances if d in near],
        "norm": [rounded(float(sizes[torch.tensor(near) == d].mean())) for d in distances if d in near],
    }
    if len(parts) > 1:
        found["blocks"] = [[rounded(float(spectral_norm(block).mean())) for block in line] for line in parts]
        terms = memory_terms(cell, before, cell.step(unrolled.projected[row, step], before.state))
        found["terms"] = terms and {name: rounded(float(spectral_norm(term).mean())) for name, term in terms.items()}
    return found


def _state(unrolled: Unrolled, place: int, row: Tensor, step: Tensor) -> Tensor:
    """What steps of rows read: `[pairs, …]`."""
    return torch.stack([unrolled.states[int(t)][place][int(b)] for b, t in zip(row, step, strict=True)])
