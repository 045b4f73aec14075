"""What runs saw of the gradient on its way back through time: how it is read, and means over seeds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from lightning_seq.files import read_json
from lightning_seq.report.curves import thin
from lightning_seq.report.summary import number

MOST_EPOCHS = 60
PARTS = {
    "step": "∂sₜ/∂sₜ₋₁",
    "hh": "∂hₜ/∂hₜ₋₁",
    "hc": "∂hₜ/∂cₜ₋₁",
    "ch": "∂cₜ/∂hₜ₋₁",
    "cc": "∂cₜ/∂cₜ₋₁",
    "through kept": "kept: diag(fₜ)",
    "through f": "through f",
    "through i": "through i",
    "through g": "through g",
}
"""How the parts of a step's Jacobian are written, by the names they have in `Layer.sizes`."""

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


Label = tuple[str, list[Flow]]
"""A label and what its seeds saw."""


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


def main_layers(flows: Sequence[Flow], at: float) -> list[Layer]:
    """Of each seed the lowest layer that reads forward, at a share of its looks (-1: the last)."""
    found = []
    for flow in flows:
        look = flow.looks[-1 if at == -1 else round(at * (len(flow.looks) - 1))][1]
        if look:
            found.append(min(look, key=lambda layer: ("forward" not in layer.place, look.index(layer))))
    return found


def last_layers(flows: Sequence[Flow], place: str) -> list[Layer]:
    """Of each seed the layer at a place, at its last look."""
    return [layer for flow in flows for layer in flow.looks[-1][1] if layer.place == place]


def mean_curve(curves: Sequence[Curve]) -> Curve:
    """At each distance that all have."""
    shared = set(curves[0]).intersection(*curves[1:]) if curves else set()
    return {distance: fmean(curve[distance] for curve in curves) for distance in sorted(shared)}


def mean_memory(layers: Sequence[Layer]) -> tuple[float, str] | None:
    """The mean over seeds, and how it is said: where a memory reaches further than a sample, it counts as that long."""
    values = [layer.longest if layer.memory_length is None else layer.memory_length for layer in layers]
    if not values:
        return None
    open_end = any(layer.memory_length is None for layer in layers)
    return fmean(values), f"{'at least ' if open_end else ''}{_short(fmean(values))}"


def mean_radius(layers: Sequence[Layer]) -> tuple[float, str] | None:
    """The mean over seeds of the spectral radius, and how it is said."""
    values = [layer.radius for layer in layers if layer.radius is not None]
    return (fmean(values), f"{fmean(values):.3f}") if values else None


def reach(by_label: Sequence[Label]) -> str:
    """What was found, in words."""
    said = []
    for label, flows in by_label:
        layers = main_layers(flows, -1)
        lengths = [layer.memory_length for layer in layers if layer.memory_length is not None]
        longest = max(layer.longest for layer in layers)
        if not lengths:
            said.append(f"{label} not within {longest}")
        elif len(lengths) < len(layers):
            said.append(f"{label} {_short(fmean(lengths))} in {len(lengths)} of {len(layers)} seeds")
        else:
            said.append(f"{label} {_short(fmean(lengths))}")
    listed = ", ".join(said)
    return f"Steps after which the gradient has fallen to a hundredth, after the last epoch: {listed}."


def _short(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
