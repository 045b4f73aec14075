"""The texts of `--help` and `--list`, made from the table of verbs and the files of `conf/`."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from textwrap import shorten, wrap

from lightning_seq.cli.arguments import Field, Operand, fields_of
from lightning_seq.cli.choices import about, setting
from lightning_seq.cli.verbs import VERBS, Verb
from lightning_seq.config.groups import groups

WIDTH = 100
FLAGS = {
    "help VERB": "the keys, groups and choices of a verb, with examples (also VERB --help, VERB -h)",
    "--list": "every group and its choices, each with a description",
    "--version": "the version of lightning_seq",
    "--debug": "show tracebacks",
}


def help_of(verb: str | None) -> str:
    """The help of a verb, or of the command. No line is wider than `WIDTH`."""
    if verb is None:
        lines = [
            "Compare recurrent networks fairly, on inputs that start from word2vec.",
            "",
            "lightning-seq VERB [key=value …]",
            "",
            *columns((name, entry.summary) for name, entry in VERBS.items()),
            "",
            *columns(FLAGS.items()),
            "",
            'Tab completion: eval "$(lightning-seq completion bash)"   (or zsh)',
        ]
        return "\n".join(lines)
    entry = VERBS[verb]
    operands = [f" {field.about.value}" for field in _fields(entry) if isinstance(field.about, Operand)]
    settings = [setting(key) for key in entry.settings]
    rows = [row for field in _fields(entry) if (row := field.row)]
    rows += [(f"{item.key}={item.kind}", f"{item.meaning} ({item.shown})") for item in settings]
    usage = f"lightning-seq {verb}{''.join(operands)}{' key=value …' if rows else ''}"
    lines = [entry.summary, "", usage, *columns(rows)]
    if settings:
        lines += ["  N: a whole number; X: a number; in brackets: the default, which data= and model= may change"]
    lines += ["", *_group_lines(entry.groups)] if entry.groups else []
    lines += ["", "Examples", *(f"  lightning-seq {example}" for example in entry.examples)]
    return "\n".join(lines)


def _fields(verb: Verb) -> list[Field]:
    return [] if verb.arguments is None else fields_of(verb.arguments)


def keys_of(verb: Verb) -> list[str]:
    """The keys that a verb takes and `--help` shows."""
    return [*(field.name for field in _fields(verb) if field.row), *verb.settings]


def columns(rows: Iterable[tuple[str, str]]) -> list[str]:
    """Names in one column, their meanings in the next, wrapped inside it."""
    rows = list(rows)
    left = 4 + max((len(name) for name, _ in rows), default=0)
    lines = []
    for name, meaning in rows:
        first, *more = wrap(meaning, WIDTH - left, break_long_words=False, break_on_hyphens=False) or [""]
        lines += [f"  {name}".ljust(left) + first, *(" " * left + line for line in more)]
    return [line.rstrip() for line in lines]


def _group_lines(names: Sequence[str]) -> list[str]:
    """Every group with its choices: a long group has one line, cut at its end; short groups share a line."""
    lines: list[str] = []
    shared = ""
    for group in names:
        choices = groups().get(group, ())
        text = f"{group}= {' '.join(choices)}"
        if len(text) > WIDTH // 2:
            lines.append(f"  {shorten(text, WIDTH - 2, placeholder=f' … ({len(choices)} in all: --list)')}")
        elif len(shared) + len(text) + 4 <= WIDTH:
            shared = f"{shared}    {text}" if shared else f"  {text}"
        else:
            lines, shared = [*lines, shared], f"  {text}"
    return [*lines, shared] if shared else lines


def list_of(verb: str | None) -> str:
    """Every choice of the groups that a verb reads, or of all groups, with a sentence on it.

    On a terminal each choice has one line, cut at the terminal's width.
    """
    width = shutil.get_terminal_size((10_000, 24)).columns
    lines = []
    for group in VERBS[verb].groups if verb else tuple(groups()):
        left = 4 + max(map(len, groups()[group]))
        lines += [group]
        for name in groups()[group]:
            lines += [f"  {name}".ljust(left) + shorten(about(group, name), max(20, width - left), placeholder=" …")]
        lines += [""]
    return "\n".join(lines).rstrip()
