"""What is not finite never reaches the optimiser."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from lightning_seq.callbacks.finite_guard import POLICIES, FiniteGuard, NotFiniteError, are_finite, named
from lightning_seq.errors import UserError


class Training:
    """One weight vector, its optimiser, and as much of a trainer as the guard asks for."""

    def __init__(self, policy: str, times: int = 2, precision: str = "32-true") -> None:
        self.guard = FiniteGuard(policy, times)
        self.module: Any = nn.Linear(3, 1)
        self.optimizer = torch.optim.AdamW(self.module.parameters(), lr=0.1, fused=True)
        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.optimizer, lambda step: 1.0)
        self.trainer: Any = SimpleNamespace(
            precision=precision, world_size=1, global_step=41, current_epoch=2, state=SimpleNamespace(fn="fit"),
            optimizers=[self.optimizer], lr_scheduler_configs=[SimpleNamespace(scheduler=self.schedule)],
        )  # fmt: skip

    def step(self, loss: float = 1.0, gradient: float = 1.0, first: int = 0) -> None:
        batch: Any = SimpleNamespace(ids=torch.arange(first, first + 10))
        self.guard.on_train_batch_start(self.trainer, self.module, batch, 0)
        self.guard.on_before_backward(self.trainer, self.module, torch.tensor(loss, requires_grad=True))
        for weight in self.module.parameters():
            weight.grad = torch.full_like(weight, 0.5)
        self.module.weight.grad[0, 1] = gradient
        self.guard.on_before_optimizer_step(self.trainer, self.module, self.optimizer)
        self.optimizer.step()
        self.schedule.step()
        self.guard.on_train_batch_end(self.trainer, self.module, None, batch, 0)

    @property
    def weights(self) -> list[float]:
        return torch.cat([weight.detach().flatten() for weight in self.module.parameters()]).tolist()


BAD = [float("nan"), float("inf"), -float("inf")]


@pytest.mark.parametrize("value", BAD)
@pytest.mark.parametrize("where", ["loss", "gradient"])
def test_it_stops_before_the_optimiser_and_names_step_and_samples(where: str, value: float) -> None:
    training = Training("stop")
    training.step(first=50)
    before = training.weights
    with pytest.raises(
        NotFiniteError, match=rf"a {where} is not finite at step 42 \(epoch 3\), samples 5 6 .* 12 and 2 mo"
    ):
        training.step(**{where: value}, first=5)
    assert training.weights == before


def test_large_numbers_are_finite() -> None:
    training = Training("stop")
    training.step(loss=3e38, gradient=3e38)
    assert are_finite([torch.full((4,), 3e38), torch.full((4,), 3e38)])


@pytest.mark.parametrize("policy", POLICIES[:3])
def test_a_weight_ends_it_whatever_the_policy(policy: str) -> None:
    training = Training(policy)
    training.module.weight.data[0, 2] = float("inf")
    with pytest.raises(NotFiniteError, match="a weight is not finite at step 42"):
        training.step()
    for hook in (training.guard.on_validation_start, training.guard.on_train_end):
        with pytest.raises(NotFiniteError, match="a weight is not finite after step 41"):
            hook(training.trainer, training.module)


@pytest.mark.parametrize("policy", ["skip", "halve"])
def test_steps_are_left_out_so_many_times(policy: str, caplog: pytest.LogCaptureFixture) -> None:
    training = Training(policy, times=2)
    training.step()
    before, state = training.weights, {k: v["step"].item() for k, v in enumerate(training.optimizer.state.values())}
    training.step(gradient=float("nan"))
    assert training.weights == before
    assert {k: v["step"].item() for k, v in enumerate(training.optimizer.state.values())} == state
    assert "(1 of 2 times)" in caplog.text
    training.step()
    assert training.weights != before
    rate = 0.05 if policy == "halve" else 0.1
    assert training.optimizer.param_groups[0]["lr"] == rate  # and stays so, whatever the schedule says
    assert training.optimizer.param_groups[0]["initial_lr"] == rate
    again = Training(policy, times=2)
    again.guard.load_state_dict(training.guard.state_dict())
    again.step(loss=float("inf"))
    with pytest.raises(NotFiniteError):
        again.step(loss=float("inf"))


def test_mixed_half_precision_leaves_gradients_to_its_scaler() -> None:
    training = Training("stop", precision="16-mixed")
    training.step(gradient=float("inf"))
    with pytest.raises(NotFiniteError):
        training.step(loss=float("nan"))


def test_settings_that_are_none() -> None:
    with pytest.raises(UserError, match="choose from: halve, ignore, skip, stop"):
        FiniteGuard("retry")
    for times in (-1, 1.5, True):
        with pytest.raises(UserError, match="whole number of at least 0"):
            FiniteGuard("skip", times)  # type: ignore[arg-type]


def test_the_names_of_few_samples_are_all_told() -> None:
    assert named([torch.tensor([3, 1]), torch.tensor([2])]) == "3 1 2"


def test_a_loss_that_was_left_out_is_forgotten() -> None:
    training = Training("skip", times=5)
    training.step(loss=float("nan"))
    training.step()
    assert training.guard.left_out == 1


def test_what_one_rank_meets_stops_all() -> None:
    asked: list[tuple[bool, bool]] = []

    def agree(fine: bool, all: bool) -> bool:
        asked.append((fine, all))
        return False  # of another rank

    training = Training("stop")
    training.trainer.world_size, training.trainer.strategy = 2, SimpleNamespace(reduce_boolean_decision=agree)
    with pytest.raises(NotFiniteError, match="not finite at step 42"):
        training.step()
    assert asked == [(True, True)]
