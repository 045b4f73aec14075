"""End a rank that hangs, and report where it was."""

from __future__ import annotations

import atexit
import faulthandler
import os
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

LATE = 5.0
"""Seconds after which a rank is held to hang, when those that wait for it have given up."""
BACKSTOP = 5.0
"""Seconds after which the process is ended from outside Python, where that itself hangs."""


class Watchdog(Callback):
    """Ends this process when no batch has begun or ended for a little more than `timeout` seconds.

    Ranks that wait for it do so in a collective operation with the same timeout, and end first: the rank that is left
    is the one that hangs. A thread looks, at no cost to a batch.

    write_error: called with the error before the process ends with exit code 1.
    """

    def __init__(self, timeout: float, write_error: Callable[[str], None]) -> None:
        self.seconds, self.write_error = timeout + LATE, write_error
        self._seen = time.monotonic()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        self._alive()
        if self._thread is None:
            self._stop.clear()
            self._thread = threading.Thread(
                target=self._watch, args=(threading.get_ident(),), name="watchdog", daemon=True
            )
            self._thread.start()
            atexit.register(self._rest)  # to end may take its time

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        self._rest()

    def _rest(self) -> None:
        if self._thread is not None:
            self._stop.set()
            self._thread.join()  # it could wind the backstop up once more
            self._thread = None
            faulthandler.cancel_dump_traceback_later()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        self._rest()

    def _alive(self, *_: Any, **__: Any) -> None:
        self._seen = time.monotonic()

    on_fit_start = on_test_start = on_validation_start = on_validation_end = _alive
    on_train_epoch_start = on_train_epoch_end = _alive
    on_train_batch_start = on_train_batch_end = _alive
    on_validation_batch_start = on_validation_batch_end = _alive
    on_test_batch_start = on_test_batch_end = _alive

    def _watch(self, main: int) -> None:
        while not self._stop.wait(min(1.0, self.seconds / 10)):
            faulthandler.dump_traceback_later(self.seconds + BACKSTOP, exit=True, file=sys.__stderr__ or 2)
            silent = time.monotonic() - self._seen
            if silent > self.seconds and not self._stop.is_set():
                self.write_error(f"TimeoutError: no batch for {silent:.0f} seconds{_place(main)}")
                faulthandler.dump_traceback(file=sys.__stderr__ or 2)
                os._exit(1)


def _place(thread: int) -> str:
    """Where a thread is, in the code that is nearest."""
    frame = sys._current_frames().get(thread)
    return f", at {frame.f_code.co_filename}:{frame.f_lineno} ({frame.f_code.co_name})" if frame is not None else ""
