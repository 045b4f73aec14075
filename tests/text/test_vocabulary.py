from __future__ import annotations

import pytest

from lightning_seq.errors import UserError
from lightning_seq.text.vocabulary import BOS, EOS, PAD, SPECIALS, UNK, Vocabulary

SENTENCES = [["b", "a", "c"], ["b", "a", "d"], ["b", "<pad>", "<eos>", "<unk>"]]


def test_specials_first_then_by_count_then_by_spelling() -> None:
    vocabulary = Vocabulary.build(SENTENCES)
    assert vocabulary.words == ("<pad>", "<unk>", "<bos>", "<eos>", "b", "a", "c", "d")
    assert vocabulary.counts == (0, 3, 0, 0, 3, 2, 1, 1)
    assert (PAD, UNK, BOS, EOS) == (0, 1, 2, 3)
    assert len(vocabulary) == 8


def test_size_counts_ordinary_words_exactly_and_the_rest_is_unknown() -> None:
    vocabulary = Vocabulary.build(SENTENCES, max_size=3)
    assert vocabulary.words[4:] == ("b", "a", "c")
    assert vocabulary.counts[UNK] == 4
    assert Vocabulary.build(SENTENCES, min_count=2).words[4:] == ("b", "a")
    assert sum(vocabulary.counts) == sum(map(len, SENTENCES))


def test_a_token_spelt_like_a_special_is_unknown() -> None:
    vocabulary = Vocabulary.build(SENTENCES)
    assert vocabulary.words.count("<pad>") == 1
    assert vocabulary.encode(["<pad>", "<bos>", "<eos>", "<unk>", "a"]) == [UNK, UNK, UNK, UNK, 5]


def test_encode_and_decode() -> None:
    vocabulary = Vocabulary.build(SENTENCES)
    assert vocabulary.decode(vocabulary.encode(["a", "zebra", "b"])) == ["a", "<unk>", "b"]
    assert Vocabulary.from_plain(vocabulary.to_plain()) == vocabulary


def test_symbols_in_an_order_of_their_own_without_specials() -> None:
    vocabulary = Vocabulary.of("helo", {"l": 2, "h": 1})
    assert vocabulary.words == ("h", "e", "l", "o")
    assert vocabulary.counts == (1, 0, 2, 0)
    assert not vocabulary.has_specials
    assert Vocabulary.build(SENTENCES).has_specials
    assert vocabulary.encode("hello") == [0, 1, 2, 2, 3]
    assert "".join(vocabulary.decode([0, 1, 2, 2, 3])) == "hello"
    assert Vocabulary.from_plain(vocabulary.to_plain()) == vocabulary
    with pytest.raises(UserError, match=r"'x' is not a symbol of this data.*expected h, e, l, o"):
        vocabulary.encode("hex")
    with pytest.raises(UserError, match=r"has 'l': expected each once"):
        Vocabulary.of("hello")
    with pytest.raises(UserError, match=r"has '<eos>'"):
        Vocabulary.of(("a", "<eos>"))


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(UserError, match="min_count is 0"):
        Vocabulary.build(SENTENCES, min_count=0)
    with pytest.raises(UserError, match="vocabulary is 0"):
        Vocabulary.build(SENTENCES, max_size=0)
    with pytest.raises(ValueError, match="begins with"):
        Vocabulary(("a", *SPECIALS), (1, 0, 0, 0, 0))
