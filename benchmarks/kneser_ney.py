"""The trigram baseline of language models: `python benchmarks/kneser_ney.py [data=… key=value …]`.

Interpolated modified Kneser-Ney (Chen & Goodman 1999, sec. 3.2 and eq. 26), discounts estimated from counts of counts,
over the same tokens, vocabulary and test text as `train data=…`; every token counts, `<eos>` too, as there.
"""

from __future__ import annotations

import sys
from collections import Counter
from math import exp, log
from typing import Any

import numpy as np
from rich.console import Console
from timing import machine, write_results

from lightning_seq.builders.build import build_data
from lightning_seq.config.compose import compose

Discounts = tuple[float, float, float, float]


def discounts(counts: Counter[tuple[int, ...]]) -> Discounts:
    """D for a count of 0, 1, 2, and 3 or more."""
    n1, n2, n3, n4 = (sum(count == times for count in counts.values()) for times in (1, 2, 3, 4))
    share = n1 / (n1 + 2 * n2)
    return 0.0, 1 - 2 * share * n2 / n1, 2 - 3 * share * n3 / n2, 3 - 4 * share * n4 / n3


class KneserNey:
    """P(w | u v), interpolated with P(w | v), P(w) and 1/V."""

    def __init__(self, tokens: list[int], vocabulary: int) -> None:
        trigrams = Counter(zip(tokens, tokens[1:], tokens[2:], strict=False))
        bigrams: Counter[tuple[int, ...]] = Counter()  # the number of contexts, not of occurrences
        for _, v, w in trigrams:
            bigrams[v, w] += 1
        unigrams: Counter[tuple[int, ...]] = Counter()
        for _, w in bigrams:
            unigrams[(w,)] += 1
        self.vocabulary = vocabulary
        self.levels = [self._level(counts) for counts in (unigrams, bigrams, trigrams)]

    def _level(self, counts: Counter[Any]) -> tuple[Counter[Any], Counter[Any], dict[Any, float], Discounts]:
        """Counts, their sums by context, the weight of each context for the level below, and the discounts."""
        taken, sums, left = discounts(counts), Counter[Any](), Counter[Any]()
        for gram, count in counts.items():
            sums[gram[:-1]] += count
            left[gram[:-1]] += taken[min(count, 3)]
        return counts, sums, {context: left[context] / sums[context] for context in sums}, taken

    def probability(self, gram: tuple[int, ...]) -> float:
        """The probability of the last of up to three tokens, given those before it."""
        found = 1 / self.vocabulary
        for order, (counts, sums, left, taken) in enumerate(self.levels):
            part = gram[len(gram) - order - 1 :]
            context = part[:-1]
            if context in sums:
                count = counts.get(part, 0)
                found = max(count - taken[min(count, 3)], 0) / sums[context] + left[context] * found
        return found


def main(arguments: list[str]) -> None:
    data = build_data(compose(arguments or ["data=verses_words"]))
    prepared = data.prepared
    before = [prepared.line_end] if prepared.line_end is not None else []
    train, test = (before + np.asarray(prepared.splits[name].flat).tolist() for name in ("train", "test"))
    model = KneserNey(before + train, len(data.vocabulary))
    text = before + test
    losses = [-log(model.probability(tuple(text[at - 2 : at + 1]))) for at in range(2, len(text))]
    nats = sum(losses) / len(losses)
    some = [model.probability((*text[at - 2 : at], word)) for at in (2, 50) for word in range(len(data.vocabulary))]
    found = {"machine": machine(), "tokens": len(losses), "perplexity": exp(nats), "probabilities_sum": sum(some) / 2}
    console = Console(width=110)
    console.print(
        f"{prepared.name}: modified Kneser-Ney trigram, test perplexity {found['perplexity']:.2f} over "
        f"{len(losses):,} tokens (probabilities sum to {found['probabilities_sum']:.6f})"
    )
    console.print(f"written to {write_results('kneser_ney', found)}")


if __name__ == "__main__":
    main(sys.argv[1:])
