"""The nats of what tokens leave open about their text: the spelling of unknown words, and spaces next to marks."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from math import log
from typing import TypeAlias

import numpy as np

from lightning_seq.data.token_arrays import PART, NumbersOnDisk
from lightning_seq.text.spelling import SpellingModel
from lightning_seq.text.vocabulary import SPECIALS, UNK

_WORD = re.compile(r"\w")


def spelling_nats(spellings: Sequence[str], unknown: np.ndarray, counts: Mapping[str, int]) -> np.ndarray:
    """`[types]` float64: -ln p(spelling) of each unknown type, 0 for others.

    A literal `<unk>` has NaN: it hides a word, whose spelling is not known.

    unknown: `[types]` bool.
    counts:  of the types of the train split. The model is fitted on those that are unknown, by their counts, or on
             all types, each once, if none is.
    """
    nats, numbers = np.zeros(len(spellings)), np.flatnonzero(unknown).tolist()
    nats[[number for number in numbers if spellings[number] == SPECIALS[UNK]]] = np.nan
    charged = [number for number in numbers if spellings[number] != SPECIALS[UNK]]
    if charged:
        left_out = {word: counts[word] for word in (spellings[number] for number in charged) if word in counts}
        model = SpellingModel(left_out or dict.fromkeys(counts, 1))
        nats[charged] = [model.nats(spellings[number]) for number in charged]
    return nats


Numbers: TypeAlias = np.ndarray | NumbersOnDisk


def space_nats(spellings: Sequence[str], texts: Mapping[str, tuple[Numbers, np.ndarray, Numbers]]) -> dict[str, float]:
    """By split, -ln p of whether a space is between a mark and its neighbour in a line, given which marks they are.

    texts: by split, the numbers of the tokens, the offsets of the lines, and whether a space precedes each token.

    p is the frequency in the train split after half a case of either kind (Krichevsky & Trofimov 1981); all words
    count as one. Between two words a space is certain.
    """
    classes = np.array([0 if _WORD.match(word) else number for number, word in enumerate(spellings, 1)])
    counts = {split: _space_counts(classes, *text) for split, text in texts.items()}

    def nats(kind: int) -> float:
        cases = [counts["train"][2 * (kind // 2) + space] + 0.5 for space in (0, 1)]
        return -log(cases[kind % 2] / sum(cases))

    return {split: sum(count * nats(kind) for kind, count in found.items()) for split, found in counts.items()}


def _space_counts(classes: np.ndarray, flat: Numbers, offsets: np.ndarray, spaced: Numbers) -> Counter[int]:
    """How often each kind of neighbours in a line, one of which is a mark, has a space between them (odd keys) or none
    (even keys)."""
    counts, starts = Counter[int](), offsets[:-1][np.diff(offsets) > 0]
    for begin in range(0, len(flat), PART):
        first, end = max(begin, 1), min(begin + PART, len(flat))
        of = classes[flat[first - 1 : end]]
        pairs = of[:-1] * (len(classes) + 1) + of[1:]
        low, high = np.searchsorted(starts, [first, end])
        pairs[starts[low:high] - first] = 0  # a line end, or nothing, precedes the first token of a line
        kept = pairs > 0
        kinds, often = np.unique(2 * pairs[kept] + spaced[first:end][kept], return_counts=True)
        counts.update(dict(zip(kinds.tolist(), often.tolist(), strict=True)))
    return counts
