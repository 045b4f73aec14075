"""Classifiers that nobody trained: records, curves, predictions and word maps that look like those of real runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet

from lightning_seq.records.record import write
from tests.report.made_run import made_directory, record_of

CLASSES = ("law", "history", "wisdom", "prophets", "gospels", "acts", "letters")
LEVELS = {"rnn": 0.69, "lstm": 0.752, "gru": 0.757, "birnn": 0.715}
RECURRENT = {"rnn": 33_024, "lstm": 117_248, "gru": 88_320, "birnn": 59_392}
WORDS = (
    "king",
    "queen",
    "israel",
    "egypt",
    "judah",
    "jerusalem",
    "babylon",
    "assyria",
    "damascus",
    "samaria",
    "lord",
    "god",
    "spirit",
    "house",
    "temple",
    "altar",
    "priest",
    "prophet",
    "father",
    "mother",
    "son",
    "daughter",
    "brother",
    "sister",
    "city",
    "river",
    "mountain",
    "sea",
    "wilderness",
    "bread",
)


def make_comparison(
    directory: Path,
    labels: tuple[str, ...] = ("rnn", "lstm", "gru", "birnn"),
    seeds: int = 3,
    epochs: int = 8,
    classes: tuple[str, ...] = CLASSES,
    words: tuple[str, ...] = WORDS,
    failed: tuple[tuple[str, int], ...] = (),
    error: str = "RuntimeError: loss is not finite at step 120",
    steps_per_epoch: int = 0,
    **changes: Any,
) -> Path:
    """Write `<directory>/<label>-seed<k>/` for each label and seed and return the directory.

    steps_per_epoch: how many points `train/loss` has within an epoch; 0 logs it once an epoch.
    changes:         fields of every record.
    """
    for order, label in enumerate(labels):
        for seed in range(1, seeds + 1):
            random = np.random.default_rng([order, seed])
            level = LEVELS.get(label, 0.7 + 0.01 * order) + random.normal(0, 0.006)
            run = made_directory(directory, label, seed)
            is_failed = (label, seed) in failed
            files = _write_files(run, random, level, classes, words, is_failed)
            record = record_of(
                run,
                label,
                seed,
                files,
                status="failed" if is_failed else "done",
                error=error if is_failed else None,
                overrides=[f"model={label}"],
                task="classification",
                model=label,
                cell=label,
                data="verses_genre",
                engine="native",
                parameters={
                    "total": 1_200_000 + RECURRENT.get(label, 50_000) + 903,
                    "embedding": 1_200_000,
                    "recurrent": RECURRENT.get(label, 50_000),
                    "head": 903,
                },
                metrics={}
                if is_failed
                else {
                    "val/accuracy": level + 0.004,
                    "test/loss": 1.9 - 1.5 * level,
                    "test/macro_f1": level - 0.031,
                    "test/accuracy": level,
                },
                curves=_curves(random, level, order, 2 if is_failed else epochs, steps_per_epoch),
                throughput={} if is_failed else {"tokens_per_second": 61_000 - 9_000 * order + random.normal(0, 800)},
                peak_memory_bytes=812_000_000,
                fingerprints={
                    "config": f"c{order}{seed}",
                    "data": "61fa0c2277b1d3aa",
                    "split": "0d93bb1c5e02f7a4",
                    "batches": f"ba7c4e5{seed}",
                    "embedding": "9a0be3d1c2f45566",
                },
                embedding={"kind": "word2vec", "size": 100, "type_coverage": 0.934, "token_coverage": 0.9921},
                config={
                    "seed": seed,
                    "model": {"cell": label, "hidden_size": 128, "num_layers": 1, "bidirectional": label == "birnn"},
                    "optimizer": {"name": "adamw", "lr": 0.002, "weight_decay": 0.01},
                    "data": {"name": "verses_genre", "batch_size": 64, "max_length": None},
                    "trainer": {"max_epochs": epochs, "accelerator": "cpu"},
                },
                environment={
                    "python": "3.11.9",
                    "torch": "2.13.0",
                    "lightning": "2.6.6",
                    "device": "cpu",
                    "threads": 2,
                },
                started=f"2026-01-05T10:{order:02d}:{seed:02d}+00:00",
                finished=f"2026-01-05T10:{order:02d}:{seed + 30:02d}+00:00",
            )
            write(run, record.with_(**changes))
    return directory


def _write_files(
    run: Path, random: np.random.Generator, level: float, classes: tuple[str, ...], words: tuple[str, ...], failed: bool
) -> dict[str, Path]:
    files = {"config": run / "config.yaml", "log": run / "log.txt"}
    files["config"].write_text("seed: 1\n")
    files["log"].write_text("started\n")
    if failed:
        return files
    n = 900
    weights = 1 / np.arange(1, len(classes) + 1)
    target = random.choice(len(classes), n, p=weights / weights.sum())
    near = (target + random.choice([-1, 1, 2], n, p=[0.45, 0.4, 0.15])) % len(classes)
    prediction = np.where(random.random(n) < level, target, near)
    files |= {"predictions": run / "predictions.parquet", "word_map": run / "word_map.json"}
    names = np.array(classes, dtype=object)
    parquet.write_table(
        pa.table(
            {
                "id": np.arange(n),
                "target": names[target].tolist(),
                "prediction": names[prediction].tolist(),
                "loss": random.exponential(0.8, n),
            }
        ),
        files["predictions"],
    )
    places = np.random.default_rng(7).normal(0, [2.2, 1.1], (len(words), 2))
    plain = {
        "method": "PCA",
        "words": [
            {"word": word, "count": int(9000 / (index + 1)) + 5, "x": float(x), "y": float(y)}
            for index, (word, (x, y)) in enumerate(zip(words, places, strict=True))
        ],
        "arrows": [{"from": words[0], "to": words[1]}, {"from": words[2], "to": words[5 % len(words)]}],
    }
    files["word_map"].write_text(json.dumps(plain))
    files["metrics"] = run / "metrics.csv"
    files["metrics"].write_text("step,val/loss\n1,0.5\n")
    return files


def _curves(
    random: np.random.Generator, level: float, order: int, epochs: int, steps_per_epoch: int
) -> dict[str, list[list[float | None]]]:
    curves: dict[str, list[list[float | None]]] = {"train/loss": [], "val/loss": [], "val/accuracy": []}
    for epoch in range(1, epochs + 1):
        step, seconds = epoch * 380, epoch * (7.0 + 2.2 * order) + random.normal(0, 0.2)
        rise = 1 - np.exp(-0.7 * epoch)
        noise = random.normal(0, 0.006)
        curves["val/accuracy"].append([step, epoch, seconds, float(0.3 + (level - 0.3) * rise + noise)])
        curves["val/loss"].append([step, epoch, seconds, float(1.9 - 1.5 * level * rise + 0.012 * epoch - noise)])
        for part in range(1, max(1, steps_per_epoch) + 1):
            share = part / max(1, steps_per_epoch)
            at = epoch - 1 + share
            loss = 1.95 - 1.6 * level * (1 - np.exp(-0.7 * at)) - 0.03 * at + random.normal(0, 0.015)
            took = seconds * at / epoch
            curves["train/loss"].append([step - 380 + 380 * share, epoch, took, float(loss)])
    return curves
