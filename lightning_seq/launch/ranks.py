"""The processes of one run on this machine, a rank each: started together, and ended together.

A launcher starts `python -m lightning_seq.launch.ranks DIRECTORY COUNT` for a run on several devices. It does the work
of torchrun on one node, and more: a rank ends with this process in every case (Linux); a signal reaches each rank once;
and the reported error is the first one, not its consequence on other ranks.
"""

from __future__ import annotations

import ctypes
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import FrameType

from lightning_seq.files import DamagedError, read_text, write_text
from lightning_seq.own_modules import python
from lightning_seq.records.record import FILE, Record, read_if_there
from lightning_seq.training.directory import RANK_ERROR
from lightning_seq.training.signals import CAUGHT

POLL = 0.05
PATIENCE, GRACE = 10.0, 15.0
"""Seconds that ranks have to end by themselves when one is lost, and then to end at a signal."""
ATTEMPTS = 3

CONSEQUENCE = re.compile(
    r"closed by peer|connection (reset|closed|refused)|gloo|nccl|timed out waiting|distbackend|process ?group"
    r"|distributed package|tcpstore|wait timeout|broken pipe|client socket|monitoredbarrier"
    r"|ended by SIGABRT",
    re.IGNORECASE,
)
"""Errors of a rank that has lost another one."""
TAKEN = re.compile(r"EADDRINUSE|address already in use", re.IGNORECASE)
BY_SIGNAL = re.compile(r"rank \d+ was ended by SIG(INT|TERM|HUP|USR1)")
"""The error of a rank that one of these signals ended."""


def free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


def cause_of(directory: Path, record: Record | None) -> str | None:
    """The error that ended a run of several processes: the first that is no consequence of another rank's end."""
    errors = []
    for path in directory.glob(RANK_ERROR.format("*")):
        with suppress(OSError, DamagedError):
            errors.append((path.stat().st_mtime, read_text(path)))
    if record is not None and record.status == "failed" and record.error:
        errors.append(((directory / FILE).stat().st_mtime, record.error))
    return min(errors, key=lambda error: (bool(CONSEQUENCE.search(error[1])), error[0]), default=(0, None))[1]


class Ranks:
    """Processes that run `command`, with the variables by which torch knows them. signalled: the signal that came."""

    def __init__(self, command: list[str], count: int, directory: Path) -> None:
        self.command, self.count, self.directory = command, count, directory
        self.signalled: int | None = None
        self.processes: list[subprocess.Popen[bytes]] = []

    def run(self, port: int) -> int:
        """Their common exit code: 0, 128 + n after signal n, or that of the first one that was lost."""
        self.processes = []
        for rank in range(self.count):
            if self.signalled is None:
                self.processes.append(self._start(rank, port))
        if self.signalled is not None:  # it may have come while a rank was being started
            self._send_signal(self.signalled)
        lost: int | None = None
        ended = dict.fromkeys(range(len(self.processes)), False)
        deadline, ending = float("inf"), False
        while not all(ended.values()):
            time.sleep(POLL)
            for rank, process in enumerate(self.processes):
                code = process.poll()
                if code is None or ended[rank]:
                    continue
                ended[rank] = True
                if code and lost is None and not ending:
                    lost = code
                    deadline = time.monotonic() + PATIENCE if self.signalled is None else deadline
                if code and not ending and self.signalled is None:
                    self._write_rank_error(rank, code)
            if self.signalled is not None and deadline == float("inf"):
                deadline = time.monotonic() + 2 * GRACE
            if time.monotonic() > deadline:
                self._send_signal(signal.SIGKILL if ending or self.signalled is not None else signal.SIGTERM)
                ending, deadline = True, time.monotonic() + GRACE
        if self.signalled is not None and (lost is None or lost < 0 or lost > 128):
            return 128 + self.signalled
        return 0 if lost is None else 128 - lost if lost < 0 else lost

    def _start(self, rank: int, port: int) -> subprocess.Popen[bytes]:
        """In a new process group, so that a signal to our group reaches it only through `hand_on`."""
        names = {
            "RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": self.count, "LOCAL_WORLD_SIZE": self.count,
            "GROUP_RANK": 0, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "TORCHELASTIC_RUN_ID": f"ours-{port}",
        }  # fmt: skip
        return subprocess.Popen(
            self.command,
            stdin=subprocess.DEVNULL,
            env={**os.environ, **{name: str(value) for name, value in names.items()}},
            process_group=0,
            preexec_fn=end_with_parent(),
        )

    def _write_rank_error(self, rank: int, code: int) -> None:
        """Write the error of a rank that could not write it itself."""
        path = self.directory / RANK_ERROR.format(rank)
        number = -code if code < 0 else code - 128 if code > 128 else None
        if path.exists() or (number is None and rank == 0):
            return
        with suppress(ValueError, OSError):
            ending = f"ended with exit code {code}" if number is None else f"was ended by {signal.Signals(number).name}"
            write_text(path, f"rank {rank} {ending}")

    def hand_on(self, number: int, frame: FrameType | None = None) -> None:
        self.signalled = self.signalled or number
        self._send_signal(number)

    def _send_signal(self, number: int) -> None:
        for process in self.processes:
            if process.poll() is None:
                with suppress(ProcessLookupError):
                    process.send_signal(number)


def end_with_parent() -> Callable[[], None] | None:
    """A function to call in a new process: the kernel then ends it together with this one. None if not on Linux."""
    if not sys.platform.startswith("linux"):
        return None
    set_process = ctypes.CDLL(None, use_errno=True).prctl
    parent, pr_set_pdeathsig = os.getpid(), 1

    def prepare() -> None:
        set_process(pr_set_pdeathsig, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)

    return prepare


def main(arguments: list[str]) -> int:
    directory, count = Path(arguments[0]), int(arguments[1])
    ranks = Ranks(python("-m", "lightning_seq.training.run", str(directory)), count, directory)
    for number in CAUGHT:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, ranks.hand_on)
    code = 1
    for _ in range(ATTEMPTS):
        code = ranks.run(free_port())
        record = read_if_there(directory)
        # Another program may have taken the port after `free_port`.
        taken = record is not None and TAKEN.search(record.error or "")
        if code == 0 or ranks.signalled is not None or not taken:
            break
        for path in directory.glob(RANK_ERROR.format("*")):
            path.unlink(missing_ok=True)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
