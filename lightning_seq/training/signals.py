"""Signals that end a run: they raise an exception at once, or in training after the current batch."""

from __future__ import annotations

import _thread
import logging
import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from types import FrameType

import psutil

Handler = Callable[[int, FrameType | None], object] | int | None
CAUGHT = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1)

ECHO = 1.0
"""Seconds in which a repeated signal counts as the same one: torchrun forwards those that its whole group got."""

_ENDED_BY = "ended by "

log = logging.getLogger("lightning_seq")


class Interrupted(BaseException):
    """Ended by a signal. Not an `Exception`: code that handles errors must not catch it."""

    def __init__(self, number: int) -> None:
        super().__init__(f"{_ENDED_BY}{signal.Signals(number).name}")
        self.number = number

    @property
    def exit_code(self) -> int:
        return 128 + self.number


def number_of(message: str) -> int | None:
    """The number of the signal in the message of an `Interrupted`; None for another message."""
    names = {f"{_ENDED_BY}{one.name}": int(one) for one in CAUGHT}
    return names.get(message)


class _State:
    """The signal that raised `Interrupted`, and the number of `listening` blocks, in this process."""

    number: int | None = None
    listeners = 0


def _raise(number: int, frame: FrameType | None) -> None:
    for caught in CAUGHT:
        signal.signal(caught, signal.SIG_IGN if caught == number else signal.SIG_DFL)
    _State.number = number
    raise Interrupted(number)


def heed() -> None:
    """Raises `Interrupted` when a signal came whose exception other code has caught."""
    if _State.number is not None:
        raise Interrupted(_State.number)


def end_at_once() -> None:
    """Outside `listening`, Ctrl-C ends the process as the other signals do, without a traceback."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)


@contextmanager
def _raising_again() -> Iterator[None]:
    """Send the signal again where Python prints and drops its exception: in a finaliser or at a fork."""
    before = sys.unraisablehook
    main = threading.get_ident()

    def hook(dropped: sys.UnraisableHookArgs) -> None:
        if isinstance(dropped.exc_value, Interrupted):
            signal.signal(dropped.exc_value.number, _raise)
            threading.Thread(target=send_again, args=[dropped.exc_value.number], daemon=True).start()
        else:
            before(dropped)

    def send_again(number: int) -> None:
        while any(frame.f_code is hook.__code__ for frame, _ in traceback.walk_stack(sys._current_frames()[main])):
            time.sleep(0.001)  # Python drops an exception in the hook too
        _thread.interrupt_main(signal.Signals(number))

    sys.unraisablehook = hook
    try:
        yield
    finally:
        sys.unraisablehook = before


def _install(handler: Handler) -> dict[signal.Signals, Handler]:
    """Return the handlers before. Ignored signals stay ignored: `nohup` ignores SIGHUP, a shell ignores SIGINT for
    processes in the background."""
    if threading.current_thread() is not threading.main_thread():
        return {}
    before = {caught: signal.getsignal(caught) for caught in CAUGHT}
    for caught, current in before.items():
        if current is not signal.SIG_IGN:
            signal.signal(caught, handler)
    return before


def _restore(before: dict[signal.Signals, Handler]) -> None:
    for caught, handler in before.items():
        signal.signal(caught, handler)


@contextmanager
def listening() -> Iterator[None]:
    """SIGINT, SIGTERM, SIGHUP and SIGUSR1 raise `Interrupted`, at the latest at the end of the block; then a different
    one ends the process at once. Nothing is installed outside the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    outermost = _State.listeners == 0
    if outermost:
        _State.number = None
    _State.listeners += 1
    before = _install(_raise)
    try:
        with _raising_again() if outermost else nullcontext():
            yield
            heed()
    except Exception as error:  # of code that the signal interrupted
        if _State.number is not None:
            raise Interrupted(_State.number) from error
        raise
    finally:
        _State.listeners -= 1
        _restore(before)


class Deferred:
    """Between `start` and `stop` the number of a signal is kept here; a second signal raises `Interrupted` at once."""

    def __init__(self) -> None:
        self.number: int | None = None
        self._came = 0.0
        self._before: dict[signal.Signals, Handler] = {}

    def start(self) -> None:
        if not self._before:
            self._before = _install(self._keep)

    def stop(self) -> None:
        before, self._before = self._before, {}
        _restore(before)

    def _keep(self, number: int, frame: FrameType | None) -> None:
        if self.number is None:
            self.number, self._came = number, time.monotonic()
        elif time.monotonic() - self._came > ECHO:
            _raise(number, frame)


@contextmanager
def requeueing() -> Iterator[None]:
    """Under SLURM queue a job again that SIGUSR1 ended: `sbatch --signal=USR1@120` sends it before the time is over."""
    try:
        yield
    except Interrupted as interrupted:
        if interrupted.number == signal.SIGUSR1 and os.environ.get("SLURM_PROCID", "0") == "0":
            _requeue()
        raise


def _requeue() -> None:
    """Queue this process's job, or task of an array, again."""
    array, task = os.environ.get("SLURM_ARRAY_JOB_ID"), os.environ.get("SLURM_ARRAY_TASK_ID")
    job = f"{array}_{task}" if array and task else os.environ.get("SLURM_JOB_ID")
    if job is None:
        return
    try:
        done = subprocess.run(["scontrol", "requeue", job], capture_output=True, text=True, timeout=30, check=False)
        error = done.stderr.strip() if done.returncode else None
    except (OSError, subprocess.TimeoutExpired) as raised:
        error = str(raised)
    if error is None:
        log.warning("SLURM job %s is in the queue again", job)
    else:
        log.warning("SLURM job %s was not put into the queue again (%s): submit it once more", job, error)


def is_alive(pid: int) -> bool:
    """Whether the process runs; a zombie does not."""
    with suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    return False
