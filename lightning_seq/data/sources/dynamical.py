"""Generated chaotic series: Mackey-Glass and Lorenz."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from lightning_seq.data.sources.panel import Panel
from lightning_seq.field_checks import check_fields
from lightning_seq.files import Plain
from lightning_seq.value_types import Range, Seed

SUBSTEPS = 10
"""Of the integration, in a step of the series."""
WARM_UP = 500
"""Steps that are left out at the beginning."""

Steps = Annotated[int, Range(100, 1_000_000)]
Noise = Annotated[float, Range(0, 10)]


@dataclass(frozen=True, kw_only=True)
class Dynamical:
    """length: steps of the series. noise: standard deviation of what is added to each value, as a share of the series'
    own. split_seed: of the start and of the noise.

    Raises UserError for a value out of its range.
    """

    length: Steps = 3000
    noise: Noise = 0.0
    split_seed: Seed = 1

    name = "dynamical"

    def __post_init__(self) -> None:
        check_fields(self, "data")

    def describe(self) -> str:
        return self.name

    def identity(self) -> Plain:
        return {"dynamical": self.name, **vars(self)}

    def generator(self) -> np.random.Generator:
        return np.random.default_rng(np.random.SeedSequence([self.split_seed]))

    def noisy(self, values: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """`[T]` or `[T, series]`, each with its own noise."""
        noise = generator.standard_normal(values.shape)
        return values + self.noise * values.std(0) * noise


@dataclass(frozen=True, kw_only=True)
class MackeyGlass(Dynamical):
    """dx/dt = 0.2 x(t-τ) / (1 + x(t-τ)¹⁰) - 0.1 x(t) (Mackey & Glass 1977), chaotic from τ = 17 on.

    tau: τ, in steps. It is integrated by Heun's method with ten substeps, linear between them.
    """

    tau: Annotated[int, Range(2, 1000)] = 17

    name = "mackey_glass"

    def load(self) -> Panel:
        generator, delay, h = self.generator(), self.tau * SUBSTEPS, 1 / SUBSTEPS
        total = (WARM_UP + self.length) * SUBSTEPS
        x = np.empty(total + delay + 1)
        x[: delay + 1] = 1.2 + 0.1 * generator.standard_normal()

        def slope(now: float, late: float) -> float:
            return 0.2 * late / (1 + late**10) - 0.1 * now

        for place in range(delay, total + delay):
            now, late, later = float(x[place]), float(x[place - delay]), float(x[place - delay + 1])
            first = slope(now, late)
            x[place + 1] = now + h / 2 * (first + slope(now + h * first, later))
        values = x[delay + 1 :: SUBSTEPS][WARM_UP : WARM_UP + self.length]
        return Panel.single(self.name, self.noisy(values, generator), season=1)


@dataclass(frozen=True, kw_only=True)
class Lorenz(Dynamical):
    """ẋ = 10 (y - x), ẏ = x (28 - z) - y, ż = x y - 8/3 z (Lorenz 1963), three series, by Runge and Kutta's method.

    step: the time between two steps of the series.
    """

    step: Annotated[float, Range(0.001, 1)] = 0.05

    name = "lorenz"

    def load(self) -> Panel:
        generator, h = self.generator(), self.step / SUBSTEPS
        state, kept = np.array([1.0, 1.0, 20.0]) + generator.standard_normal(3), np.empty((self.length, 3))

        def slope(s: np.ndarray) -> np.ndarray:
            x, y, z = s
            return np.array([10 * (y - x), x * (28 - z) - y, x * y - 8 / 3 * z])

        for step in range(-WARM_UP, self.length):
            for _ in range(SUBSTEPS):
                a = slope(state)
                b = slope(state + h / 2 * a)
                c = slope(state + h / 2 * b)
                state = state + h / 6 * (a + 2 * b + 2 * c + slope(state + h * c))
            if step >= 0:
                kept[step] = state
        kept = self.noisy(kept, generator)
        offsets = np.arange(4) * self.length
        return Panel(["x", "y", "z"], kept.T.reshape(-1), offsets, season=1)
