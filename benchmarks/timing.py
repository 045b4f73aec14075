"""Two functions timed in turn, in one process, for the ratio of their times."""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

RESULTS = Path(__file__).parent / "results"


def seconds(run: Callable[[], object]) -> float:
    begun = time.perf_counter()
    run()
    return time.perf_counter() - begun


def in_turn(ours: Callable[[], object], theirs: Callable[[], object], budget: float = 4.0) -> dict[str, float]:
    """A and B in turn for about `budget` seconds, after a few of each unmeasured. Times in milliseconds."""
    for _ in range(3):
        ours()
        theirs()
    mine: list[float] = []
    others: list[float] = []
    end = time.perf_counter() + budget
    while len(mine) < 5 or time.perf_counter() < end:
        mine.append(seconds(ours))
        others.append(seconds(theirs))
    return {
        "ours_ms": tenth(mine) * 1e3,
        "theirs_ms": tenth(others) * 1e3,
        "ratio": tenth(others) / tenth(mine),
        "median_ratio": sorted(others)[len(others) // 2] / sorted(mine)[len(mine) // 2],
    }


def tenth(values: list[float]) -> float:
    """The 10th percentile: the time without disturbance."""
    return sorted(values)[len(values) // 10]


def gemm_rate(size: int = 1536) -> float:
    """GFLOP/s of one large square product in float32, the machine's own measure."""
    a, b = torch.randn(size, size), torch.randn(size, size)
    times = [seconds(lambda: torch.mm(a, b)) for _ in range(15)]
    return 2 * size**3 / tenth(times) / 1e9


def machine() -> dict[str, Any]:
    return {
        "processor": platform.processor() or platform.machine(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "gemm_gflops": round(gemm_rate(), 1),
    }


def write_results(name: str, results: dict[str, Any]) -> Path:
    """Add to today's file in `benchmarks/results/`."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{datetime.now(UTC):%Y-%m-%d}.json"
    found = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    path.write_text(json.dumps({**found, name: results}, indent=1) + "\n", encoding="utf-8")
    return path
