"""How the verdict of a report is read: by a plan of looks, within which region of equivalence, with which notes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from lightning_seq.records.comparison import FILE, Addition, Looks, Plan, change_plan, read_or_reason
from lightning_seq.records.record import Record
from lightning_seq.report.verdict import listed
from lightning_seq.significance.simultaneous import ALPHA

Run = tuple[Path, Record]
Rope = float | Literal["default", "null"]
"""See `report.scale.scale`; a word for its default."""

WITHOUT = "the verdict is read without it"


@dataclass(frozen=True)
class Reading:
    """The rules of a verdict.

    rope:             see `report.scale.scale`.
    stochastic_order: whether pairs hold almost stochastic order too.
    looks:            of `seeds=auto`; None for seeds that the user chose.
    additions:        the seeds that the user chose, command by command.
    mixed:            whether the runs are of comparisons with different plans.
    problems:         notes on plans that cannot be read, or that differ in their rope.
    """

    rope: float | None = None
    stochastic_order: bool = False
    looks: Looks | None = None
    additions: tuple[Addition, ...] = ()
    mixed: bool = False
    problems: tuple[str, ...] = ()

    @classmethod
    def of(cls, runs: Iterable[Run], rope: Rope | None = None, stochastic_order: bool = False) -> Reading:
        """The rules in `comparison.json` of the runs' comparisons. rope: None for the recorded one."""
        directories = sorted({place.parent for place, _ in runs})
        plans, problems = [], []
        for place in directories:
            plan, reason = read_or_reason(place, WITHOUT)
            plans.append(plan or Plan({}))
            problems += [f"{place.name}/{FILE} cannot be read ({reason}): {WITHOUT}."] if reason else []
        looks = plans[0].looks if plans else None
        mixed = any(plan.looks != looks for plan in plans)
        ropes = {plan.rope for plan in plans}
        if rope is None and len(ropes) > 1:
            several = sorted("default" if one is None else f"{one:g}" for one in ropes)
            problems.append(f"The comparisons have different ropes ({', '.join(several)}): the default is used here.")
        additions = sorted((one for plan in plans for one in plan.additions), key=lambda one: one.time)
        if rope is None and len(ropes) == 1:
            rope = ropes.pop()
        return cls(
            None if isinstance(rope, str) else rope,
            stochastic_order,
            None if mixed else looks,
            tuple(additions),
            mixed,
            tuple(problems),
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
            notes = [*self.problems, *_added([record for _, record in runs], self.additions), *[mixed] * self.mixed]
            return list(runs), ALPHA, notes
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
            return [], ALPHA, [*self.problems, f"{plan}, the verdict is first read after {looks.seeds[0]} seeds."]
        number = complete[-1]
        seeds, level = looks.seeds[number], looks.levels[number]
        notes = [
            *self.problems,
            f"{plan}: look {number + 1} of {len(looks.seeds)}, after {seeds} seeds; level {level:.2g}.",
        ]
        read = [run for run in runs if run[1].seed <= seeds]
        if len(read) < len(runs):
            notes.append(f"Runs of seeds above {seeds} are not in the verdict, its plot and the table.")
        return read, level, notes


def record_rope(directory: Path, runs: Iterable[Run], rope: Rope) -> None:
    """Later reports of this comparison use this region of equivalence. Raises UserError if it cannot be written."""
    labels = {place.name: record.label for place, record in runs}
    number = None if isinstance(rope, str) else rope
    change_plan(directory, lambda before: replace(before or Plan(labels), rope=number))


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
