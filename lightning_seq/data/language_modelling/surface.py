"""The nats of what tokens leave open about their text: the spelling of unknown words, and spaces next to marks."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np

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


def space_nats(
    spellings: Sequence[str], texts: Mapping[str, tuple[np.ndarray, np.ndarray, np.ndarray]]
) -> dict[str, float]:
    """By split, -ln p of whether a space is between a mark and its neighbour in a line, given which marks they are.

    texts: by split, the numbers of the tokens, the offsets of the lines, and whether a space precedes each token.

    p is the frequency in the train split after half a case of either kind (Krichevsky & Trofimov 1981); all words
    count as one. Between two words a space is certain.
    """
    classes = np.array([0 if _WORD.match(word) else number for number, word in enumerate(spellings, 1)])
    pairs, spaces = {}, {}
    for split, (flat, offsets, spaced) in texts.items():
        inner = np.ones(len(flat), dtype=bool)
        inner[offsets[:-1][np.diff(offsets) > 0]] = False  # a line end, or nothing, precedes the first token
        after = np.flatnonzero(inner)
        pair = classes[flat[after - 1]] * (len(spellings) + 1) + classes[flat[after]]
        pairs[split], spaces[split] = pair[pair > 0], spaced[after[pair > 0]].astype(bool)
    kinds = np.unique(np.concatenate([*pairs.values()]))
    places = {split: np.searchsorted(kinds, values) for split, values in pairs.items()}
    total = np.bincount(places["train"], minlength=len(kinds))
    with_space = np.bincount(places["train"][spaces["train"]], minlength=len(kinds))
    share = (with_space + 0.5) / (total + 1)
    return {
        split: float(-np.log(np.where(spaces[split], share[at], 1 - share[at])).sum()) for split, at in places.items()
    }
