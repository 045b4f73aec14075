"""Means over seeds of the gradient flow that runs recorded."""

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


LabelFlows = tuple[str, list[Flow]]
"""A label and the gradient flow of its seeds."""


def main_layers(flows: Sequence[Flow], at: float) -> list[Layer]:
    """Of each seed the lowest layer that reads forward, at a share of its looks (-1: the last)."""
    layers = []
    for flow in flows:
        look = flow.looks[-1 if at == -1 else round(at * (len(flow.looks) - 1))][1]
        if look:
            layers.append(min(look, key=lambda layer: ("forward" not in layer.place, look.index(layer))))
    return layers


def last_layers(flows: Sequence[Flow], place: str) -> list[Layer]:
    """Of each seed the layer at a place, at its last look."""
    return [layer for flow in flows for layer in flow.looks[-1][1] if layer.place == place]


def mean_curve(curves: Sequence[Curve]) -> Curve:
    """At each distance that all have."""
    shared = set(curves[0]).intersection(*curves[1:]) if curves else set()
    return {distance: fmean(curve[distance] for curve in curves) for distance in sorted(shared)}


def mean_memory(layers: Sequence[Layer]) -> tuple[float, str] | None:
    """The mean over seeds, as a number and as text; a memory longer than a sample counts as long as the sample."""
    values = [layer.longest if layer.memory_length is None else layer.memory_length for layer in layers]
    if not values:
        return None
    open_end = any(layer.memory_length is None for layer in layers)
    return fmean(values), f"{'at least ' if open_end else ''}{_short(fmean(values))}"


def mean_radius(layers: Sequence[Layer]) -> tuple[float, str] | None:
    """The mean over seeds of the spectral radius, as a number and as text."""
    values = [layer.radius for layer in layers if layer.radius is not None]
    return (fmean(values), f"{fmean(values):.3f}") if values else None


def reach(by_label: Sequence[LabelFlows]) -> str:
    """How far the memory of each label reaches, as a sentence."""
    parts = []
    for label, flows in by_label:
        layers = main_layers(flows, -1)
        lengths = [layer.memory_length for layer in layers if layer.memory_length is not None]
        longest = max(layer.longest for layer in layers)
        if not lengths:
            parts.append(f"{label} not within {longest}")
        elif len(lengths) < len(layers):
            parts.append(f"{label} {_short(fmean(lengths))} in {len(lengths)} of {len(layers)} seeds")
        else:
            parts.append(f"{label} {_short(fmean(lengths))}")
    return f"Steps after which the gradient has fallen to a hundredth, after the last epoch: {', '.join(parts)}."


def _short(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
