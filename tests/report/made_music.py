"""Models of sequences of sets that nobody trained."""

from __future__ import annotations

from pathlib import Path

from lightning_seq.records.record import write
from tests.report.made_run import made_directory, record_of


def make_music(directory: Path, labels: tuple[str, ...] = ("tanh", "gru"), seeds: int = 2) -> Path:
    """As `make_comparison`, for sequences of sets: the later a label, the better its likelihood."""
    for order, label in enumerate(labels):
        for seed in range(1, seeds + 1):
            nats = 9.1 - 0.5 * order + 0.02 * seed
            curve = [[epoch, epoch, float(epoch), nats + 1 / epoch] for epoch in (1, 2, 3)]
            run = made_directory(directory, label, seed)
            write(
                run,
                record_of(
                    run,
                    label,
                    seed,
                    {},
                    task="sequences_of_sets",
                    model=label,
                    cell=label,
                    data="jsb_chorales",
                    metrics={"val/nll": nats, "test/loss": nats, "test/nll": nats},
                    curves={"val/loss": curve, "val/nll": curve, "train/loss": curve},
                    started=f"2026-01-05T13:{order:02d}:{seed:02d}+00:00",
                ),
            )
    return directory
