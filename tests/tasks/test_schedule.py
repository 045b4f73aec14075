"""The learning rate after each step or epoch."""

from __future__ import annotations

import math

import pytest
import torch

from lightning_seq.errors import UserError
from lightning_seq.tasks import teacher_forcing
from lightning_seq.tasks.schedule import KINDS, Schedule
from lightning_seq.tasks.teacher_forcing import TeacherForcing


def rates(schedule: Schedule, times: int, total: float = 100) -> list[float]:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    made = schedule.configure(optimizer, total, "val/loss", "min")["lr_scheduler"]["scheduler"]
    found = []
    for _ in range(times):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        made.step()
    return found


@pytest.mark.parametrize(
    ("hold", "expected"),
    [(3, [1, 1, 1, 0.5, 0.25]), (1, [1, 0.5, 0.25, 0.125, 0.0625]), (0, [1, 0.5, 0.25, 0.125, 0.0625])],
)
def test_decay_by_epochs(hold: int, expected: list[float]) -> None:
    """The small model of Zaremba et al. 2014 holds for 4 epochs and halves then."""
    assert rates(Schedule("decay", hold_epochs=hold), 5) == pytest.approx(expected)


def test_warm_up_and_linear() -> None:
    assert rates(Schedule("linear", warmup_steps=2), 6, total=6) == pytest.approx([0.5, 1, 1, 0.75, 0.5, 0.25])


@pytest.mark.parametrize(("warmup", "told"), [(7, True), (6, False), (0, False)])
def test_a_warm_up_longer_than_training_is_told(warmup: int, told: bool, caplog: pytest.LogCaptureFixture) -> None:
    rates(Schedule("linear", warmup_steps=warmup), 6, total=6)
    assert (f"warmup_steps={warmup}, and this training has 6 steps" in caplog.text) is told


@pytest.mark.parametrize(
    "given", [{"kind": "decays"}, {"kind": "decay", "warmup_steps": 1}, {"hold_epochs": -1}, {"factor": 1.0}]
)
def test_wrong_settings(given: dict[str, object]) -> None:
    with pytest.raises(UserError, match=r"task\.schedule"):
        Schedule(**given)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("warmup", [0, 1, 3, 50])
@pytest.mark.parametrize("total", [0, 1, 2, 3, 4, 50, math.inf])
def test_a_rate_is_a_share_at_every_edge(kind: str, warmup: int, total: float) -> None:
    """No step, one step, a warm-up longer than the training, and steps beyond the end of it, as after a resume."""
    if kind in ("plateau", "decay") and warmup:
        return
    schedule = Schedule(kind, warmup_steps=warmup)
    if kind == "linear" and total == math.inf:
        with pytest.raises(UserError, match=r"trainer.max_epochs=N or trainer.max_steps=N"):
            schedule.check_end(total)
        return
    schedule.check_end(total)
    shares = [schedule.share(step, total) for step in range(60)]
    assert all(0 <= share <= 1 for share in shares)
    assert total < 1 or shares[0] > 0  # the first step learns
    assert kind != "linear" or all(share == 0 for share in shares[max(int(total), warmup) :])
    for last in (5000, 10**6):
        assert 0 <= schedule.share(last, total) <= 1


def test_a_fall_to_zero_without_a_last_step_is_refused_where_the_optimiser_is_made() -> None:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    with pytest.raises(UserError, match="this training has none"):
        Schedule("linear").configure(optimizer, math.inf, "val/loss", "min")
    assert "lr_scheduler" in Schedule("constant", warmup_steps=2).configure(optimizer, math.inf, "val/loss", "min")


@pytest.mark.parametrize("kind", teacher_forcing.KINDS)
@pytest.mark.parametrize("steps", [1, 2, 1000])
def test_how_often_the_truth_is_given_is_a_probability_at_every_edge(kind: str, steps: int) -> None:
    chosen = TeacherForcing(kind, ratio=0.9, least=0.1, steps=steps)
    found = [chosen.at(step) for step in sorted({0, 1, steps - 1, steps, steps + 1, 10**4, 10**9})]
    assert all(0.1 <= probability <= 0.9 for probability in found)
    assert found == sorted(found, reverse=True)


def test_many_epochs_of_decay_end_at_zero_and_not_below() -> None:
    found = rates(Schedule("decay", factor=0.1), 400)
    assert all(0 <= rate <= 1 for rate in found)
