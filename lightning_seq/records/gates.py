"""gates.json: how far the gates of a model are open."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lightning_seq.files import read_json
from lightning_seq.records.numbers import thin
from lightning_seq.records.sentences import Sentence, numbers, read_sentence

BINS, MOST_EPOCHS = 20, 60


@dataclass(frozen=True)
class Opening:
    """Of one gate. keeps: whether it is the share that is kept of the old state."""

    gate: str
    keeps: bool
    counts: tuple[float, ...]
    shut: float
    open: float


@dataclass(frozen=True)
class Opened:
    """A `gates.json`. places: layer and direction of each recurrence.

    epochs: for each epoch its number, and the gates of each recurrence.
    kept:   for each recurrence that has such a gate its place, and for each sentence what is kept at each word.
    """

    epochs: tuple[tuple[int, tuple[tuple[str, tuple[Opening, ...]], ...]], ...]
    sentences: tuple[Sentence, ...]
    kept: tuple[tuple[str, tuple[tuple[float, ...], ...]], ...]


def read_gates(path: Path) -> Opened:
    """Raises one of `files.DAMAGE` for a file of another form."""
    plain = read_json(path, dict)
    sentences = tuple(read_sentence(entry) for entry in plain["sentences"])
    epochs = tuple(
        (int(entry["epoch"]), tuple((_place(each), _openings(each["gates"])) for each in entry["recurrences"]))
        for entry in thin(list(plain["epochs"]), MOST_EPOCHS)
    )
    if not epochs:
        raise ValueError("expected at least one epoch")
    kept = tuple(
        (
            _place(entry),
            tuple(
                numbers(values, len(sentence.words)) for values, sentence in zip(entry["kept"], sentences, strict=True)
            ),
        )
        for entry in plain.get("strips", ())
    )
    return Opened(epochs, sentences, kept)


def _place(entry: dict[str, Any]) -> str:
    return f"layer {int(entry['layer'])}, {entry['direction']}"


def _openings(entries: list[dict[str, Any]]) -> tuple[Opening, ...]:
    return tuple(
        Opening(
            str(each["gate"]),
            bool(each["keeps"]),
            numbers(each["counts"], BINS),
            *numbers([each["shut"], each["open"]], 2),
        )
        for each in entries
    )
