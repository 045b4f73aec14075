"""One rule for lines, from files and from standard input."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest

from lightning_seq.errors import UserError
from lightning_seq.text.lines import lines_of, read_lines

CONTENT = "\ufeffone two\r\nthree\rfour\x0b\u2028\x85five\n\nlast".encode()
LINES = ["one two", "three\rfour\x0b\u2028\x85five", "", "last"]


@pytest.mark.parametrize("ended", [b"", b"\n", b"\r\n"])
def test_only_a_line_feed_ends_a_line_from_a_file_and_from_a_stream(tmp_path: Path, ended: bytes) -> None:
    (tmp_path / "file").write_bytes(CONTENT + ended)
    assert read_lines(tmp_path / "file") == list(lines_of(io.BytesIO(CONTENT + ended), "standard input")) == LINES


def test_an_empty_file_has_no_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    assert read_lines(tmp_path / "file") == list(lines_of(io.BytesIO(b""), "standard input")) == []


def test_other_encodings_are_named_with_the_word_as_they_read_it(tmp_path: Path) -> None:
    content = "plain\nun bon café noir\n".encode("cp1252")
    (tmp_path / "file").write_bytes(content)
    expected = r"line 2: not UTF-8 \(byte 0xe9; cp1252 reads 'café', cp1251 reads 'cafй'\): "
    with pytest.raises(UserError, match=rf"standard input, {expected}expected UTF-8"):
        list(lines_of(io.BytesIO(content), "standard input"))
    with pytest.raises(UserError, match=rf"file, {expected}save the file as UTF-8, or give data.encoding=cp1252$"):
        read_lines(tmp_path / "file", key="data.encoding")
    assert read_lines(tmp_path / "file", "cp1252") == ["plain", "un bon café noir"]


def test_utf_16_is_known_by_its_mark(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes("gut\nböse\n".encode("utf-16"))
    with pytest.raises(UserError, match=r"line 1: utf-16 by its byte order mark, expected utf-8"):
        read_lines(tmp_path / "file")
    with pytest.raises(UserError, match=r"or give data.encoding=utf-16$"):
        read_lines(tmp_path / "file", key="data.encoding")
    assert read_lines(tmp_path / "file", "utf-16") == ["gut", "böse"]


def test_utf_32_is_not_taken_for_utf_16_whose_mark_begins_alike(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes("gut\nböse\n".encode("utf-32"))
    with pytest.raises(UserError, match=r"line 1: utf-32 by its byte order mark, expected utf-8"):
        read_lines(tmp_path / "file")
    assert read_lines(tmp_path / "file", "utf-32") == ["gut", "böse"]


def test_the_mark_of_a_stream_is_told_on_its_first_line_alone() -> None:
    with pytest.raises(UserError, match="standard input, line 1: utf-16 by its byte order mark: expected UTF-8"):
        list(lines_of(io.BytesIO("gut\n".encode("utf-16")), "standard input"))
    with pytest.raises(UserError, match=r"standard input, line 2: not UTF-8 \(byte 0xff; cp1252 reads 'ÿþ'"):
        list(lines_of(io.BytesIO(b"a\n\xff\xfe\n"), "standard input"))
    assert list(lines_of(io.BytesIO("a\n\ufeffb\n".encode()), "standard input")) == ["a", "\ufeffb"]


@pytest.mark.parametrize("encoding", ["latin-99", "rot13", 1252, ""])
def test_an_encoding_that_python_does_not_know_is_refused(tmp_path: Path, encoding: Any) -> None:
    (tmp_path / "file").write_bytes("böse\n".encode())
    with pytest.raises(UserError, match=rf"data.encoding is {encoding!r}, which Python does not know"):
        read_lines(tmp_path / "file", encoding, "data.encoding")


@pytest.mark.parametrize(
    ("content", "given", "reason"),
    [
        ("böse\n".encode(), "ascii", "not ASCII (byte 0xc3; utf-8 reads 'böse'"),
        ("\ufefftext\n".encode(), "cp1252", "utf-8 by its byte order mark, expected cp1252"),
        ("gut\nböse\n".encode("utf-16-le"), "utf-8", "utf-16 by the NULs between its letters, expected utf-8"),
        ("gut\nböse\n".encode("utf-16-be"), "utf-8", "utf-16 by the NULs between its letters, expected utf-8"),
    ],
)
def test_the_encoding_that_is_advised_reads_the_file(tmp_path: Path, content: bytes, given: str, reason: str) -> None:
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(UserError) as raised:
        read_lines(tmp_path / "file", given, "data.encoding")
    said, _, advised = str(raised.value).partition(", or give data.encoding=")
    assert reason in said
    assert read_lines(tmp_path / "file", advised, "data.encoding") == [
        line.removeprefix("\ufeff") for line in content.decode(advised).splitlines()
    ]


def test_a_nul_and_half_a_character_are_refused_by_their_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"one\ntwo\0\n")
    with pytest.raises(UserError, match="file, line 2: a NUL, which is no character of a text: take it out"):
        read_lines(tmp_path / "file", key="data.encoding")
    (tmp_path / "file").write_bytes(b"one\n\\ud83d\n")
    with pytest.raises(UserError, match=r"file, line 2: .ud83d alone is half a character"):
        read_lines(tmp_path / "file", "unicode_escape")


def test_a_space_that_is_not_utf_8_is_named_too() -> None:
    with pytest.raises(UserError, match="line 1: not UTF-8"):
        list(lines_of(io.BytesIO(b"\xa0\n"), "standard input"))
