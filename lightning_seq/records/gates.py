"""gates.json: how far the gates of a model are open."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from lightning_seq.files import Plain, read_json
from lightning_seq.records.numbers import number, thin
from lightning_seq.records.sentences import Place, Sentence, numbers, whole

BINS, MOST_EPOCHS = 20, 60


@dataclass(frozen=True)
class Opening:
    """Of one gate, over all units and tokens.

    keeps:      whether it is the share that is kept of the old state.
    counts:     of values in `BINS` bins from 0 to 1.
    shut, open: the share of values below 0.1 and above 0.9.
    """

    gate: str
    keeps: bool
    counts: tuple[float, ...]
    shut: float
    open: float
    mean: float | None = None

    def to_plain(self) -> dict[str, Plain]:
        return {**vars(self), "counts": list(self.counts)}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Plain]) -> Opening:
        shut, open_ = numbers([plain["shut"], plain["open"]], 2)
        counts = numbers(plain["counts"], BINS)
        return cls(str(plain["gate"]), bool(plain["keeps"]), counts, shut, open_, number(plain.get("mean")))


class Epoch(NamedTuple):
    """The gates of each recurrence after an epoch."""

    epoch: int
    recurrences: tuple[tuple[Place, tuple[Opening, ...]], ...]

    def to_plain(self) -> dict[str, Plain]:
        entries = [
            {**place._asdict(), "gates": [gate.to_plain() for gate in gates]} for place, gates in self.recurrences
        ]
        return {"epoch": self.epoch, "recurrences": entries}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Plain]) -> Epoch:
        recurrences = (
            (Place.from_plain(entry), tuple(map(Opening.from_plain, entry["gates"]))) for entry in plain["recurrences"]
        )
        return cls(int(plain["epoch"]), tuple(recurrences))


@dataclass(frozen=True)
class Opened:
    """A `gates.json`.

    kept:  for each recurrence with a gate that keeps the old state: for each sentence the share that is kept at each
           word, a mean over the units.
    epoch: of `kept`.
    """

    epochs: tuple[Epoch, ...]
    sentences: tuple[Sentence, ...]
    kept: tuple[tuple[Place, tuple[tuple[float, ...], ...]], ...]
    epoch: int = 0

    def to_plain(self) -> dict[str, Plain]:
        return {
            "epochs": [each.to_plain() for each in self.epochs],
            "sentences": [each.to_plain() for each in self.sentences],
            "epoch": self.epoch,
            "strips": [{**place._asdict(), "kept": [list(values) for values in kept]} for place, kept in self.kept],
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Plain]) -> Opened:
        """Of many epochs `MOST_EPOCHS` are kept. Raises one of `files.DAMAGE` for another form."""
        sentences = tuple(Sentence.from_plain(entry) for entry in plain["sentences"])
        epochs = tuple(Epoch.from_plain(entry) for entry in thin(list(plain["epochs"]), MOST_EPOCHS))
        if not epochs:
            raise ValueError("expected at least one epoch")
        kept = tuple(
            (
                Place.from_plain(entry),
                tuple(numbers(row, len(words.words)) for row, words in zip(entry["kept"], sentences, strict=True)),
            )
            for entry in plain.get("strips", ())
        )
        return cls(epochs, sentences, kept, whole(plain.get("epoch")))


def read_gates(path: Path) -> Opened:
    """Raises one of `files.DAMAGE` for a file of another form."""
    return Opened.from_plain(read_json(path, dict))
