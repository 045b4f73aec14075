"""translation.json: how good a translator is by length and by target position, and some of its translations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lightning_seq.files import Plain, read_json
from lightning_seq.records.numbers import number

BUCKETS = ("short", "middle", "long")
LONGEST_TEXT = 600


@dataclass(frozen=True)
class Bucket:
    """BLEU (0 to 100, None where not known) of the sources whose lengths are `first` to `last`; `n` sentences."""

    name: str
    first: int
    last: int
    n: int
    bleu: float | None

    def to_plain(self) -> dict[str, Plain]:
        return {"bucket": self.name, "from": self.first, "to": self.last, "n": self.n, "bleu": self.bleu}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Plain]) -> Bucket:
        if plain["bucket"] not in BUCKETS:
            raise ValueError(f"expected a bucket of {', '.join(BUCKETS)}")
        first, last, n = (_count(plain[name]) for name in ("from", "to", "n"))
        return cls(plain["bucket"], first, last, n, number(plain["bleu"]))


@dataclass(frozen=True)
class Example:
    """A sentence of the test split and its translation. loss: of the reference, in nats per token."""

    number: int
    source: str
    reference: str
    hypothesis: str
    loss: float | None

    @property
    def exact(self) -> bool:
        return self.hypothesis.strip() == self.reference.strip()

    def to_plain(self) -> dict[str, Plain]:
        own = {name: value for name, value in vars(self).items() if name != "number"}
        return {"id": self.number, **own}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Plain]) -> Example:
        source, reference, hypothesis = (str(plain[name]) for name in ("source", "reference", "hypothesis"))
        return cls(_count(plain["id"]), source, reference, hypothesis, number(plain.get("loss")))


@dataclass(frozen=True)
class Translation:
    """A `translation.json`.

    positions: accuracy and number of tokens at each target place, the first first; `and_later`: whether the last place
               takes all later ones too.
    beam:      width of the search, None where not known.
    n:         test sentences.
    """

    signatures: dict[str, str]
    buckets: tuple[Bucket, ...]
    positions: tuple[tuple[float | None, int], ...]
    and_later: bool
    examples: tuple[Example, ...]
    beam: int | None
    alignment_error_rate: float | None
    attention_entropy: float | None
    n: int | None = None

    def to_plain(self) -> dict[str, Plain]:
        accuracy, n = ([position[side] for position in self.positions] for side in (0, 1))
        return {
            "signatures": self.signatures,
            "by_length": [bucket.to_plain() for bucket in self.buckets],
            "by_position": {"accuracy": accuracy, "n": n, "and_later": self.and_later},
            "examples": [example.to_plain() for example in self.examples],
            "beam": self.beam,
            "alignment_error_rate": self.alignment_error_rate,
            "attention_entropy": self.attention_entropy,
            "n": self.n,
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Plain]) -> Translation:
        """Absent parts are empty. Raises one of `files.DAMAGE` for another form."""
        by_position = plain.get("by_position") or {}
        beam, n = (None if (count := number(plain.get(name))) is None else int(count) for name in ("beam", "n"))
        return cls(
            {str(name): str(value) for name, value in (plain.get("signatures") or {}).items()},
            tuple(Bucket.from_plain(entry) for entry in plain.get("by_length") or ()),
            tuple(
                (number(accuracy), _count(n))
                for accuracy, n in zip(by_position.get("accuracy", ()), by_position.get("n", ()), strict=True)
            ),
            bool(by_position.get("and_later", False)),
            tuple(Example.from_plain(entry) for entry in plain.get("examples") or ()),
            beam,
            number(plain.get("alignment_error_rate")),
            number(plain.get("attention_entropy")),
            n,
        )


def read_translation(path: Path) -> Translation:
    """Raises one of `files.DAMAGE` for a `translation.json` of another form."""
    return Translation.from_plain(read_json(path, dict))


def _count(value: Plain) -> int:
    known = number(value)
    if known is None:
        raise ValueError("a count is missing")
    return int(known)
