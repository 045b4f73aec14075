"""End a rank that hangs, and report its line of code."""

from __future__ import annotations

import atexit
import faulthandler
import os
import sys
import threading
import time
from collections.abc import Callable

from lightning.pytorch import Callback, LightningModule, Trainer

LATE = 5.0
"""Seconds after the timeout of the waiting ranks until a rank counts as hanging."""
BACKSTOP = 5.0
"""Seconds until the process is ended from outside Python, in case Python hangs."""


class Watchdog(Callback):
    """Ends this process when no batch has begun or ended for a little more than `timeout` seconds.

    The ranks that wait for it, in a collective operation with the same timeout, end first: the last rank is the one
    that hangs. A thread checks this, so a batch takes no longer.

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
            main = threading.get_ident()
            self._thread = threading.Thread(target=self._watch, args=(main,), name="watchdog", daemon=True)
            self._thread.start()
            atexit.register(self._rest)  # the end of the process may take long

    def _rest(self, *_: object, **__: object) -> None:
        if self._thread is not None:
            self._stop.set()
            self._thread.join()  # it could restart the timer
            self._thread = None
            faulthandler.cancel_dump_traceback_later()

    teardown = on_exception = _rest

    def _alive(self, *_: object, **__: object) -> None:
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
                frame = sys._current_frames().get(main)
                place = f", at {frame.f_code.co_filename}:{frame.f_lineno} ({frame.f_code.co_name})" if frame else ""
                self.write_error(f"TimeoutError: no batch for {silent:.0f} seconds{place}")
                faulthandler.dump_traceback(file=sys.__stderr__ or 2)
                os._exit(1)
