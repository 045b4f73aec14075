"""gates.json: the activations of the gates of a model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, Self

from lightning_seq.files import Plain
from lightning_seq.records.json_record import JsonRecord, reader
from lightning_seq.records.numbers import thin
from lightning_seq.records.sentences import Place, Sentence, for_each_word

BINS, MOST_EPOCHS = 20, 60


@dataclass(frozen=True)
class Opening(JsonRecord):
    """Of one gate, over all units and tokens.

    keeps:      whether the gate is the share of the old state that is kept.
    counts:     of values in `BINS` bins from 0 to 1.
    shut, open: the share of values below 0.1 and above 0.9.
    """

    gate: str
    keeps: bool
    counts: tuple[float, ...]
    shut: float
    open: float
    mean: float | None = None

    @classmethod
    def from_plain(cls, plain: Mapping[str, Plain]) -> Self:
        opening = super().from_plain({**plain, "counts": plain["counts"][:BINS]})
        if len(opening.counts) < BINS:
            raise ValueError(f"expected {BINS} counts")
        return opening


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
class Opened(JsonRecord):
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
            "epochs": [item.to_plain() for item in self.epochs],
            "sentences": [sentence.to_plain() for sentence in self.sentences],
            "epoch": self.epoch,
            "strips": [{**place._asdict(), "kept": [list(values) for values in kept]} for place, kept in self.kept],
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Plain]) -> Self:
        """Of many epochs `MOST_EPOCHS` are kept. Raises one of `files.DAMAGE` for another form."""
        sentences = tuple(map(Sentence.from_plain, plain["sentences"]))
        epochs = tuple(map(Epoch.from_plain, thin(list(plain["epochs"]), MOST_EPOCHS)))
        if not epochs:
            raise ValueError("expected at least one epoch")
        strips = plain.get("strips", ())
        read_strip = reader(tuple[tuple[float, ...], ...])
        kept = tuple((Place.from_plain(strip), for_each_word(sentences, read_strip(strip["kept"]))) for strip in strips)
        return cls(epochs, sentences, kept, int(plain.get("epoch", 0)))
