"""The metric on parts of the test split, as a section of the dashboard: by length, unknown words, rare words, class.

Each number has its 95 % interval over test examples, for these runs: Wilson's (1927) for a share of examples, at the
mean over seeds; for ratios of counts (tokens, spans) the bootstrap's, with the same resampled examples for all seeds.
Where examples form groups (chapters, documents), examples of a group may be alike: Wilson's interval is then for the
effective number of examples (Korn & Graubard 1998), and the bootstrap draws whole groups. An interval is of one number
by itself: of many slices some look unusual by chance.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
import pyarrow.compute as compute
import scipy  # its parts are imported when they are first used
from markupsafe import Markup

from lightning_seq.records.artifacts import read_artifacts
from lightning_seq.records.record import Record
from lightning_seq.records.sentences import MOST_LABELS
from lightning_seq.report.dashboard.confusion_matrices import MOST_CLASSES
from lightning_seq.report.dashboard.page import Page, of_groups
from lightning_seq.report.dashboard.templates import draw
from lightning_seq.report.predictions import EXAMPLE, read_columns, read_groups, span_counts
from lightning_seq.report.summary import Group, Summary

FEW = 30
RESAMPLES = 1000
DIFFICULTIES = ("length", "unknown", "rarity")
MANY_UNKNOWN = 0.1
_Z = 1.959964
_CHUNK = 20_000_000

KINDS = {
    "accuracy": "Share of the examples that are right",
    "tokens": "Share of the tokens that are rightly tagged",
    "f1": "F1 of spans",
    "exact_match": "Share of the pictures whose caption is one of their references",
}


@dataclass(frozen=True)
class Predicted:
    """The predictions of a run for each test example; a metric is the sum of `hits` over the sum of `of`.

    ids:      `[N]`, rising.
    hits, of: `[N]`.
    difficulties: `[N]` each, by name.
    classes:  `[N]`, or None where an example has more than one.
    groups:   `[N]`, equal for examples of one group; None where no groups are known.
    """

    ids: np.ndarray
    hits: np.ndarray
    of: np.ndarray
    difficulties: dict[str, np.ndarray]
    classes: np.ndarray | None
    groups: np.ndarray | None = None


@dataclass(frozen=True)
class Slice:
    """kind: the property by which examples are sliced. mask: `[N]`."""

    kind: str
    name: str
    mask: np.ndarray


@dataclass(frozen=True)
class Measured:
    """A mean over seeds, and its interval over examples."""

    value: float
    low: float
    high: float


def slices(page: Page, runs: list[tuple[Path, Record]], summary: Summary) -> Markup:
    """A table for each data set: slices against labels."""
    metrics: dict[str, None] = {}

    def part(group: Group) -> Markup:
        kind = _kind(group)
        if kind is None:
            return Markup()
        mine = [run for run in runs if group.holds(run[1]) and run[1].status == "done"]
        # The section of confusion matrices has the notes on unreadable files.
        readable, _ = read_artifacts(mine, "predictions", partial(read_predicted, kind=kind))
        body = _group(group, [(record, predicted) for record, predicted in readable if predicted is not None])
        metrics.update({KINDS[kind]: None} if body else {})
        return body

    parts = of_groups(summary, part)
    return page.section("Slices", "slices", parts, metrics=list(metrics))


def _kind(group: Group) -> str | None:
    if group.task == "classification":
        return "accuracy"
    if group.task == "captioning":
        return "exact_match"
    if group.task == "tagging":
        return "f1" if group.headline in ("test/f1", "val/f1") else "tokens"
    return None


def read_predicted(path: Path, kind: str) -> Predicted | None:
    """A `predictions.parquet`; None for a file without the difficulty of its examples.

    kind: one of `KINDS`.
    """
    bio = ("target_bio", "prediction_bio")  # of tags in another scheme
    positions = ("position",) if kind == "f1" else ()
    answers = ("exact_match",) if kind == "exact_match" else ("target", "prediction")
    names = (EXAMPLE, *answers, *DIFFICULTIES, *positions)
    table = read_columns(path, *names, optional=bio if kind == "f1" else ())
    if table is None:
        return None
    rows = table[EXAMPLE].to_numpy()
    ids, first, places = np.unique(rows, return_index=True, return_inverse=True)
    if kind == "f1":
        tags = bio if bio[0] in table.column_names else ("target", "prediction")
        columns = (table[name].combine_chunks() for name in tags)
        _, (right, predicted, true) = span_counts(rows, table["position"].to_numpy(), *columns)
        hits, of = 2 * right, predicted + true
    elif kind == "exact_match":
        hits, of = table[kind].to_numpy()[first], np.ones(len(ids))
    else:
        equal = compute.fill_null(compute.equal(table["target"], table["prediction"]), False)
        hits, of = np.bincount(places, weights=equal.to_numpy()), np.bincount(places)
    classes = None
    if kind == "accuracy" and len(ids) == len(rows):
        classes = np.array([str(name) for name in table["target"].to_pylist()], dtype=object)[first]
    difficulties = {name: table[name].to_numpy()[first] for name in DIFFICULTIES}
    groups = read_groups(path)
    return Predicted(
        ids, hits.astype(float), of.astype(float), difficulties, classes, None if groups is None else groups[1]
    )


def _group(group: Group, predictions: list[tuple[Record, Predicted]]) -> Markup:
    if not predictions:
        return Markup()
    sets = [_test_set(record, predicted) for record, predicted in predictions]
    usual = min(sets, key=lambda one: (-sets.count(one), one))
    kept = [run for run, one in zip(predictions, sets, strict=True) if one == usual]
    labels = [label for label in group.labels if any(record.label == label for record, _ in kept)]
    notes = ["Runs that were tested on other examples are left out."] if len(kept) < len(predictions) else []
    if len(labels) > MOST_LABELS:
        notes.append(f"{len(labels) - MOST_LABELS} more labels are left out.")
        labels = labels[:MOST_LABELS]
    groups = next((predicted.groups for _, predicted in kept if predicted.groups is not None), None)
    if groups is not None:
        count = len(np.unique(groups))
        notes.append(f"Intervals are over {count:,} groups of examples: examples of a group may be alike.")
    runs = {label: [predicted for record, predicted in kept if record.label == label] for label in labels}
    by_kind: dict[str, list[tuple[str, int, list[Measured | None]]]] = {}
    for part in cuts(kept[0][1]):
        metrics = [measured(runs[label], part.mask, groups) for label in labels]
        by_kind.setdefault(part.kind, []).append((part.name, int(part.mask.sum()), metrics))
    return draw(
        "slices", title=group.title, all_labels=group.labels, labels=labels, by_kind=by_kind, few=FEW, notes=notes
    )


def _test_set(record: Record, predicted: Predicted) -> tuple[int, bytes]:
    """Two seeds that draw the test split have different examples in the same rows."""
    return record.seed if "test" in record.drawn else 0, predicted.ids.tobytes()


def cuts(predicted: Predicted) -> list[Slice]:
    """All examples; and the examples by thirds of length and of rarity, by unknown words and by class, where that makes
    more than one slice."""
    lengths, unknown, rarity = (predicted.difficulties[name] for name in DIFFICULTIES)
    short, middle = np.quantile(lengths, [1 / 3, 2 / 3], method="lower").astype(int)
    common, usual = np.quantile(rarity, [1 / 3, 2 / 3], method="lower")
    slices = [Slice("", "all examples", np.ones(len(predicted.ids), dtype=bool))]
    kinds = [
        [
            Slice("length", f"short, up to {short} words", lengths <= short),
            Slice("length", f"middle, up to {middle}", (lengths > short) & (lengths <= middle)),
            Slice("length", f"long, over {middle}", lengths > middle),
        ],
        [
            Slice("unknown words", "none", unknown == 0),
            Slice("unknown words", f"up to {MANY_UNKNOWN:.0%}", (unknown > 0) & (unknown <= MANY_UNKNOWN)),
            Slice("unknown words", f"over {MANY_UNKNOWN:.0%}", unknown > MANY_UNKNOWN),
        ],
        [
            Slice("frequency of words", "the third of the most frequent", rarity <= common),
            Slice("frequency of words", "the middle third", (rarity > common) & (rarity <= usual)),
            Slice("frequency of words", "the third of the rarest", rarity > usual),
        ],
    ]
    if predicted.classes is not None:
        ordered = Counter(predicted.classes.tolist()).most_common(MOST_CLASSES)
        kinds.append([Slice("class", name, predicted.classes == name) for name, _ in ordered])
    for kind in kinds:
        filled = [part for part in kind if part.mask.any()]
        slices += filled if len(filled) > 1 else []
    return slices


def measured(runs: list[Predicted], mask: np.ndarray, groups: np.ndarray | None = None) -> Measured | None:
    """The metric of a label's runs on some examples `[N]`; groups: `[N]`, None where each example is alone.

    From a single group nothing can be concluded about others: the interval is then 0 to 1.
    """
    hits, of = (np.stack([getattr(predicted, name)[mask] for predicted in runs]) for name in ("hits", "of"))
    if not of.sum(1).all():
        return None
    value = float((hits.sum(1) / of.sum(1)).mean())
    shares = (of == 1).all() and (hits <= 1).all()
    n: float = of.shape[1]
    if groups is not None:
        _, groups = np.unique(groups[mask], return_inverse=True)
        if groups.max() == 0:
            return Measured(value, 0.0, 1.0)
        n = effective_size(hits.mean(0), groups) if shares else n
        hits, of = (np.stack([np.bincount(groups, weights=row) for row in counts]) for counts in (hits, of))
    return Measured(value, *(wilson(value, n) if shares else bootstrap(hits, of)))


def effective_size(scores: np.ndarray, groups: np.ndarray) -> float:
    """The number of independent examples whose mean is as certain as that of these scores `[n]` in G > 1 groups (Korn &
    Graubard 1998), not more than n:

        n_eff = s² / v · (t_{n-1} / t_{G-1})²,  v = G / (G - 1) · Σ_g (Σ_{i in g} (x_i - mean))² / n²

    with the quantiles of Student's t for 95 %; G if all scores are equal.

    groups: `[n]`, 0 to G - 1.
    """
    n, G = len(scores), int(groups.max()) + 1
    rest = scores - scores.mean()
    if not rest.any():
        return G
    variance = G / (G - 1) * np.square(np.bincount(groups, weights=rest)).sum() / n**2
    t = scipy.special.stdtrit(np.array([n - 1, G - 1]), 0.975)
    return min(n, float(np.square(rest).sum() / (n - 1) * (t[0] / t[1]) ** 2 / max(variance, 1e-300)))


def wilson(share: float, n: float) -> tuple[float, float]:
    """The 95 % interval of a share of n examples (Wilson 1927)."""
    centre, spread = share + _Z**2 / (2 * n), _Z * math.sqrt(share * (1 - share) / n + _Z**2 / (4 * n**2))
    return max(0.0, (centre - spread) / (1 + _Z**2 / n)), min(1.0, (centre + spread) / (1 + _Z**2 / n))


def bootstrap(hits: np.ndarray, of: np.ndarray) -> tuple[float, float]:
    """The 95 % interval of a mean over runs of ratios of sums, from `[runs, N]`: examples are drawn again, always with
    the same draws, for all runs alike (percentiles, Efron 1979)."""
    drawn = _draws(hits.shape[1])
    above, below = (drawn @ counts.T.astype(np.float32) for counts in (hits, of))
    ratios = (above / np.where(below > 0, below, 1)).mean(1)
    low, high = np.quantile(ratios, [0.025, 0.975])
    return float(low), float(high)


@lru_cache(maxsize=1)
def _draws(n: int) -> np.ndarray:
    """How often each of n examples is drawn: `[R, n]`, R 1000, fewer where n is very large. Kept for the next label."""
    rows = min(RESAMPLES, max(_CHUNK // n, RESAMPLES // 10))
    places = np.random.default_rng(0).integers(n, size=(rows, n), dtype=np.int32)
    return np.stack([np.bincount(row, minlength=n) for row in places]).astype(np.float32)
