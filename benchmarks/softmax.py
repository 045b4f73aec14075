"""Cross-entropy over a large vocabulary: ours, pad-free and chunk by chunk, against all scores of the padded batch at
once: `python benchmarks/softmax.py [seconds per pair]`.

A ratio above 1 means that ours is faster or smaller. Times are ratios of the 10th percentiles, with that of the medians
beside. Beside them too: against all scores at once of the counting rows alone, which is what chunks are worth without
the padding. Memory is the highest resident set of one step in a fresh process, less what the process held before it
(inputs and weights; gradients are in), as Linux tells it in /proc.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from timing import in_turn, machine, write_results
from torch import Tensor
from torch.nn import functional

from lightning_seq.losses.linear_cross_entropy import linear_cross_entropy_sum, linear_token_losses

SHAPES = ((64, 35, 256, 10_000), (64, 35, 256, 30_000), (20, 35, 650, 10_000), (32, 100, 512, 100))
PADDING = 0.36
CHUNKS = (64, 128, 256, 512, 1024)
MEGABYTE = 2**20
Step = Callable[[], object]


def ours(
    hidden: Tensor, weight: Tensor, bias: Tensor, targets: Tensor, mask: Tensor, chunk: int | None = None
) -> Tensor:
    return linear_cross_entropy_sum(hidden, weight, bias, targets, mask, chunk=chunk)


def padded(hidden: Tensor, weight: Tensor, bias: Tensor, targets: Tensor, mask: Tensor) -> Tensor:
    targets = targets.masked_fill(~mask, -100)
    scores = functional.linear(hidden, weight, bias)
    return functional.cross_entropy(scores.flatten(0, 1), targets.flatten(), ignore_index=-100, reduction="sum")


def counting(hidden: Tensor, weight: Tensor, bias: Tensor, targets: Tensor, mask: Tensor) -> Tensor:
    return functional.cross_entropy(functional.linear(hidden[mask], weight, bias), targets[mask], reduction="sum")


def inputs(B: int, T: int, H: int, V: int) -> tuple[Tensor, ...]:
    """Hidden states, weight, bias, targets, and a mask of ragged rows with that share of padding."""
    torch.manual_seed(0)
    mask = torch.arange(T) < torch.linspace(T * (1 - 2 * PADDING), T, B).round()[:, None]
    hidden, weight, bias = torch.randn(B, T, H) / 4, torch.randn(V, H) / H**0.5, torch.zeros(V)
    return *(tensor.requires_grad_() for tensor in (hidden, weight, bias)), torch.randint(V, (B, T)), mask


def step(loss: Callable[..., Tensor], given: tuple[Tensor, ...], **keywords: Any) -> Step:
    """Forward and backward."""

    def run() -> None:
        loss(*given, **keywords).backward()
        for tensor in given:
            tensor.grad = None

    return run


def peak(name: str, shape: tuple[int, int, int, int], threads: int) -> int:
    """Bytes that one step needs beyond its inputs. It runs in a separate process."""
    torch.set_num_threads(threads)
    loss = {"ours": ours, "padded": padded}[name]
    step(loss, inputs(2, 3, 4, 5))()
    given = inputs(*shape)
    Path("/proc/self/clear_refs").write_text("5")  # resets the peak of the resident set
    before = _resident("VmRSS")
    loss(*given).backward()
    return _resident("VmHWM") - before


def _resident(key: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{key}:"))


def memory(name: str, shape: tuple[int, int, int, int]) -> int | None:
    if not sys.platform.startswith("linux"):
        return None
    with get_context("spawn").Pool(1) as pool:
        return pool.apply(peak, (name, shape, torch.get_num_threads()))


def against_torch(budget: float, console: Console) -> list[dict[str, Any]]:
    table = Table(
        "B, T, H, V",
        "ours ms",
        "padded ms",
        "ratio",
        "of medians",
        "unpadded",
        "ours MB",
        "padded MB",
        "ratio",
        box=None,
    )
    rows = []
    for shape in SHAPES:
        given = inputs(*shape)
        torch.testing.assert_close(ours(*given), padded(*given), rtol=1e-5, atol=0)
        time = in_turn(step(ours, given), step(padded, given), budget)
        unpadded = in_turn(step(ours, given), step(counting, given), budget / 2)
        bytes_ = {name: memory(name, shape) for name in ("ours", "padded")}
        share = None if None in bytes_.values() else bytes_["padded"] / bytes_["ours"]
        row = {"shape": shape, "padding": 1 - float(given[-1].float().mean()), "padded": time, "unpadded": unpadded}
        rows.append({**row, "peak_bytes": bytes_, "memory_ratio": share})
        table.add_row(
            ", ".join(map(str, shape)), f"{time['ours_ms']:.1f}", f"{time['theirs_ms']:.1f}", f"{time['ratio']:.2f}",
            f"{time['median_ratio']:.2f}", f"{unpadded['ratio']:.2f}",
            *("-" if value is None else f"{value / MEGABYTE:.1f}" for value in bytes_.values()),
            "-" if share is None else f"{share:.1f}",
        )  # fmt: skip
    console.print(f"\nforward and backward, {PADDING:.0%} padding")
    console.print(table)
    return rows


def of_chunks(budget: float, console: Console) -> list[dict[str, Any]]:
    table = Table("B, T, H, V", *(f"{chunk} rows" for chunk in CHUNKS), box=None)
    rows = []
    for shape in SHAPES:
        given = inputs(*shape)
        ratios = {
            chunk: in_turn(step(ours, given, chunk=chunk), step(ours, given), budget / 4)["ratio"] for chunk in CHUNKS
        }
        rows.append({"shape": shape, "ratios": ratios})
        table.add_row(", ".join(map(str, shape)), *(f"{ratio:.2f}" for ratio in ratios.values()))
    console.print("\nspeed of a chunk of so many rows, against the one that is chosen")
    console.print(table)
    return rows


def evaluation(budget: float, console: Console) -> dict[str, float]:
    """The losses of each token without a gradient."""
    given = inputs(*SHAPES[0])
    hidden, weight, bias, targets, mask = given

    @torch.no_grad()
    def all_at_once() -> Tensor:
        scores = functional.linear(hidden, weight, bias)
        return functional.cross_entropy(scores.flatten(0, 1), targets.flatten(), reduction="none")

    found = in_turn(lambda: linear_token_losses(hidden[mask], weight, bias, targets[mask]), all_at_once, budget)
    console.print(f"\nlosses of each token without a gradient, {SHAPES[0]}: ratio {found['ratio']:.2f}")
    return found


def main(arguments: list[str]) -> None:
    budget = float(arguments[0]) if arguments else 8.0
    console = Console(width=120)
    found: dict[str, Any] = {"machine": machine()}
    console.print(found["machine"])
    found["torch"] = against_torch(budget, console)
    found["chunks"] = of_chunks(budget, console)
    found["evaluation"] = evaluation(budget / 2, console)
    console.print(f"\nwritten to {write_results('softmax', found)}")


if __name__ == "__main__":
    main(sys.argv[1:])
