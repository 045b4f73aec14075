"""Random changes of the features of speech in training."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lightning_seq.field_checks import check_fields
from lightning_seq.value_types import Count, Fraction


@dataclass(frozen=True)
class SpecAugment:
    """Masks of time and of frequency (Park et al. 2019, sec. 2): masked features are 0, the mean of normalised ones.

    time_masks:      masks of frames, each of at most `time_width` frames, and at most `time_share` of the utterance.
    frequency_masks: masks of features, each of at most `frequency_width`; the same for the features and their deltas.

    The width of a mask is uniform from 0 to its most, its place uniform within the utterance. The seed, the epoch and
    the number of an example alone decide its masks.
    """

    time_masks: Count = 0
    time_width: Count = 20
    time_share: Fraction = 0.2
    frequency_masks: Count = 0
    frequency_width: Count = 8

    def __post_init__(self) -> None:
        check_fields(self, "data.augment")

    def __bool__(self) -> bool:
        return bool(self.time_masks or self.frequency_masks)

    def __call__(self, features: np.ndarray, blocks: int, seed: int, epoch: int, example: int) -> np.ndarray:
        """A masked copy of features `[T, D]`. blocks: 1, and one for each order of deltas."""
        stream = np.random.Philox(key=np.array([seed, epoch], np.uint64), counter=[0, 0, 0, example])
        generator, T, D = np.random.Generator(stream), len(features), features.shape[1] // blocks
        masked = features.copy()
        limit = min(self.time_width, int(self.time_share * T))
        for first, width in self._masks(generator, self.time_masks, limit, T):
            masked[first : first + width] = 0
        for first, width in self._masks(generator, self.frequency_masks, min(self.frequency_width, D), D):
            masked.reshape(T, blocks, D)[:, :, first : first + width] = 0
        return masked

    @staticmethod
    def _masks(generator: np.random.Generator, count: int, most: int, size: int) -> list[tuple[int, int]]:
        drawn = []
        for wide, place in generator.random((count, 2)).tolist():
            width = int(wide * (most + 1))
            drawn.append((int(place * (size - width + 1)), width))
        return drawn
