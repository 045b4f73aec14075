"""What word vectors are worth: neighbours, analogies, word pairs, a map."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lightning_seq.embeddings.vectors import Vectors
from lightning_seq.errors import UserError, near

METRICS = ("cosine", "euclidean")
PAIR_FILES = {"wordsim353": "wordsim353.tsv", "simlex999": "simlex999.txt"}
PAIRS = (
    ("man", "woman"), ("king", "queen"), ("father", "mother"), ("son", "daughter"), ("brother", "sister"),
    ("husband", "wife"), ("egypt", "pharaoh"), ("babylon", "nebuchadnezzar"), ("israel", "jerusalem"),
    ("syria", "damascus"), ("france", "paris"), ("italy", "rome"), ("greece", "athens"), ("germany", "berlin"),
)  # fmt: skip
"""Pairs whose arrows should be nearly parallel, row by row of one relation; those a vocabulary has are drawn."""


def nearest(vectors: Vectors, word: str, n: int = 10, metric: str = "cosine") -> list[tuple[str, float]]:
    """The n nearest words: by cosine (largest first) or Euclidean distance (smallest first).

    Raises UserError for an unknown metric or word.
    """
    if metric not in METRICS:
        raise UserError(f"metric is {metric!r}: {near(metric, METRICS)}")
    if word not in vectors.index:
        raise UserError(f"{word!r} has no vector; {near(word, vectors.words)}")
    row = vectors.index[word]
    if metric == "cosine":
        scores = vectors.unit @ vectors.unit[row]
        order = np.argsort(-scores, kind="stable")
    else:
        scores = np.linalg.norm(vectors.matrix - vectors.matrix[row], axis=1)
        order = np.argsort(scores, kind="stable")
    return [(vectors.words[i], float(scores[i])) for i in order if i != row][:n]


@dataclass(frozen=True)
class Analogies:
    """Accuracy over the questions whose four words all have vectors; `asked` of `total`; the same by section."""

    accuracy: float | None
    asked: int
    total: int
    sections: dict[str, tuple[int, int]]
    """By name, how many right and how many asked."""


def analogies(vectors: Vectors, questions: Path | None = None) -> Analogies:
    """a is to b as c is to …: the word nearest to b - a + c, a, b and c left out (Mikolov et al. 2013, section 4.1).

    questions: a file in the form of `questions-words.txt`, which gensim brings and which is used where none is given.
    """
    asked: dict[str, list[list[int]]] = {}
    total, section = 0, "all"
    for line in _gensim_data("questions-words.txt", questions).read_text(encoding="utf-8").lower().splitlines():
        if line.startswith(":"):
            section = line[1:].strip()
            continue
        words = line.split()
        total += len(words) == 4
        if len(words) == 4 and all(word in vectors.index for word in words):
            asked.setdefault(section, []).append([vectors.index[word] for word in words])
    sections = {name: (_right(vectors, np.array(rows)), len(rows)) for name, rows in asked.items()}
    count = sum(number for _, number in sections.values())
    right = sum(number for number, _ in sections.values())
    return Analogies(right / count if count else None, count, total, sections)


def _right(vectors: Vectors, rows: np.ndarray, block: int = 256) -> int:
    right = 0
    for start in range(0, len(rows), block):
        a, b, c, d = rows[start : start + block].T
        target = vectors.unit[b] - vectors.unit[a] + vectors.unit[c]
        scores = target @ vectors.unit.T
        for given in (a, b, c):
            scores[np.arange(len(given)), given] = -np.inf
        right += int((scores.argmax(1) == d).sum())
    return right


@dataclass(frozen=True)
class WordPairs:
    """Correlation of cosines with people's judgements, over the `covered` of `total` pairs; None below 3 pairs."""

    spearman: float | None
    pearson: float | None
    covered: int
    total: int


def word_pairs(vectors: Vectors, name: str) -> WordPairs:
    """`wordsim353` (relatedness, Finkelstein et al. 2002) or `simlex999` (similarity, Hill et al. 2015)."""
    from scipy.stats import pearsonr, spearmanr

    if name not in PAIR_FILES:
        raise UserError(f"word pairs {name!r} are unknown: {near(name, PAIR_FILES)}")
    mine, theirs, total = [], [], 0
    for line in _gensim_data(PAIR_FILES[name]).read_text(encoding="utf-8").lower().splitlines():
        parts = line.split("\t")
        if line.startswith("#") or len(parts) < 3:
            continue
        try:
            score = float(parts[2])
        except ValueError:
            continue
        total += 1
        if parts[0] in vectors.index and parts[1] in vectors.index:
            one, other = (vectors.unit[vectors.index[word]] for word in parts[:2])
            mine.append(float(one @ other))
            theirs.append(score)
    if len(mine) < 3:
        return WordPairs(None, None, len(mine), total)
    return WordPairs(float(spearmanr(mine, theirs)[0]), float(pearsonr(mine, theirs)[0]), len(mine), total)


def _gensim_data(name: str, given: Path | None = None) -> Path:
    if given is not None:
        if not given.is_file():
            raise UserError(f"{given} is not there: expected a file such as gensim's {name}")
        return given
    import gensim

    return Path(gensim.__file__).parent / "test" / "test_data" / name


def word_map(vectors: Vectors, n: int = 400, pairs: Iterable[tuple[str, str]] = PAIRS) -> dict[str, Any]:
    """The n most frequent words of three letters or more in the plane, and arrows for the pairs that are there.

    The plane is that of the two largest principal components of the unit vectors; its signs are fixed, so that the same
    vectors always give the same picture.
    """
    arrows = [(one, other) for one, other in pairs if one in vectors.index and other in vectors.index]
    frequent = [word for word in vectors.words if len(word) > 2 and word.isalpha()]
    if vectors.counts is not None:
        frequent.sort(key=lambda word: (-int(vectors.counts[vectors.index[word]]), word))  # type: ignore[index]
    words = list(dict.fromkeys([*frequent[:n], *(word for pair in arrows for word in pair)]))
    if not words:
        return {"method": "PCA", "words": [], "arrows": []}
    rows = vectors.unit[[vectors.index[word] for word in words]].astype(np.float64)
    centred = rows - rows.mean(0)
    _, _, axes = np.linalg.svd(centred, full_matrices=False)
    axes = axes[:2] * np.sign(axes[:2][np.arange(min(2, len(axes))), np.abs(axes[:2]).argmax(1)])[:, None]
    plane = np.zeros((len(words), 2))
    plane[:, : len(axes)] = centred @ axes.T
    return {
        "method": "PCA",
        "words": [
            {
                "word": word,
                "count": 0 if vectors.counts is None else int(vectors.counts[vectors.index[word]]),
                "x": round(float(x), 4),
                "y": round(float(y), 4),
            }
            for word, (x, y) in zip(words, plane, strict=True)
        ],
        "arrows": [{"from": one, "to": other} for one, other in arrows],
    }


def report(vectors: Vectors, words: Sequence[str] = ()) -> str:
    """Neighbours of some words (or of frequent ones), analogies and word pairs, as lines for a terminal."""
    chosen = [word for word in words if word in vectors.index] or [
        word for word in ("king", "water", "mother", "sword", "love", "good", "film", "city") if word in vectors.index
    ][:5]
    lines = ["nearest words (cosine)"]
    lines += [f"  {word:12}" + "  ".join(f"{w} {s:.2f}" for w, s in nearest(vectors, word, 6)) for word in chosen]
    lines += ["nearest words (Euclidean)"]
    lines += [
        f"  {word:12}" + "  ".join(f"{w} {s:.2f}" for w, s in nearest(vectors, word, 6, "euclidean"))
        for word in chosen[:2]
    ]
    found = analogies(vectors)
    said = "none could be asked" if found.accuracy is None else f"{found.accuracy:.1%} right"
    lines.append(f"analogies     {said}; {found.asked:,} of {found.total:,} questions had all their words")
    for name, (right, asked) in found.sections.items():
        lines.append(f"  {name:30} {right:5,} of {asked:5,}")
    for name in PAIR_FILES:
        pairs = word_pairs(vectors, name)
        said = "too few pairs" if pairs.spearman is None else f"Spearman {pairs.spearman:.2f}, Pearson {pairs.pearson:.2f}"
        lines.append(f"{name:13} {said}; {pairs.covered} of {pairs.total} pairs had both words")
    return "\n".join(lines)
