"""Maps of attention that runs left behind, made small enough for a page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lightning_seq.files import read_json
from lightning_seq.records.numbers import number, thin

LEVELS = "".join(chr(code) for code in range(33, 127) if chr(code) not in '"\\<>&')
"""A weight is written as one of these characters; the root of the weight says which, so that small ones differ."""

MOST_TOKENS, MOST_EPOCHS, MOST_SENTENCES = 60, 12, 4
MOST_WEIGHTS = 1_000_000
"""On a page."""


@dataclass(frozen=True)
class Step:
    """A map after an epoch. rows: for each target token, a string of `LEVELS`, one for each source token."""

    epoch: int
    target: tuple[str, ...]
    rows: tuple[str, ...]

    def weight(self, target: int, source: int) -> float:
        return (LEVELS.index(self.rows[target][source]) / (len(LEVELS) - 1)) ** 2


@dataclass(frozen=True)
class Attended:
    """A sentence and its maps, by epoch. cut: whether tokens were left out at its end, or at a target's."""

    number: int
    source: tuple[str, ...]
    steps: tuple[Step, ...]
    cut: bool


def read_attention(path: Path) -> tuple[Attended, ...]:
    """Read an `attention.json`; of many epochs some are kept, the first and the last among them.

    Raises one of `files.DAMAGE` for one of another form.
    """
    plain = read_json(path, dict)
    found = [_attended(entry) for entry in plain.get("sentences", ())[:MOST_SENTENCES]]
    return tuple(sentence for sentence in found if sentence.source and sentence.steps)


def _attended(entry: dict[str, Any]) -> Attended:
    source = [str(token) for token in entry["source"]]
    maps = sorted(thin(list(entry["maps"]), MOST_EPOCHS), key=lambda item: int(item["epoch"]))
    cut = len(source) > MOST_TOKENS or any(len(item["target"]) > MOST_TOKENS for item in maps)
    number_of = number(entry.get("id"))
    return Attended(
        0 if number_of is None else int(number_of),
        tuple(source[:MOST_TOKENS]),
        tuple(_step(item, len(source)) for item in maps),
        cut,
    )


def _step(item: dict[str, Any], size: int) -> Step:
    target = tuple(str(token) for token in item["target"])
    rows = item["weights"]
    if len(rows) != len(target) or any(len(row) != size for row in rows):
        raise ValueError(f"expected {len(target)} rows of {size} weights")
    return Step(int(item["epoch"]), target[:MOST_TOKENS], tuple(_levels(row) for row in rows[:MOST_TOKENS]))


def _levels(row: Sequence[Any]) -> str:
    weights = (min(max(number(weight) or 0.0, 0.0), 1.0) for weight in row[:MOST_TOKENS])
    return "".join(LEVELS[round(math.sqrt(weight) * (len(LEVELS) - 1))] for weight in weights)


def fitted(runs: Sequence[Sequence[Attended]], most: int = MOST_WEIGHTS) -> list[list[Attended]]:
    """The same with fewer epochs, and where those of one are too many with fewer sentences, `most` weights in all."""

    def size(kept: Sequence[Sequence[Attended]]) -> int:
        return sum(len(row) for run in kept for each in run for step in each.steps for row in step.rows)

    kept = [list(run) for run in runs]
    for epochs in range(MOST_EPOCHS, 0, -1):
        kept = [
            [Attended(each.number, each.source, tuple(_thinned(each.steps, epochs)), each.cut) for each in run]
            for run in runs
        ]
        if size(kept) <= most:
            return kept
    for sentences in range(MOST_SENTENCES - 1, 0, -1):
        kept = [run[:sentences] for run in kept]
        if size(kept) <= most:
            break
    return kept


def _thinned(steps: Sequence[Step], most: int) -> list[Step]:
    """The last one alone, where there is room for one."""
    return list(steps[-1:]) if most == 1 else thin(list(steps), most)
