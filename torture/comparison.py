"""`python -m torture.comparison [runs] [kills]`: a comparison of many tiny runs whose runner is killed again.

One run computes NaN, one crashes, one asks for more memory than there is. In the end all others are done, each once;
the three have failed, with their reasons; and the runner's memory has not grown.
"""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from lightning_seq.records.record import read, runs_in
from torture import hear_signals

CELL = '''
import os
import torch
from lightning_seq.cells.gru import GRUCell

class TorturedCell(GRUCell):
    """The end of a run depends on its seed, which is in the name of its log."""

    def step(self, projected_t, state, noise=None):
        run = os.path.basename(os.path.dirname(os.readlink("/proc/self/fd/2")))
        if run.endswith("-seed3"):
            raise RuntimeError("this run crashes")
        if run.endswith("-seed4"):
            torch.empty(1 << 46)
        step = super().step(projected_t, state, noise)
        return step if not run.endswith("-seed5") else type(step)(step.output * torch.nan, step.state, step.gates)
'''
FAILED = {3: "this run crashes", 4: "memory", 5: "not finite"}
"""The status in the record, by seed."""
GROWTH = 50_000_000
"""Bytes that a runner may grow by while it runs others."""


def arguments(place: Path, runs: int) -> list[str]:
    texts = [f"{word} by the {word} road,{word}" for word in ("sea", "land")]
    (place / "train.csv").write_text("text,label\n" + "\n".join(texts * 30) + "\n", encoding="utf-8")
    (place / "tortured.py").write_text(CELL, encoding="utf-8")
    return [
        sys.executable, "-m", "lightning_seq", "compare", "model=recurrent", "cell._target_=tortured.TorturedCell",
        "allow=[tortured]", "data=csv", f"data.train={place / 'train.csv'}", f"runs={place / 'runs'}",
        f"cache={place / 'cache'}", "name=tortured", f"seeds={runs}", "jobs=2", "embedding=random", "embedding.size=4",
        "model.hidden_size=4", "trainer.max_epochs=1", "trainer.threads=1", "logger=none",
    ]  # fmt: skip


def memory(process: subprocess.Popen[bytes]) -> int:
    """Resident bytes; 0 for a process that has ended."""
    try:
        return int(Path(f"/proc/{process.pid}/statm").read_text(encoding="ascii").split()[1]) * 4096
    except (OSError, IndexError):
        return 0


def finished(place: Path) -> dict[str, str | None]:
    """The end of each run that is done."""
    directory = place / "runs" / "tortured"
    return {path.name: record.finished for path, record in runs_in(directory) if record.status == "done"}


def main(runs: int, kills: int) -> int:
    draw, console = random.Random(1), Console()
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        command, seen, repeated, grown = arguments(place, runs), dict[str, str | None](), 0, 0
        log = (place / "runner.log").open("ab")
        for number in range(kills + 1):
            process = subprocess.Popen(command, cwd=place, stdout=log, stderr=log, start_new_session=True)
            begun, wanted = time.monotonic(), runs * (number + 1) // (kills + 1)
            sizes: list[int] = []
            while process.poll() is None:
                time.sleep(0.5)
                sizes.append(memory(process))
                if number < kills and (len(finished(place)) >= wanted or time.monotonic() - begun > 600):
                    time.sleep(draw.random())
                    process.send_signal(draw.choice([signal.SIGKILL, signal.SIGTERM, signal.SIGINT]))
                    process.wait()
            if number < kills:  # the last one writes a report in the end; half of the time is for imports
                known = [size for size in sizes if size]
                grown = max(grown, known[-1] - known[len(known) // 2] if known else 0)
            time.sleep(1)
            now = finished(place)
            repeated += sum(now.get(run) != when for run, when in seen.items())
            seen = now
            console.print(f"runner {number + 1}: {len(seen)} of {runs} done, exit code {process.returncode}")
        records = [read(path) for path, _ in runs_in(place / "runs" / "tortured")]
        told = [
            record
            for record in records
            if record.status == "failed" and FAILED.get(record.seed, "?") in str(record.error)
        ]
        table = Table("what", "found", "expected")
        rows = [
            ("runs done", len(seen), runs - len(FAILED)),
            ("failed, with their reasons", len(told), len(FAILED)),
            ("in any other state", len(records) - len(seen) - len(told), 0),
            ("done more than once", repeated, 0),
        ]
        for what, found, expected in rows:
            table.add_row(what, str(found), str(expected))
        table.add_row("memory that a runner grew by", f"{grown / 1e6:.1f} MB", f"at most {GROWTH / 1e6:.0f} MB")
        console.print(table)
        return int(grown > GROWTH or any(found != expected for _, found, expected in rows))


if __name__ == "__main__":
    hear_signals()
    sys.exit(main(*(int(word) for word in [*sys.argv[1:], *("200", "10")[len(sys.argv) - 1 :]])))
