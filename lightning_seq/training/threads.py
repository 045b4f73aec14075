"""How many threads a run has, and how they wait for one another. Read before torch is loaded."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, MutableMapping
from contextlib import suppress
from pathlib import Path
from typing import Any

WAITING = {"GOMP_SPINCOUNT": "1000", "KMP_BLOCKTIME": "0"}
"""Of GNU's and Intel's OpenMP. Threads that spin for long where others need the cores wait for one another: two runs on
two cores, busy with others, took four times as long by GNU's default of 300,000 turns."""


def wait_without_spinning(environment: MutableMapping[str, str] = os.environ) -> None:
    """Let OpenMP threads sleep soon when they wait; what the user has set about it is kept."""
    if "OMP_WAIT_POLICY" not in environment:
        for name, value in WAITING.items():
            environment.setdefault(name, value)


def cores() -> int:
    """Cores that this process may use: those it is bound to, or fewer where its control group has a quota."""
    bound = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, math.floor(min(bound, quota())))


def quota(groups: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")) -> float:
    """Cores' worth of time that the process's control groups allow, of version 1 or 2; infinite without a limit."""
    found = [math.inf]
    with suppress(OSError, ValueError):
        for line in own.read_text(encoding="utf-8").splitlines():
            _, controllers, path = line.split(":", 2)
            if controllers and "cpu" not in controllers.split(","):
                continue
            bases = [groups / name for name in ("cpu", controllers)] if controllers else [groups]
            for base in bases:
                place = base / path.lstrip("/")
                found += [_limit(group) for group in (place, *place.parents) if group.is_relative_to(base)]
    return min(found)


def _limit(group: Path) -> float:
    with suppress(OSError, ValueError, ZeroDivisionError):
        if (group / "cpu.max").is_file():
            most, period = (group / "cpu.max").read_text(encoding="ascii").split()
        else:
            most, period = ((group / f"cpu.cfs_{name}_us").read_text(encoding="ascii") for name in ("quota", "period"))
        if most != "max" and int(most) > 0:
            return int(most) / int(period)
    return math.inf


def threads_per_job(config: Mapping[str, Any]) -> int:
    """The threads of each process of a run: `trainer.threads`, else OMP_NUM_THREADS, else a share of the cores, which
    are divided among the `jobs` that run at once and their ranks."""
    asked = config["trainer"]["threads"] or _from_environment(os.environ)
    if asked:
        return int(asked)
    devices = config["trainer"]["devices"]
    on_cpu = config["trainer"]["accelerator"] == "cpu" and isinstance(devices, int)
    jobs = 1 if config["launcher"]["kind"] == "inline" else config["jobs"]
    return max(1, cores() // max(1, jobs * (devices if on_cpu else 1)))


def _from_environment(environment: Mapping[str, str]) -> int | None:
    """OMP_NUM_THREADS, of which the first number is that of the outermost level; None where it says nothing."""
    first = environment.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    return int(first) if first.isascii() and first.isdecimal() and 0 < int(first) <= 1 << 16 else None
