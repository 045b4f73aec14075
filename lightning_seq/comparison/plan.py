"""Add the runs of a command to the plan of their comparison, from which `status` counts the runs left."""

from __future__ import annotations

from collections.abc import Sequence

from lightning_seq.records.comparison import Addition, Looks, Plan, change_plan
from lightning_seq.training.planned import Planned
from lightning_seq.training.run_record import now


def announce(runs: Sequence[Planned], jobs: int, looks: Looks | None = None) -> None:
    """Add these runs to the plan of their comparison: several commands may add to one plan.

    looks: of a command with `seeds=auto`.

    Raises UserError if the plan cannot be written.
    """
    if not runs:
        return
    config = runs[0].entry.config

    def added(before: Plan | None) -> Plan:
        before = before or Plan({})
        new = tuple(sorted({run.seed for run in runs} - before.seeds))
        return Plan(
            {**before.runs, **{run.title: run.entry.label for run in runs}},
            jobs,
            config["launcher"]["kind"],
            before.rope if config["rope"] is None else config["rope"],
            looks or before.looks,
            (*before.additions, *([Addition(new, now())] if new else [])),
            tuple(config["vary"]),
        )

    change_plan(runs[0].directory.parent, added)
