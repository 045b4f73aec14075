"""Signals: raised at once, or kept for the end of a batch; the queue of a cluster."""

from __future__ import annotations

import os
import random
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lightning_seq.experiment import signals
from lightning_seq.experiment.random_states import random_states, restore_random_states
from lightning_seq.experiment.signals import CAUGHT, Deferred, Interrupted, listening, requeueing


def send(number: int) -> None:
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", CAUGHT)
def test_one_is_kept_and_a_second_ends_at_once(number: signal.Signals, monkeypatch: pytest.MonkeyPatch) -> None:
    before = [signal.getsignal(caught) for caught in CAUGHT]
    now = [100.0]
    monkeypatch.setattr(signals.time, "monotonic", lambda: now[0])
    with listening():
        deferred = Deferred()
        deferred.start()
        assert deferred.number is None
        send(number)
        assert deferred.number == number
        now[0] += 0.5
        send(number)  # the same one, come by two ways
        now[0] += 1
        with pytest.raises(Interrupted) as ended:
            send(number)
        assert ended.value.exit_code == 128 + number
        deferred.stop()
    assert [signal.getsignal(caught) for caught in CAUGHT] == before


def test_after_training_a_signal_raises_again() -> None:
    with listening():
        deferred = Deferred()
        deferred.start()
        deferred.stop()
        with pytest.raises(Interrupted):
            send(signal.SIGTERM)


@pytest.mark.parametrize(
    ("environment", "number", "job"),
    [
        ({"SLURM_JOB_ID": "7"}, signal.SIGUSR1, "7"),
        ({"SLURM_JOB_ID": "9", "SLURM_ARRAY_JOB_ID": "7", "SLURM_ARRAY_TASK_ID": "2"}, signal.SIGUSR1, "7_2"),
        ({"SLURM_JOB_ID": "7"}, signal.SIGTERM, None),
        ({"SLURM_JOB_ID": "7", "SLURM_PROCID": "1"}, signal.SIGUSR1, None),
        ({}, signal.SIGUSR1, None),
    ],
)
def test_under_slurm_sigusr1_puts_the_job_back_into_the_queue(
    environment: dict[str, str], number: int, job: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = tmp_path / "asked"
    (tmp_path / "scontrol").write_text(f"#!/bin/sh\necho $@ > '{asked}'\n")
    (tmp_path / "scontrol").chmod(0o755)
    for name in ("SLURM_JOB_ID", "SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID", "SLURM_PROCID"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {**environment, "PATH": f"{tmp_path}:{os.environ['PATH']}"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(Interrupted), requeueing():
        raise Interrupted(number)
    assert (asked.read_text().strip() if asked.exists() else None) == (f"requeue {job}" if job else None)


def test_every_stream_of_random_numbers_goes_on() -> None:
    def drawn() -> list[Any]:
        return [torch.randn(3).tolist(), np.random.normal(size=3).tolist(), random.gauss(0, 1), random.random()]

    np.random.normal()  # leaves the second of a pair behind, as random.gauss does
    random.gauss(0, 1)
    states = random_states()
    wanted = [drawn(), drawn()]
    restore_random_states(states)
    assert [drawn(), drawn()] == wanted


def test_random_states_are_plain(tmp_path: Path) -> None:
    torch.save(random_states(), tmp_path / "states")
    states = torch.load(tmp_path / "states", weights_only=True)
    wanted = torch.rand(2).tolist()
    restore_random_states(states)
    assert torch.rand(2).tolist() == wanted
