"""Word vectors in the plane."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from lightning_seq.embeddings.vectors import Vectors
from lightning_seq.embeddings.word_lists import folded, question_pairs
from lightning_seq.files import Plain
from lightning_seq.records.word_map import WordMap

TOO_FREQUENT = 1e-3
"""A word with a larger share of the text, such as `the`, is shown only at the end of an arrow."""
MOST_ARROWS = 60
_DIGITS = 5
RELATED = (
    ("king", "queen"), ("man", "woman"), ("men", "women"), ("father", "mother"), ("son", "daughter"),
    ("sons", "daughters"), ("brother", "sister"), ("husband", "wife"), ("he", "she"), ("his", "her"),
    ("egypt", "pharaoh"), ("babylon", "nebuchadnezzar"), ("persia", "cyrus"), ("israel", "jerusalem"),
    ("judah", "jerusalem"), ("syria", "damascus"), ("assyria", "nineveh"), ("abraham", "sarah"), ("isaac", "rebekah"),
    ("jacob", "rachel"), ("adam", "eve"), ("heaven", "earth"), ("day", "night"), ("light", "darkness"),
    ("good", "evil"),
)  # fmt: skip
CAPITALS = ("capital-common-countries", "capital-world", "family")


def word_map(vectors: Vectors, n: int = 400, pairs: Sequence[tuple[str, str]] | None = None) -> dict[str, Plain]:
    """Positions of frequent words in the plane, and arrows between related words, as plain values.

    n:     of words; more where the arrows need them.
    pairs: words to connect by arrows, where both are known; None: pairs from the Bible, and from gensim's
           `questions-words.txt` (country and capital, kinship).

    `{"method": "PCA", "words": [{"word", "count", "x", "y"}], "arrows": [{"from", "to"}]}`, words by frequency. The two
    principal components of the words' unit vectors, each turned so that its largest weight is positive: equal vectors
    give an equal map.
    """
    related = [*RELATED, *question_pairs(CAPITALS)] if pairs is None else pairs
    ids = folded(vectors.words)
    ends = ((ids.get(one.upper()), ids.get(other.upper())) for one, other in related)
    arrows = list(dict.fromkeys((a, b) for a, b in ends if a is not None and b is not None and a != b))[:MOST_ARROWS]
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
    """Rows of words of letters, the most frequent first, without words that are too frequent."""
    counts = vectors.counts if len(vectors.words) > 1000 else None
    total = 0 if counts is None else int(counts.sum())
    for row, word in enumerate(vectors.words):
        if word.isalpha() and (counts is None or counts[row] <= TOO_FREQUENT * total):
            yield row


def _principal(x: np.ndarray) -> np.ndarray:
    """`[N, E]` to its first two principal components `[N, 2]`, in double precision."""
    centred = x.astype(np.float64) - x.mean(axis=0, dtype=np.float64)
    _, _, axes = np.linalg.svd(centred, full_matrices=False)
    axes = axes[:2]
    axes = axes * np.sign(axes[np.arange(len(axes)), np.abs(axes).argmax(axis=1)])[:, None]
    positions = centred @ axes.T
    return np.pad(positions, ((0, 0), (0, 2 - positions.shape[1])))
