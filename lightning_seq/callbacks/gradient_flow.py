"""How the gradient fades, or grows, on its way back through time, as a model learns."""

from __future__ import annotations

import json
import math
from pathlib import Path

import torch
from jaxtyping import Float
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
from lightning_seq.callbacks.recurrences import place_of
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
from lightning_seq.spec import Batch
from lightning_seq.tasks.task import Task

POINTS = 48
"""Distances that a curve keeps: the first sixteen, then at growing intervals."""
ROWS, PLACES = 4, 8
"""The most rows whose Jacobians are computed, and the most distances of each."""
WIDEST = 1024
"""The widest state whose Jacobian is computed."""
WIDEST_MATRIX = 512
"""The widest matrix whose eigenvalues are computed."""
WORK = 2**28
"""The most Jacobians times the cube of their width (at least one Jacobian): wide states have fewer."""


class GradientFlow(Diagnostic):
    """Writes `gradient_flow.json`: before training and after each epoch, for each recurrence of the encoder

        name, layer, direction  `forward`, `backward` or `combined`; if it was not measured, `why` instead of the rest
        distances, rows         T - t, and the number of rows that are as long
        norm                    of dL_T/ds_t, where s_t is h_t, or (h_t, c_t): mean, low and high (a tenth and nine
                                tenths of the rows), log10
        tensors                 the means of dL_T/dh_t and dL_T/dc_t, if a state has several tensors
        direct                  the mean with every path from the loss to h_t; null if the loss reads h_T alone
        memory_length           the first distance at which the mean of `norm` is a hundredth of that at 0, or null
        longest                 the greatest distance
        lags, share             spans of lags, and the share of dL_T/dU that comes from each
        kept                    the mean share of the old state that a step keeps, and the mean over units of its
                                product over a distance, log10; null without a gate that keeps
        bound                   γ_w γ_g, or null
        matrices                spectral radius and largest singular value of each U
        jacobian                of ∂s_t/∂s_{t-1} at a few steps: mean spectral norm by distance, of each block, and of
                                each of the four terms of ∂c_t/∂c_{t-1}

    L_T is the loss of the last target (`Task.last_step_loss`) through the last step that it reads, so pooling over all
    steps gives no shorter path; `direct` has those paths. For a layer in reverse it is the loss of the first target.
    """

    FILE = "gradient_flow.json"
    STATE = "looks"

    def __init__(self, directory: Path, data: object, probe: Batch) -> None:
        super().__init__(directory, data, probe)
        self.results = []

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not self.results and trainer.is_global_zero:
            with self.cost.counted():
                self.look(trainer, pl_module, 0)

    def look(self, trainer: Trainer, task: LightningModule, epoch: int) -> None:
        layers = flows(task, self.probe.to(task.device)) if isinstance(task, Task) else ()
        if layers:
            before = (Look.from_plain(look) for look in self.results if look["epoch"] != epoch)
            looks = Looks(len(self.probe.ids), (*before, Look(epoch, trainer.global_step, layers))).to_plain()
            self.results = looks["looks"]
            write_text(self.directory / self.FILE, json.dumps(looks, allow_nan=False, separators=(",", ":")) + "\n")


def flows(task: Task, batch: Batch) -> tuple[Looked, ...]:
    """One look at each recurrence of the encoder, from the input up."""
    modules = task.model.get_submodule("encoder").named_modules()
    names = {module: name for name, module in modules if isinstance(module, Recurrent)}
    looks: dict[Recurrent, Looked] = {}
    with looking(task.model):
        for reverse in sorted({layer.reverse for layer in names}):
            with watched() as seen:
                loss = task.last_step_loss(batch, reverse)
            runs = [run for run in seen if run.layer in names and run.layer.reverse == reverse]
            readable = [run for run in runs if hands_on_its_state(run)]
            met = {run.layer: meeting for run, meeting in zip(readable, meetings(loss, readable), strict=True)}
            looks |= {run.layer: _looked(names[run.layer], run, met.get(run.layer)) for run in runs}
    return tuple(looks[layer] for layer in names if layer in looks)


def _looked(name: str, seen: Seen, meeting: Meeting | None) -> Looked:
    place = place_of(name, seen.layer, seen.layer.reverse)
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

    def logs(values: Float[Tensor, "B N"]) -> Float[Tensor, "B N"]:
        """log10; NaN if a row is shorter."""
        return torch.where(valid, values.log10(), torch.nan)

    def plain(by_distance: Float[Tensor, "N"]) -> list[float | None]:
        return [rounded(value) for value in by_distance[distances].tolist()]

    def curve(values: Float[Tensor, "B N"]) -> list[float | None]:
        return plain(logs(values).nanmean(0))

    norm, parts = logs(whole), shares(weight_gradients(unrolled)) if unrolled.weights[0] else None
    low, high = (plain(norm.nanquantile(share, 0)) for share in (0.1, 0.9))
    kept, limit = kept_share(cell, unrolled.gates), bound(cell)
    return Measured(
        distances=distances,
        rows=valid.sum(0)[distances].tolist(),
        norm={"mean": curve(whole), "low": low, "high": high},
        tensors=[curve(norms([gradient])) for gradient in gradients] if len(gradients) > 1 else None,
        direct=None if meeting.at_one_step else curve(norms(state_gradients(unrolled, direct=True))),
        memory_length=memory_length(norm.nanmean(0)),
        longest=unrolled.steps - 1,
        lags=[list(span) for span in unrolled.spans],
        share=None if parts is None else [rounded(value) for value in parts],
        kept=None
        if kept is None
        else {"a_step": rounded(float(kept[unrolled.alive].mean())), "product": curve(kept_product(kept))},
        bound=None if limit is None else rounded(limit),
        matrices={name: _matrix(matrix) for name, matrix in matrices(cell).items()},
        jacobian=_jacobian(cell, unrolled),
    )


def thinned(steps: int, most: int = POINTS) -> list[int]:
    """Distances 0 to `steps` - 1: all, or the first third of `most` and the rest at growing intervals; if `most` is at
    most two, the one in the middle."""
    if steps <= most:
        return list(range(steps))
    if most < 3:
        return [(steps - 1) // 2]
    near = most // 3
    factor = ((steps - 1) / near) ** (1 / (most - near - 1))
    return sorted({*range(near), *(round(near * factor**n) for n in range(most - near))})


def rounded(value: float) -> float | None:
    return float(f"{value:.4g}") if math.isfinite(value) else None


def _matrix(matrix: Tensor) -> dict[str, float | None]:
    if max(matrix.shape) > WIDEST or not bool(matrix.isfinite().all()):
        return {"radius": None, "norm": None}
    radius = spectral_radius(matrix) if max(matrix.shape) <= WIDEST_MATRIX else None
    return {"radius": None if radius is None else rounded(radius), "norm": rounded(float(spectral_norm(matrix)))}


def _jacobian(cell: Cell, unrolled: Unrolled) -> dict[str, Plain] | None:
    """Of the longest rows; None for rows of one step, and for states that are too wide."""
    N, width = unrolled.steps, sum(unrolled.arriving[index][0].numel() for index in unrolled.places)
    if N < 2 or width > WIDEST:
        return None
    most = max(1, WORK // width**3)
    rows = unrolled.alive.sum(1).argsort(descending=True, stable=True)[: min(ROWS, most)]
    distances = thinned(N - 1, min(PLACES, most // len(rows)))
    steps = torch.tensor([N - 1 - distance for distance in distances], device=rows.device)
    row, step = (grid.flatten() for grid in torch.meshgrid(rows, steps, indexing="ij"))
    begun = unrolled.alive[row, step - 1]
    row, step = row[begun], step[begun]
    if not len(row):
        return None
    pairs = [(int(b), int(t) - 1) for b, t in zip(row, step, strict=True)]
    state = (torch.stack([unrolled.states[t][i][b] for b, t in pairs]) for i in range(len(unrolled.arriving)))
    before = cell.step(unrolled.projected[row, step - 1], leaf(tuple(state)))
    middle = leaf(before.state)
    after = cell.step(unrolled.projected[row, step], middle).state
    parts = blocks([after[index] for index in unrolled.places], [middle[index] for index in unrolled.places])
    whole = joined(parts)
    if not bool(whole.isfinite().all()):
        return None
    sizes = spectral_norm(whole)
    distance_of = torch.tensor([N - 1 - int(t) for t in step])
    distances = [distance for distance in distances if distance in distance_of]
    measured: dict[str, Plain] = {
        "distances": distances,
        "norm": [rounded(float(sizes[distance_of == distance].mean())) for distance in distances],
    }
    if len(parts) > 1:
        measured["blocks"] = [[rounded(float(spectral_norm(block).mean())) for block in line] for line in parts]
        terms = memory_terms(cell, before, cell.step(unrolled.projected[row, step], before.state))
        measured["terms"] = terms and {name: rounded(float(spectral_norm(term).mean())) for name, term in terms.items()}
    return measured
