from __future__ import annotations

import math

import pytest

from lightning_seq.errors import UserError
from lightning_seq.models.prefix_scorers import WordNgram
from lightning_seq.text.vocabulary import EOS

TEXTS = [["go", "on"], ["go", "in"], ["go", "on"]]
LETTERS = ("<pad>", "<unk>", "<bos>", "<eos>", "g", "o", "n", "i", " ")


def test_probabilities_are_those_of_witten_and_bell() -> None:
    ngram = WordNgram(LETTERS, True, TEXTS, order=2)
    lowest = 1 / 5  # go, on, in, the end, and an unknown word
    on = (2 + 4 * lowest) / (9 + 4)
    assert ngram.probability("on") == pytest.approx(on)
    assert ngram.probability("on", ("go",)) == pytest.approx((2 + 2 * on) / (3 + 2))
    assert ngram.probability("on", ("never",)) == pytest.approx(on)
    for history in ((), ("go",), ("on",), (None,)):
        known = sum(ngram.probability(word, history) for word in ("go", "on", "in", None, "an unknown word"))
        assert known == pytest.approx(1)


def test_a_word_of_letters_counts_when_it_is_complete() -> None:
    ngram = WordNgram(LETTERS, True, TEXTS, order=2)
    state, gained = ngram.start(), []
    for symbol in [*map(LETTERS.index, "go on"), EOS]:
        state, value = ngram.extend(state, symbol)
        gained.append(value)
    go, on = ngram.probability("go", (None,)), ngram.probability("on", ("go",))
    end = ngram.probability(None, ("on",))
    assert gained == pytest.approx([0, 0, math.log(go), 0, 0, math.log(on) + math.log(end)])


def test_words_count_at_once() -> None:
    ngram = WordNgram(("<pad>", "<unk>", "<bos>", "<eos>", "go", "on"), False, TEXTS, order=1)
    assert ngram.extend(ngram.start(), 4)[1] == pytest.approx(math.log(ngram.probability("go")))


def test_an_order_is_at_least_one() -> None:
    with pytest.raises(UserError, match=r"task\.ngram\.order"):
        WordNgram(LETTERS, True, TEXTS, order=0)
