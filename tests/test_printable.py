"""Text from data reaches a terminal, a log and JSON lines without a character that they obey."""

from __future__ import annotations

import io
import json
import logging

import pytest

from lightning_seq.errors import UserError, first_line
from lightning_seq.printable import PrintableFormatter, json_line, number_of, printable
from lightning_seq.terminal import PrintableConsole

TITLE = "\x1b]0;owned\x07"
UNSAFE = [TITLE, "\x1b[31m", "\x9b31m", "\x85", "\r", "\x7f", "\u202e", "\u2066", "\u200f", "\u2028", "\ud83d"]


def is_safe(text: str) -> bool:
    return all(
        (code >= 32 or chr(code) in "\t\n") and not 0x7F <= code < 0xA0 and not 0x2028 <= code <= 0x202E
        and not 0x2066 <= code <= 0x2069 and code != 0x200F and not 0xD800 <= code < 0xE000
        for code in map(ord, text)
    )  # fmt: skip


@pytest.mark.parametrize("unsafe", UNSAFE)
def test_nothing_that_a_terminal_obeys_is_left(unsafe: str) -> None:
    text = f"a{unsafe}b"
    console = PrintableConsole(file=io.StringIO(), width=200, force_terminal=False)
    console.print(text, markup=False, highlight=False)
    log = PrintableFormatter("%(message)s").format(logging.LogRecord("x", 20, "", 0, "%s", (text,), None))
    for said in (printable(text), str(UserError(text)), first_line(ValueError(text)), console.file.getvalue(), log):  # type: ignore[attr-defined]
        assert is_safe(said)
        assert said.startswith("a")
        assert said.rstrip().endswith("b") or said == "a"
    assert is_safe(json_line({"text": text}))
    assert json.loads(json_line({"text": text})) == {"text": text}


def test_letters_tabs_and_lines_stay() -> None:
    text = "été 語 עברית 🎼 \\x1b\ta\nb"
    assert printable(text) == text
    assert "語 עברית 🎼" in json_line({"text": text})


def test_what_was_there_can_be_seen() -> None:
    assert printable(TITLE + "\u202e\x9b") == "\\x1b]0;owned\\x07\\u202e\\x9b"


def test_a_console_keeps_its_own_colours() -> None:
    console = PrintableConsole(file=io.StringIO(), force_terminal=True, color_system="standard", width=80)
    console.print(f"[red]{TITLE}[/red]", highlight=False)
    said = console.file.getvalue()  # type: ignore[attr-defined]
    assert said == "\x1b[31m\\x1b]0;owned\x1b[0m\n"


@pytest.mark.parametrize(("count", "said"), [(0, "0 lines"), (1, "1 line"), (1200, "1,200 lines")])
def test_a_count_and_its_noun_agree(count: int, said: str) -> None:
    assert number_of(count, "line") == said
