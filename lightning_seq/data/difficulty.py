"""The difficulty of an example for any model: its length, its unknown words, its rare words."""

from __future__ import annotations

import numpy as np

from lightning_seq.text.vocabulary import UNK, Vocabulary


def difficulty(words: np.ndarray, offsets: np.ndarray, vocabulary: Vocabulary) -> dict[str, np.ndarray]:
    """By name, `[N]` for the sentences `words[offsets[i]:offsets[i + 1]]`, none of them empty.

    length:  in words.
    unknown: the share of the words that the vocabulary does not hold.
    rarity:  the mean over the words of ln(n / (1 + count)); count: of the word in training, 0 for an unknown one; n:
             words of training.

    words: ids in the vocabulary.
    """
    lengths, starts = np.diff(offsets), offsets[:-1]
    counts = np.array(vocabulary.counts, dtype=np.float64)
    whole = max(counts.sum(), 1.0)
    strange = np.zeros(len(words))
    if vocabulary.has_specials:
        counts[UNK] = 0
        strange = (words == UNK).astype(np.float64)
    rarities = np.log(whole / (1 + counts))[words]
    return {
        "length": lengths.astype(np.int32),
        "unknown": (np.add.reduceat(strange, starts) / lengths).astype(np.float32),
        "rarity": (np.add.reduceat(rarities, starts) / lengths).astype(np.float32),
    }
