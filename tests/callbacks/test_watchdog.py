"""A rank that hangs says where, and ends; one that works is left alone."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from lightning_seq.callbacks.watchdog import LATE, Watchdog
from tests.runs import environment

PROGRAM = """
import ctypes, json, os, sys, time
import lightning_seq.callbacks.watchdog as watchdog

watchdog.LATE, watchdog.BACKSTOP = 0.0, 0.5

def hang(how):
    if how == "python":
        while True:
            time.sleep(0.05)
    if how == "outside":
        ctypes.PyDLL(None).sleep(30)

def train(how):
    dog = watchdog.Watchdog(0.6, lambda said: print(said, flush=True))
    dog.setup(None, None, "fit")
    if how == "work":
        for _ in range(20):
            time.sleep(0.1)
            dog.on_train_batch_end(None, None, None, None, 0)
    elif how == "late":
        time.sleep(0.3)
        dog.teardown(None, None, "fit")
        time.sleep(2)
    else:
        time.sleep(0.3)
        hang(how)
    print("well", flush=True)

ranks = {}
for how in sys.argv[1:]:
    ranks[how] = os.fork()
    if ranks[how] == 0:
        for stream, name in enumerate(("out", "err"), 1):
            os.dup2(os.open(f"{how}.{name}", os.O_CREAT | os.O_WRONLY), stream)
        train(how)
        os._exit(0)
print(json.dumps({how: os.waitstatus_to_exitcode(os.waitpid(rank, 0)[1]) for how, rank in ranks.items()}))
"""
HOW = ("work", "late", "python", "outside")


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[int, str, str]]:
    """The exit code of each rank and its two streams; the ranks are copies of one process, which imports once."""
    place = tmp_path_factory.mktemp("ranks")
    command = [sys.executable, "-c", PROGRAM, *HOW]
    done = subprocess.run(
        command, env=environment(), cwd=place, capture_output=True, text=True, timeout=120, check=True
    )
    codes = json.loads(done.stdout)
    return {how: (codes[how], *((place / f"{how}.{name}").read_text() for name in ("out", "err"))) for how in HOW}


@pytest.mark.parametrize(
    ("how", "code", "said"),
    [
        ("work", 0, "well"),
        ("late", 0, "well"),
        ("python", 1, "TimeoutError: no batch for 1 seconds, at <string>:"),
        ("outside", 1, ""),  # Python itself stands still: only the traceback tells
    ],
)
def test_who_is_ended(how: str, code: int, said: str, ended: dict[str, tuple[int, str, str]]) -> None:
    exit_code, out, err = ended[how]
    assert exit_code == code, err
    assert out.startswith(said)
    assert ("most recent call first" in err) == (code == 1)
    if how == "python":
        assert "(hang)" in out


def test_those_that_wait_give_up_before_the_one_that_hangs_is_ended() -> None:
    assert LATE > 0
    assert Watchdog(30, print).seconds == 30 + LATE
