from __future__ import annotations

import numpy as np
import pytest

from lightning_seq.data.spec_augment import SpecAugment
from lightning_seq.errors import UserError

FEATURES = np.ones((50, 12), dtype=np.float32)


def test_masks_depend_on_seed_epoch_and_example_alone() -> None:
    augment = SpecAugment(time_masks=2, frequency_masks=1, frequency_width=3)
    made = {key: augment(FEATURES, 1, *key).tobytes() for key in [(1, 0, 3), (1, 1, 3), (2, 0, 3), (1, 0, 4)]}
    assert len(set(made.values())) == 4
    assert augment(FEATURES, 1, 1, 0, 3).tobytes() == made[1, 0, 3]
    assert FEATURES.all()


def test_masks_keep_their_limits() -> None:
    augment = SpecAugment(time_masks=1, time_width=30, time_share=0.2, frequency_masks=1, frequency_width=2)
    times, bands = [], []
    for example in range(300):
        made = augment(FEATURES, 1, 1, 0, example)
        times.append(int((made == 0).all(1).sum()))
        bands.append(int((made == 0).all(0).sum()))
    assert (min(times), max(times)) == (0, 10)  # 20 % of 50 frames
    assert set(bands) == {0, 1, 2}


def test_deltas_lose_the_bands_of_their_features() -> None:
    made = SpecAugment(frequency_masks=1, frequency_width=4)(FEATURES, 3, 1, 0, 5).reshape(50, 3, 4)
    assert (made == made[:1, :1]).all()
    assert not made.all()


def test_no_masks_are_false() -> None:
    assert not SpecAugment()
    assert SpecAugment(time_masks=1)
    with pytest.raises(UserError, match=r"data\.augment\.time_share"):
        SpecAugment(time_share=1.5)
