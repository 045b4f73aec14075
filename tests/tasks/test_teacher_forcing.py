"""Schedules of teacher forcing, against the formulas of Bengio et al. 2015."""

from __future__ import annotations

import math
from typing import Any

import pytest

from lightning_seq.errors import UserError
from lightning_seq.tasks.teacher_forcing import TeacherForcing


def test_constant() -> None:
    assert {TeacherForcing(ratio=0.7).at(step) for step in (0, 10, 10**6)} == {0.7}


def test_linear() -> None:
    schedule = TeacherForcing("linear", 0.75, 0.25, 100)
    assert [schedule.at(step) for step in (0, 50, 100, 1000)] == [0.75, 0.5, 0.25, 0.25]


def test_inverse_sigmoid() -> None:
    schedule = TeacherForcing("inverse_sigmoid", 0.8, 0.1, 20)
    for step in (0, 20, 60):
        assert schedule.at(step) == pytest.approx(0.8 * 20 / (20 + math.exp(step / 20)))
    assert schedule.at(10**9) == 0.1
    falling = [schedule.at(step) for step in range(0, 200, 5)]
    assert falling == sorted(falling, reverse=True)


@pytest.mark.parametrize(
    "wrong", [{"kind": "cosine"}, {"ratio": 1.2}, {"least": -0.1}, {"ratio": 0.2, "least": 0.5}, {"steps": 0}]
)
def test_wrong_settings(wrong: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=r"task\.teacher_forcing\."):
        TeacherForcing(**wrong)
