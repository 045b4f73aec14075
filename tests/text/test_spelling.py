"""The spelling model: by hand, and as a probability over all spellings."""

from __future__ import annotations

import sys
from itertools import product
from math import exp, fsum, log

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightning_seq.text.spelling import START, SpellingModel

ALPHABET = "\0\1\2"
WORDS = st.dictionaries(st.text(ALPHABET, max_size=4), st.integers(1, 5), max_size=5)


@given(WORDS, st.integers(1, 5), st.integers(0, 4))
@settings(max_examples=60, deadline=None)
def test_all_spellings_have_probability_one(words: dict[str, int], order: int, longest: int) -> None:
    """Words of up to `longest` characters, and all that begin with one more, are all words."""
    model = SpellingModel(words, order, len(ALPHABET))
    whole = [exp(-model.nats("".join(word))) for size in range(longest + 1) for word in product(ALPHABET, repeat=size)]
    begun = []
    for start in product(range(len(ALPHABET)), repeat=longest + 1):
        steps = [model.probability(symbol, (START, *start[:at])) for at, symbol in enumerate(start)]
        begun.append(exp(fsum(map(log, steps))))
    assert fsum(whole + begun) == pytest.approx(1, abs=1e-12)
    assert min(whole + begun) > 0


@given(st.dictionaries(st.text(max_size=5), st.integers(1, 9), max_size=6), st.text(max_size=6))
@settings(max_examples=60, deadline=None)
def test_all_characters_of_unicode_and_the_end_have_probability_one(words: dict[str, int], before: str) -> None:
    model, context = SpellingModel(words), (START, *map(ord, before))
    known = {symbol for gram in model.counts for symbol in gram[-1:]} | {model.end}
    new = next(code for code in range(0xE000, sys.maxunicode) if code not in known)
    left = sys.maxunicode + 2 - len(known)
    total = fsum(model.probability(symbol, context) for symbol in known) + left * model.probability(new, context)
    assert total == pytest.approx(1, abs=1e-9)


def test_by_hand() -> None:
    """The words "ab" and twice "a" as bigrams, over two characters and the end: 1/3 each below the unigrams."""
    model = SpellingModel({"\0\1": 1, "\0": 2}, order=2, characters=2)
    # Unigrams: 3 a, 1 b, 3 ends, 3 different ones.
    a, b, end = ((n + 3 / 3) / (7 + 3) for n in (3, 1, 3))
    first = (3 + 1 * a) / (3 + 1)  # after the start: 3 a, one kind
    b_after_a, end_after_a = (1 + 2 * b) / (3 + 2), (2 + 2 * end) / (3 + 2)
    end_after_b = (1 + 1 * end) / (1 + 1)
    assert exp(-model.nats("\0")) == pytest.approx(first * end_after_a)
    assert exp(-model.nats("\0\1")) == pytest.approx(first * b_after_a * end_after_b)
    assert exp(-model.nats("\1")) == pytest.approx(1 * b / (3 + 1) * end_after_b)


def test_frequent_spellings_are_cheap() -> None:
    model = SpellingModel({"begat": 3, "beget": 1, "begin": 2})
    assert model.nats("begat") < model.nats("beget") < model.nats("tageb") < model.nats("тагеб")
    assert SpellingModel({}).nats("ab") == pytest.approx(3 * log(sys.maxunicode + 2))
