"""The words that a model knows, and their ids."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain

from lightning_seq.errors import UserError
from lightning_seq.files import Plain
from lightning_seq.spec import Short

SPECIALS = ("<pad>", "<unk>", "<bos>", "<eos>")
PAD, UNK, BOS, EOS = range(len(SPECIALS))


@dataclass(frozen=True, repr=False)
class Vocabulary(Short):
    """Words by id; the specials `<pad> <unk> <bos> <eos>` are 0 to 3, or all of them are missing (see `of`).

    words:  `words[i]` has id i; ordinary words by falling count, then in the order of their characters.
    counts: of each word in the text of training; `<unk>` counts all words that were left out.

    A token that is spelt like a special is an unknown word: no text can produce `<pad>`, `<bos>` or `<eos>`.
    """

    words: tuple[str, ...]
    counts: tuple[int, ...]

    def __post_init__(self) -> None:
        if (not self.has_specials and set(self.words) & set(SPECIALS)) or len(self.words) != len(self.counts):
            raise ValueError(
                f"a vocabulary begins with {' '.join(SPECIALS)} or has none of them, and has a count for every word"
            )

    @property
    def has_specials(self) -> bool:
        """Without specials an unknown symbol, padding, a beginning and an end have no ids."""
        return self.words[: len(SPECIALS)] == SPECIALS

    @classmethod
    def of(cls, symbols: Sequence[str], counts: Mapping[str, int] | None = None) -> Vocabulary:
        """These symbols alone, in this order and without specials: ids from 0.

        Raises UserError where a symbol comes twice or is spelt like a special.
        """
        for symbol in symbols:
            if symbols.count(symbol) > 1 or symbol in SPECIALS:
                raise UserError(
                    f"a vocabulary of {len(symbols)} symbols has {symbol!r}: expected each once, and no special"
                )
        return cls(tuple(symbols), tuple((counts or {}).get(symbol, 0) for symbol in symbols))

    @classmethod
    def build(cls, token_lists: Iterable[Sequence[str]], min_count: int = 1, max_size: int | None = None) -> Vocabulary:
        """The vocabulary of these sentences; see `from_counts`."""
        return cls.from_counts(Counter(chain.from_iterable(token_lists)), min_count, max_size)

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
        ordinary = len(SPECIALS) if self.has_specials else 0
        return {word: index for index, word in enumerate(self.words) if index >= ordinary}

    def encode(self, tokens: Iterable[str]) -> list[int]:
        """Ids; an unknown word is 1 (`<unk>`). Raises UserError for an unknown symbol without specials."""
        ids = self._ids
        if self.has_specials:
            return [ids.get(token, UNK) for token in tokens]
        try:
            return [ids[token] for token in tokens]
        except KeyError as error:
            raise UserError(
                f"{error.args[0]!r} is not a symbol of this data, which has no id for unknown symbols: "
                f"expected {', '.join(self.words[:12])}{', …' if len(self) > 12 else ''}"
            ) from None

    def decode(self, ids: Iterable[int]) -> list[str]:
        return [self.words[index] for index in ids]

    def __len__(self) -> int:
        return len(self.words)

    def to_plain(self) -> dict[str, Plain]:
        """Plain values for a checkpoint."""
        return {"words": list(self.words), "counts": list(self.counts)}

    @classmethod
    def from_plain(cls, plain: dict[str, Plain]) -> Vocabulary:
        """The inverse of `to_plain`."""
        words, counts = tuple(plain["words"]), tuple(plain["counts"])
        if not (all(isinstance(word, str) for word in words) and all(isinstance(count, int) for count in counts)):
            raise ValueError("a vocabulary has texts as words and whole numbers as counts")
        return cls(words, counts)
