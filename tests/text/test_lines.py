"""One rule for lines, from files and from standard input."""

from __future__ import annotations

import io
from pathlib import Path

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
    expected = r"line 2: not UTF-8 \(byte .* is 0xe9; cp1252 reads 'café', cp1251 reads 'cafй'.*save it as UTF-8"
    with pytest.raises(UserError, match=rf"standard input, {expected}$"):
        list(lines_of(io.BytesIO(content), "standard input"))
    with pytest.raises(UserError, match=rf"file, {expected}, or give data.encoding=ENCODING"):
        read_lines(tmp_path / "file", key="data.encoding")
    assert read_lines(tmp_path / "file", "cp1252") == ["plain", "un bon café noir"]


def test_utf_16_is_known_by_its_mark(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes("gut\nböse\n".encode("utf-16"))
    with pytest.raises(UserError, match=r"line 1: utf-16 by its byte order mark, expected utf-8"):
        read_lines(tmp_path / "file")
    assert read_lines(tmp_path / "file", "utf-16") == ["gut", "böse"]


def test_a_wrong_encoding_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes("böse\n".encode())
    with pytest.raises(UserError, match=r"data.encoding is 'latin-99': expected one that Python knows"):
        read_lines(tmp_path / "file", "latin-99", "data.encoding")
    with pytest.raises(UserError, match=r"line 1: not ascii .* give another data.encoding"):
        read_lines(tmp_path / "file", "ascii", "data.encoding")


def test_a_space_that_is_not_utf_8_is_named_too() -> None:
    with pytest.raises(UserError, match="line 1: not UTF-8"):
        list(lines_of(io.BytesIO(b"\xa0\n"), "standard input"))
