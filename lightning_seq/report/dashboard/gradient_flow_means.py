"""What runs saw of the gradient on its way back through time: how it is read, and means over seeds."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from lightning_seq.records.gradient_flow import Curve, Flow, Layer

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


Label = tuple[str, list[Flow]]
"""A label and what its seeds saw."""


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
