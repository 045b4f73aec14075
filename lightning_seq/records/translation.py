"""translation.json: the scores of a translator by length and by target position, and some of its translations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Self

from lightning_seq.files import Plain
from lightning_seq.records.json_record import JsonRecord, Key

BUCKETS = ("short", "middle", "long")
LONGEST_TEXT = 600
_OPTIONAL = ("beam", "alignment_error_rate", "attention_entropy", "n")


@dataclass(frozen=True)
class Bucket(JsonRecord):
    """BLEU (0 to 100, None if unknown) of the `n` sentences whose sources have `first` to `last` tokens."""

    name: Annotated[str, Key("bucket")]
    first: Annotated[int, Key("from")]
    last: Annotated[int, Key("to")]
    n: int
    bleu: float | None

    def __post_init__(self) -> None:
        if self.name not in BUCKETS:
            raise ValueError(f"expected a bucket of {', '.join(BUCKETS)}")


@dataclass(frozen=True)
class Example(JsonRecord):
    """A sentence of the test split and its translation. loss: of the reference, in nats per token."""

    number: Annotated[int, Key("id")]
    source: str
    reference: str
    hypothesis: str
    loss: float | None = None

    @property
    def exact(self) -> bool:
        return self.hypothesis.strip() == self.reference.strip()


@dataclass(frozen=True)
class Translation(JsonRecord):
    """A `translation.json`.

    positions: accuracy and number of tokens at each target place, the first first; `and_later`: whether the last place
               takes all later ones too.
    beam:      width of the beam search, None if unknown.
    n:         test sentences.
    """

    signatures: dict[str, str]
    buckets: Annotated[tuple[Bucket, ...], Key("by_length")]
    positions: tuple[tuple[float | None, int], ...]
    and_later: bool
    examples: tuple[Example, ...]
    beam: int | None
    alignment_error_rate: float | None
    attention_entropy: float | None
    n: int | None = None

    def to_plain(self) -> dict[str, Plain]:
        accuracy, n = ([position[side] for position in self.positions] for side in (0, 1))
        by_position = {"accuracy": accuracy, "n": n, "and_later": self.and_later}
        plain = super().to_plain() | {"by_position": by_position}
        return {key: plain[key] for key in ("signatures", "by_length", "by_position", "examples", *_OPTIONAL)}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Plain]) -> Self:
        """Absent parts are empty. Raises one of `files.DAMAGE` for another form."""
        parts: dict[str, Plain] = {"signatures": {}, "by_length": (), "examples": ()}
        by_position = {"accuracy": (), "n": (), "and_later": False, **(plain.get("by_position") or {})}
        positions = tuple(zip(by_position["accuracy"], by_position["n"], strict=True))
        return super().from_plain(
            {key: plain.get(key) or empty for key, empty in parts.items()}
            | {key: plain.get(key) for key in _OPTIONAL}
            | {"positions": positions, "and_later": by_position["and_later"]}
        )
