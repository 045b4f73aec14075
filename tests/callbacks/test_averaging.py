"""Non-monotonically triggered averaging, against the algorithm's own lines."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from lightning.pytorch import LightningModule

from lightning_seq.callbacks.averaging import NonMonotonicAveraging
from lightning_seq.errors import UserError


class Module(LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(2))


def validated(callback: NonMonotonicAveraging, value: float) -> None:
    trainer: Any = SimpleNamespace(
        state=SimpleNamespace(fn="fit"), callback_metrics={callback.monitor: torch.tensor(value, dtype=torch.float64)}
    )
    callback.on_validation_end(trainer, Module())


def triggered_at(values: list[float], n: int) -> int | None:
    """Merity et al. 2018, algorithm 1: t > n and v > the least of the logs up to t - n."""
    logs: list[float] = []
    for t, value in enumerate(values):
        if t > n and value > min(logs[: t - n]):
            return t
        logs.append(value)
    return None


@given(st.lists(st.integers(0, 6), max_size=12), st.integers(1, 4), st.booleans())
def test_when_it_begins(values: list[int], patience: int, highest: bool) -> None:
    sign = -1.0 if highest else 1.0
    callback = NonMonotonicAveraging(patience, mode="max" if highest else "min")
    begun = None
    for t, value in enumerate(values):
        validated(callback, sign * value)
        if callback.begun and begun is None:
            begun = t
    assert begun == triggered_at([float(value) for value in values], patience)


def test_validation_and_the_end_have_the_mean_of_the_weights_since() -> None:
    callback, module = NonMonotonicAveraging(1), Module()
    trainer: Any = SimpleNamespace(global_step=0, current_epoch=0)
    callback.setup(trainer, module, "fit")

    def step(value: float) -> None:
        module.weight.data.fill_(value)
        trainer.global_step += 1
        callback.on_train_batch_end(trainer, module, None, None, 0)

    step(100.0)
    callback.on_validation_epoch_start(trainer, module)
    assert module.weight[0] == 100  # nothing is averaged yet, and nothing is swapped in
    callback.on_validation_epoch_end(trainer, module)
    assert module.weight[0] == 100
    plain: dict[str, Any] = {"state_dict": module.state_dict()}
    callback.on_save_checkpoint(trainer, module, plain)
    assert "current_model_state" not in plain
    for value in (1.0, 0.5, 2.0):
        validated(callback, value)
    assert callback.begun
    for value in (1.0, 2.0, 6.0):
        step(value)
    callback.on_validation_epoch_start(trainer, module)
    torch.testing.assert_close(module.weight.data, torch.full((2,), 3.0))
    inside: dict[str, Any] = {"state_dict": {"weight": module.weight.detach().clone()}}
    callback.on_save_checkpoint(trainer, module, inside)
    assert (inside["state_dict"]["weight"][0], inside["current_model_state"]["weight"][0]) == (3, 6)
    callback.on_validation_epoch_end(trainer, module)
    assert module.weight[0] == 6
    checkpoint: dict[str, Any] = {"state_dict": {"weight": module.weight.detach().clone()}}
    callback.on_save_checkpoint(trainer, module, checkpoint)
    torch.testing.assert_close(checkpoint["state_dict"]["weight"], torch.full((2,), 3.0))
    again, fresh = NonMonotonicAveraging(1), Module()
    again.setup(trainer, fresh, "fit")
    again.load_state_dict(callback.state_dict())
    again.on_load_checkpoint(trainer, fresh, checkpoint)
    assert fresh.weight[0] == 6
    callback.on_train_end(trainer, module)
    torch.testing.assert_close(module.weight.data, torch.full((2,), 3.0))


@pytest.mark.parametrize("patience", [0, -1, 1.5, True])
def test_a_patience_that_is_none(patience: Any) -> None:
    with pytest.raises(UserError, match=r"task\.averaging"):
        NonMonotonicAveraging(patience)
