"""`dry_run=true`: the parameters and the time of the runs of a comparison."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from statistics import median_low

from rich.console import Console
from rich.table import Table

from lightning_seq.builders.build import build_model, build_task
from lightning_seq.comparison.prepare import PreparedEntry
from lightning_seq.training.environment import prepare_process
from lightning_seq.training.planned import Planned

STEPS_TIMED = 6


def show_plan(ready: Sequence[PreparedEntry], runs: Sequence[Planned], jobs: int, console: Console) -> None:
    """Print the grid with parameters and minutes, from a few timed steps of each architecture."""
    table = Table(box=None, pad_edge=False)
    for heading in ("architecture", "parameters", "embedding", "encoder", "head", "runs to do", "minutes a run"):
        table.add_column(heading, justify="left" if heading == "architecture" else "right", overflow="fold")
    missing = [run for run in runs if not run.is_done()]
    total = 0.0
    for item in ready:
        left = sum(run.entry is item.entry for run in missing)
        minutes = seconds_a_run(item) / 60
        total += left * minutes
        counts = [f"{item.parameters[part]:,}" for part in ("total", "embedding", "recurrent", "head")]
        table.add_row(item.entry.label, *counts, str(left), f"{minutes:.1f}")
    console.print(table)
    console.print(
        f"{len(missing)} of {len(runs)} runs to do, about {total / jobs:.0f} minutes with jobs={jobs} "
        f"if no run stops early ({STEPS_TIMED} steps of each were timed, alone and on the CPU); no run was started",
        soft_wrap=True,
    )


def seconds_a_run(item: PreparedEntry) -> float:
    """An estimate: the median of a few training steps, times the steps of all epochs; infinite without a limit of
    epochs or steps."""
    config = item.entry.config
    prepare_process(config)
    task = build_task(config, item.data, build_model(config, item.data.spec, item.inputs.width))
    loader = item.data.train_dataloader()
    times = []
    for step, batch in zip(range(STEPS_TIMED + 1), loader, strict=False):
        begin = time.perf_counter()
        task.training_step(batch, step).backward()
        times.append(time.perf_counter() - begin)
    epochs, most = config["trainer"]["max_epochs"], config["trainer"]["max_steps"]
    steps = len(loader) * epochs if epochs >= 0 else math.inf
    if most >= 0:
        steps = min(steps, most * config["trainer"]["accumulate_grad_batches"])
    return median_low(times[1:] or times) * steps
