"""Word vectors in the plane."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from lightning_seq.embeddings.vectors import Vectors
from lightning_seq.embeddings.word_lists import folded, question_pairs
from lightning_seq.records.word_map import WordMap

# Words that make up more of the text than this (`the`, `and`) are shown only as ends of arrows.
TOO_FREQUENT = 1e-3
MOST_ARROWS = 60
_DIGITS = 5
RELATED = (
    ("king", "queen"),
    ("man", "woman"),
    ("men", "women"),
    ("father", "mother"),
    ("son", "daughter"),
    ("sons", "daughters"),
    ("brother", "sister"),
    ("husband", "wife"),
    ("he", "she"),
    ("his", "her"),
    ("egypt", "pharaoh"),
    ("babylon", "nebuchadnezzar"),
    ("persia", "cyrus"),
    ("israel", "jerusalem"),
    ("judah", "jerusalem"),
    ("syria", "damascus"),
    ("assyria", "nineveh"),
    ("abraham", "sarah"),
    ("isaac", "rebekah"),
    ("jacob", "rachel"),
    ("adam", "eve"),
    ("heaven", "earth"),
    ("day", "night"),
    ("light", "darkness"),
    ("good", "evil"),
)
CAPITALS = ("capital-common-countries", "capital-world", "family")


def word_map(vectors: Vectors, n: int = 400, pairs: Sequence[tuple[str, str]] | None = None) -> dict[str, Any]:
    """Places of frequent words in the plane, and arrows between related ones, as plain values.

    n:     so many words, and never fewer than the arrows need.
    pairs: what arrows are drawn between, where both words are known; None for country and capital, and kinship (from
           gensim's `questions-words.txt`), and pairs from the Bible.

    `{"method": "PCA", "words": [{"word", "count", "x", "y"}], "arrows": [{"from", "to"}]}`, words by frequency. The two
    principal components of the words' unit vectors, each turned so that its largest weight is positive: equal vectors
    give an equal map.
    """
    wanted = [*RELATED, *question_pairs(CAPITALS)] if pairs is None else pairs
    places = folded(vectors.words)
    found = ((places.get(one.upper()), places.get(other.upper())) for one, other in wanted)
    arrows = list(dict.fromkeys((a, b) for a, b in found if a is not None and b is not None and a != b))[:MOST_ARROWS]
    chosen = dict.fromkeys(sorted({row for arrow in arrows for row in arrow}))
    for row in _frequent(vectors):
        if len(chosen) >= n:
            break
        chosen.setdefault(row)
    rows = sorted(chosen)
    x, y = _principal(vectors.unit[rows]).T.tolist() if rows else ([], [])
    position = {row: index for index, row in enumerate(rows)}
    words = tuple(
        (
            vectors.words[row],
            None if vectors.counts is None else int(vectors.counts[row]),
            round(x[index], _DIGITS),
            round(y[index], _DIGITS),
        )
        for index, row in enumerate(rows)
    )
    return WordMap("PCA", (), words, tuple((position[a], position[b]) for a, b in arrows)).to_plain()


def _frequent(vectors: Vectors) -> Iterator[int]:
    """Rows of words of letters, the most frequent first, without those that are everywhere."""
    total = 0 if vectors.counts is None else int(vectors.counts.sum())
    for row, word in enumerate(vectors.words):
        everywhere = (
            vectors.counts is not None and len(vectors.words) > 1000 and vectors.counts[row] > TOO_FREQUENT * total
        )
        if word.isalpha() and not everywhere:
            yield row


def _principal(x: np.ndarray) -> np.ndarray:
    """`[N, E]` to its first two principal components `[N, 2]`, in double precision."""
    centred = x.astype(np.float64) - x.mean(axis=0, dtype=np.float64)
    _, _, axes = np.linalg.svd(centred, full_matrices=False)
    axes = axes[:2]
    axes = axes * np.sign(axes[np.arange(len(axes)), np.abs(axes).argmax(axis=1)])[:, None]
    places = centred @ axes.T
    return np.pad(places, ((0, 0), (0, 2 - places.shape[1])))
