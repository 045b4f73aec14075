"""`python -m lightning_seq.training.loggers.wandb_upload DIRECTORY PID`: send a W&B run while process PID records it.

It calls `wandb beta sync --live`, and if that fails, `wandb sync` when the process has ended. Both have limited time
after that; the user can send the rest by `wandb sync`.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from lightning_seq.own_modules import python
from lightning_seq.training.signals import is_alive

PATIENCE = 600.0
"""Seconds after the end of the recording process."""
POLL = 0.5


def carry(words: Sequence[str], recording: Callable[[], bool], patience: float = PATIENCE) -> int:
    """Run a command to its end, or until `patience` seconds after the recording has ended; its exit code."""
    process = subprocess.Popen(words, stdin=subprocess.DEVNULL)
    ended: float | None = None
    while process.poll() is None:
        if ended is None and not recording():
            ended = time.monotonic()
        if ended is not None and time.monotonic() - ended > patience:
            process.kill()
        time.sleep(POLL)
    return process.returncode


def main(arguments: Sequence[str]) -> int:
    directory, pid = arguments[0], int(arguments[1])
    wandb = python("-m", "wandb")
    if carry([*wandb, "beta", "sync", "--live", "--yes", directory], lambda: is_alive(pid)) == 0:
        return 0
    while is_alive(pid):
        time.sleep(POLL)
    return carry([*wandb, "sync", "--yes", directory], lambda: False)


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        sys.exit(main(sys.argv[1:]))
