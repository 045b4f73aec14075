"""Processes for runs, copied from one that has imported everything already.

Importing torch and Lightning takes longer than a small run trains. The fork server imports them once and does nothing
else: it is copied (`fork`) for each run, before any thread or random generator is in use.

The fork server of `multiprocessing` does not fit: killed, it reports exit code 255 for runs that still run; a command
joins its runs before it ends; the server has the environment, and number of threads, of the command; and it ignores
errors of the modules that it imports.
"""

from __future__ import annotations

import atexit
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import TypedDict

from lightning_seq.files import open_inside
from lightning_seq.own_modules import python
from lightning_seq.training.signals import is_alive

POLL = 0.05
POOLS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
"""Variables for the number of threads that libraries start when they are imported."""


class Order(TypedDict):
    """A run to start. log: the file for its output."""

    arguments: list[str]
    environment: dict[str, str]
    log: str


class Child:
    """The process of a run, with the methods of `subprocess.Popen` that a launcher needs."""

    def __init__(self, server: ForkServer, pid: int) -> None:
        self._server, self.pid = server, pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """The exit code, negative for a signal; None while it runs."""
        if self.returncode is None:
            self.returncode = self._server.ended(self.pid)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Raises subprocess.TimeoutExpired when it still runs after `timeout` seconds."""
        begun = time.monotonic()
        while (code := self.poll()) is None:
            if timeout is not None and time.monotonic() - begun > timeout:
                raise subprocess.TimeoutExpired("run", timeout)
            time.sleep(POLL)
        return code


class ForkServer:
    """Starts with the first child; ends when it is closed, or when this process ends. modules: its imports."""

    def __init__(self, modules: Sequence[str]) -> None:
        self.modules = tuple(modules)
        self._process: subprocess.Popen[bytes] | None = None
        self._rest = b""
        self._ended: dict[int, int] = {}
        self._pids: list[int] = []
        self._ready = False

    @staticmethod
    def possible() -> bool:
        """Whether this system can copy a process safely."""
        return hasattr(os, "fork") and sys.platform.startswith("linux")

    def start(self, arguments: Sequence[str], environment: Mapping[str, str], log: Path) -> Child:
        """A process, in a new session, that calls `lightning_seq.training.run.main(arguments)` and appends its output
        to `log`. Raises OSError when the server has ended."""
        if self._process is None:
            self._process = self._begin(environment)
        order = Order(arguments=list(arguments), environment=dict(environment), log=str(log))
        try:
            if self._process.stdin is not None:
                self._process.stdin.write(json.dumps(order).encode() + b"\n")
                self._process.stdin.flush()
            self._await("started")
        except BaseException:  # the server may have started a run that is not reported yet
            with suppress(OSError):
                self._await("started")
            for pid in self._pids:
                with suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
            self._pids.clear()
            raise
        return Child(self, self._pids.pop(0))

    def _begin(self, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
        """Start the server and wait for its imports, with one thread: a copy has no other threads."""
        process = subprocess.Popen(
            python("-m", __name__, *self.modules),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**environment, **dict.fromkeys(POOLS, "1")},
            start_new_session=True,
        )
        self._process = process
        try:
            self._await("ready")
        except BaseException:
            process.kill()
            process.wait()
            raise
        return process

    def _await(self, what: str) -> None:
        """Raises OSError when the server has ended."""
        while not (self._pids if what == "started" else self._ready):
            if not self._listen(None):
                raise OSError("the fork server has ended")

    def ended(self, pid: int) -> int | None:
        """A child's exit code, or None while it runs."""
        while self._listen(0):
            pass
        if pid in self._ended:
            return self._ended.pop(pid)
        if self._process is not None and self._process.poll() is not None and not is_alive(pid):
            return 1  # the server is gone; the exit code is unknown
        return None

    def _listen(self, timeout: float | None) -> bool:
        """Read messages of the server; False when none came, or the server has ended."""
        if self._process is None or self._process.stdout is None:
            return False
        if not select.select([self._process.stdout], [], [], timeout)[0]:
            return False
        text = os.read(self._process.stdout.fileno(), 65536)
        if not text:
            return False
        *lines, self._rest = (self._rest + text).split(b"\n")
        for line in lines:
            message = json.loads(line)
            if "ready" in message:
                self._ready = True
            elif "started" in message:
                self._pids.append(message["started"])
            else:
                self._ended[message["ended"]] = message["code"]
        return True

    def close(self) -> None:
        """End the server; its children continue."""
        if self._process is None:
            return
        with suppress(OSError):
            if self._process.stdin is not None:
                self._process.stdin.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _serve() -> None:
    """Copy this process for each order on standard input; write a message when a copy has started or ended."""
    rest, children, open_ = b"", set[int](), True
    while open_:
        if select.select([0], [], [], POLL if children else None)[0]:
            text = os.read(0, 65536)
            open_ = bool(text)
            *lines, rest = (rest + text).split(b"\n")
            for line in lines:
                pid = os.fork()
                if pid == 0:
                    _become(json.loads(line))
                children.add(pid)
                _send({"started": pid})
        for pid in list(children):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                children.remove(pid)
                _send({"ended": pid, "code": os.waitstatus_to_exitcode(status)})


def _send(message: dict[str, int]) -> None:
    with suppress(BrokenPipeError):
        os.write(1, json.dumps(message).encode() + b"\n")


def _become(order: Order) -> None:
    """Run the order in this copy, and end as the interpreter does: run exit functions, flush the output."""
    code = 1
    try:
        os.setsid()
        log = open_inside(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        for source, target in ((os.open(os.devnull, os.O_RDONLY), 0), (log, 1), (log, 2)):
            os.dup2(source, target)
        os.environ.clear()
        os.environ.update(order["environment"])
        from lightning_seq.training.run import main

        code = main(order["arguments"])
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 1
    except KeyboardInterrupt:
        code = 128 + signal.SIGINT
    except BaseException:
        traceback.print_exc()
    finally:
        try:
            with suppress(BaseException):
                threading._shutdown()  # type: ignore[attr-defined]
                atexit._run_exitfuncs()
            for stream in (sys.stdout, sys.stderr):
                with suppress(Exception):
                    stream.flush()
        finally:
            os._exit(code)


if __name__ == "__main__":
    for name in sys.argv[1:]:
        import_module(name)
    _send({"ready": 1})
    _serve()
