"""The probability of a word's spelling, for words that a vocabulary leaves out."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping
from math import log

START = -1


class SpellingModel:
    """A character n-gram of words and their ends, interpolated as by Witten & Bell (1991, method C).

        p(c | h) = (n(h c) + t(h) p(c | h')) / (n(h) + t(h))

    n(h c) is how often c follows h in the words, n(h) their sum over c, t(h) how many different c follow h, and h' is h
    without its first character. The distribution below the empty h is uniform over all characters and the end of a
    word. So every spelling has a probability, with characters that no word has too, and the sum over all is 1.

    words:      how often each occurs.
    order:      n of the n-gram; the start of a word counts as a character of h.
    characters: of the alphabet, by default all code points of Unicode.
    """

    def __init__(self, words: Mapping[str, int], order: int = 5, characters: int = sys.maxunicode + 1) -> None:
        self.order, self.end = order, characters
        self.counts: Counter[tuple[int, ...]] = Counter()
        for word, count in words.items():
            symbols = self._symbols(word)
            for at in range(1, len(symbols)):
                for first in range(max(0, at - order + 1), at + 1):
                    self.counts[symbols[first : at + 1]] += count
        self.sums: Counter[tuple[int, ...]] = Counter()
        self.types: Counter[tuple[int, ...]] = Counter()
        for gram, count in self.counts.items():
            self.sums[gram[:-1]] += count
            self.types[gram[:-1]] += 1

    def _symbols(self, word: str) -> tuple[int, ...]:
        return START, *map(ord, word), self.end

    def probability(self, symbol: int, before: tuple[int, ...]) -> float:
        """Of a code point, or of the end of a word (`end`), after all symbols before it, the first of them `START`."""
        result = 1 / (self.end + 1)
        for first in range(len(before), max(-1, len(before) - self.order), -1):
            context = before[first:]
            if context not in self.sums:
                break
            types = self.types[context]
            result = (self.counts.get((*context, symbol), 0) + types * result) / (self.sums[context] + types)
        return result

    def nats(self, word: str) -> float:
        """-ln p(spelling)."""
        symbols = self._symbols(word)
        contexts = (symbols[max(0, at - self.order + 1) : at] for at in range(1, len(symbols)))
        return -sum(log(self.probability(symbol, before)) for symbol, before in zip(symbols[1:], contexts, strict=True))
