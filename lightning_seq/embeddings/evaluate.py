"""The evaluation of word vectors: neighbours, analogies, agreement with people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from rich.console import Group
from rich.table import Table
from rich.text import Text
from scipy.stats import pearsonr, spearmanr

from lightning_seq.embeddings.vectors import Vectors
from lightning_seq.embeddings.word_lists import PAIR_SETS, QUESTIONS, folded, judged_pairs, sections, shipped
from lightning_seq.embeddings.word_map import word_map
from lightning_seq.errors import UserError, near

__all__ = [
    "Analogies", "Correlation", "Section", "analogies", "nearest", "report", "word_map", "word_pairs",
]  # fmt: skip

METRICS = ("cosine", "euclidean")
MOST_FREQUENT = 30_000
_BATCH = 256


def nearest(vectors: Vectors, word: str, n: int = 10, metric: str = "cosine") -> list[tuple[str, float]]:
    """The `n` words nearest to `word`, nearest first, each with its cosine similarity or its Euclidean distance.

    Raises UserError for a word without a vector and for an unknown metric.
    """
    if metric not in METRICS:
        raise UserError(f"metric is {metric!r}: {near(metric, METRICS)}")
    row = vectors.ids.get(word)
    if row is None:
        raise UserError(f"{word!r} has no vector: {near(word, vectors.words)}")
    if metric == "cosine":
        scores = vectors.unit @ vectors.unit[row]
        order = np.argsort(-scores, kind="stable")
    else:
        scores = np.linalg.norm(vectors.matrix - vectors.matrix[row], axis=1)
        order = np.argsort(scores, kind="stable")
    return [(vectors.words[index], float(scores[index])) for index in order if index != row][:n]


@dataclass(frozen=True)
class Section:
    """Analogies of one kind. answerable: with vectors for all four words."""

    name: str
    correct: int
    answerable: int
    total: int

    @property
    def accuracy(self) -> float | None:
        return self.correct / self.answerable if self.answerable else None


@dataclass(frozen=True)
class Analogies:
    """Sections in the order of the file."""

    sections: tuple[Section, ...]

    @property
    def total(self) -> Section:
        figures = zip(*((part.correct, part.answerable, part.total) for part in self.sections), strict=True)
        return Section("total", *(map(sum, figures) if self.sections else (0, 0, 0)))


def analogies(vectors: Vectors, questions: Path | None = None, most_frequent: int = MOST_FREQUENT) -> Analogies:
    """Answer "a is to b as c is to …" by the word nearest to b - a + c (Mikolov et al. 2013), the three not allowed.

    questions:     lines of four words under lines `: section`; None for the `questions-words.txt` that gensim ships.
    most_frequent: the number of words that questions and answers are made of.

    Capitals do not matter; of words that differ only in them the first one counts. Raises UserError for another file.
    """
    ids = folded(vectors.words[:most_frequent])
    candidates = np.fromiter(ids.values(), dtype=np.int64)
    position = {word: index for index, word in enumerate(ids)}
    unit = vectors.unit[candidates]
    results = []
    for name, fours in sections(questions or shipped(QUESTIONS)):
        rows = [[position[word] for word in four] for four in fours if all(word in position for word in four)]
        correct = sum(
            int((_answers(unit, batch[:, :3]) == batch[:, 3]).sum())
            for batch in (np.array(rows[start : start + _BATCH]) for start in range(0, len(rows), _BATCH))
        )
        results.append(Section(name, correct, len(rows), len(fours)))
    return Analogies(tuple(results))


def _answers(unit: np.ndarray, questions: np.ndarray) -> np.ndarray:
    """Rows of `unit [V, E]` that answer the questions `[N, 3]`."""
    a, b, c = (unit[questions[:, column]] for column in range(3))
    scores = (b - a + c) @ unit.T
    np.put_along_axis(scores, questions, -np.inf, axis=1)
    return scores.argmax(axis=1)


@dataclass(frozen=True)
class Correlation:
    """Correlation of the cosine of word pairs with people's judgements, over the `covered` pairs that have vectors.

    None where fewer than three pairs are covered, or where one side does not vary.
    """

    name: str
    pearson: float | None
    spearman: float | None
    covered: int
    total: int


def word_pairs(vectors: Vectors, pairs: str | Path) -> Correlation:
    """Pearson's and Spearman's correlation with people's judgements of similarity.

    pairs: `wordsim353` (Finkelstein et al. 2002) or `simlex999` (Hill et al. 2015), as gensim ships them; or a file
           with two words and a number a line, tabs between.

    Raises UserError for an unknown name and for another line.
    """
    if isinstance(pairs, str) and pairs not in PAIR_SETS:
        raise UserError(f"word pairs are {pairs!r}: {near(pairs, PAIR_SETS)}")
    path = shipped(PAIR_SETS[pairs]) if isinstance(pairs, str) else pairs
    judgements, ids = judged_pairs(path), folded(vectors.words)
    name = pairs if isinstance(pairs, str) else path.stem
    judged = [(ids[one], ids[other], score) for one, other, score in judgements if one in ids and other in ids]
    if len(judged) < 3:
        return Correlation(name, None, None, len(judged), len(judgements))
    left, right, people = (np.array(column) for column in zip(*judged, strict=True))
    cosine = (vectors.unit[left] * vectors.unit[right]).sum(axis=1)
    return Correlation(name, *_correlations(people, cosine), len(judged), len(judgements))


def _correlations(x: np.ndarray, y: np.ndarray) -> tuple[float | None, float | None]:
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        return None, None
    return float(pearsonr(x, y).statistic), float(spearmanr(x, y).statistic)


PROBES = ("king", "man", "mother", "egypt", "water", "bread", "good", "three", "came", "film", "great", "company")
_SHOWN_PROBES = 6


def report(vectors: Vectors, metric: str = "cosine") -> Group:
    """Neighbours of some words, analogies and correlations, as tables for rich's console."""
    return Group(_neighbours(vectors, metric), _analogies(vectors), _correlation_table(vectors))


def _table(title: str, *columns: str, numbers: Sequence[str] = ()) -> Table:
    table = Table(*columns, title=title, title_justify="left")
    for name in numbers:
        table.add_column(name, justify="right")
    return table


def _neighbours(vectors: Vectors, metric: str) -> Table:
    table = _table("Neighbours", "word", f"nearest ({metric})")
    known = [word for word in PROBES if word in vectors.ids]
    frequent = (word for word in vectors.words if word.isalpha() and word not in known)
    for word in [*known, *islice(frequent, _SHOWN_PROBES)][:_SHOWN_PROBES]:
        neighbours = nearest(vectors, word, 8, metric)
        table.add_row(Text(word), Text(", ".join(f"{other} {score:.2f}" for other, score in neighbours)))
    return table


def _analogies(vectors: Vectors) -> Table:
    table = _table("Analogies (a - b = c - d)", "section", numbers=("correct", "answerable", "of", "accuracy"))
    result = analogies(vectors)
    for section in (*result.sections, result.total):
        accuracy = "–" if section.accuracy is None else f"{section.accuracy:.1%}"
        table.add_row(Text(section.name), str(section.correct), str(section.answerable), str(section.total), accuracy)
    return table


def _correlation_table(vectors: Vectors) -> Table:
    table = _table("Agreement with people", "word pairs", numbers=("Spearman", "Pearson", "pairs", "of"))
    for name in PAIR_SETS:
        result = word_pairs(vectors, name)
        values = ("–" if value is None else f"{value:.3f}" for value in (result.spearman, result.pearson))
        table.add_row(name, *values, str(result.covered), str(result.total))
    return table
