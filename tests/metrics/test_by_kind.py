from __future__ import annotations

import math

import pytest
import torch

from lightning_seq.metrics.by_kind import AccuracyByKind, metric_names
from lightning_seq.tasks.visual_questions import _shuffled


def test_accuracy_of_each_kind() -> None:
    metric = AccuracyByKind(["colour", "count", "none"])
    metric.update(torch.tensor([True, False, True]), torch.tensor([0, 0, 1]))
    metric.update(torch.tensor([], dtype=torch.bool), torch.tensor([], dtype=torch.int64))
    metric.update(torch.tensor([False, True]), torch.tensor([0, 1]))
    values = metric.compute()
    assert values["accuracy_colour"] == pytest.approx(1 / 3)
    assert values["accuracy_count"] == 1
    assert math.isnan(values["accuracy_none"])
    metric.reset()
    metric.update(torch.tensor([True]), torch.tensor([2]))
    assert metric.compute()["accuracy_none"] == 1


def test_names_of_kinds_are_words_and_no_other_metrics() -> None:
    assert metric_names(["yes/no", "yes no", "what colour is the?", "shuffled", "wie groß", "?"]) == [
        "accuracy_yes_no", "accuracy_yes_no_", "accuracy_what_colour_is_the", "accuracy_shuffled_", "accuracy_wie_groß",
        "accuracy_",
    ]  # fmt: skip


def test_a_shuffled_order_keeps_padding_and_is_the_examples_own() -> None:
    mask, ids = torch.arange(9) < torch.tensor([[9], [4], [1]]), torch.tensor([7, 3, 5])
    order = _shuffled(mask, ids)
    assert order.sort(1).values.tolist() == [list(range(9))] * 3
    assert order[1, 4:].tolist() == [4, 5, 6, 7, 8]
    assert order[2].tolist() == list(range(9))
    assert order[0].tolist() != list(range(9))
    alone = _shuffled(mask[1:2, :4], ids[1:2])
    assert alone[0].tolist() == order[1, :4].tolist()
    firsts = [int(_shuffled(mask[:1], torch.tensor([number]))[0, 0]) for number in range(900)]
    assert all(60 < firsts.count(place) < 145 for place in range(9))
