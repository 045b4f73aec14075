"""A monitored metric that never moves is named once."""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from lightning_seq.callbacks.constant_metric import VALIDATIONS, ConstantMetric
from lightning_seq.tasks.classification import SequenceClassification


def lines(
    values: list[float | None], caplog: pytest.LogCaptureFixture, watching: ConstantMetric | None = None
) -> list[str]:
    task = SequenceClassification(nn.Linear(1, 2), 2, partial(torch.optim.Adam, lr=0.01), monitor="val/accuracy")  # type: ignore[arg-type]
    watching = watching or ConstantMetric()
    for value in values:
        metrics = {} if value is None else {"val/accuracy": torch.tensor(value), "val/loss": torch.tensor(0.5)}
        trainer: Any = SimpleNamespace(sanity_checking=False, callback_metrics=metrics, is_global_zero=True)
        watching.on_validation_end(trainer, task)
    return [record.message for record in caplog.records]


def test_it_is_named_once_with_the_metrics_to_choose_from(caplog: pytest.LogCaptureFixture) -> None:
    (line,) = lines([None, *[0.25] * (2 * VALIDATIONS)], caplog)
    assert line.startswith("val/accuracy is 0.25 in all of the first 3 validations and selects no checkpoint")
    assert "(task.monitor: val/loss" in line


@pytest.mark.parametrize("values", [[0.25, 0.25], [0.25, 0.25, 0.5], [0.5, 0.25, 0.25, 0.25], [float("nan")] * 4])
def test_one_that_moves_is_not(values: list[float], caplog: pytest.LogCaptureFixture) -> None:
    assert lines(values, caplog) == []


@pytest.mark.parametrize(("before", "told"), [(0.25, True), (0.5, False)])
def test_what_it_saw_before_an_interruption_counts(before: float, told: bool, caplog: pytest.LogCaptureFixture) -> None:
    first, gone_on = ConstantMetric(), ConstantMetric()
    assert lines([before], caplog, first) == []
    gone_on.load_state_dict(first.state_dict())
    assert bool(lines([0.25, 0.25, 0.25], caplog, gone_on)) is told


def test_only_metrics_that_the_run_logs_are_named(caplog: pytest.LogCaptureFixture) -> None:
    (line,) = lines([0.25] * VALIDATIONS, caplog)
    assert line.endswith("(task.monitor: val/loss)")
