"""Which words a model knows, and their numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from lightning_seq.errors import UserError

SPECIALS = ("<pad>", "<unk>", "<bos>", "<eos>")
PAD, UNK, BOS, EOS = range(len(SPECIALS))


@dataclass(frozen=True)
class Vocabulary:
    """Words by id; the specials `<pad> <unk> <bos> <eos>` are 0 to 3.

    words:  `words[i]` has id i; ordinary words by falling count, then in the order of their characters.
    counts: how often each occurs in the text it was built from; `<unk>` stands for all that were left out.

    A token that is spelt like a special is an unknown word: no text can produce `<pad>`, `<bos>` or `<eos>`.
    """

    words: tuple[str, ...]
    counts: tuple[int, ...]

    def __post_init__(self) -> None:
        if self.words[: len(SPECIALS)] != SPECIALS or len(self.words) != len(self.counts):
            raise ValueError(f"a vocabulary begins with {' '.join(SPECIALS)} and has a count for every word")

    @classmethod
    def build(cls, token_lists: Iterable[Sequence[str]], min_count: int = 1, max_size: int | None = None) -> Vocabulary:
        """The vocabulary of these sentences; see `from_counts`."""
        counts: Counter[str] = Counter()
        for tokens in token_lists:
            counts.update(tokens)
        return cls.from_counts(counts, min_count, max_size)

    @classmethod
    def from_counts(cls, counts: Mapping[str, int], min_count: int = 1, max_size: int | None = None) -> Vocabulary:
        """Words that occur at least `min_count` times, at most `max_size` of them (specials not counted).

        Raises UserError when either is less than 1.
        """
        if min_count < 1:
            raise UserError(f"min_count is {min_count}, expected at least 1")
        if max_size is not None and max_size < 1:
            raise UserError(f"the size of the vocabulary is {max_size}, expected at least 1, or null for no limit")
        ordinary = [(word, count) for word, count in counts.items() if count >= min_count and word not in SPECIALS]
        ordinary.sort(key=lambda item: (-item[1], item[0]))
        ordinary = ordinary[:max_size]
        left_out = sum(counts.values()) - sum(count for _, count in ordinary)
        return cls(
            SPECIALS + tuple(word for word, _ in ordinary), (0, left_out, 0, 0, *(count for _, count in ordinary))
        )

    @cached_property
    def _ids(self) -> dict[str, int]:
        return {word: index for index, word in enumerate(self.words) if index >= len(SPECIALS)}

    def encode(self, tokens: Iterable[str]) -> list[int]:
        """Ids, 1 (`<unk>`) for words that are not known."""
        ids = self._ids
        return [ids.get(token, UNK) for token in tokens]

    def decode(self, ids: Iterable[int]) -> list[str]:
        return [self.words[index] for index in ids]

    def __len__(self) -> int:
        return len(self.words)

    def to_plain(self) -> dict[str, Any]:
        """Plain values that a checkpoint can hold."""
        return {"words": list(self.words), "counts": list(self.counts)}

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> Vocabulary:
        """The inverse of `to_plain`."""
        return cls(tuple(plain["words"]), tuple(plain["counts"]))
