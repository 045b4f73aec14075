from __future__ import annotations

import pickle
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightning_seq.errors import UserError
from lightning_seq.text.tokenise import Tokeniser


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("Hello, it's a test", ["hello", ",", "it's", "a", "test"]),
        ("well-known 1,000.5 3rd", ["well", "-", "known", "1,000.5", "3rd"]),
        ("'Tis the horses' day...", ["'", "tis", "the", "horses", "'", "day", ".", ".", "."]),
        ("rock’n’roll", ["rock'n'roll"]),
        ("Café ÉTÉ", ["café", "été"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("  \n\t ", []),
        ("", []),
    ],
)
def test_words(text: str, tokens: list[str]) -> None:
    assert Tokeniser()(text) == tokens


def test_a_loose_accent_stays_on_its_word() -> None:
    loose = unicodedata.normalize("NFD", "déjà vu")
    assert [unicodedata.normalize("NFC", token) for token in Tokeniser()(loose)] == ["déjà", "vu"]


def test_replacing_comes_before_tokenising_and_case_can_be_kept() -> None:
    assert Tokeniser(replace={"<br />": " "}, lower=False)("One<br /><br />Two") == ["One", "Two"]


def test_characters() -> None:
    assert Tokeniser("character")(" Ab  c\n") == ["a", "b", " ", "c"]


def test_characters_as_they_were_typed() -> None:
    assert Tokeniser("character", spaces="keep")(" Ab  c\n") == [" ", "a", "b", " ", " ", "c", "\n"]


def test_text_that_was_tokenised_before() -> None:
    assert Tokeniser("spaced", lower=False)(" A <unk> 1,000 @-@ it's\n") == ["A", "<unk>", "1,000", "@-@", "it's"]


def test_a_special_name_in_text_is_not_one_token() -> None:
    assert Tokeniser()("<pad>") == ["<", "pad", ">"]


@given(st.text())
def test_nothing_but_white_space_and_joiners_is_lost(text: str) -> None:
    def plain(string: str) -> str:
        return "".join(
            character
            for character in string.replace("’", "'")
            if not character.isspace() and character not in "\u200c\u200d"
        )

    assert plain("".join(Tokeniser(lower=False)(text))) == plain(text)


@given(st.text(alphabet=st.characters(max_codepoint=127)))
def test_ascii_text_is_split_alike_beside_other_scripts(text: str) -> None:
    assert Tokeniser()(text + " é")[:-1] == Tokeniser()(text)


def test_plain_values_and_workers_bring_it_back() -> None:
    tokeniser = Tokeniser("word", False, {"<br />": " "})
    tokeniser("used once")
    assert Tokeniser.from_plain(tokeniser.to_plain()) == tokeniser
    assert tokeniser.to_plain() == {"level": "word", "lower": False, "replace": {"<br />": " "}}
    keeping = Tokeniser("character", spaces="keep")
    assert Tokeniser.from_plain(keeping.to_plain()) == keeping != Tokeniser("character")
    assert pickle.loads(pickle.dumps(keeping))(" a") == [" ", "a"]  # noqa: S301
    assert pickle.loads(pickle.dumps(tokeniser))("A<br />b") == ["A", "b"]  # noqa: S301 - as DataLoader workers do


def test_an_unknown_level_is_named() -> None:
    with pytest.raises(UserError, match=r"'wrod'.*did you mean word"):
        Tokeniser("wrod")
    with pytest.raises(UserError, match=r"spaces is 'kep'.*did you mean keep"):
        Tokeniser("character", spaces="kep")
    with pytest.raises(UserError, match="empty string"):
        Tokeniser(replace={"": "x"})
