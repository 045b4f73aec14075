"""Texts that language models wrote after each epoch and the symbols they expect next, as a section of the dashboard."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from markupsafe import Markup

from lightning_seq.records.artifacts import read_artifacts
from lightning_seq.records.record import Record
from lightning_seq.records.samples import Samples, Step, read_samples
from lightning_seq.report.dashboard.page import Page, of_groups
from lightning_seq.report.dashboard.templates import draw
from lightning_seq.report.summary import Group, Summary

ABOUT = (
    "For each run: the symbols it expects after each symbol of the prompt, at its last validation (bars are "
    "probabilities, ▸ marks the symbol that follows in the prompt), and the text it wrote after each epoch. ␣ is a "
    "space, ⏎ a line end."
)
_VISIBLE = {" ": "␣", "\n": "⏎", "\t": "⇥", "\r": "␍"}
_LONGEST_SYMBOL, _LONGEST_HEAD = 10, 20


class _Bar(NamedTuple):
    """A symbol and its probability. follows: whether it is the one that follows in the prompt."""

    symbol: str
    probability: float
    follows: bool


class _Picture(NamedTuple):
    """The likeliest symbols after one, a bar for each. spoken: for those who hear it."""

    title: str
    bars: list[_Bar]
    spoken: str


def samples(page: Page, runs: list[tuple[Path, Record]], summary: Summary) -> Markup:
    """Samples of each run that has any, folded away but for the first of a data set."""
    left, wrong = read_artifacts(runs, "samples", read_samples)

    def part(group: Group) -> Markup:
        shown = [
            _run(record, contents, group.labels.index(record.label))
            for record, contents in left
            if group.holds(record) and (contents.texts or contents.steps)
        ]
        return draw("samples", runs=shown)

    return page.section("Samples", "samples", ABOUT, of_groups(summary, part), wrong=wrong)


def _run(record: Record, written: Samples, index: int) -> dict[str, object]:
    prompt = written.prompt
    following = [*(step.symbol for step in written.steps[1:]), None]
    texts = []
    for epoch, text in reversed(written.texts):
        begins = bool(prompt) and text.startswith(prompt)
        texts.append((epoch, _begun(prompt) if begins else "", text[len(prompt) :] if begins else text))
    return {
        "index": index,
        "title": f"{record.label}, seed {record.seed}",
        "prompt": _begun(prompt) if prompt else "the beginning of a line",
        "pictures": [_picture(*pair) for pair in zip(written.steps, following, strict=False)],
        "texts": texts,
    }


def visible(symbol: str) -> str:
    """A symbol with white space as signs, and with other characters that cannot be seen as their numbers."""
    return "".join(
        _VISIBLE.get(character, character if character.isprintable() else f"U+{ord(character):04X}")
        for character in symbol
    )


def _begun(prompt: str) -> str:
    """A prompt whose white space at the beginning can be seen: a line end there would be an empty line."""
    rest = prompt.lstrip()
    return visible(prompt[: len(prompt) - len(rest)]) + rest


def _picture(step: Step, following: str | None) -> _Picture:
    bars = [
        _Bar(_cut(visible(symbol), _LONGEST_SYMBOL), probability, symbol == following)
        for symbol, probability in step.following
    ]
    after = f"after {visible(step.symbol)}"
    shares = [f"{visible(symbol)} {100 * probability:.1f} %" for symbol, probability in step.following]
    return _Picture(_cut(after, _LONGEST_HEAD), bars, f"{after}: {', '.join(shares)}")


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"
