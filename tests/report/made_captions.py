"""Captioners that nobody trained, with their pictures, captions and attention."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
from pyarrow import parquet

from lightning_seq.data.pictures import small_png
from lightning_seq.records.attention import levels
from lightning_seq.records.record import write
from tests.report.made_run import made_directory, record_of

WORDS = ("a", "red", "three", "left", "of", "a", "blue", "one")
GRID = (2, 3)


def png(shade: int, side: int = 24) -> str:
    """A picture with a stripe, and its own noise, which does not compress."""
    values = np.random.default_rng(shade).integers(0, 255, (3, side, side), dtype=np.uint8)
    values[:, :, : side // 2] = shade
    return small_png(values)


def peaked(place: int) -> str:
    """All weight on one place."""
    return levels([float(place == other) for other in range(GRID[0] * GRID[1])])


def make_captions(
    directory: Path,
    labels: tuple[str, ...] = ("fixed", "additive", "dot"),
    seeds: int = 2,
    epochs: int = 2,
    pictures: int = 2,
    tested: int = 8,
    side: int = 24,
    commonest: float = 0.2,
    baseline: float = 0.1,
    **changes: Any,
) -> Path:
    """As `make_comparison`, for captioners: the later a label, the better; `fixed` does not attend."""
    things = [
        {"words": "red three", "box": [0.0, 0.0, 0.5, 0.5]},
        {"words": "blue one", "box": [0.5, 0.5, 1.0, 1.0]},
    ]
    named: list[int | None] = [None, 0, 0, None, None, None, 1, 1]
    for order, label in enumerate(labels):
        attends = label != "fixed"
        for seed in range(1, seeds + 1):
            run = made_directory(directory, label, seed)
            shown = [
                {
                    "id": 10 + number,
                    "png": png(number, side),
                    "references": [" ".join(WORDS), "two things"],
                    "things": things,
                    "captions": [
                        {
                            "epoch": epoch,
                            "words": list(WORDS[: 2 + 3 * epoch]),
                            "weights": [peaked((t + number) % 6) for t in range(2 + 3 * epoch)] if attends else [],
                            "things": named[: 2 + 3 * epoch] if attends else [],
                            "shares": [
                                None if one is None else 0.25 * (one + 1) for one in named[: 2 + 3 * epoch]
                            ] if attends else [],
                        }
                        for epoch in range(1, epochs + 1)
                    ],
                }
                for number in range(pictures)
            ]  # fmt: skip
            scores = [round(0.5 * number + order * (number == 3), 4) for number in range(tested)]
            scored = [
                {
                    "id": number,
                    "png": png(50 + number, side),
                    "references": [f"a thing {number}"],
                    "caption": f"a thing {number}" if number % 2 else f"a {label} {number}",
                    "cider": scores[number],
                    "exact": bool(number % 2),
                    "shared": number < tested - 2,
                    "loss": 1.0,
                }
                for number in range(tested)
            ]
            files = {name: run / f"{name}.json" for name in ("captions", "test_captions")}
            files["captions"].write_text(json.dumps({"grid": list(GRID) if attends else None, "pictures": shown}))
            files["test_captions"].write_text(json.dumps({"n": 100, "pictures": scored}))
            files["predictions"] = run / "predictions.parquet"
            table = {
                "id": [f"scene{number}" for number in range(tested)],
                "row": list(range(tested)),
                "target": [one["references"][0] for one in scored],
                "prediction": [one["caption"] for one in scored],
                "loss": [1.0] * tested,
                "cider": scores,
                "exact_match": [float(one["exact"]) for one in scored],
            }
            parquet.write_table(pyarrow.table(table), files["predictions"])
            level = float(np.mean(scores))
            curve = [[epoch * 10, epoch, epoch * 3.0, level - 1 / epoch] for epoch in range(1, epochs + 1)]
            write(
                run,
                record_of(
                    run,
                    label,
                    seed,
                    files,
                    task="captioning",
                    model="captioner_attention" if attends else "captioner",
                    cell="gru",
                    data="scenes",
                    engine="step",
                    parameters={"total": 900_000, "embedding": 500_000, "recurrent": 190_000, "head": 210_000},
                    metrics={
                        "test/loss": 1.0,
                        "test/accuracy": 0.5,
                        "test/exact_match": 0.5,
                        "test/bleu": 20.0 + order,
                        "test/bleu_1": 40.0,
                        "test/chrf": 30.0,
                        "test/cider": level,
                        "test/rouge_l": 0.4,
                        "test/commonest": commonest,
                        "test/seen": 0.1,
                    },
                    baseline={"test/exact_match": baseline},
                    baseline_name="most frequent caption",
                    curves={"val/cider": curve},
                    throughput={"tokens_per_second": 12_000.0},
                    config={"task": {"monitor": "val/cider"}, "data": {"level": "word"}},
                    started=f"2026-01-05T14:{order:02d}:{seed:02d}+00:00",
                ).with_(**changes),
            )
    return directory
