"""The columns of the comparison's table: the terminal, the files, the dashboard and W&B use the same ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from lightning_seq.report.formats import (
    NOTHING,
    done_of_all,
    duration,
    mean_and_std,
    run_counts,
    seed_values,
    signed_percentage,
    speed,
    whole,
)
from lightning_seq.report.headline import lower_is_better
from lightning_seq.report.summary import PARAMETER_KINDS, Group, Row, Statistic

Value = float | str | None


@dataclass(frozen=True)
class Column:
    """A column of the comparison's table.

    text:  the text in the row of a label.
    value: the value for programs and for sorting; None if unknown.
    kind:  `text` or `number`, or empty for a column that does not sort.
    first: the order after the first click: `up` begins with the least.
    """

    name: str
    text: Callable[[Row], str]
    value: Callable[[Row], Value]
    kind: str = "number"
    first: str = "up"

    def titled(self, name: str) -> Column:
        return replace(self, name=name)


@dataclass(frozen=True)
class Computed(Statistic):
    """One number that needs no seed."""

    value: float = 0.0

    @property
    def known(self) -> list[float]:
        return [self.value]


def rows(group: Group) -> tuple[Row, ...]:
    """The rows of a table: the labels, then the baselines, which have no runs, size and speed."""
    nothing, added = Statistic(), []
    for baseline in group.baselines:
        metrics: dict[str, Statistic] = {name: Computed(value=value) for name, value in baseline.metrics.items()}
        added.append(Row(baseline.label, "baseline", None, "", {}, (), metrics, {}, nothing, nothing, False))
    return (*group.rows, *added)


LABEL = Column("label", lambda row: row.label, lambda row: row.label, "text")
RUNS = Column("runs", run_counts, run_counts, "text")
DONE = Column("done", lambda row: str(row.done) if row.counts else NOTHING, lambda row: row.done)
FAILED = Column("failed", lambda row: str(row.failed), lambda row: row.failed)
MISMATCH = Column("mismatch", lambda row: signed_percentage(row.mismatch), lambda row: row.mismatch)
SPEED = Column("tokens/s", speed, lambda row: row.tokens_per_second.mean, first="down")
SECONDS = Column("training s", lambda row: duration(row.seconds.mean), lambda row: row.seconds.mean)
ENGINE = Column("engine", lambda row: row.engine or NOTHING, lambda row: row.engine, "text")


def metric(name: str, title: str = "") -> Column:
    """The mean of a metric and its standard deviation."""
    return Column(
        title or name,
        lambda row: mean_and_std(row.metric(name), name),
        lambda row: row.metric(name).mean,
        first="up" if lower_is_better(name) else "down",
    )


def spread(name: str, title: str) -> Column:
    """The standard deviation of a metric."""
    return Column(title, lambda row: mean_and_std(row.metric(name), name), lambda row: row.metric(name).std)


def of_seed(name: str, seed: int, title: str) -> Column:
    """A metric of one seed."""
    return Column(title, lambda row: seed_values(row.metric(name), name), lambda row: row.metric(name).values.get(seed))


def by_seed(name: str, title: str = "by seed", between: str = ", ") -> Column:
    """A metric of each seed."""
    return Column(title, lambda row: seed_values(row.metric(name), name, between), lambda row: None, kind="")


def parameters(kind: str, title: str = "") -> Column:
    """The count of one of `PARAMETER_KINDS`."""
    return Column(
        title or f"parameters {kind}", lambda row: whole(row.parameters.get(kind)), lambda row: row.parameters.get(kind)
    )


def sizes() -> list[Column]:
    """All counts of parameters."""
    return [parameters(kind) for kind in PARAMETER_KINDS]


def mismatch(matched: bool) -> list[Column]:
    """The mismatch, if sizes were matched."""
    return [MISMATCH] if matched else []


def cost(matched: bool, seconds: str = SECONDS.name) -> list[Column]:
    """The costs of a label: sizes, speed and time of training, and the engine."""
    return [*sizes(), *mismatch(matched), SPEED, SECONDS.titled(seconds), ENGINE]


def markdown_columns(group: Group) -> list[Column]:
    seeds = [by_seed(group.headline, f"{group.headline} by seed")] if group.headline else []
    means = [metric(name, f"{name} (mean ± sd)") for name in group.shown]
    return [LABEL, RUNS, *means, *seeds, *cost(group.matched)]


def tex_columns(group: Group) -> list[Column]:
    """Headline, what chose among labels, size and speed: a page of a paper has no room for more."""
    names = dict.fromkeys([group.headline, *(choice.metric for choice in group.choices)])
    means = [metric(name) for name in names if name]
    size = [parameters("recurrent", "recurrent"), parameters("total", "parameters")]
    return [LABEL, DONE.titled("runs"), *means, *size, SPEED]


def terminal_columns(group: Group) -> list[Column]:
    """The headline leads; the metric that chose among labels, or the mismatch, replaces the time."""
    chosen_by = [metric(group.choices[0].metric)] if group.choices else []
    headline = group.headline or ""
    return [
        LABEL,
        metric(headline, headline or "result"),
        by_seed(headline, between=" "),
        parameters("total", "parameters"),
        parameters("recurrent", "recurrent"),
        *mismatch(group.matched),
        SPEED,
        *chosen_by,
        *([] if chosen_by or group.matched else [SECONDS.titled("train s")]),
        Column("done", done_of_all, lambda row: row.done),
    ]


def sheet_columns(metrics: Sequence[str], seeds: Sequence[int], matched: bool) -> list[Column]:
    """Columns of numbers at full precision, for programs."""
    columns = []
    for name in metrics:
        columns += [metric(name, f"{name} mean"), spread(name, f"{name} std")]
        columns += [of_seed(name, seed, f"{name} seed {seed}") for seed in seeds]
    return [*columns, *sizes(), *mismatch(matched), SPEED, SECONDS.titled("training seconds")]


def wandb_columns(group: Group) -> list[Column]:
    means = [column for name in group.metrics for column in (metric(name, f"{name} mean"), spread(name, f"{name} std"))]
    return [LABEL, DONE, FAILED, *means, *cost(matched=False, seconds="training seconds")]
