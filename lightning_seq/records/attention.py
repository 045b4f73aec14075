"""attention.json: attention over chosen sentences, by epoch, and a smaller form for a page."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Self

from lightning_seq.files import Plain, read_json
from lightning_seq.records.json_record import JsonRecord, Key
from lightning_seq.records.numbers import number, thin, thinned

LEVELS = "".join(chr(code) for code in range(33, 127) if chr(code) not in '"\\<>&')
"""Each character is a level of weights. Levels are equally spaced in the square root of the weight."""

MOST_TOKENS, MOST_EPOCHS, MOST_SENTENCES = 60, 12, 4
MOST_WEIGHTS = 1_000_000
"""On a page."""


@dataclass(frozen=True)
class AttentionMap(JsonRecord):
    """After an epoch: the tokens that a model wrote, and for each of them a weight for each source token.

    weights: the mean over heads.
    heads:   the weights of each head, after the last epoch; empty for a single head, and in files of version 0.1.
    """

    epoch: int
    target: tuple[str, ...]
    weights: tuple[tuple[float | None, ...], ...]
    heads: tuple[tuple[tuple[float | None, ...], ...], ...] = ()

    def to_plain(self) -> dict[str, Plain]:
        plain = super().to_plain()
        return plain if self.heads else {key: value for key, value in plain.items() if key != "heads"}


@dataclass(frozen=True)
class MappedSentence(JsonRecord):
    """A sentence of an `attention.json`. number: of the example in its split."""

    number: Annotated[int, Key("id")]
    source: tuple[str, ...]
    maps: tuple[AttentionMap, ...]

    @classmethod
    def from_plain(cls, plain: Mapping[str, Plain]) -> Self:
        """Of maps of many epochs `MOST_EPOCHS` are kept, the first and the last among them."""
        sentence = super().from_plain({"id": 0, **plain, "maps": thin(list(plain["maps"]), MOST_EPOCHS)})
        for item in sentence.maps:
            for weights in (item.weights, *item.heads):
                if len(weights) != len(item.target) or {len(row) for row in weights} - {len(sentence.source)}:
                    raise ValueError(f"expected {len(item.target)} rows of {len(sentence.source)} weights")
        return sentence


@dataclass(frozen=True)
class Step:
    """A map as a page shows it.

    rows:  for each target token, a string of `LEVELS`, one for each source token.
    heads: such rows of each head, or empty.
    """

    epoch: int
    target: tuple[str, ...]
    rows: tuple[str, ...]
    heads: tuple[tuple[str, ...], ...] = ()

    def weight(self, target: int, source: int) -> float:
        return weight_of(self.rows[target][source])


@dataclass(frozen=True)
class Attended:
    """A sentence and its maps, by epoch. cut: whether tokens were left out at its end, or at a target's."""

    number: int
    source: tuple[str, ...]
    steps: tuple[Step, ...]
    cut: bool

    @classmethod
    def of(cls, sentence: MappedSentence) -> Attended:
        maps = sorted(sentence.maps, key=lambda item: item.epoch)
        cut = any(len(tokens) > MOST_TOKENS for tokens in (sentence.source, *(item.target for item in maps)))
        steps = (
            Step(item.epoch, item.target[:MOST_TOKENS], _rows(item.weights), tuple(map(_rows, item.heads)))
            for item in maps
        )
        return cls(sentence.number, sentence.source[:MOST_TOKENS], tuple(steps), cut)


def read_attention(path: Path) -> tuple[Attended, ...]:
    """Read an `attention.json`, of the first `MOST_SENTENCES`. Raises one of `files.DAMAGE` for another form."""
    plain = read_json(path, dict)
    sentences = [Attended.of(MappedSentence.from_plain(entry)) for entry in plain.get("sentences", ())[:MOST_SENTENCES]]
    return tuple(sentence for sentence in sentences if sentence.source and sentence.steps)


def _rows(weights: Sequence[Sequence[Plain]]) -> tuple[str, ...]:
    return tuple(map(_levels, weights[:MOST_TOKENS]))


def _levels(row: Sequence[Plain]) -> str:
    return levels(row[:MOST_TOKENS])


def levels(weights: Sequence[Plain]) -> str:
    """A character of `LEVELS` for each weight; a weight outside 0 to 1 counts as the nearer of both."""
    known = (min(max(number(weight) or 0.0, 0.0), 1.0) for weight in weights)
    return "".join(LEVELS[round(math.sqrt(weight) * (len(LEVELS) - 1))] for weight in known)


def weight_of(level: str) -> float:
    """The weight that a character of `LEVELS` stands for. Raises ValueError for another character."""
    return (LEVELS.index(level) / (len(LEVELS) - 1)) ** 2


def fitted(runs: Sequence[Sequence[Attended]], most: int = MOST_WEIGHTS) -> list[list[Attended]]:
    """The runs with fewer epochs, then without heads, and then with fewer sentences, until they have at most `most`
    weights."""

    def size(kept: Sequence[Sequence[Attended]]) -> int:
        steps = [step for run in kept for sentence in run for step in sentence.steps]
        return sum(len(row) for step in steps for rows in (step.rows, *step.heads) for row in rows)

    kept = [list(run) for run in runs]
    for epochs in range(MOST_EPOCHS, 0, -1):
        kept = [[replace(sentence, steps=tuple(thinned(sentence.steps, epochs))) for sentence in run] for run in runs]
        if size(kept) <= most:
            return kept
    kept = [[replace(one, steps=tuple(replace(step, heads=()) for step in one.steps)) for one in run] for run in kept]
    for sentences in range(MOST_SENTENCES, 0, -1):
        kept = [run[:sentences] for run in kept]
        if size(kept) <= most:
            break
    return kept
