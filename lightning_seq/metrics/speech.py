"""Errors of transcripts: substituted, deleted and inserted words and characters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np


class Edits(NamedTuple):
    """The fewest edits that turn a reference into a transcript. size: of the reference."""

    substitutions: int
    deletions: int
    insertions: int
    size: int

    @property
    def errors(self) -> int:
        return self.substitutions + self.deletions + self.insertions

    @property
    def rate(self) -> float:
        """Errors per symbol of the reference; an empty reference counts as one symbol."""
        return self.errors / max(self.size, 1)


def alignment(reference: Sequence[str], written: Sequence[str]) -> list[tuple[str | None, str | None]]:
    """Pairs (of the reference, written) of a shortest way of edits; None is nothing. Of equally short ways it takes
    substitutions before deletions before insertions, from the end."""
    R, W = len(reference), len(written)
    costs = np.zeros((R + 1, W + 1), dtype=np.int64)
    costs[:, 0], costs[0] = np.arange(R + 1), np.arange(W + 1)
    names = {symbol: number for number, symbol in enumerate(dict.fromkeys([*reference, *written]))}
    own = np.array([names[symbol] for symbol in written], dtype=np.int64)
    steps = np.arange(W + 1)
    for row, symbol in enumerate(reference, 1):
        other = np.minimum(costs[row - 1, 1:] + 1, costs[row - 1, :-1] + (own != names[symbol]))
        # An insertion costs one for each step to the right: a running minimum of the cost less the place.
        costs[row] = np.minimum.accumulate(np.concatenate([[row], other]) - steps) + steps
    pairs, row, column = list[tuple[str | None, str | None]](), R, W
    while row or column:
        cost = costs[row, column]
        if row and column and cost == costs[row - 1, column - 1] + (reference[row - 1] != written[column - 1]):
            row, column = row - 1, column - 1
            pairs.append((reference[row], written[column]))
        elif row and cost == costs[row - 1, column] + 1:
            row -= 1
            pairs.append((reference[row], None))
        else:
            column -= 1
            pairs.append((None, written[column]))
    return pairs[::-1]


def edits(reference: Sequence[str], written: Sequence[str]) -> Edits:
    pairs = alignment(reference, written)
    return Edits(
        sum(one is not None and two is not None and one != two for one, two in pairs),
        sum(two is None for _, two in pairs),
        sum(one is None for one, _ in pairs),
        len(reference),
    )


@dataclass(frozen=True)
class TranscriptScores:
    """words, characters: the edits of each transcript."""

    words: list[Edits]
    characters: list[Edits]

    @classmethod
    def of(cls, written: Sequence[str], references: Sequence[str]) -> TranscriptScores:
        both = list(zip(references, written, strict=True))
        return cls(
            [edits(reference.split(), text.split()) for reference, text in both],
            [edits([*reference], [*text]) for reference, text in both],
        )

    def logged(self) -> dict[str, float]:
        """`wer` and `cer`: the errors of all transcripts over the symbols of all references; `insertions`, `deletions`
        and `substitutions` of words per word of the references; `sentence_error_rate`."""
        words, characters = total(self.words), total(self.characters)
        size = max(words.size, 1)
        return {
            "wer": words.rate,
            "cer": characters.rate,
            "substitutions": words.substitutions / size,
            "deletions": words.deletions / size,
            "insertions": words.insertions / size,
            "sentence_error_rate": sum(one.errors > 0 for one in self.words) / max(len(self.words), 1),
        }


def total(parts: Iterable[Edits]) -> Edits:
    sums = [sum(column) for column in zip(*parts, strict=True)]
    return Edits(*sums) if sums else Edits(0, 0, 0, 0)


def confusions(written: Sequence[str], references: Sequence[str], by_words: bool) -> Counter[tuple[str, str]]:
    """How often each unit of the references, words or characters, was written as each other one; the empty text is
    nothing."""
    counts: Counter[tuple[str, str]] = Counter()
    for reference, text in zip(references, written, strict=True):
        one, two = (reference.split(), text.split()) if by_words else ([*reference], [*text])
        counts.update((a or "", b or "") for a, b in alignment(one, two))
    return counts
