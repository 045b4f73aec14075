"""One column of a file, for the verbs."""

from __future__ import annotations

import pytest

from lightning_seq.errors import UserError
from lightning_seq.text.column import column_of


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
def test_the_delimiter_of_a_csv_file_is_found_as_in_training(mark: str) -> None:
    lines = [f"id{mark}text", f'1{mark}"a{mark} b"', "", f'2{mark}"c', 'd"']
    assert list(column_of(lines, ".csv", "text", "f")) == [f"a{mark} b", "", "c\nd"]


def test_only_a_tab_parts_a_tsv_file() -> None:
    assert list(column_of(["text\tid", 'a" \rb\t1'], ".tsv", "text", "f")) == ['a" \rb']


def test_half_a_character_is_refused_by_its_line() -> None:
    with pytest.raises(UserError, match=r"f, line 2: .ud83d alone is half a character"):
        list(column_of(['{"text": "a"}', '{"text": "\\ud83d"}'], ".jsonl", "text", "f"))


def test_records_that_are_not_of_the_format_are_named() -> None:
    for lines, said in (
        (["a,b", "1,2"], "f: expected one column 'text'"),
        ([], "f: expected one column 'text'"),
        (["text,b", "1"], "f, line 2: 1 fields, expected the 2 of the first line"),
        (["text,b", '"1,2'], "f, line 2: not csv"),
    ):
        with pytest.raises(UserError, match=said):
            list(column_of(lines, ".csv", "text", "f"))


def test_records_of_jsonl_that_hold_no_such_text_are_named() -> None:
    assert list(column_of(['{"text": "a"}', "", '{"text": " "}'], ".jsonl", "text", "f")) == ["a", "", " "]
    for line, said in (
        ("text", "f, line 1: not JSON"),
        ("[1]", "f, line 1: list, expected an object such as"),
        ('{"txt": "a"}', "f, line 1: expected one column 'text'; did you mean txt"),
        ('{"text": 1}', "f, line 1: 'text' is 1, expected text"),
    ):
        with pytest.raises(UserError, match=said):
            list(column_of([line], ".jsonl", "text", "f"))


def test_what_a_csv_file_may_not_hold_is_named() -> None:
    with pytest.raises(UserError, match="f: expected one column 'text'"):
        list(column_of(["text,text", "1,2"], ".csv", "text", "f"))
    with pytest.raises(UserError, match="f, line 2: a carriage return outside quotes"):
        list(column_of(["text,id", "a\rb,1"], ".csv", "text", "f"))
    long = "a" * 200_000
    assert list(column_of(["text,id", f'"{long}",1'], ".csv", "text", "f")) == [long]


def test_a_field_over_several_lines_is_told_with_its_lines(caplog: pytest.LogCaptureFixture) -> None:
    """It may be a text, or a quotation mark that swallows records: the column alone cannot say which."""
    assert list(column_of(["text,id", '"a', "b,1", 'c",2', "d,3"], ".csv", "text", "f")) == ["a\nb,1\nc", "d"]
    (said,) = caplog.messages
    assert (
        said
        == "f: a quoted field with line ends inside, lines 2 to 4: check the quotes there if these are several records"
    )
    caplog.clear()
    list(column_of(["text", *['"a', 'b"'] * 4], ".csv", "text", "f"))
    assert "f: 4 quoted fields with line ends inside, lines 2 to 3, 4 to 5, 6 to 7: check" in caplog.text
    caplog.clear()
    assert list(column_of(["text,id", '"a b",1', "c,2"], ".csv", "text", "f")) == ["a b", "c"]
    assert not caplog.messages
