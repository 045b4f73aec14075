"""The word, the characters and the capitals of a token, as numbers for a tagger."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import torch
from torch import Tensor

from lightning_seq.files import Plain
from lightning_seq.text.normalise import check_form, normal
from lightning_seq.text.padding import pad_flat
from lightning_seq.text.vocabulary import PAD, Vocabulary
from lightning_seq.text.word_case import case_of

CHARACTER_SPECIALS = ("<pad>", "<unk>")
CHARACTER_PAD, CHARACTER_UNK = range(len(CHARACTER_SPECIALS))

_DIGIT = re.compile(r"\d")
_SPACE = re.compile(r"\s+")


@dataclass(frozen=True)
class WordForm:
    """Turns a token into a word of the vocabulary.

    lower:     write it in small letters.
    digits:    write every digit as 0, so that numbers of the same form are one word.
    normalise: see `FORMS` of text/normalise.py; it changes the characters of the token, too.

    White space inside a token (`10 000` is one token in French treebanks) becomes `_`.
    """

    lower: bool = True
    digits: bool = True
    normalise: str = "none"

    def __post_init__(self) -> None:
        check_form(self.normalise)

    def spelt(self, token: str) -> str:
        """The token from which characters and capitals are read."""
        return normal(token, self.normalise)

    def __call__(self, token: str) -> str:
        word = self.spelt(token)
        word = word.lower() if self.lower else word
        if self.digits:
            word = _DIGIT.sub("0", word)
        return _SPACE.sub("_", word)

    def to_plain(self) -> dict[str, Plain]:
        return asdict(self)

    @classmethod
    def from_plain(cls, plain: Mapping[str, Plain]) -> WordForm:
        return cls(**plain)


def characters_of(counts: dict[str, int]) -> tuple[str, ...]:
    """The characters of training by id: `<pad> <unk>`, then by falling count, then in the order of Unicode."""
    return CHARACTER_SPECIALS + tuple(sorted(counts, key=lambda character: (-counts[character], character)))


@dataclass(frozen=True)
class Spellings:
    """Every different token of some data, as numbers.

    words:      `[S]` int64, ids in the vocabulary.
    cases:      `[S]` int64, places in `CASES`.
    characters: `[S, C]` int32, ids from 2, `<unk>` 1, and 0 behind the last one; longer tokens are cut to C.
    widths:     `[S]` int64, characters of each in `characters`, at least 1.
    """

    words: np.ndarray
    cases: np.ndarray
    characters: np.ndarray
    widths: np.ndarray

    @classmethod
    def of(
        cls,
        tokens: Sequence[str],
        form: WordForm,
        vocabulary: Vocabulary,
        characters: Sequence[str],
        max_word_length: int,
    ) -> Spellings:
        """The spellings of these tokens, none of them empty; spelling i is `tokens[i]`."""
        ids = {character: number for number, character in enumerate(characters) if number >= len(CHARACTER_SPECIALS)}
        tokens = [form.spelt(token) for token in tokens]
        cut = [token[:max_word_length] for token in tokens]
        widths = np.array([len(token) for token in cut], dtype=np.int64)
        rows = np.full((len(cut), widths.max(initial=1)), CHARACTER_PAD, dtype=np.int32)
        rows[np.arange(rows.shape[1]) < widths[:, None]] = [
            ids.get(character, CHARACTER_UNK) for token in cut for character in token
        ]
        return cls(
            np.array(vocabulary.encode(map(form, tokens)), dtype=np.int64),
            np.array([case_of(token) for token in tokens], dtype=np.int64),
            rows,
            widths,
        )

    def look_up(
        self, flat: np.ndarray, offsets: np.ndarray, rows: np.ndarray
    ) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """The parts of a batch of the sentences `flat[offsets[i]:offsets[i + 1]]` with i in `rows`.

        flat: spellings by number.

        Returns inputs `[B, T]` and mask `[B, T]`, and by name `characters` `[U, C]` of the U spellings in these
        sentences, C those of the longest; `spelling` `[B, T]`, the number of each token among the U; `case` `[B, T]`.
        The last two are 0 where the mask is False.
        """
        padded, keep = pad_flat(flat, offsets, rows)
        numbers, mask = padded.numpy(), keep.numpy()
        # A table of all spellings is faster than sorting the numbers of a batch.
        occurs = np.zeros(len(self.words), dtype=bool)
        occurs[numbers[mask]] = True
        used = np.flatnonzero(occurs)
        # Padding has the number 0, and its place is 0, also where spelling 0 does not occur.
        places = np.zeros(len(self.words), dtype=np.int64)
        places[used] = np.arange(len(used))
        width = int(self.widths[used].max(initial=1))
        extra = {
            "characters": self.characters[used, :width].astype(np.int64),
            "spelling": places[numbers],
            "case": np.where(mask, self.cases[numbers], 0),
        }
        inputs = np.where(mask, self.words[numbers], PAD)
        return torch.from_numpy(inputs), keep, {name: torch.from_numpy(values) for name, values in extra.items()}
