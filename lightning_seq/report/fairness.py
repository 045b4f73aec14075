"""What the labels of a comparison do not have in common: size, tuning, convergence, an undisturbed machine."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from lightning_seq.records.numbers import number
from lightning_seq.records.record import Record
from lightning_seq.report.agreement import Agreement
from lightning_seq.report.headline import lower_is_better
from lightning_seq.report.machine import BUSY, cpu_share
from lightning_seq.report.seed_draws import drawn, in_words
from lightning_seq.report.verdict import ALIKE, listed, rounded

TOTALS_ALIKE = 0.1
"""All parameters of labels with equal recurrences are alike if they differ by at most this share."""
SEEDS = "drawn by seeds"
"""The condition that `vary` adds."""


def fairness(records: Sequence[Record], tuned: Collection[str] = ()) -> list[Agreement]:
    """The conditions that fingerprints do not show, each with the runs or labels of every value.

    tuned: the labels whose settings `tune` chose.
    """
    return [*_seeds(records), _size(records), _tuned(records, tuned), _converged(records), _machine(records)]


def unequal(conditions: Sequence[Agreement]) -> str:
    """The sentence that a verdict begins with: what seeds draw, and what is unequal; empty without either."""
    texts = [_TEXTS[item.name](item) for item in conditions if item.equal is False or item.name == SEEDS]
    return f"Conditions: {'; '.join(texts)}." if texts else ""


def best_is_last(record: Record) -> bool | None:
    """Whether the metric that selected the weights was best in its last measurement; None for fewer than two."""
    curve = record.curves.get(record.selected_by or "", [])
    values = [value for point in curve if (value := number(point[-1])) is not None]
    if len(values) < 2:
        return None
    best = min(values) if lower_is_better(str(record.selected_by)) else max(values)
    return values.index(best) == len(values) - 1


def _seeds(records: Sequence[Record]) -> list[Agreement]:
    """What the seeds of `vary` drew; nothing without."""
    values: dict[str, list[str]] = {}
    for record in records:
        if record.fingerprints.get("split"):
            values.setdefault(in_words(record.drawn) or "nothing", []).append(f"{record.label} seed {record.seed}")
    if not drawn(records):
        return []
    runs = {what: tuple(of_what) for what, of_what in values.items()}
    return [Agreement(SEEDS, "besides initialisation, batch order and dropout", len(runs) == 1, runs, ())]


def _size(records: Sequence[Record]) -> Agreement:
    """The size of the recurrence; where it is equal and the number of all parameters is not, the latter."""
    sized = {record.label: record.parameters for record in records if record.parameters}
    sizes, part = {label: counts.get("recurrent", 0) for label, counts in sized.items()}, "recurrent parameters"
    if not all(sizes.values()):
        part = "parameters without the embedding"
        sizes = {label: counts.get("total", 0) - counts.get("embedding", 0) for label, counts in sized.items()}
    totals = {label: counts.get("total", 0) for label, counts in sized.items()}
    equal = _apart(sizes) <= ALIKE
    if equal and _apart(totals) > TOTALS_ALIKE:
        part, sizes, equal = "parameters in all", totals, False
    values: dict[str, list[str]] = {}
    for label, size in sorted(sizes.items(), key=lambda item: item[1]):
        values.setdefault(rounded(size), []).append(label)
    named = {value: tuple(labels) for value, labels in values.items()}
    return Agreement("size", part, equal if len(sizes) > 1 else None, named, ())


def _apart(sizes: Mapping[str, int]) -> float:
    """How much less the least of them is than the largest, as a share of it."""
    largest = max(sizes.values(), default=0)
    return (largest - min(sizes.values())) / largest if largest else 0.0


def _tuned(records: Sequence[Record], tuned: Collection[str]) -> Agreement:
    labels = list(dict.fromkeys(record.label for record in records))
    values = {
        "yes": tuple(label for label in labels if label in tuned),
        "no": tuple(label for label in labels if label not in tuned),
    }
    return Agreement(
        "tuned",
        "settings chosen by `tune`",
        not values["no"],
        {key: names for key, names in values.items() if names},
        (),
    )


def _converged(records: Sequence[Record]) -> Agreement:
    ends = {f"{record.label} seed {record.seed}": best_is_last(record) for record in records if record.status == "done"}
    values = {
        "yes": tuple(run for run, last in ends.items() if last is False),
        "no": tuple(run for run, last in ends.items() if last),
    }
    known = any(values.values())
    missing = tuple(run for run, last in ends.items() if last is None)
    return Agreement(
        "converged",
        "the best epoch is before the last",
        not values["no"] if known else None,
        {key: runs for key, runs in values.items() if runs},
        missing if known else (),
    )


def _machine(records: Sequence[Record]) -> Agreement:
    done = [record for record in records if record.status == "done"]
    shares = {f"{record.label} seed {record.seed}": cpu_share(record) for record in done}
    known = {run: share for run, share in shares.items() if share is not None}
    values = {
        "alone": tuple(run for run, share in known.items() if share >= BUSY),
        "shared": tuple(run for run, share in known.items() if share < BUSY),
    }
    return Agreement(
        "machine",
        f"at least {BUSY:g} CPU seconds per second of training",
        not values["shared"] if known else None,
        {key: runs for key, runs in values.items() if runs},
        tuple(run for run, share in shares.items() if share is None) if known else (),
    )


def _seeds_text(item: Agreement) -> str:
    what = " or ".join(value for value in item.values if value != "nothing")
    return f"each seed draws its own {what}, the same for all labels"


def _size_text(item: Agreement) -> str:
    sizes = list(item.values)
    return f"sizes differ ({sizes[0]} to {sizes[-1]} {item.meaning})"


def _tuned_text(item: Agreement) -> str:
    if "yes" not in item.values:
        return "no label is tuned"
    return f"{listed(item.values['no'])} {'is' if len(item.values['no']) == 1 else 'are'} not tuned"


def _converged_text(item: Agreement) -> str:
    last, count = len(item.values["no"]), sum(map(len, item.values.values()))
    return f"{last} of {count} runs {'was' if last == 1 else 'were'} best in the last epoch and may not have converged"


def _machine_text(item: Agreement) -> str:
    count = len(item.values["shared"])
    return f"other programs held up {count} run{'' if count == 1 else 's'}, so that speeds do not compare"


_TEXTS = {
    SEEDS: _seeds_text,
    "size": _size_text,
    "tuned": _tuned_text,
    "converged": _converged_text,
    "machine": _machine_text,
}
