"""Format the numbers of a comparison for people."""

from __future__ import annotations

from lightning_seq.report.headline import is_percentage
from lightning_seq.report.summary import Row, Statistic

NOTHING = "–"
STATUSES = ("done", "failed", "interrupted", "running")


def decimal(value: float | None, metric: str | None = None) -> str:
    """A number for people: three decimals, fewer for large ones, and one for a metric that is a percentage."""
    if value is None:
        return NOTHING
    if metric is not None and is_percentage(metric):
        return f"{value:.1f}"
    return f"{value:.3f}" if abs(value) < 10 else f"{value:,.2f}" if abs(value) < 1000 else f"{value:,.0f}"


def mean_and_std(statistic: Statistic, metric: str | None = None) -> str:
    """`0.742 ± 0.013`, or the mean alone if there is one seed; BLEU as `34.2 ± 0.3`."""
    spread = f" ± {decimal(statistic.std, metric)}" if statistic.std is not None else ""
    return decimal(statistic.mean, metric) + spread


def whole(value: float | None) -> str:
    """A count or a rate: `12,345`."""
    return NOTHING if value is None else f"{value:,.0f}"


def signed_percentage(value: float | None) -> str:
    """`+0.26 %`."""
    return NOTHING if value is None else f"{100 * value:+.2f} %"


def duration(value: float | None) -> str:
    """Seconds of training, one decimal below a hundred."""
    return NOTHING if value is None else f"{value:.1f}" if value < 100 else f"{value:,.0f}"


def speed(row: Row) -> str:
    """Tokens per second, marked if other jobs or programs ran at the same time."""
    mark = "†" if row.shared_machine and row.tokens_per_second.n else ""
    return whole(row.tokens_per_second.mean) + mark


def seed_values(statistic: Statistic, metric: str | None = None, between: str = ", ") -> str:
    """The single seeds' values, in the order of the seeds."""
    return between.join(decimal(value, metric) for value in statistic.values.values()) or NOTHING


def run_counts(row: Row) -> str:
    """`3 done, 1 failed`."""
    return ", ".join(f"{row.counts[status]} {status}" for status in STATUSES if row.counts.get(status)) or NOTHING


def done_of_all(row: Row) -> str:
    """`3/4`."""
    return f"{row.done}/{sum(row.counts.values())}" if row.counts else NOTHING


def plural(count: int, singular: str, more: str = "") -> str:
    """`1 run`, `2 runs`."""
    return f"{count} {singular if count == 1 else more or singular + 's'}"
