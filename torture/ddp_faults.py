"""A run on two processes that loses one of them: `python torture/ddp_faults.py [case …]`.

Each case is a command of its own, on a tiny data set. What is asked of it: its ranks end within `LIMIT` seconds, its
exit code is not 0, the record says what went wrong first, and no process of it is left. The last case is one that
mends itself.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

import lightning_seq
from lightning_seq.errors import UserError
from lightning_seq.records.record import read
from torture import hear_signals

LIMIT, TIMEOUT = 60.0, 10
MARK = "LIGHTNING_SEQ_FAULT_MARK"

CELL = """
import ctypes, os, signal, sys, time
from pathlib import Path
from lightning_seq import ElmanCell

def fault(kind):
    Path(os.environ["FAULT_READY"]).touch()
    if kind == "raise":
        raise MemoryError("no room for this batch")
    if kind == "leave":
        os._exit(3)
    if kind == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if kind == "hang":
        while True:
            time.sleep(1)
    if kind == "hang_outside_python":
        ctypes.PyDLL(None).sleep(600)
    if kind == "wait":
        time.sleep(0.05)

class Cell(ElmanCell):
    calls = 0

    def project(self, *given):
        kind, rank = os.environ["FAULT"].split(":")
        Cell.calls += 1
        if os.environ.get("RANK") == rank and (Cell.calls == 5 or kind == "wait" and Cell.calls > 5):
            fault(kind)
        return super().project(*given)
"""


@dataclass(frozen=True)
class Case:
    """fault: the action of a rank in its fifth batch; act: the action on the processes at that moment."""

    name: str
    fault: str
    error: str
    act: Callable[[list[int], int], None] | None = None


def _signal(which: Callable[[list[int], int], int], number: int) -> Callable[[list[int], int], None]:
    return lambda ranks, command: os.kill(which(ranks, command), number)


CASES = (
    Case("rank 1 raises", "raise:1", "MemoryError: no room"),
    Case("rank 0 raises", "raise:0", "MemoryError: no room"),
    Case("rank 1 leaves with code 3", "leave:1", "rank 1 ended with exit code 3"),
    Case("rank 1 is killed", "kill:1", "rank 1 was ended by SIGKILL"),
    Case("rank 0 is killed", "kill:0", "rank 0 was ended by SIGKILL"),
    Case("rank 1 hangs", "hang:1", "TimeoutError: no batch for"),
    Case("rank 0 hangs", "hang:0", "TimeoutError: no batch for"),
    Case("rank 1 hangs outside Python", "hang_outside_python:1", "exit code 1|TimeoutError|Timed out"),
    Case("SIGTERM to rank 1", "wait:0", "SIGTERM", _signal(lambda ranks, command: ranks[1], signal.SIGTERM)),
    Case("SIGTERM to the command", "wait:0", "SIGTERM", _signal(lambda ranks, command: command, signal.SIGTERM)),
    Case(
        "what holds the ranks is killed", "wait:0", "SIGKILL",
        _signal(lambda ranks, command: _parent(ranks[0]), signal.SIGKILL),
    ),
    Case("the port is taken", "none:0", ""),
)  # fmt: skip

BUSY = """
import sys
from lightning_seq.launch import ranks
found, taken = ranks.free_port, [int(sys.argv.pop())]
ranks.free_port = lambda: taken.pop() if taken else found()
sys.exit(ranks.main(sys.argv[1:]))
"""


def marked(mark: str) -> dict[int, dict[str, str]]:
    """Living processes, by their ids, with the environment of their start."""
    found = {}
    for place in Path("/proc").glob("[0-9]*"):
        try:
            words = (place / "environ").read_bytes().split(b"\0")
            state = (place / "stat").read_text().rpartition(")")[2].split()[0]
        except (OSError, IndexError):
            continue
        if f"{MARK}={mark}".encode() in words and state not in "ZX":
            pairs = (word.decode(errors="replace").partition("=") for word in words)
            found[int(place.name)] = {name: value for name, _, value in pairs}
    return found


def _parent(process: int) -> int:
    return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])


def _ranks(mark: str) -> list[int]:
    """The process of each living rank: the oldest with its RANK."""
    found = marked(mark)
    of_rank = ([pid for pid, names in found.items() if names.get("RANK") == rank] for rank in ("0", "1"))
    return [min(pids) for pids in of_rank if pids]


def _sentences() -> Iterator[str]:
    yield "text,label"
    for number in range(320):
        yield f'"the old {"ship" if number % 2 else "road"} {number % 7}",{"sea" if number % 2 else "land"}'


def run_case(case: Case, place: Path) -> tuple[str | None, float, float]:
    """What is wrong, or None; and the seconds from the fault to the end of the ranks, and of the command, which writes
    its report then."""
    (place / "train.csv").write_text("\n".join(_sentences()) + "\n", encoding="utf-8")
    (place / "faulty.py").write_text(CELL, encoding="utf-8")
    mark, ready = uuid.uuid4().hex, place / "ready"
    package = Path(lightning_seq.__file__).parents[1]
    environment = {
        **os.environ, MARK: mark, "FAULT": case.fault, "FAULT_READY": str(ready), "OMP_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join([str(place), str(package)]),
    }  # fmt: skip
    words = [
        "model=recurrent", "cell._target_=faulty.Cell", "allow=[faulty]", "data=csv", f"data.train={place}/train.csv",
        f"runs={place}/runs", f"cache={place}/cache", "name=fault", "embedding=random", "embedding.size=4",
        "model.hidden_size=4", "data.batch_size=16", "trainer=ddp", "trainer.accelerator=cpu", "trainer.devices=2",
        "trainer.threads=1", f"trainer.timeout={TIMEOUT}", "trainer.progress=false", "logger=none", "callbacks=none",
        f"trainer.max_epochs={1 if case.fault == 'none:0' else 2000}",
    ]  # fmt: skip
    directory = place / "runs" / "fault" / "recurrent-Cell-seed1"
    with socket.socket() as holder:
        command = [sys.executable, "-m", "lightning_seq", "train", *words]
        if case.fault == "none:0":
            holder.bind(("", 0))
            holder.listen()
            (place / "busy.py").write_text(BUSY, encoding="utf-8")
            command = [sys.executable, "-c", _with_busy_port(place, holder.getsockname()[1]), *words]
        log = (place / "said.txt").open("wb")
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, cwd=place)
        begun = _faulty_since(process, ready)
        if case.act is not None and process.poll() is None:
            case.act(_ranks(mark), process.pid)
        while process.poll() is None and _ranks(mark) and time.monotonic() - begun < LIMIT + 60:
            time.sleep(0.2)
        ranks_took = time.monotonic() - begun
        try:
            code = process.wait(LIMIT + 60)
        except subprocess.TimeoutExpired:
            code = None
        took = time.monotonic() - begun
        time.sleep(0.5)
        left = marked(mark)
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        process.wait()
        log.close()
    wrong = []
    try:
        record = read(directory)
        status, error = record.status, record.error or ""
    except UserError as missing:
        status, error = "missing", str(missing)
    if case.fault == "none:0":
        if (code, status) != (0, "done"):
            wrong.append(f"code {code}, {status}: {error}")
    elif not code:
        wrong.append(f"exit code {code}")
    if ranks_took > LIMIT:
        wrong.append(f"{ranks_took:.0f} s")
    if left:
        wrong.append(f"{len(left)} processes left")
    if not re.search(case.error, error):
        wrong.append(f"{status}: {error[:100]}")
    return ("; ".join(wrong) or None), ranks_took, took


def _with_busy_port(place: Path, port: int) -> str:
    """The command, with a first port for the ranks that is taken."""
    return (
        "import sys\nfrom lightning_seq import cli\nfrom lightning_seq.launch import local\n"
        "plain = local.command\n"
        f"started = [sys.executable, {str(place / 'busy.py')!r}]\n"
        f"local.command = lambda run: [*started, *plain(run)[3:], {str(port)!r}]\n"
        "sys.exit(cli.main(['train', *sys.argv[1:]]))\n"
    )


def _faulty_since(process: subprocess.Popen[bytes], ready: Path) -> float:
    """The time of the fault, or of the end of a command without it."""
    while process.poll() is None and not ready.exists():
        time.sleep(0.02)
    return time.monotonic()


def main(wanted: list[str]) -> int:
    table = Table("case", "ranks ended after s", "command after s", "", box=None)
    failed = 0
    for case in CASES:
        if wanted and case.name not in wanted:
            continue
        with tempfile.TemporaryDirectory() as place:
            wrong, ranks_took, took = run_case(case, Path(place))
            if wrong and os.environ.get("SHOW"):
                print((Path(place) / "said.txt").read_text(errors="replace"))
                for file in Path(place).rglob("log.txt"):
                    print(file.read_text(errors="replace")[-6000:])
        failed += wrong is not None
        table.add_row(case.name, f"{ranks_took:.1f}", f"{took:.1f}", wrong or "ended as it should")
        print(f"{case.name}: {ranks_took:.1f} s, {took:.1f} s, {wrong or 'as it should'}", flush=True)
    Console(width=140).print(table)
    return 1 if failed else 0


if __name__ == "__main__":
    hear_signals()
    sys.exit(main(sys.argv[1:]))
