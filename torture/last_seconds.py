"""`python -m torture.last_seconds [signals]`: signals after training, while a run is tested, recorded and reported.

signals: how many (default 100), half of them to a run's own process, half to the whole `train` command.

Until the record says done a signal interrupts; after that it ends the process at once. No exit code may be 0, no output
may hold a traceback, and the same command must then end with the numbers of an undisturbed run. The exit code is 1 if
one of these fails.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from lightning_seq.records.record import read
from lightning_seq.training.planned import Planned
from lightning_seq.training.signals import is_alive
from torture import hear_signals
from torture.killed import PATIENCE, Runner, Scene, differences

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1)
TRAINED = "was trained on"
MORE = ("data.validation_fraction=0.2", "data.test_fraction=0.3", "data.eval_batch_size=1", "trainer.max_epochs=2")
"""A test split that takes some seconds."""


class Disturbed:
    """The process of a run, or of the `train` command that makes the run."""

    def __init__(self, run: Planned, pid: int, poll: Callable[[], int | None], said: Path) -> None:
        self.run, self.pid, self.poll, self.said = run, pid, poll, said

    def await_training(self) -> None:
        log, begun = self.run.directory / "log.txt", time.monotonic()
        while self.poll() is None and time.monotonic() - begun < PATIENCE:
            if log.is_file() and TRAINED in log.read_text(encoding="utf-8"):
                return
            time.sleep(0.002)
        raise RuntimeError(f"{self.run.directory} was not trained: {self.said.read_text(encoding='utf-8')[-2000:]}")

    def strike(self, number: signal.Signals, after: float) -> bool:
        """Whether the process existed and could receive the signal."""
        begun = time.monotonic()
        while self.poll() is None and time.monotonic() - begun < after:
            time.sleep(0.001)
        if self.poll() is not None:
            return False
        os.kill(self.pid, number)
        return is_alive(self.pid)

    def end(self) -> int:
        begun = time.monotonic()
        while (code := self.poll()) is None:
            if time.monotonic() - begun > PATIENCE:
                raise RuntimeError(f"{self.run.directory} hangs after a signal")
            time.sleep(0.005)
        return code


def of_run(runner: Runner, run: Planned) -> Disturbed:
    child = runner.start(run)
    return Disturbed(run, child.pid, child.poll, run.directory / "log.txt")


def of_command(scene: Scene, run: Planned, said: Path) -> Disturbed:
    words = [*scene.words, f"name={run.entry.config['name']}"]
    with said.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "lightning_seq", "train", *words],
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    return Disturbed(run, process.pid, process.poll, said)


def faults(disturbed: Disturbed, number: signal.Signals, code: int) -> Iterator[str]:
    if code not in (128 + number, -number):
        yield f"{number.name}: exit code {code}, the record says {read(disturbed.run.directory).status}"
    for place in {disturbed.said, disturbed.run.directory / "log.txt"}:
        text = place.read_text(encoding="utf-8")
        if "Traceback" in text or "Exception ignored" in text:
            yield f"{number.name}: {place.name} holds a traceback: {text[-1500:]}"
    status = read(disturbed.run.directory).status
    if status not in ("done", "interrupted", "running"):
        yield f"{number.name}: the record says {status}"


def main(arguments: list[str]) -> int:
    signals = int(arguments[0]) if arguments else 100
    hear_signals()
    draw = random.Random(11)
    with tempfile.TemporaryDirectory() as place:
        root, runner = Path(place), Runner()
        scene = Scene.of("classification", root, MORE)
        said = root / "output.txt"
        straight = scene.run("straight")
        spans: dict[str, float] = {}
        for kind in ("command", "run"):
            shutil.rmtree(straight.directory, ignore_errors=True)
            calm = of_command(scene, straight, said) if kind == "command" else of_run(runner, straight)
            calm.await_training()
            begun = time.monotonic()
            if calm.end() != 0:
                raise RuntimeError(calm.said.read_text(encoding="utf-8")[-2000:])
            spans[kind] = time.monotonic() - begun
        heard, late, found = 0, 0, list[str]()
        while heard < signals and late < signals:
            kind, number = ("run", "command")[heard % 2], SIGNALS[heard // 2 % len(SIGNALS)]
            run = scene.run("struck")
            shutil.rmtree(run.directory, ignore_errors=True)
            disturbed = of_command(scene, run, said) if kind == "command" else of_run(runner, run)
            disturbed.await_training()
            was_there = disturbed.strike(number, draw.uniform(0, spans[kind]))
            code = disturbed.end()
            if not was_there:
                late += 1
                continue
            heard += 1
            found += [f"{kind} {line}" for line in faults(disturbed, number, code)]
            if read(run.directory).status != "done":
                runner.finish(run)
            found += [
                f"{kind} {line}" for lines in differences(straight.directory, run.directory).values() for line in lines
            ]
            print(f"\r{heard} signals heard, {late} too late, {len(found)} faults", end="", flush=True)
        runner.close()
    print()
    print(*found[:20], sep="\n")
    return int(bool(found) or heard < signals)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
