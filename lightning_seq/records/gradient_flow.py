"""gradient_flow.json: the gradient on its way back through time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from lightning_seq.files import read_json
from lightning_seq.records.numbers import number, thin

MOST_EPOCHS = 60

Curve = dict[int, float]
"""By distance, log10."""


@dataclass(frozen=True)
class Layer:
    """What one look saw of one recurrence; see `callbacks/gradient_flow.py`.

    place:  its layer and direction.
    norm, direct, kept: by distance, as multiples of what is at 0.
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


@dataclass(frozen=True)
class Flow:
    """A `gradient_flow.json`: by epoch, the first before training; reasons why recurrences were not looked at."""

    looks: tuple[tuple[int, tuple[Layer, ...]], ...]
    reasons: tuple[str, ...]


def read_flow(path: Path) -> Flow:
    """Raises one of `files.DAMAGE` for a file of another form."""
    plain = read_json(path, dict)
    looks: list[tuple[int, tuple[Layer, ...]]] = []
    reasons: dict[str, None] = {}
    for look in thin(list(plain["looks"]), MOST_EPOCHS):
        looks.append((int(look["epoch"]), tuple(_layer(entry) for entry in look["layers"] if "why" not in entry)))
        reasons |= {str(entry["why"]): None for entry in look["layers"] if "why" in entry}
    if not looks:
        raise ValueError("expected at least one look")
    return Flow(tuple(looks), tuple(reasons))


def _layer(entry: dict[str, Any]) -> Layer:
    distances = [int(each) for each in entry["distances"]]
    kept, jacobian = entry["kept"] or {}, entry["jacobian"] or {}
    radii = [number(each["radius"]) for each in entry["matrices"].values()]
    length = number(entry["memory_length"])
    return Layer(
        f"layer {int(entry['layer'])}, {entry['direction']}",
        *_relative(_curve(distances, entry["norm"]["mean"])),
        _relative(_curve(distances, entry["direct"]))[0],
        None if length is None else int(length),
        int(entry["longest"]),
        tuple(_summed(entry["lags"], entry["share"] or [])),
        _curve(distances, kept.get("product")),
        number(kept.get("a_step")),
        number(entry["bound"]),
        max((radius for radius in radii if radius is not None), default=None),
        dict(_sizes(jacobian)),
    )


def _curve(distances: list[int], values: list[Any] | None) -> Curve:
    found = zip(distances, map(number, values), strict=True) if values is not None else ()
    return {distance: value for distance, value in found if value is not None}


def _relative(curve: Curve) -> tuple[Curve, float | None]:
    """As multiples of what is at distance 0; and that, no logarithm any more."""
    if 0 not in curve:
        return {}, None
    return {distance: value - curve[0] for distance, value in curve.items()}, 10 ** curve[0]


def _summed(lags: list[list[int]], shares: list[Any]) -> Iterator[tuple[int, float]]:
    total = 0.0
    for (_, last), share in zip(lags, shares, strict=bool(shares)):
        total += float(share)
        yield int(last), total


def _sizes(jacobian: dict[str, Any]) -> Iterator[tuple[str, float]]:
    """Under the names of `PARTS`."""
    norms = [value for value in map(number, jacobian.get("norm", ())) if value is not None]
    if norms:
        yield "step", fmean(norms)
    for row, line in enumerate(jacobian.get("blocks", ())[:2]):
        for column, value in enumerate(line[:2]):
            yield f"{'hc'[row]}{'hc'[column]}", float(value)
    for name, value in (jacobian.get("terms") or {}).items():
        yield f"through {name}", float(value)
