"""Language models that nobody trained, with their samples."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from lightning_seq.records.record import write
from tests.report.made_run import made_directory, record_of


def make_language(
    directory: Path,
    labels: tuple[str, ...] = ("rnn", "gru"),
    seeds: int = 2,
    level: str = "word",
    data: str = "",
    prompt: str = "in the",
    epochs: int = 3,
    words: tuple[str, ...] = ("the", "beginning", "of", "<eos>", "lord"),
    settings: dict[str, Any] | None = None,
    evaluation: str | None = "carry",
    **changes: Any,
) -> Path:
    """As `make_comparison`, for language models: the later a label, the better its perplexity, the worse its accuracy.

    level:    `word` or `character`.
    words:    what the model writes and expects.
    settings: of the data, over the usual ones.
    """
    for order, label in enumerate(labels):
        for seed in range(1, seeds + 1):
            nats = 5.2 - 0.4 * order + 0.03 * seed
            by_epoch = [nats + 1.5 / epoch for epoch in range(1, epochs + 1)]
            run = made_directory(directory, label, seed)
            symbols = prompt.split() if level == "word" else list(prompt)
            plain = {
                "prompt": prompt,
                "samples": [
                    {"epoch": epoch, "text": prompt + " " + " ".join(words[: epoch + 1])}
                    for epoch in range(1, epochs + 1)
                ],
                "steps": [
                    {"symbol": symbol, "next": [{"symbol": w, "probability": 0.6 / 2**i} for i, w in enumerate(words)]}
                    for symbol in symbols
                ],
            }
            (run / "samples.json").write_text(json.dumps(plain))
            curves = {name: [] for name in ("train/loss", "val/loss", "val/perplexity", "val/accuracy")}
            for epoch, value in enumerate(by_epoch, 1):
                for name, point in zip(curves, (value, value, float(np.exp(value)), 0.2 - 0.01 * order), strict=True):
                    curves[name].append([epoch * 10, epoch, epoch * 2.0, point])
            curves["val/bits_per_character"] = [[*point[:3], point[3] / 3] for point in curves["val/loss"]]
            write(
                run,
                record_of(
                    run,
                    label,
                    seed,
                    {"samples": run / "samples.json"},
                    task="language_modelling",
                    model=label,
                    cell=None if label.startswith("window") else label,
                    data=data or f"verses_{level}s",
                    engine="fused",
                    parameters={"total": 500_000, "embedding": 300_000, "recurrent": 40_000, "head": 160_000},
                    metrics={
                        "test/loss": nats,
                        "test/perplexity": float(np.exp(nats)),
                        "test/accuracy": 0.2 - 0.01 * order + 0.001 * seed,
                        "test/bits_per_character": nats / 3,
                    },
                    curves=curves,
                    throughput={"tokens_per_second": 20_000.0},
                    fingerprints={"data": "da7a", "split": "5911", "batches": f"ba7c{seed}"},
                    config={
                        "task": {"evaluation": evaluation} if evaluation else {},
                        "data": {
                            "level": level,
                            "eos": True,
                            "layout": "columns",
                            "chunk_length": 35,
                            "eval_chunk_length": None,
                            **(settings or {}),
                        },
                    },
                    started=f"2026-01-05T12:{order:02d}:{seed:02d}+00:00",
                ).with_(**changes),
            )
    return directory
