"""The number of threads of a run, and how they wait for one another. Imported before torch."""

from __future__ import annotations

import math
import os
from collections.abc import MutableMapping
from contextlib import suppress
from pathlib import Path

from lightning_seq.config.tree import Config

WAITING = {"GOMP_SPINCOUNT": "1000", "KMP_BLOCKTIME": "0"}
"""For GNU's and Intel's OpenMP. Threads that spin keep cores from others: with GNU's default of 300,000 turns two runs
on two busy cores took four times as long."""


def wait_without_spinning(environment: MutableMapping[str, str] = os.environ) -> None:
    """Let OpenMP threads sleep soon when they wait, unless the user has set a policy."""
    if "OMP_WAIT_POLICY" not in environment:
        for name, value in WAITING.items():
            environment.setdefault(name, value)


def cores() -> int:
    """Cores that this process may use: its CPU affinity, or fewer if its control group has a quota."""
    bound = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, math.floor(min(bound, quota())))


def quota(groups: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")) -> float:
    """The number of cores that the process's control groups (version 1 or 2) allow; infinite without a limit."""
    limits = [math.inf]
    with suppress(OSError, ValueError):
        for line in own.read_text(encoding="utf-8").splitlines():
            _, controllers, path = line.split(":", 2)
            if controllers and "cpu" not in controllers.split(","):
                continue
            bases = [groups / name for name in ("cpu", controllers)] if controllers else [groups]
            for base in bases:
                own_group = base / path.lstrip("/")
                limits += [_limit(group) for group in (own_group, *own_group.parents) if group.is_relative_to(base)]
    return min(limits)


def _limit(group: Path) -> float:
    with suppress(OSError, ValueError, ZeroDivisionError):
        if (group / "cpu.max").is_file():
            most, period = (group / "cpu.max").read_text(encoding="ascii").split()
        else:
            most, period = ((group / f"cpu.cfs_{name}_us").read_text(encoding="ascii") for name in ("quota", "period"))
        if most != "max" and int(most) > 0:
            return int(most) / int(period)
    return math.inf


def threads_per_job(config: Config) -> int:
    """The threads of each process of a run: `trainer.threads`, else OMP_NUM_THREADS, else an equal share of the cores
    for each of the `jobs` that run at once and their ranks."""
    outermost = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    valid = outermost.isascii() and outermost.isdecimal() and 0 < int(outermost) <= 1 << 16
    threads = config["trainer"]["threads"] or (int(outermost) if valid else None)
    if threads:
        return int(threads)
    devices = config["trainer"]["devices"]
    on_cpu = config["trainer"]["accelerator"] == "cpu" and isinstance(devices, int)
    jobs = 1 if config["launcher"]["kind"] == "inline" else config["jobs"]
    return max(1, cores() // max(1, jobs * (devices if on_cpu else 1)))
