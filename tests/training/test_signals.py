"""Signals: raised at once, or kept for the end of a batch; the queue of a cluster."""
# ruff: noqa: PT012  the block holds the code that the signal interrupts

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.demos.boring_classes import BoringModel

from lightning_seq.config.compose import compose
from lightning_seq.training import signals
from lightning_seq.training.random_states import random_states, restore_random_states
from lightning_seq.training.signals import CAUGHT, Deferred, Interrupted, end_at_once, heed, listening, requeueing
from lightning_seq.training.trainer import lightning_trainer


def send(number: int) -> None:
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", CAUGHT)
def test_one_is_kept_and_a_second_ends_at_once(number: signal.Signals, monkeypatch: pytest.MonkeyPatch) -> None:
    before = [signal.getsignal(caught) for caught in CAUGHT]
    now = [100.0]
    monkeypatch.setattr(signals.time, "monotonic", lambda: now[0])
    deferred, reached = Deferred(), []
    with pytest.raises(Interrupted) as ended, listening():
        deferred.start()
        assert deferred.number is None
        send(number)
        assert deferred.number == number
        now[0] += 0.5
        send(number)  # the same one, come by two ways
        reached.append("echo")
        now[0] += 1
        try:
            send(number)
            reached.append("second")
        finally:
            deferred.stop()
    assert reached == ["echo"]
    assert ended.value.exit_code == 128 + number
    assert [signal.getsignal(caught) for caught in CAUGHT] == before


def test_after_training_a_signal_raises_again() -> None:
    with pytest.raises(Interrupted), listening():
        deferred = Deferred()
        deferred.start()
        deferred.stop()
        send(signal.SIGTERM)
        pytest.fail("it was not heard")


@pytest.mark.parametrize("number", CAUGHT)
def test_one_whose_exception_is_caught_is_heard_at_the_next_look_and_at_the_end(number: signal.Signals) -> None:
    with pytest.raises(Interrupted, match=number.name), listening():
        with suppress(BaseException):
            send(number)
        with pytest.raises(Interrupted, match=number.name):
            heed()
    with listening():
        heed()  # the signal belonged to the block that has ended


def test_one_whose_exception_is_caught_is_heard_in_a_block_within_the_block() -> None:
    reached = []
    with pytest.raises(Interrupted, match="SIGTERM"), listening():
        with suppress(BaseException):
            send(signal.SIGTERM)
        with listening():
            reached.append("within")
        reached.append("behind")
    assert reached == ["within"]


def test_an_error_that_a_signal_brought_about_is_the_signal() -> None:
    """Lightning raises such an error: it asks for the length of a loader whose start was interrupted."""
    with pytest.raises(Interrupted, match="SIGINT") as ended, listening():
        try:
            send(signal.SIGINT)
        finally:
            raise RuntimeError("call iter first")
    assert isinstance(ended.value.__cause__, RuntimeError)
    with pytest.raises(RuntimeError, match="its own"), listening():
        raise RuntimeError("its own")


class Dropping:
    def __del__(self) -> None:
        send(signal.SIGTERM)
        for _ in range(3):  # the handler is called here, where Python drops what it raises
            pass


def test_one_that_comes_in_a_finaliser_is_raised_after_it_and_nothing_is_printed(
    capfd: pytest.CaptureFixture[str],
) -> None:
    reached = []
    with pytest.raises(Interrupted), listening():
        dropping = Dropping()
        del dropping
        for step in range(1000):
            reached.append(step)
            time.sleep(0.01)
    assert len(reached) < 1000
    assert capfd.readouterr().err == ""


class Failing:
    def __del__(self) -> None:
        raise RuntimeError("its own")


def test_another_error_of_a_finaliser_is_reported_as_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda dropped: told.append(str(dropped.exc_value)))
    with listening():
        failing = Failing()
        del failing
    assert told == ["its own"]


def test_one_that_comes_at_a_fork_is_raised_after_it() -> None:
    code = """
import os, signal, time
from lightning_seq.training.signals import Interrupted, listening
os.register_at_fork(before=lambda: [os.kill(os.getpid(), signal.SIGINT), *range(3)])
try:
    with listening():
        if os.fork() == 0:
            os._exit(0)
        time.sleep(10)
        print("not heard")
except Interrupted as interrupted:
    print(interrupted)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "ended by SIGINT\n"
    assert done.stderr == ""


@pytest.mark.parametrize(
    "code",
    [
        "from lightning_seq.training.signals import end_at_once; end_at_once(); strike()",
        "import sys; from lightning_seq.cli import entry; sys.modules[entry.__module__].main = strike; entry()",
        "from lightning_seq.training import run; run.listening = strike; run.main(['nowhere'])",
    ],
)
def test_outside_listening_ctrl_c_ends_a_process_without_a_traceback(code: str) -> None:
    """The command and the process of a run too, before they listen."""
    done = subprocess.run(
        [sys.executable, "-c", f"import os\ndef strike(*_): os.kill(os.getpid(), {signal.SIGINT:d})\n{code}"],
        env={**os.environ, "LIGHTNING_SEQ_RUN": "{}"},
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a background process ignores it
    )
    assert done.returncode == -signal.SIGINT
    assert done.stderr == ""


def test_a_ctrl_c_that_is_ignored_stays_so() -> None:
    """As a shell ignores it for what runs in the background."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        end_at_once()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_training_leaves_the_signals_to_those_who_listen() -> None:
    """Lightning's own handler would speak to other ranks in the middle of a batch."""
    seen: list[object] = []

    class Looking(Callback):
        def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
            seen.extend(signal.getsignal(caught) for caught in CAUGHT)

    config = compose(["data=verses_genre", "model=rnn", "name=x", "trainer=cpu"])
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    with listening():
        expected = [signal.getsignal(caught) for caught in CAUGHT]
        lightning_trainer(config, max_steps=1, limit_val_batches=0, callbacks=[Looking()], **quiet).fit(BoringModel())
    assert seen == expected


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


def test_what_was_ignored_stays_ignored() -> None:
    """As `nohup` leaves SIGHUP."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with listening():
            deferred = Deferred()
            deferred.start()
            send(signal.SIGHUP)
            assert deferred.number is None
            deferred.stop()
            send(signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_after_one_was_raised_it_is_ignored_and_another_kind_ends_at_once() -> None:
    with pytest.raises(Interrupted), listening():
        with suppress(Interrupted):
            send(signal.SIGTERM)
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
        assert {signal.getsignal(caught) for caught in CAUGHT if caught != signal.SIGTERM} == {signal.SIG_DFL}


def test_outside_the_main_thread_nothing_is_installed() -> None:
    """Python lets no other thread do that."""
    seen: list[object] = []

    def listen() -> None:
        with listening():
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=listen)
    thread.start()
    thread.join()
    assert seen == [signal.getsignal(signal.SIGTERM)]


@pytest.mark.parametrize("program", ["#!/bin/sh\necho not today >&2\nexit 1\n", None])
def test_a_queue_that_does_not_take_it_back_is_told_of(
    program: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    if program is not None:
        (tmp_path / "scontrol").write_text(program)
        (tmp_path / "scontrol").chmod(0o755)
    for name in ("SLURM_ARRAY_JOB_ID", "SLURM_PROCID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Interrupted), requeueing():
        raise Interrupted(signal.SIGUSR1)
    assert "SLURM job 7 was not put into the queue again" in caplog.text
    assert ("not today" if program else "scontrol") in caplog.text
