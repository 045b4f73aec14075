"""Selected weights that vanish."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lightning_seq.training import outcome
from tests.runs import TINY


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: os.truncate(path, 100)])
def test_selected_weights_that_vanish_before_the_test_are_told(
    damage: Callable[[Path], None], own: list[str], refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not replaced by the last ones. The same on resume: `tests/training/test_resume.py`."""
    best = Path(own[2].removeprefix("runs=")) / "csv" / "rnn-seed1" / "checkpoints" / "best.ckpt"
    fit = outcome.fit

    def fit_and_damage(*given: Any) -> Any:
        fitted = fit(*given)
        damage(best)
        return fitted

    with monkeypatch.context() as patched:
        patched.setattr(outcome, "fit", fit_and_damage)
        said = refused("train", "model=rnn", *own, *TINY)
    assert "best.ckpt is missing or damaged, and this run had selected its weights" in said
    assert "resume=never" in refused("train", "model=rnn", *own, *TINY)
