"""The settings that turn the steps of a source into features."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Annotated

import numpy as np

from lightning_seq.errors import UserError
from lightning_seq.field_checks import check_fields
from lightning_seq.files import Plain
from lightning_seq.value_types import OneOf, Range, Size

NORMALISE = ("none", "global", "sequence", "group")
MISSING = ("error", "mask")
CENTRE = ("none", "first", "step")
ORDERS = ("as_is", "shuffled", "mean", "middle", "last")
ONE_STEP = ("mean", "middle", "last")
"""Orders that leave one step of a sequence."""
TEST_WINDOWS = ("all", "last")
_SHUFFLE = 3
"""The stream of the seed that shuffles steps."""


@dataclass(frozen=True)
class VectorSettings:
    """From raw steps `[T, D]` to features `[T', D']`, in this order:

    stride:      every so many steps one is kept, from the first.
    max_steps:   targets of sequences: steps of a sequence that are kept, from its beginning; targets of steps: the
                 sequences of training are cut into pieces of so many steps. None: no limit.
    centre:      a step is read as points of `coordinates` numbers each; `step` subtracts the mean of a step's own
                 points from them, `first` that of the first step.
    deltas:      differences to the step before that are added: of the steps (1), and of these differences (2).
    normalise:   subtract the mean and divide by the deviation of each feature: of the steps of training (`global`), of
                 the own sequence (`sequence`), or of all sequences of its group in the same split (`group`).
    missing:     `mask`: a missing number (NaN) is 0 after normalising, and D' further features are 1 where one is
                 missing; `error`: it is refused.

    window:       targets of steps: an example is a window of at most so many steps, and its target that of its last
                  one. None: an example is a sequence.
    test_windows: `last`: of a sequence of the test split only the last window.

    Raises UserError for a value out of its range.
    """

    normalise: Annotated[str, OneOf(NORMALISE)] = "global"
    missing: Annotated[str, OneOf(MISSING)] = "error"
    stride: Size = 1
    max_steps: Size | None = None
    deltas: Annotated[int, Range(0, 2)] = 0
    centre: Annotated[str, OneOf(CENTRE)] = "none"
    coordinates: Size = 2
    window: Size | None = None
    test_windows: Annotated[str, OneOf(TEST_WINDOWS)] = "all"

    def __post_init__(self) -> None:
        check_fields(self, "data")
        if self.window and self.normalise in ("sequence", "group"):
            raise UserError(
                f"data.normalise={self.normalise} uses steps after a window of data.window={self.window}: expected "
                "data.normalise=global or none"
            )

    def to_plain(self) -> dict[str, Plain]:
        return asdict(self)

    @classmethod
    def from_plain(cls, plain: dict[str, Plain]) -> VectorSettings:
        return cls(**plain)

    @property
    def masks(self) -> bool:
        """Whether features tell which numbers are missing."""
        return self.missing == "mask"

    def features(self, steps: np.ndarray) -> np.ndarray:
        """`[T', D · (1 + deltas)]` float32 from raw steps `[T, D]`, not yet normalised."""
        steps = np.asarray(steps, dtype=np.float32)[:: self.stride]
        if self.centre != "none":
            points = steps.reshape(len(steps), -1, self.coordinates)
            steps = (points - _middle(points[:1] if self.centre == "first" else points)).reshape(steps.shape)
        parts = [steps]
        for _ in range(self.deltas):
            parts.append(np.diff(parts[-1], axis=0, prepend=parts[-1][:1]))
        return np.concatenate(parts, 1)

    def names(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """The names of the features, from those of the numbers of a step."""
        made = tuple("Δ" * order + name for order in range(self.deltas + 1) for name in names)
        return made + tuple(f"{name} missing" for name in made) * self.masks

    def check_width(self, width: int) -> None:
        """Raises UserError where steps are not whole points."""
        if self.centre != "none" and width % self.coordinates:
            raise UserError(
                f"data.coordinates is {self.coordinates}, and a step has {width} numbers: expected a divisor of it, or "
                "data.centre=none"
            )

    def normalised(self, features: np.ndarray, mean: np.ndarray, scale: np.ndarray) -> np.ndarray:
        """`[T', D']` float32. mean, scale: `[D]`; features are divided by the scale."""
        values = ((features - mean) / scale).astype(np.float32)
        missing = np.isnan(values)
        values[missing] = 0
        return np.concatenate([values, missing], 1, dtype=np.float32) if self.masks else values


def _middle(points: np.ndarray) -> np.ndarray:
    """The mean `[T, 1, C]` of the points `[T, N, C]` of each step that are there; 0 without any."""
    known = ~np.isnan(points)
    return np.where(known, points, 0).sum(1, keepdims=True) / np.maximum(known.sum(1, keepdims=True), 1)


class Moments:
    """The mean and the deviation of each feature over the steps seen so far, missing numbers left out."""

    def __init__(self, width: int) -> None:
        self._count, self._sum, self._squares = np.zeros(width), np.zeros(width), np.zeros(width)
        self._origin: np.ndarray | None = None

    def update(self, features: np.ndarray) -> None:
        values = features.astype(np.float64)
        known = ~np.isnan(values)
        if self._origin is None:  # near the values, so that their squares do not cancel
            self._origin = np.where(known.any(0), np.nan_to_num(values[known.argmax(0), np.arange(values.shape[1])]), 0)
        values = np.where(known, values - self._origin, 0)
        self._count += known.sum(0)
        self._sum += values.sum(0)
        self._squares += (values**2).sum(0)

    def result(self) -> tuple[np.ndarray, np.ndarray]:
        """`[D]` each; the deviation is 1 for a feature that does not vary."""
        count = np.maximum(self._count, 1)
        mean = self._sum / count
        deviation = np.sqrt(np.maximum(self._squares / count - mean**2, 0))
        origin = np.zeros_like(mean) if self._origin is None else self._origin
        constant = deviation <= 1e-7 * np.abs(mean + origin)  # the rounding of float32
        return mean + origin, np.where(constant, 1, deviation)


def ordered(steps: np.ndarray, order: str, seed: tuple[int, ...]) -> np.ndarray:
    """The steps `[T, …]` of an example in another order, or one step `[1, …]` of it. seed: of this example."""
    if order == "shuffled":
        return steps[shuffle(len(steps), seed)]
    if order == "mean":
        mean = steps.mean(0, keepdims=True)
        return np.rint(mean).astype(np.uint8) if steps.dtype == np.uint8 else mean
    if order == "middle":
        return steps[len(steps) // 2 : len(steps) // 2 + 1]
    return steps[-1:] if order == "last" else steps


def shuffle(size: int, seed: tuple[int, ...]) -> np.ndarray:
    """`[size]`, a random order of the steps of an example."""
    return np.random.default_rng(np.random.SeedSequence([_SHUFFLE, *seed])).permutation(size)
