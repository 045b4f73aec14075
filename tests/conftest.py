"""Shapes are checked in tests: every annotated function of these rooms raises when one is wrong."""

from __future__ import annotations

import os
import random
from pathlib import Path
from unittest.mock import patch

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["WANDB_MODE"] = "offline"

import pytest
from jaxtyping import install_import_hook

from torture import hear_signals

ROOMS = ("cells", "engines", "layers", "attention", "losses")
# beartype checks one random item of each list. It draws from a generator of its own here: the state of Python's
# generator is part of a run's record.
patch("beartype._check.code.codemain.getrandbits", random.Random(0).getrandbits).start()
HOOK = install_import_hook([f"lightning_seq.{room}" for room in ROOMS], "beartype.beartype")


def fastest(lstm: bool = False) -> str:
    """The engine that `auto` takes here for a GRU (or an LSTM): the compiled one where it was built."""
    from lightning_seq.engines.fused import compiled

    return "fused" if compiled() is not None else "native" if lstm else "aten"


@pytest.fixture(autouse=True, scope="session")
def _signals_are_heard() -> None:
    hear_signals()


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    import torch

    torch.set_num_threads(1)


@pytest.fixture
def mirror() -> Path:
    """A directory of real data sets in Hub layout, where this machine has one."""
    place = os.environ.get("LIGHTNING_SEQ_MIRROR")
    if not place:
        pytest.skip("LIGHTNING_SEQ_MIRROR names no directory of data sets")
    return Path(place)
