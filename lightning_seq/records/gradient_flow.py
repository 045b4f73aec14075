"""gradient_flow.json: the norm of the gradient at each distance back in time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Self

from lightning_seq.files import Plain
from lightning_seq.records.json_record import JsonRecord
from lightning_seq.records.numbers import number, thin
from lightning_seq.records.sentences import Place

MOST_EPOCHS = 60

Curve = dict[int, float]
"""By distance, log10."""


@dataclass(frozen=True)
class Measured(JsonRecord):
    """The measurement of one recurrence; the fields are described in `callbacks/gradient_flow.py`."""

    distances: list[int]
    rows: list[int]
    norm: dict[str, list[float | None]]
    tensors: list[list[float | None]] | None
    direct: list[float | None] | None
    memory_length: int | None
    longest: int
    lags: list[list[int]]
    share: list[float | None] | None
    kept: dict[str, Plain] | None
    bound: float | None
    matrices: dict[str, dict[str, float | None]]
    jacobian: dict[str, Plain] | None

    @classmethod
    def from_plain(cls, plain: Mapping[str, Plain]) -> Self:
        return super().from_plain({"rows": [], "tensors": None, **plain})


@dataclass(frozen=True)
class Looked(JsonRecord):
    """One look at one recurrence. why: the reason if it was not measured."""

    name: str
    place: Place
    measured: Measured | None
    why: str | None = None

    def to_plain(self) -> dict[str, Plain]:
        measured = {"why": self.why} if self.measured is None else self.measured.to_plain()
        return {"name": self.name, **self.place._asdict(), **measured}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Plain]) -> Self:
        name = str(plain.get("name", ""))
        if "why" in plain:
            return cls(name, Place.from_plain({"layer": 0, "direction": "", **plain}), None, str(plain["why"]))
        return cls(name, Place.from_plain(plain), Measured.from_plain(plain))


@dataclass(frozen=True)
class Look(JsonRecord):
    """All recurrences of an encoder after an epoch, counted from 1; 0 is before training."""

    epoch: int
    step: int
    layers: tuple[Looked, ...]

    @classmethod
    def from_plain(cls, plain: Mapping[str, Plain]) -> Self:
        return super().from_plain({"step": 0, **plain})


@dataclass(frozen=True)
class Looks(JsonRecord):
    """A `gradient_flow.json`. rows: samples of the probe."""

    rows: int
    looks: tuple[Look, ...]

    @classmethod
    def from_plain(cls, plain: Mapping[str, Plain]) -> Self:
        """Of many epochs `MOST_EPOCHS` are kept. Raises one of `files.DAMAGE` for another form."""
        if not plain["looks"]:
            raise ValueError("expected at least one look")
        return super().from_plain({"rows": 0, **plain, "looks": thin(list(plain["looks"]), MOST_EPOCHS)})


@dataclass(frozen=True)
class Layer:
    """What a page shows of one look at one recurrence.

    place:  its layer and direction.
    norm, direct, kept: by distance, as multiples of the value at distance 0.
    at_end: the norm at distance 0.
    share:  by the last lag of a span, of that lag and all shorter ones together.
    sizes:  mean spectral norms: of the step's Jacobian, and of its parts by name.
    """

    place: str
    norm: Curve
    at_end: float | None
    direct: Curve
    memory_length: int | None
    longest: int
    share: tuple[tuple[int, float], ...]
    kept: Curve
    kept_a_step: float | None
    bound: float | None
    radius: float | None
    sizes: dict[str, float]

    @classmethod
    def of(cls, place: Place, measured: Measured) -> Layer:
        distances = [int(distance) for distance in measured.distances]
        kept, jacobian = measured.kept or {}, measured.jacobian or {}
        radii = [number(matrix["radius"]) for matrix in measured.matrices.values()]
        length = number(measured.memory_length)
        return cls(
            str(place),
            *_relative(_curve(distances, measured.norm["mean"])),
            _relative(_curve(distances, measured.direct))[0],
            None if length is None else int(length),
            int(measured.longest),
            tuple(_summed(measured.lags, measured.share or [])),
            _curve(distances, kept.get("product")),
            number(kept.get("a_step")),
            number(measured.bound),
            max((radius for radius in radii if radius is not None), default=None),
            dict(_sizes(jacobian)),
        )


@dataclass(frozen=True)
class Flow:
    """A `gradient_flow.json` as a page shows it: by epoch, the first before training; reasons why recurrences were
    not measured."""

    looks: tuple[tuple[int, tuple[Layer, ...]], ...]
    reasons: tuple[str, ...]

    @classmethod
    def of(cls, file: Looks) -> Flow:
        looks = (
            (look.epoch, tuple(Layer.of(layer.place, layer.measured) for layer in look.layers if layer.measured))
            for look in file.looks
        )
        reasons = {layer.why: None for look in file.looks for layer in look.layers if layer.why is not None}
        return cls(tuple(looks), tuple(reasons))


def read_flow(path: Path) -> Flow:
    """Raises one of `files.DAMAGE` for a file of another form."""
    return Flow.of(Looks.read(path))


def _curve(distances: list[int], values: Sequence[Plain] | None) -> Curve:
    pairs = zip(distances, map(number, values), strict=True) if values is not None else ()
    return {distance: value for distance, value in pairs if value is not None}


def _relative(curve: Curve) -> tuple[Curve, float | None]:
    """The curve as multiples of its value at distance 0, and this value without the logarithm."""
    if 0 not in curve:
        return {}, None
    return {distance: value - curve[0] for distance, value in curve.items()}, 10 ** curve[0]


def _summed(lags: list[list[int]], shares: Sequence[Plain]) -> Iterator[tuple[int, float]]:
    total = 0.0
    for (_, last), share in zip(lags, shares, strict=bool(shares)):
        total += float(share)
        yield int(last), total


def _sizes(jacobian: Mapping[str, Plain]) -> Iterator[tuple[str, float]]:
    """Spectral norms by the keys of `PARTS`."""
    norms = [value for value in map(number, jacobian.get("norm", ())) if value is not None]
    if norms:
        yield "step", fmean(norms)
    for row, line in enumerate(jacobian.get("blocks", ())[:2]):
        for column, value in enumerate(line[:2]):
            yield f"{'hc'[row]}{'hc'[column]}", float(value)
    for name, value in (jacobian.get("terms") or {}).items():
        yield f"through {name}", float(value)
