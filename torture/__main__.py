"""`python -m torture [kills]`: the matrix of kills, kills at random times, checkpoints under kills; a table of each.

kills: at random times, of each of SIGKILL, SIGTERM and SIGINT (default 100); twice as many of a process that writes
       checkpoints. `python -m torture 100 DIRECTORY` works there: give one on another file system.

Ends with 1 where anything was lost, repeated or different.
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
from collections.abc import Collection, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from lightning_seq.training.checkpoints import LAST, good_checkpoints, is_good, read_checkpoint, write_checkpoint
from torture import hear_signals
from torture.killed import TASKS, Runner, Scene, differences, struck, struck_in_time

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
MOMENTS = {"mid-epoch": ("batch", 8), "epoch's edge": ("epoch", 2), "validation": ("validation", 3)}
"""For each moment the place of the strike, and its count."""
AVERAGED = {("language_modelling", "validation"): 17}
"""A moment at which weights are averaged already."""
KINDS = ("losses", "samples", "weights", "files")
DAMAGES = 20

WRITER = """
import sys, torch
from pathlib import Path
from lightning_seq.training.checkpoints import LAST, good_checkpoints, read_checkpoint, write_checkpoint
path = Path(sys.argv[1]) / LAST
step = next((read_checkpoint(found)["global_step"] for found in good_checkpoints(path.parent)), 0)
print("begun", flush=True)
while True:
    step += 1
    write_checkpoint(path, {"global_step": step, "state_dict": {"weight": torch.full((200_000,), float(step))}})
    print(step, flush=True)
"""


class Count:
    """The number of runs, and of those that differ, by the kind of difference."""

    def __init__(self) -> None:
        self.runs, self.unexpected = 0, 0
        self.different = dict.fromkeys(KINDS, 0)
        self.examples: list[str] = []

    def add(self, straight: Path, directory: Path, name: str, codes: Sequence[int], expected: Collection[int]) -> None:
        self.runs += 1
        if not set(codes) <= set(expected):
            self.unexpected += 1
            said = (directory / "log.txt").read_text(encoding="utf-8").strip().splitlines()
            self.examples.append(f"{name}: exit codes {codes}: {' | '.join(said[-6:])}")
        for kind, found in differences(straight, directory).items():
            self.different[kind] += bool(found)
            self.examples += [f"{name}: {line}" for line in found[:2]]

    @property
    def failed(self) -> bool:
        return bool(self.unexpected or any(self.different.values()))

    def cells(self) -> list[str]:
        return [str(self.runs), str(self.unexpected), *(str(number) for number in self.different.values())]


def table_of(title: str, first: str) -> Table:
    table = Table(title=title, title_justify="left")
    names = ("runs", "wrong exit code", "other losses", "lost or repeated samples", "other weights", "other files")
    for name in (first, *names):
        table.add_column(name, justify="left" if name == first else "right")
    return table


def expected_code(number: signal.Signals) -> int:
    return -number if number == signal.SIGKILL else 128 + number


def matrix(runner: Runner, scenes: dict[str, Scene], straight: dict[str, Path], console: Console) -> list[Count]:
    """Task × moment × signal."""
    table = table_of(f"{len(TASKS) * len(MOMENTS) * len(SIGNALS)} cells: task × moment × signal", "task, moment")
    counts = []
    for task, scene in scenes.items():
        for moment, (place, time_) in MOMENTS.items():
            count = Count()
            for number in SIGNALS:
                at = AVERAGED.get((task, place), time_)
                code, directory = struck(runner, scene, f"{place}-{number.name}", place, at, number)
                count.add(straight[task], directory, f"{task} {moment} {number.name}", [code], [expected_code(number)])
            table.add_row(f"{task}, {moment}", *count.cells())
            counts.append(count)
    console.print(table)
    return counts


def at_random_times(
    runner: Runner, scenes: dict[str, Scene], straight: dict[str, Path], length: dict[str, float], kills: int,
    console: Console,
) -> list[Count]:  # fmt: skip
    """`kills` of each signal, over all tasks, up to three in one run."""
    draw, counts = random.Random(1), []
    table = table_of(f"{kills} kills at random times of each signal", "signal")
    for number in SIGNALS:
        count, left, turn = Count(), kills, 0
        while left > 0:
            task = list(scenes)[turn % len(scenes)]
            turn += 1
            times = [draw.uniform(0, length[task]) for _ in range(min(left, draw.randint(1, 3)))]
            codes, directory = struck_in_time(runner, scenes[task], f"random-{number.name}-{turn}", times, number)
            left -= max(1, sum(code != 0 for code in codes))
            # Before and after it listens, a signal ends a process at once.
            expected = (0, expected_code(number), -number)
            count.add(straight[task], directory, f"{task} {number.name} after {times}", codes, expected)
        table.add_row(number.name, *count.cells())
        counts.append(count)
    console.print(table)
    return counts


def checkpoints_under_kills(directory: Path, kills: int, console: Console) -> bool:
    """A process that does nothing but write them is killed at random moments: is a whole one always there, and none
    that it said was written lost?"""
    draw, none, lost = random.Random(2), 0, 0
    directory.mkdir(parents=True, exist_ok=True)
    for _ in range(kills):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(directory)], stdout=subprocess.PIPE, text=True)
        assert writer.stdout is not None
        writer.stdout.readline()
        time.sleep(draw.uniform(0, 0.3))
        writer.kill()
        said = [int(line) for line in writer.stdout.read().split()]
        writer.wait()
        found = next(good_checkpoints(directory), None)
        if found is None:
            none += bool(said)
        else:
            checkpoint = read_checkpoint(found)
            step = checkpoint["global_step"]
            lost += bool(said and step < said[-1]) or bool((checkpoint["state_dict"]["weight"] != step).any())
    console.print(
        f"checkpoints: {kills} kills while writing: {none} without a whole one, {lost} with one that was lost"
    )
    return not none and not lost


def damaged_checkpoints(directory: Path, console: Console) -> bool:
    draw, path, unnoticed = random.Random(3), directory / LAST, 0
    write_checkpoint(path, read_checkpoint(next(good_checkpoints(directory))))
    whole = path.read_bytes()
    for number in range(DAMAGES):
        content = bytearray(whole)
        if number % 2:
            content = content[: draw.randrange(len(whole))]
        else:
            content[draw.randrange(len(whole))] ^= 1 << draw.randrange(8)
        path.write_bytes(content)
        unnoticed += is_good(path)
    path.write_bytes(whole)
    console.print(f"checkpoints: {DAMAGES} truncations and bit flips: {unnoticed} not noticed")
    return not unnoticed


def main(arguments: list[str]) -> int:
    kills = int(arguments[0]) if arguments else 100
    console = Console(width=None if sys.stdout.isatty() else 140)
    with tempfile.TemporaryDirectory(dir=arguments[1] if len(arguments) > 1 else None) as made:
        root, runner = Path(made), Runner()
        fine = checkpoints_under_kills(root / "kept", 2 * kills, console)
        fine &= damaged_checkpoints(root / "kept", console)
        try:
            scenes, straight, length = {}, {}, {}
            for task in TASKS:
                scenes[task] = Scene.of(task, root)
                for _ in range(2):  # the first one prepares the data
                    run, begun = scenes[task].run("straight"), time.monotonic()
                    shutil.rmtree(run.directory, ignore_errors=True)
                    runner.finish(run)
                    straight[task], length[task] = run.directory, time.monotonic() - begun
            counts = matrix(runner, scenes, straight, console)
            counts += at_random_times(runner, scenes, straight, length, kills, console)
        finally:
            runner.close()
    for line in [line for count in counts for line in count.examples][:20]:
        console.print(line, markup=False, highlight=False)
    failed = not fine or any(count.failed for count in counts)
    console.print("something was lost, repeated or different" if failed else "nothing was lost, repeated or different")
    return int(failed)


if __name__ == "__main__":
    hear_signals()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.exit(main(sys.argv[1:]))
