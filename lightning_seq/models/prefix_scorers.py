"""Language models that follow the prefixes of a search for a transcript."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from lightning_seq.errors import UserError
from lightning_seq.text.vocabulary import EOS


class WordScorer(ABC):
    """A language model of words, for transcripts of words or of characters; a word is scored when it is complete.

    units:         by id, words or characters. by_characters: which of them.
    """

    def __init__(self, units: Sequence[str], by_characters: bool) -> None:
        self.units, self.by_characters = units, by_characters

    @abstractmethod
    def begin(self) -> Any:
        """The state before the first word."""

    @abstractmethod
    def word(self, state: Any, word: str | None) -> tuple[Any, float]:
        """The state after a word, and its log-probability; None is the end of the transcript."""

    def start(self) -> tuple[Any, str]:
        return self.begin(), ""

    def extend(self, state: tuple[Any, str], symbol: int) -> tuple[tuple[Any, str], float]:
        """See `PrefixScorer`."""
        (inner, partial), gained = state, 0.0
        unit = "" if symbol == EOS else self.units[symbol]
        if self.by_characters and unit and not unit.isspace():
            return (inner, partial + unit), 0.0
        complete = partial if self.by_characters else unit
        if complete:
            inner, gained = self.word(inner, complete)
        if symbol == EOS:
            inner, more = self.word(inner, None)
            gained += more
        return (inner, ""), gained


class WordNgram(WordScorer):
    """An interpolated n-gram of words (Witten & Bell 1991).

        P(w | h) = (c(h w) + t(h) P(w | h')) / (c(h) + t(h)),  h' without the first word of h

    c(h) counts the words after h, t(h) the different ones; below one word is 1 / (V + 1), also for unknown words.

    texts: of training, each a list of words. order: n.
    """

    def __init__(
        self, units: Sequence[str], by_characters: bool, texts: Iterable[Sequence[str]], order: int = 2
    ) -> None:
        super().__init__(units, by_characters)
        if order < 1:
            raise UserError(f"task.ngram.order is {order}, expected at least 1")
        self.order = order
        self.counts: dict[tuple[str | None, ...], Counter[str | None]] = {}
        for text in texts:
            words: list[str | None] = [*[None] * (order - 1), *text, None]
            for place in range(order - 1, len(words)):
                for size in range(order):
                    self.counts.setdefault(tuple(words[place - size : place]), Counter())[words[place]] += 1
        if not self.counts:
            raise UserError("an n-gram of words needs at least one text")
        self._lowest = 1 / (len(self.counts[()]) + 1)

    def begin(self) -> tuple[str | None, ...]:
        return (None,) * (self.order - 1)

    def word(self, state: tuple[str | None, ...], word: str | None) -> tuple[tuple[str | None, ...], float]:
        after = (*state, word)[1:] if self.order > 1 else ()
        return after, math.log(self.probability(word, state))

    def probability(self, word: str | None, history: tuple[str | None, ...] = ()) -> float:
        known = self.counts.get(history)
        below = self.probability(word, history[1:]) if history else self._lowest
        return below if known is None else (known[word] + len(known) * below) / (known.total() + len(known))
