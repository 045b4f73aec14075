"""The plan of looks spends five per cent, and no comparison without a difference is decided more often."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lightning_seq.significance.compare import compare
from lightning_seq.significance.sequential import plan


def test_the_looks_reach_the_last_seed_and_spend_the_level() -> None:
    looks = plan(20)
    assert looks.looks == (3, 4, 6, 9, 14, 20)
    assert sum(looks.levels) == pytest.approx(0.05)
    assert list(looks.levels[:5]) == sorted(looks.levels[:5])
    assert plan(3) == plan(3, 3)
    assert min(plan(200).levels) == 5e-4
    assert sum(plan(200).levels) == pytest.approx(0.05)
    assert plan(3).levels == (pytest.approx(0.05),)
    with pytest.raises(ValueError, match="first=3 and most=2"):
        plan(2)


def test_reading_after_every_look_keeps_the_level() -> None:
    """Read at 5 % after each of 3, 4, 6, 9 seeds, some look is wrong in about 11 % of comparisons."""
    random = np.random.default_rng(0)
    looks = plan(9)
    planned = naive = 0
    for _ in range(400):
        values = random.normal(size=(3, 9))
        of_looks = [{str(label): dict(enumerate(values[label, :look])) for label in range(3)} for look in looks.looks]
        naive += any(pair.told_apart for scores in of_looks for pair in compare(scores).pairs)
        planned += any(
            pair.told_apart
            for scores, level in zip(of_looks, looks.levels, strict=True)
            for pair in compare(scores, level=level).pairs
        )
    assert planned <= 400 * (0.05 + 3 * math.sqrt(0.05 * 0.95 / 400))
    assert naive > planned
