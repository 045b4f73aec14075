"""The learning rate after each step or epoch."""

from __future__ import annotations

import pytest
import torch

from lightning_seq.errors import UserError
from lightning_seq.tasks.schedule import Schedule


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


@pytest.mark.parametrize(
    "given", [{"kind": "decays"}, {"kind": "decay", "warmup_steps": 1}, {"hold_epochs": -1}, {"factor": 1.0}]
)
def test_wrong_settings(given: dict[str, object]) -> None:
    with pytest.raises(UserError, match=r"task\.schedule"):
        Schedule(**given)  # type: ignore[arg-type]
