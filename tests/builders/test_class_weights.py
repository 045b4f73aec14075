"""Weights of classes, scaled to a mean of 1 over the training examples."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from lightning_seq.builders.classification import class_weights
from lightning_seq.spec import Class, DataSpec, Tokens


@pytest.mark.parametrize(
    ("wanted", "weights"), [("balanced", [2 / 3, 2.0]), ([1.0, 3.0], [2 / 3, 2.0]), ([0.0, 2.0], [0.0, 4.0])]
)
def test_rare_classes_weigh_more(wanted: Any, weights: list[float]) -> None:
    """Three examples of one class and one of the other."""
    data: Any = SimpleNamespace(
        spec=DataSpec(Tokens(("<pad>", "<unk>", "<bos>", "<eos>")), Class(("often", "rare"))),
        train_labels=np.array([0, 1, 0, 0]),
    )
    found = class_weights(wanted, data)
    assert found is not None
    torch.testing.assert_close(found, torch.tensor(weights))
