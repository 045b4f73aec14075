"""What a verb is and does, and what `--help` and `--list` say of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from textwrap import shorten

from lightning_seq.experiment.config import groups


@dataclass(frozen=True)
class Verb:
    """What `--help` says, and what is done.

    keys:   the verb's own keys, with what they mean.
    groups: the configuration groups it reads.
    """

    summary: str
    run: Callable[[list[str]], int]
    keys: dict[str, str]
    groups: tuple[str, ...]
    examples: tuple[str, ...]
    positional: str = ""
    listing: Callable[[], None] | None = None


def help_of(verb: str | None, verbs: Mapping[str, Verb]) -> str:
    """Of one of the verbs, or of the command. Fits a screen of 24 by 100."""
    if verb is None:
        lines = [
            "Compare recurrent networks fairly, on inputs that start from word2vec.",
            "",
            "lightning-seq VERB [key=value …]",
            "",
        ]
        lines += [f"  {name:10}{entry.summary}" for name, entry in verbs.items()]
        lines += [
            "",
            "  VERB --help   the keys, groups and choices of a verb, with examples",
            "  --list        every group and its choices",
            "  --debug       show tracebacks",
            "",
            'Tab completion: eval "$(lightning-seq completion bash)"   (or zsh)',
        ]
        return "\n".join(lines)
    entry = verbs[verb]
    positional = f" {entry.positional}" if entry.positional else ""
    lines = [entry.summary, "", f"lightning-seq {verb}{positional}{' key=value …' if entry.keys else ''}"]
    lines += [f"  {key:19}{meaning}" for key, meaning in entry.keys.items()]
    lines += _group_lines(entry.groups)
    lines += ["", "Examples", *(f"  lightning-seq {example}" for example in entry.examples)]
    return "\n".join(lines)


def _group_lines(names: Sequence[str], width: int = 100) -> list[str]:
    """Every group with its choices: long ones on a line of their own, cut where it ends, short ones side by side."""
    lines: list[str] = []
    shared = ""
    for group in names:
        choices = groups().get(group, ())
        said = f"{group}= {' '.join(choices)}"
        if len(said) > width // 2:
            lines.append(f"  {shorten(said, width - 2, placeholder=f' … ({len(choices)} in all: --list)')}")
        elif len(shared) + len(said) + 4 <= width:
            shared = f"{shared}    {said}" if shared else f"  {said}"
        else:
            lines, shared = [*lines, shared], f"  {said}"
    return [*lines, shared] if shared else lines


def list_of(verb: str | None, verbs: Mapping[str, Verb]) -> str:
    """Every choice of the groups that a verb reads, or of all groups."""
    wanted = verbs[verb].groups if verb else tuple(groups())
    return "\n".join(f"{group}\n" + "".join(f"  {name}\n" for name in groups()[group]) for group in wanted).rstrip()
