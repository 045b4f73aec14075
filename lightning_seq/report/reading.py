"""How the verdict of a report is read: by a plan of looks, within which region of equivalence, with which notes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from lightning_seq.records.comparison import Addition, Looks, Plan, change_plan, read_plan
from lightning_seq.records.record import Record
from lightning_seq.report.verdict import listed
from lightning_seq.significance.simultaneous import ALPHA

Run = tuple[Path, Record]


@dataclass(frozen=True)
class Reading:
    """The rules of a verdict.

    rope:             see `report.scale.scale`.
    stochastic_order: whether pairs hold almost stochastic order too.
    looks:            of `seeds=auto`; None for seeds that the user chose.
    additions:        the seeds that the user chose, command by command.
    mixed:            whether the runs are of comparisons with different plans.
    """

    rope: float | None = None
    stochastic_order: bool = False
    looks: Looks | None = None
    additions: tuple[Addition, ...] = ()
    mixed: bool = False

    @classmethod
    def of(cls, runs: Iterable[Run], rope: float | None = None, stochastic_order: bool = False) -> Reading:
        """The rules in `comparison.json` of the runs' comparisons. rope: None for the recorded one."""
        directories = sorted({place.parent for place, _ in runs})
        plans = [read_plan(place, "the verdict is read without it") or Plan({}) for place in directories]
        looks = plans[0].looks if plans else None
        mixed = any(plan.looks != looks for plan in plans)
        ropes = {plan.rope for plan in plans}
        additions = sorted((one for plan in plans for one in plan.additions), key=lambda one: one.time)
        return cls(
            ropes.pop() if rope is None and len(ropes) == 1 else rope,
            stochastic_order,
            None if mixed else looks,
            tuple(additions),
            mixed,
        )

    def metrics(self, data: str) -> tuple[str, ...]:
        """The names of metrics that the plan has for a data set, the headline first."""
        return self.looks.metrics.get(data, ()) if self.looks else ()

    def at_look(self, runs: Sequence[Run]) -> tuple[list[Run], float, list[str]]:
        """Of one test set: the runs up to the last look that is complete, its level, and notes.

        A look is complete if all runs up to it are done or failed.
        """
        if self.looks is None:
            mixed = "The comparisons have different plans of seeds: the level of this verdict may be above 5 %."
            return list(runs), ALPHA, [*_added([record for _, record in runs], self.additions), *[mixed] * self.mixed]
        looks = self.looks
        ended: dict[str, set[int]] = {record.label: set() for _, record in runs}
        for _, record in runs:
            if record.status in ("done", "failed"):
                ended[record.label].add(record.seed)
        complete = [
            number
            for number, seeds in enumerate(looks.seeds)
            if all(done.issuperset(range(1, seeds + 1)) for done in ended.values())
        ]
        plan = f"By the plan from before the first run (seeds=auto, max_seeds={looks.seeds[-1]})"
        if not complete:
            return [], ALPHA, [f"{plan}, the verdict is first read after {looks.seeds[0]} seeds."]
        number = complete[-1]
        seeds, level = looks.seeds[number], looks.levels[number]
        notes = [f"{plan}: look {number + 1} of {len(looks.seeds)}, after {seeds} seeds; level {level:.2g}."]
        read = [run for run in runs if run[1].seed <= seeds]
        if len(read) < len(runs):
            notes.append(f"Runs of seeds above {seeds} are in the tables and charts, and not in the verdict.")
        return read, level, notes


def record_rope(directory: Path, runs: Iterable[Run], rope: float) -> None:
    """Later reports of this comparison use this region of equivalence. Raises UserError if it cannot be written."""
    labels = {place.name: record.label for place, record in runs}

    change_plan(directory, lambda before: replace(before or Plan(labels), rope=rope))


def _added(records: Sequence[Record], additions: Sequence[Addition]) -> list[str]:
    """A note for each command that added seeds after all earlier runs, with a verdict on them, had ended."""
    known = {record.seed for record in records} - {seed for one in additions for seed in one.seeds}
    notes = []
    for addition in additions:
        new = set(addition.seeds) - known
        earlier = [record for record in records if record.seed in known and record.started < addition.time]
        ended = all(record.finished and record.finished < addition.time for record in earlier)
        done = Counter(record.label for record in earlier if record.status == "done")
        shown = sorted(new & {record.seed for record in records})
        if shown and ended and sum(count > 1 for count in done.values()) > 1:
            who = f"Seeds {listed(list(map(str, shown)))} were" if len(shown) > 1 else f"Seed {shown[0]} was"
            count = max(done.values())
            notes.append(f"{who} added after the verdict over {count} seeds was written; its level is then above 5 %.")
        known |= new
    return notes
