"""Our engines against torch's layers, forward and backward, in turn: `python benchmarks/engines.py [seconds per pair]`.

A ratio above 1 means that ours is faster. It is the ratio of the 10th percentiles, with that of the medians beside it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from timing import gemm_rate, in_turn, machine, write_results
from torch import Tensor, nn

from lightning_seq import (
    ElmanCell,
    GRUCell,
    GRUResetBeforeCell,
    LSTMCell,
    PeepholeLSTMCell,
    Recurrent,
)
from lightning_seq.cells.cell import Cell
from lightning_seq.engines.choice import choose

SHAPES = ((64, 50, 128, 256), (32, 200, 100, 128), (16, 400, 64, 64), (20, 35, 200, 200), (128, 35, 300, 512))
CELLS: dict[str, tuple[type[Cell], type[nn.RNNBase]]] = {
    "elman": (ElmanCell, nn.RNN),
    "gru_reset_before": (GRUResetBeforeCell, nn.GRU),
    "gru": (GRUCell, nn.GRU),
    "lstm": (LSTMCell, nn.LSTM),
    "peephole_lstm": (PeepholeLSTMCell, nn.LSTM),
}
Step = Callable[[], None]


def step(layer: nn.Module, *given: Any) -> Step:
    """Forward and backward through inputs and weights."""

    def run() -> None:
        outputs = layer(*given)[0]
        outputs = outputs.data if isinstance(outputs, nn.utils.rnn.PackedSequence) else outputs
        outputs.backward(torch.ones_like(outputs))
        for tensor in (*layer.parameters(), *given):
            if isinstance(tensor, Tensor):
                tensor.grad = None

    return run


def against_torch(budget: float, console: Console) -> list[dict[str, Any]]:
    table = Table("B, T, D, H", "cell", "engine", "ours ms", "torch ms", "ratio", "of medians", box=None)
    rows = []
    for B, T, D, H in SHAPES:
        x = torch.randn(B, T, D, requires_grad=True)
        for name, (cell, twin) in CELLS.items():
            ours = Recurrent(cell(D, H))  # type: ignore[call-arg]
            engine = choose("auto", ours.cell, x).name
            found = in_turn(step(ours, x), step(twin(D, H, batch_first=True), x), budget)
            rows.append({"shape": [B, T, D, H], "cell": name, "engine": engine, **found})
            table.add_row(
                f"{B}, {T}, {D}, {H}", name, engine, f"{found['ours_ms']:.2f}", f"{found['theirs_ms']:.2f}",
                f"{found['ratio']:.2f}", f"{found['median_ratio']:.2f}",
            )  # fmt: skip
    console.print("\nagainst torch.nn's layer")
    console.print(table)
    return rows


def against_loop(budget: float, console: Console) -> list[dict[str, Any]]:
    table = Table("B, T, D, H", "cell", "ours ms", "loop ms", "ratio", box=None)
    rows = []
    for B, T, D, H in SHAPES:
        x = torch.randn(B, T, D, requires_grad=True)
        for name in ("gru_reset_before", "peephole_lstm"):
            cell = CELLS[name][0](D, H)  # type: ignore[call-arg]
            found = in_turn(step(Recurrent(cell), x), step(Recurrent(cell, engine="loop"), x), budget)
            rows.append({"shape": [B, T, D, H], "cell": name, **found})
            times = f"{found['ours_ms']:.2f}", f"{found['theirs_ms']:.2f}", f"{found['ratio']:.2f}"
            table.add_row(f"{B}, {T}, {D}, {H}", name, *times)
    console.print("\nagainst the loop in Python")
    console.print(table)
    return rows


def ragged(budget: float, console: Console) -> list[dict[str, Any]]:
    """Batches that are 40 % full: against a packed `nn.LSTM`, and our own run of the padded batch."""
    table = Table("B, T, D, H", "full", "ours ms", "packed ms", "ratio", "our padded ms", "ratio", box=None)
    rows = []
    for B, T, D, H in SHAPES:
        lengths = drawn_lengths(B, T)
        x = torch.randn(B, T, D, requires_grad=True)
        mask = torch.arange(T) < lengths[:, None]
        ours = Recurrent(LSTMCell(D, H))
        packed = in_turn(step(ours, x, mask), step(Packed(D, H, lengths), x), budget)
        padded = in_turn(step(ours, x, mask), step(ours, x), budget)
        fill = float(mask.float().mean())
        rows.append({"shape": [B, T, D, H], "fill": fill, "packed": packed, "padded": padded})
        table.add_row(
            f"{B}, {T}, {D}, {H}", f"{fill:.0%}", f"{packed['ours_ms']:.2f}", f"{packed['theirs_ms']:.2f}",
            f"{packed['ratio']:.2f}", f"{padded['theirs_ms']:.2f}", f"{padded['ratio']:.2f}",
        )  # fmt: skip
    console.print("\nragged, LSTM, against a packed nn.LSTM and our own padded run")
    console.print(table)
    return rows


def drawn_lengths(B: int, T: int, fill: float = 0.4) -> Tensor:
    """Evenly drawn, the longest T, that make a batch of several `fill` full, to a hundredth."""
    while True:
        lengths = torch.randint(1, int(2 * fill * T), (B,))
        lengths[0] = T
        if abs(float(lengths.float().mean()) / T - fill) < 0.01:
            return lengths


class Packed(nn.Module):
    """`nn.LSTM` over a packed sequence."""

    def __init__(self, D: int, H: int, lengths: Tensor) -> None:
        super().__init__()
        self.layer, self.lengths = nn.LSTM(D, H, batch_first=True), lengths

    def forward(self, x: Tensor) -> Any:
        packed = nn.utils.rnn.pack_padded_sequence(x, self.lengths, batch_first=True, enforce_sorted=False)
        return self.layer(packed)


def sustained(console: Console) -> dict[str, float]:
    """GFLOP/s of an LSTM's training step, against the machine's own large product."""
    B, T, D, H = SHAPES[0]
    x = torch.randn(B, T, D, requires_grad=True)
    run = step(Recurrent(LSTMCell(D, H)), x)
    found = in_turn(run, lambda: gemm_rate(768), 6.0)
    rate = 3 * 2 * B * T * 4 * H * (D + H) / found["ours_ms"] / 1e6
    best = gemm_rate()
    console.print(
        f"\nLSTM at {B}, {T}, {D}, {H}: {rate:.0f} GFLOP/s, {rate / best:.0%} of a large product's {best:.0f}"
    )
    return {"gflops": rate, "gemm_gflops": best, "share": rate / best}


def small_classifier(budget: float, console: Console) -> dict[str, float]:
    """Five runs of a small GRU classifier, one after the other, against the same with `nn.GRU`."""
    B, T, H, V = 32, 50, 64, 2000
    ids, target = torch.randint(1, V, (B, T)), torch.randint(0, 2, (B,))

    def five(make: Callable[[], nn.Module]) -> Step:
        def run() -> None:
            for _ in range(5):
                torch.manual_seed(0)
                embedding, layer, head = nn.Embedding(V, H), make(), nn.Linear(H, 2)
                parameters = [*embedding.parameters(), *layer.parameters(), *head.parameters()]
                optimizer = torch.optim.SGD(parameters, lr=0.1)
                for _ in range(10):
                    optimizer.zero_grad()
                    outputs = layer(embedding(ids))[0]
                    nn.functional.cross_entropy(head(outputs[:, -1]), target).backward()
                    optimizer.step()

        return run

    ours, theirs = five(lambda: Recurrent(GRUCell(H, H))), five(lambda: nn.GRU(H, H, batch_first=True))
    found = in_turn(ours, theirs, budget)
    console.print(f"\nfive runs of a small GRU classifier: ratio {found['ratio']:.2f}")
    return found


def main(arguments: list[str]) -> None:
    budget = float(arguments[0]) if arguments else 2.0
    torch.manual_seed(0)
    console = Console(width=110)
    found: dict[str, Any] = {"machine": machine()}
    console.print(found["machine"])
    found["torch"] = against_torch(budget, console)
    found["loop"] = against_loop(budget / 2, console)
    found["ragged"] = ragged(budget, console)
    found["sustained"] = sustained(console)
    found["small_classifier"] = small_classifier(budget, console)
    console.print(f"\nwritten to {write_results('engines', found)}")


if __name__ == "__main__":
    main(sys.argv[1:])
