"""Signals that end a run, as an exception at the place where they came."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

CAUGHT = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(BaseException):
    """Ended by a signal. Not an `Exception`: nothing that mends errors may swallow it."""

    def __init__(self, number: int) -> None:
        super().__init__(f"ended by {signal.Signals(number).name}")
        self.number = number

    @property
    def exit_code(self) -> int:
        return 128 + self.number


def _raise(number: int, frame: FrameType | None) -> None:
    for caught in CAUGHT:
        signal.signal(caught, signal.SIG_IGN if caught == number else signal.SIG_DFL)
    raise Interrupted(number)


def listen() -> None:
    """From here on SIGINT, SIGTERM and SIGHUP raise `Interrupted`; another one of a different kind ends at once.

    What was ignored stays ignored: `nohup` does that to SIGHUP, a shell to SIGINT for what it runs in the background.
    """
    if threading.current_thread() is threading.main_thread():
        for caught in CAUGHT:
            if signal.getsignal(caught) is not signal.SIG_IGN:
                signal.signal(caught, _raise)


@contextmanager
def listening() -> Iterator[None]:
    """`listen`, with the handlers that were there put back at the end."""
    before: dict[signal.Signals, Any] = {}
    if threading.current_thread() is threading.main_thread():
        before = {caught: signal.getsignal(caught) for caught in CAUGHT}
    listen()
    try:
        yield
    finally:
        for caught, handler in before.items():
            signal.signal(caught, handler)
