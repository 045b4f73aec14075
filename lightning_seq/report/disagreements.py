"""The test examples on which two labels disagree, and how many there are (McNemar 1947).

A label's answer to an example has a score from 0 to 1. A classifier's is 1 where more than half of its seeds are right,
else 0. Taggers and translators are compared by one seed: the score is the share of the right tokens, or chrF (Popović
2015) over 100.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as compute
import scipy  # its parts are imported when they are first used

from lightning_seq.files import Plain
from lightning_seq.records.artifacts import read_artifacts
from lightning_seq.records.record import Record
from lightning_seq.report.predictions import EXAMPLE, read_columns

TASKS = ("classification", "tagging", "sequence_to_sequence")
EQUAL = 1e-9
"""Scores that differ by less are equal."""
GOLDEN = 0.618034
"""Multiples of it, modulo 1, are spread evenly: the first of equal examples come from all of the test split."""

Run = tuple[Path, Record]


@dataclass(frozen=True)
class Answers:
    """The answers of a run.

    ids:    `[N]`, the numbers of the examples, each once and rising.
    scores: `[N]`.
    table:  the rows of the predictions, by example.
    starts: `[N + 1]`, the rows of example i are `starts[i]` to `starts[i + 1] - 1`.
    """

    ids: np.ndarray
    scores: np.ndarray
    table: pa.Table
    starts: np.ndarray

    def of(self, example: int) -> Mapping[str, list[Plain]]:
        """The rows of the example at a place, as columns."""
        first, end = self.starts[example : example + 2].tolist()
        columns: dict[str, list[Plain]] = self.table.slice(first, end - first).to_pydict()
        return columns


@dataclass(frozen=True)
class Answered:
    """The answers of a label.

    runs:   by seed.
    scores: `[N]`.
    share:  `[N]`, of the seeds that are right; of a single seed its scores.
    """

    runs: Mapping[int, Answers]
    scores: np.ndarray
    share: np.ndarray


@dataclass(frozen=True)
class Disagreement:
    """Two labels and the examples `[N]`.

    better: examples (as places in `[N]`) that the first label answers better, and those of the second; those with the
            largest difference come first, in an order that is spread over the test split.
    both:   how many both answer without an error; neither: how many both answer equally well, with errors.
    """

    labels: tuple[str, str]
    better: tuple[np.ndarray, np.ndarray]
    both: int
    neither: int

    @property
    def p(self) -> float:
        """The exact test of McNemar: both labels are better equally often (a sign test, two-sided)."""
        counts = [len(examples) for examples in self.better]
        return min(1.0, 2 * float(scipy.special.bdtr(min(counts), sum(counts), 0.5)))


def answers(runs: Sequence[Run], task: str, labels: Sequence[str]) -> tuple[dict[str, Answered], int | None, list[str]]:
    """The answers of labels to the same test examples, the seed that they are of (None: all seeds), and notes.

    Where runs were tested on different examples, only those with the most frequent set count.
    """
    done = [run for run in runs if run[1].status == "done" and run[1].label in labels]
    splits = Counter(split for _, record in done if (split := _split(record)) is not None)
    seed = None
    if task != "classification" and done:
        seeds = Counter(record.seed for _, record in done)
        seed = min(seeds, key=lambda each: (-seeds[each], each))
    usual = max(splits, key=lambda split: splits[split], default=None)
    chosen = [run for run in done if _split(run[1]) in (None, usual) and seed in (None, run[1].seed)]
    # The section of confusion matrices has the notes on unreadable files.
    readable = [
        (record, found)
        for record, found in read_artifacts(chosen, "predictions", partial(read_answers, task=task))[0]
        if found is not None
    ]
    sets = Counter(found.ids.tobytes() for _, found in readable)
    ids = max(sets, key=lambda each: (sets[each], each), default=b"")
    notes = []
    if len(splits) > 1 or len(sets) > 1:
        notes.append("Runs that were tested on other examples are left out.")
    answered = {}
    for label in labels:
        mine = {
            record.seed: found for record, found in readable if record.label == label and found.ids.tobytes() == ids
        }
        if mine:
            share = np.mean([found.scores for found in mine.values()], axis=0)
            scores = (share > 0.5).astype(float) if task == "classification" else share
            answered[label] = Answered(dict(sorted(mine.items())), scores, share)
    return answered, seed, notes


def _split(record: Record) -> str | None:
    """The mark of a test split. A source that makes its examples may number other ones alike for every seed."""
    split = record.fingerprints.get("split")
    return f"{split} {record.seed}" if split is not None and "test" in record.drawn else split


def disagreement(first: str, second: str, answered: Mapping[str, Answered]) -> Disagreement:
    a, b = answered[first], answered[second]
    difference = a.scores - b.scores
    margin = a.share - b.share
    better = []
    for sign in (1, -1):
        places = np.flatnonzero(sign * difference > EQUAL)
        spread = np.arange(len(places)) * GOLDEN % 1
        better.append(places[np.lexsort((spread, (-sign * margin[places]).round(9)))])
    equal = np.abs(difference) <= EQUAL
    both = int((equal & (a.scores >= 1 - EQUAL)).sum())
    return Disagreement((first, second), (better[0], better[1]), both, int(equal.sum()) - both)


def read_answers(path: Path, task: str) -> Answers | None:
    """From a `predictions.parquet`; None for a file without the columns of the task."""
    table = _table(path, task)
    if table is None:
        return None
    keys = [(name, "ascending") for name in (EXAMPLE, "position") if name in table.column_names]
    table = table.sort_by(keys)
    ids, first = np.unique(table[EXAMPLE].to_numpy(), return_index=True)
    starts = np.append(first, len(table))
    if task == "sequence_to_sequence":
        scores = _chrf(table)
    else:
        right = compute.fill_null(compute.equal(table["target"], table["prediction"]), False)
        scores = right.to_numpy().astype(float)
    means = np.add.reduceat(scores, first) / np.diff(starts)
    return Answers(ids, means, table, starts)


def _table(path: Path, task: str) -> pa.Table | None:
    names = (EXAMPLE, "target", "prediction")
    if task == "tagging":
        return read_columns(path, *names, "position", "token")
    if task == "sequence_to_sequence":
        return read_columns(path, *names, "source")
    tables = (read_columns(path, *names, *text) for text in (("text",), ("beginning",), ()))
    return next((table for table in tables if table is not None), None)


def _chrf(table: pa.Table) -> np.ndarray:
    from sacrebleu.metrics import CHRF

    metric = CHRF()
    pairs = zip(table["prediction"].to_pylist(), table["target"].to_pylist(), strict=True)
    return np.array([metric.sentence_score(prediction, [target]).score / 100 for prediction, target in pairs])
