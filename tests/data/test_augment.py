"""Random changes of training pictures."""

from __future__ import annotations

import numpy as np
import pytest

from lightning_seq.data.augment import Augment, turned
from lightning_seq.errors import UserError

PICTURES = np.random.default_rng(1).integers(0, 256, (4, 3, 6, 8), dtype=np.uint8)
NUMBERS = np.array([5, 0, 9, 2])


def test_seed_epoch_and_number_alone_decide() -> None:
    change = Augment(shift=2, flip=True, brightness=0.2, contrast=0.3)
    whole = change(PICTURES, 3, 1, NUMBERS)
    np.random.seed(0)
    order = np.array([2, 0])
    assert np.array_equal(change(PICTURES[order], 3, 1, NUMBERS[order]), whole[order])
    for seed, epoch, numbers in ((4, 1, NUMBERS), (3, 2, NUMBERS), (3, 1, NUMBERS + 1)):
        assert not np.array_equal(change(PICTURES, seed, epoch, numbers), whole)


def test_a_shift_repeats_the_border() -> None:
    change, picture = Augment(shift=1), PICTURES[:1]
    padded = np.pad(picture[0], ((0, 0), (1, 1), (1, 1)), mode="edge")
    windows = {padded[:, y : y + 6, x : x + 8].tobytes() for y in range(3) for x in range(3)}
    made = {change(picture, 1, epoch, np.array([0]))[0].tobytes() for epoch in range(200)}
    assert made == windows


def test_half_of_the_pictures_are_mirrored() -> None:
    made = [Augment(flip=True)(PICTURES[:1], 1, epoch, np.array([7]))[0] for epoch in range(400)]
    mirrored = sum(np.array_equal(one, PICTURES[0, :, :, ::-1]) for one in made)
    assert sum(np.array_equal(one, PICTURES[0]) for one in made) == 400 - mirrored
    assert 160 < mirrored < 240


def test_brightness_and_contrast() -> None:
    grey = np.full((1, 1, 2, 2), 100, np.uint8)
    grey[0, 0, 0] = 120
    bright = [Augment(brightness=0.1)(grey, 1, epoch, np.array([0])).astype(int) for epoch in range(300)]
    assert all((one[0, 0, 0] - one[0, 0, 1] == 20).all() for one in bright)
    added = [int(one[0, 0, 1, 0]) - 100 for one in bright]
    assert (min(added), max(added)) == (-25, 25)
    assert abs(np.mean(added)) < 2
    sharp = [Augment(contrast=0.5)(grey, 1, epoch, np.array([0])).astype(int) for epoch in range(300)]
    spread = [int(one[0, 0, 0, 0] - one[0, 0, 1, 0]) for one in sharp]
    assert (min(spread), max(spread)) == (10, 30)
    assert all(abs(one.mean() - 110) <= 0.5 for one in sharp)
    assert Augment(brightness=1.0)(grey, 1, 0, np.array([0])).dtype == np.uint8


def test_turned_and_zoomed() -> None:
    picture = PICTURES[0, :, :6, :6]
    assert np.array_equal(turned(picture, 90, 1.0), np.rot90(picture, axes=(1, 2)))
    square = np.full((1, 9, 9), 255, np.uint8)
    square[0, 3:6, 3:6] = 0
    assert int((turned(square, 0, 5 / 3) < 128).sum()) == 25
    assert int((turned(square, 0, 1 / 3) < 128).sum()) == 1
    assert np.array_equal(turned(square, 180, 1.0), square)
    dark = [int((Augment(zoom=0.5)(square[None], 1, epoch, np.array([0])) < 128).sum()) for epoch in range(60)]
    assert min(dark) < 5
    assert max(dark) > 16
    made = {Augment(rotate=45.0)(square[None], 1, epoch, np.array([0])).tobytes() for epoch in range(10)}
    assert len(made) > 5


def test_nothing_by_default() -> None:
    assert not Augment()
    assert np.array_equal(Augment()(PICTURES, 1, 1, NUMBERS), PICTURES)


def test_wrong_settings() -> None:
    with pytest.raises(UserError, match=r"shift is 6, and pictures have 6 x 8 pixels: expected less"):
        Augment(shift=6).check((6, 8))
    texts = ["a cat"] * 40 + ["a dog Left of a cat"]
    with pytest.raises(UserError, match=r"flip=true mirrors pictures, and 2% of the training texts name a side"):
        Augment(flip=True).check((6, 8), texts)
    Augment(flip=True).check((6, 8), [*texts, *["the leftovers"] * 80])
    Augment().check((6, 8), texts)
