"""What translators left behind: how good they are by length and by place, and what they wrote."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lightning_seq.files import read_json
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


@dataclass(frozen=True)
class Example:
    """A sentence of the test split and what became of it. loss: of the reference, in nats per token."""

    number: int
    source: str
    reference: str
    hypothesis: str
    loss: float | None

    @property
    def exact(self) -> bool:
        return self.hypothesis.strip() == self.reference.strip()


@dataclass(frozen=True)
class Translation:
    """A `translation.json`.

    positions: accuracy and number of tokens at each target place, the first first; `and_later`: whether the last place
               takes all later ones too.
    beam:      width of the search, None where not known.
    """

    signatures: dict[str, str]
    buckets: tuple[Bucket, ...]
    positions: tuple[tuple[float | None, int], ...]
    and_later: bool
    examples: tuple[Example, ...]
    beam: int | None
    alignment_error_rate: float | None
    attention_entropy: float | None


def read_translation(path: Path) -> Translation:
    """Read a `translation.json`; parts that it does not have are empty.

    Raises one of `files.DAMAGE` for one of another form.
    """
    plain = read_json(path, dict)
    by_position = plain.get("by_position") or {}
    beam = number(plain.get("beam"))
    return Translation(
        {str(name): str(value) for name, value in (plain.get("signatures") or {}).items()},
        tuple(_bucket(entry) for entry in plain.get("by_length") or ()),
        tuple(
            (number(accuracy), _count(n))
            for accuracy, n in zip(by_position.get("accuracy", ()), by_position.get("n", ()), strict=True)
        ),
        bool(by_position.get("and_later", False)),
        tuple(_example(entry) for entry in plain.get("examples") or ()),
        None if beam is None else int(beam),
        number(plain.get("alignment_error_rate")),
        number(plain.get("attention_entropy")),
    )


def _bucket(entry: dict[str, Any]) -> Bucket:
    if entry["bucket"] not in BUCKETS:
        raise ValueError(f"expected a bucket of {', '.join(BUCKETS)}")
    first, last, n = (_count(entry[name]) for name in ("from", "to", "n"))
    return Bucket(entry["bucket"], first, last, n, number(entry["bleu"]))


def _example(entry: dict[str, Any]) -> Example:
    source, reference, hypothesis = (str(entry[name]) for name in ("source", "reference", "hypothesis"))
    return Example(_count(entry["id"]), source, reference, hypothesis, number(entry.get("loss")))


def _count(value: Any) -> int:
    known = number(value)
    if known is None:
        raise ValueError("a count is missing")
    return int(known)
