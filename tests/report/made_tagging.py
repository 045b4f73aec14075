"""Taggers that nobody trained, with their sentences and counts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as sheets

from lightning_seq.records.record import write
from tests.report.made_run import made_directory, record_of

TAGS = ("O", "B-NP", "I-NP", "B-VP")
SENTENCES: tuple[dict[str, Any], ...] = (
    {
        "id": 4,
        "tokens": ["right", "here"],
        "target": ["O", "B-NP"],
        "prediction": ["O", "B-NP"],
        "loss": 9.5,
    },
    {
        "id": 17,
        "tokens": ["the", "dog", "barks", "?"],
        "target": ["B-NP", "I-NP", "B-VP", "O"],
        "prediction": ["B-NP", "B-VP", "B-VP", "O"],
        "loss": 7.25,
    },
)


def make_tagging(
    directory: Path,
    labels: tuple[str, ...] = ("rnn", "birnn"),
    seeds: int = 2,
    tags: tuple[str, ...] = TAGS,
    sentences: tuple[dict[str, Any], ...] = SENTENCES,
    spans: bool = True,
    data: str = "conll2000",
    parquet: bool = True,
    **changes: Any,
) -> Path:
    """As `make_comparison`, for taggers: the later a label, the better its F1, the worse its accuracy.

    spans:   whether the tags mark spans, and there are metrics of them.
    parquet: whether there is a `predictions.parquet` beside the `tagging.json`; the counts of both are equal.
    """
    for order, label in enumerate(labels):
        for seed in range(1, seeds + 1):
            run = made_directory(directory, label, seed)
            size = len(tags)
            confusion = np.eye(size, dtype=int) * 40 + np.eye(size, k=1, dtype=int) * (8 - order)
            kinds = list(dict.fromkeys(tag[2:] for tag in tags if tag != "O")) if spans else []
            score = {"precision": 0.8, "recall": 0.7, "f1": 0.6 + 0.05 * order}
            plain = {
                "labels": list(tags),
                "confusion": confusion.tolist(),
                "per_class": [{"label": tag, **score, "support": 190 - number} for number, tag in enumerate(tags)],
                "spans": [
                    {"kind": kind, **score, "predicted": 80, "spans": 90 - number} for number, kind in enumerate(kinds)
                ],
                "sentences": list(sentences),
            }
            files = {"tagging": run / "tagging.json", "conll": run / "predictions.conll"}
            files["tagging"].write_text(json.dumps(plain))
            files["conll"].write_text("the B-NP B-NP\n")
            if parquet:
                files["predictions"] = run / "predictions.parquet"
                target, prediction = np.repeat(
                    np.indices(confusion.shape).reshape(2, -1), confusion.reshape(-1), axis=1
                )
                names = np.array(tags, dtype=object)
                table = {"target": names[target].tolist(), "prediction": names[prediction].tolist()}
                sheets.write_table(pa.table(table), files["predictions"])
            metrics = {"test/loss": 0.4, "test/accuracy": 0.95 - 0.02 * order + 0.001 * seed}
            if spans:
                f1 = 0.86 + 0.04 * order + 0.002 * seed
                metrics |= {"test/f1": f1, "test/precision": f1, "test/recall": f1}
            curve = [[epoch, epoch, float(epoch), 0.5 + 0.1 * epoch] for epoch in (1, 2, 3)]
            write(
                run,
                record_of(
                    run,
                    label,
                    seed,
                    files,
                    task="tagging",
                    model=label,
                    cell=label,
                    data=data,
                    engine="native",
                    parameters={"total": 900_000, "embedding": 700_000, "recurrent": 190_000, "head": 10_000},
                    metrics=metrics,
                    curves={"val/accuracy": curve, "val/loss": curve, **({"val/f1": curve} if spans else {})},
                    fingerprints={"data": "7a95", "split": "5922", "batches": f"ba7d{seed}"},
                    started=f"2026-01-05T11:{order:02d}:{seed:02d}+00:00",
                ).with_(**changes),
            )
    return directory
