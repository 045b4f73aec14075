"""The gain of several devices for one run: `python benchmarks/scaling.py [measure|paper] [key=value …]`.

`measure`: two CPU processes against one process with two threads, whole short runs in turn, in tokens per second of
training.

`paper`: what data parallel training costs on 8 to 64 GPUs, without one. `data.batch_size` is global, so that a step of
n GPUs is the step of one, shared out:

    step(n) = T·latency + 6·P·B·T / (n·rate) + 2(n-1)/n · 4·P_all / bandwidth

T steps of a recurrence wait for one another whatever n is; 6 operations for each of the P parameters that a token
passes, forward and back; a ring all-reduce of the gradients of all P_all parameters in float32, at each step, nothing
of it hidden behind the backward pass. DDP pays where step(1) / step(n) is at least half of n: below that, n runs on a
GPU each, or several on one, do at least twice the work. Own keys: bandwidth (bytes a second between two GPUs), rate
(operations a second that one reaches), latency (seconds of a step of a recurrence, forward and back), steps (T).
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from timing import machine, write_results

from lightning_seq.cli.main import main as lightning_seq
from lightning_seq.comparison.grid import entries
from lightning_seq.comparison.prepare import prepare
from lightning_seq.config.compose import compose
from lightning_seq.records.record import read

GPUS = (8, 16, 32, 64)
PAPER = {"bandwidth": 25e9, "rate": 20e12, "latency": 20e-6, "steps": 64.0}
"""Assumptions, to be replaced by the figures of a cluster: 200 Gbit/s, 20 TFLOP/s, 20 microseconds, 64 tokens."""
PAYS = 0.5
REPEATS = 3
SIDES = {
    "one process, two threads": ("trainer.threads=2",),
    "two processes, a thread each": (
        "trainer=ddp",
        "trainer.accelerator=cpu",
        "trainer.devices=2",
        "trainer.threads=1",
    ),
}


def step(recurrent: float, total: float, batch: int, gpus: int, given: dict[str, float]) -> dict[str, float]:
    """Seconds of one step, by their use."""
    tokens = batch * given["steps"]
    return {
        "waiting": given["steps"] * given["latency"],
        "computing": 6 * recurrent * tokens / (gpus * given["rate"]),
        "reducing": 2 * (gpus - 1) / gpus * 4 * total / given["bandwidth"],
    }


def efficiency(recurrent: float, total: float, batch: int, gpus: int, given: dict[str, float]) -> float:
    """step(1) / step(n) / n."""
    one, many = (sum(step(recurrent, total, batch, n, given).values()) for n in (1, gpus))
    return one / many / gpus


def smallest(batch: int, gpus: int, given: dict[str, float], share: float = 1.0) -> float | None:
    """The number of parameters from which DDP is faster; None if it never is with this batch.

    share: of the parameters, those that a token passes; embeddings are reduced, but hardly computed with.
    """

    def pays(parameters: float) -> bool:
        return efficiency(share * parameters, parameters, batch, gpus, given) >= PAYS

    return bisect(pays, 1e3, 1e13)


def bisect(holds: Callable[[float], bool], low: float, high: float) -> float | None:
    """The least number for which a condition holds, to a hundredth; it must hold for all greater ones."""
    if not holds(high):
        return None
    while high / low > 1.01:
        middle = (low * high) ** 0.5
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high


def paper(words: list[str], console: Console) -> dict[str, Any]:
    given = dict(PAPER)
    for word in [word for word in words if word.partition("=")[0] in PAPER]:
        key, _, value = word.partition("=")
        given[key] = float(value)
        words.remove(word)
    ready = prepare(entries(["model=lstm,bilstm,deep_bilstm", *words]), [1], lambda line: None, progress=False)
    table = Table("model", "parameters", "GPUs", "MB reduced", "step ms", "reducing", "efficiency", "DDP", box=None)
    found: dict[str, Any] = {"assumed": given}
    for item in ready:
        counts, batch = item.parameters, item.entry.config["data"]["batch_size"]
        computed = counts["recurrent"] + counts["head"]
        for gpus in GPUS:
            parts = step(computed, counts["total"], batch, gpus, given)
            share = efficiency(computed, counts["total"], batch, gpus, given)
            seconds = sum(parts.values())
            moved = 2 * (gpus - 1) / gpus * 4 * counts["total"] / 1e6
            table.add_row(
                item.entry.label, f"{counts['total']:,}", str(gpus), f"{moved:.1f}", f"{1e3 * seconds:.3f}",
                f"{parts['reducing'] / seconds:.0%}", f"{share:.1%}", "pays" if share >= PAYS else "does not pay",
            )  # fmt: skip
            found[f"{item.entry.label} {gpus}"] = {"megabytes": moved, "seconds": seconds, "efficiency": share}
    console.print(f"on paper, B={batch} sequences: {json.dumps(given)}")
    console.print(table)
    limits = Table("GPUs", *(f"B={size}" for size in (64, 256, 1024, 4096)), box=None)
    for gpus in GPUS:
        least = [smallest(size, gpus, given) for size in (64, 256, 1024, 4096)]
        limits.add_row(str(gpus), *("never" if size is None else f"{size / 1e6:,.1f} M" for size in least))
        found[f"smallest {gpus}"] = least
    console.print("\nparameters from which on DDP pays (all of them computed with):")
    console.print(limits)
    return found


def measure(words: list[str], console: Console) -> dict[str, Any]:
    words = ["model=lstm", "data=verses_genre", "embedding=random", "trainer.max_epochs=1", "callbacks=none", *words]
    words += ["logger=none", "trainer.progress=false"]
    config = compose(words)
    found: dict[str, Any] = {"machine": machine(), "words": words, "parameters": None}
    speeds: dict[str, list[float]] = {side: [] for side in SIDES}
    label = config["choices"]["model"]
    with tempfile.TemporaryDirectory() as place:
        for turn in range(REPEATS):
            for number, (side, more) in enumerate(SIDES.items()):
                name = f"turn{turn}-{number}"
                if lightning_seq(["train", *words, *more, f"runs={place}", f"name={name}"]):
                    sys.exit(f"{side}: the run did not end well")
                record = read(Path(place) / name / f"{label}-seed1")
                speeds[side].append(record.throughput["tokens_per_second"])
                found["parameters"] = record.parameters
    one, two = (sorted(speeds[side]) for side in SIDES)
    found |= {"tokens_per_second": speeds, "ratio": two[len(two) // 2] / one[len(one) // 2]}
    table = Table("", "tokens/s, each turn", "median", box=None)
    for side, values in speeds.items():
        table.add_row(side, "  ".join(f"{value:,.0f}" for value in values), f"{sorted(values)[len(values) // 2]:,.0f}")
    console.print(table)
    console.print(f"two processes : one process = {found['ratio']:.2f}")
    return found


def main(arguments: list[str]) -> None:
    words = [word for word in arguments if "=" in word]
    wanted = [word for word in arguments if "=" not in word] or ["measure", "paper"]
    console = Console(width=120)
    for kind in wanted:
        done = {"measure": measure, "paper": paper}[kind](list(words), console)
        console.print(f"written to {write_results(f'scaling_{kind}', done)}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
