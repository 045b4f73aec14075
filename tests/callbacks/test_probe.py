"""What is looked at, and a model that is left as it was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from lightning_seq.callbacks.probe import Cost, looking, probe_batch
from lightning_seq.data.classification.module import ClassificationData
from tests.data.from_keys import made


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def data(cache: Path, **settings: Any) -> ClassificationData:
    return made(ClassificationData, "word_order", cache, eval_batch_size=8, **settings)


def test_the_same_rows_for_every_seed_and_size_of_training_batch(cache: Path) -> None:
    one, other = probe_batch(data(cache), 4), probe_batch(data(cache, seed=7, batch_size=3), 4)
    assert len(one.ids) == one.count == 4
    assert torch.equal(one.ids, other.ids)
    assert torch.equal(one.inputs, other.inputs)
    assert len(probe_batch(data(cache), 100).ids) == 8


def test_rows_are_those_of_the_split(cache: Path) -> None:
    found, split = probe_batch(data(cache), 3), data(cache).prepared.splits["validation"]
    for row, number in enumerate(found.ids.tolist()):
        words = split.flat[split.offsets[number] : split.offsets[number + 1]]
        assert found.inputs[row, found.mask[row]].tolist() == words.tolist()
        assert found.targets[row] == split.labels[number]


def test_looking_leaves_no_trace() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.Dropout(0.5)).train()
    gradient = torch.ones(3, 3)
    model[0].weight.grad = gradient
    before = torch.get_rng_state()
    with torch.inference_mode(), looking(model):
        torch.rand(3)
        assert not model.training
        model(torch.ones(1, 3)).sum().backward()
    assert model.training
    assert model[1].training
    assert torch.equal(torch.get_rng_state(), before)
    assert model[0].weight.grad is gradient
    assert bool((gradient == 1).all())
    assert model[0].bias.grad is None


def test_costs_add_up_over_resumes() -> None:
    cost = Cost()
    cost.restore({"seconds": 2.5, "calls": 3})
    with cost.counted():
        pass
    assert cost.calls == 4
    assert cost.seconds > 2.5
    assert cost.plain() == {"seconds": round(cost.seconds, 4), "calls": 4}
