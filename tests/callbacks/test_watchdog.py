"""A rank that hangs says where, and ends; one that works is left alone."""

from __future__ import annotations

import subprocess
import sys

import pytest

from lightning_seq.callbacks.watchdog import LATE, Watchdog

from ..experiment.conftest import environment

PROGRAM = """
import ctypes, sys, time
import lightning_seq.callbacks.watchdog as watchdog

watchdog.LATE, watchdog.BACKSTOP = 0.0, 0.5
dog = watchdog.Watchdog(0.6, lambda said: print(said, flush=True))
dog.setup(None, None, "fit")

def hang(how):
    if how == "python":
        while True:
            time.sleep(0.05)
    if how == "outside":
        ctypes.PyDLL(None).sleep(30)

if sys.argv[1] == "work":
    for _ in range(20):
        time.sleep(0.1)
        dog.on_train_batch_end(None, None, None, None, 0)
elif sys.argv[1] == "late":
    time.sleep(0.3)
    dog.teardown(None, None, "fit")
    time.sleep(2)
else:
    time.sleep(0.3)
    hang(sys.argv[1])
print("well")
"""


@pytest.mark.parametrize(
    ("how", "code", "said"),
    [
        ("work", 0, "well"),
        ("late", 0, "well"),
        ("python", 1, "TimeoutError: no batch for 1 seconds, at <string>:"),
        ("outside", 1, ""),  # Python itself stands still: only the traceback tells
    ],
)
def test_who_is_ended(how: str, code: int, said: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, how],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == code, done.stderr
    assert done.stdout.startswith(said)
    assert ("most recent call first" in done.stderr) == (code == 1)
    if how == "python":
        assert "(hang)" in done.stdout


def test_those_that_wait_give_up_before_the_one_that_hangs_is_ended() -> None:
    assert LATE > 0
    assert Watchdog(30, print).seconds == 30 + LATE
