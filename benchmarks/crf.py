"""Our conditional random field against pytorch-crf's, in turn: `python benchmarks/crf.py [seconds per pair]`.

Forward and backward of the negative log-likelihood, log Z alone against torch's operations in logs, and decoding, for
ragged batches. A ratio above 1 means that ours is faster: of the 10th percentiles, with that of the medians beside it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from timing import in_turn, machine, write_results
from torch import Tensor
from torchcrf import CRF

from lightning_seq.models.crf import LinearChainCRF, log_partition_in_logs

SHAPES = ((32, 40, 23), (32, 40, 73), (10, 120, 9))


def step(loss: Callable[[], Tensor], *learning: Any) -> Callable[[], None]:
    def run() -> None:
        loss().sum().backward()
        for tensor in learning:
            tensor.grad = None

    return run


def pairs(B: int, T: int, C: int) -> dict[str, tuple[Callable[[], object], Callable[[], object]]]:
    torch.manual_seed(0)
    lengths = torch.randint(T // 4, T + 1, (B,))
    lengths[0] = T
    mask, tags = torch.arange(T) < lengths[:, None], torch.randint(C, (B, T))
    scores = torch.randn(B, T, C, requires_grad=True)
    ours, twin = LinearChainCRF(C), CRF(C, batch_first=True)
    learning = (scores, *ours.parameters(), *twin.parameters())
    weights = (ours.transitions, ours.start, ours.end)
    return {
        "likelihood": (
            step(lambda: ours.negative_log_likelihood(scores, tags, mask), *learning),
            step(lambda: -twin(scores, tags, mask, reduction="none"), *learning),
        ),
        "log Z, against logs": (
            step(lambda: ours.log_partition(scores, mask), *learning),
            step(lambda: log_partition_in_logs(scores, *weights, lengths), *learning),
        ),
        "decoding": (lambda: ours.viterbi(scores, mask), lambda: twin.decode(scores, mask)),
    }


def main(arguments: list[str]) -> None:
    budget = float(arguments[0]) if arguments else 3.0
    console = Console(width=110)
    found: dict[str, Any] = {"machine": machine(), "torch": []}
    console.print(found["machine"])
    table = Table("B, T, C", "what", "ours ms", "theirs ms", "ratio", "of medians", box=None)
    for shape in SHAPES:
        for name, (mine, theirs) in pairs(*shape).items():
            result = in_turn(mine, theirs, budget)
            found["torch"].append({"shape": shape, "what": name, **result})
            table.add_row(
                ", ".join(map(str, shape)), name, f"{result['ours_ms']:.2f}", f"{result['theirs_ms']:.2f}",
                f"{result['ratio']:.2f}", f"{result['median_ratio']:.2f}",
            )  # fmt: skip
    console.print(table)
    console.print(f"\nwritten to {write_results('crf', found)}")


if __name__ == "__main__":
    main(sys.argv[1:])
