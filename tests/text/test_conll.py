from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lightning_seq.data.sources.conll import Conll
from lightning_seq.text.conll import conll, fields

INNER = "\u00a0\u3000\u0085\u2028\u2009\x1c"
"""What `str.split` splits at, and `conlleval` does not."""
word = st.text(st.characters(exclude_categories=("Z", "C"), include_characters=INNER), min_size=1, max_size=5)
sentences = st.lists(st.lists(st.tuples(word, word, word), min_size=1, max_size=4), min_size=1, max_size=4)


@given(sentences)
def test_what_is_written_is_read_again(given: list[list[tuple[str, str, str]]]) -> None:
    if any(row[0].startswith("-DOCSTART-") for rows in given for row in rows):
        return
    read = Conll(tag_column=2).table("there", conll(given))
    assert read.tokens == [[row[0] for row in rows] for rows in given]
    assert read.tags == [[row[2] for row in rows] for rows in given]


def test_white_space_within_a_column_and_an_empty_one() -> None:
    written = conll([[("10 000", "NUM", ""), ("a\u00a0b", "X", "Y")], [("c", "X", "Y")]])
    assert written == "10_000 NUM _\na\u00a0b X Y\n\nc X Y\n\n"


def test_fields_are_apart_by_spaces_tabs_and_line_ends_alone() -> None:
    assert fields(f" a{INNER}b \t c\r\n") == [f"a{INNER}b", "c"]
    assert fields(" \t\r\n") == []
