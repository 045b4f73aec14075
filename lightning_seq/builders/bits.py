"""Bits that answer given bits: the lecture's bit problems."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from lightning_seq.builders.prediction_columns import example_columns, of_task, test_rows
from lightning_seq.builders.task_kind import Loaded, Row, TaskKind, make_task
from lightning_seq.config.tree import Config
from lightning_seq.data.memory_problems.reader import VectorReader
from lightning_seq.files import write_parquet
from lightning_seq.models.encoder import Encoder
from lightning_seq.models.set_model import SetModel
from lightning_seq.spec import Bits, DataSpec

if TYPE_CHECKING:
    from lightning_seq.data.memory_problems.module import MemoryProblemData
    from lightning_seq.tasks.task import Task


def model(
    config: Config, spec: DataSpec, embedding: nn.Module, encoder: Callable[[int], Encoder], width: int
) -> SetModel:
    bits = spec.targets_as(Bits)
    dropout = config["task"]["dropout"]
    return SetModel(embedding, encoder(width), bits.width, dropout=dropout, shifted=bits.shifted)


def task(config: Config, data: MemoryProblemData, model: SetModel, shared: dict[str, Any]) -> Task:
    return make_task(config, model, **of_task(config), **shared)


def artifacts(directory: Path, data: MemoryProblemData, task: Task) -> dict[str, str]:
    """`predictions.parquet`, a row per sequence: `example_columns`, target, prediction (see `written`), loss (nats per
    step); where they are full, `probabilities`, a list: that of a 1 for each bit that counts, step by step."""
    rows = test_rows(task)
    sequences = np.split(rows, np.flatnonzero(np.diff(rows[:, 0])) + 1)
    columns = _columns(data.spec.targets_as(Bits).width, sequences)
    if getattr(task, "full_predictions", False):
        columns["probabilities"] = [sequence[:, 4].astype("float32") for sequence in sequences]
    examples = example_columns(data, np.array([sequence[0, 0] for sequence in sequences]))
    write_parquet(directory / "predictions.parquet", {**examples, **columns})
    return {"predictions": "predictions.parquet"}


def _columns(width: int, sequences: Sequence[np.ndarray]) -> dict[str, list[Any]]:
    """sequences: the rows of `BitSequences.predictions`, those of a sequence together."""
    places = [rows[:, 1:3].astype(int) for rows in sequences]
    return {
        "target": [written(width, *found) for found in zip(places, (rows[:, 3] for rows in sequences), strict=True)],
        "prediction": [
            written(width, *found) for found in zip(places, (rows[:, 4] > 0.5 for rows in sequences), strict=True)
        ],
        "loss": [float(rows[:, 5].sum() / (rows[-1, 1] + 1)) for rows in sequences],
    }


def written(width: int, places: np.ndarray, bits: np.ndarray) -> str:
    """Bits as text, `0110`, step by step (with a space between steps of several bits), `-` for one that does not count.

    places: `[N, 2]`, the step of each bit and its place there.
    """
    found = np.full((places[:, 0].max() + 1, width), "-")
    found[places[:, 0], places[:, 1]] = bits.astype(int).astype(str)
    return ("" if width == 1 else " ").join("".join(step) for step in found)


def predictions(loaded: Loaded, texts: Sequence[str], top_k: int, first: int = 1) -> Iterator[Row]:
    """For each text, a sequence in JSON, `{"text", "predictions": [{"step", "bits", "probabilities"}, …]}`."""
    with torch.inference_mode():
        batch = loaded.reader.encode(texts, first)
        found = loaded.model(batch.inputs, batch.mask)[0].sigmoid()
    for text, row, mask in zip(texts, found, batch.mask, strict=True):
        steps = [
            {
                "step": step,
                "bits": [int(probability > 0.5) for probability in probabilities],
                "probabilities": [round(probability, 6) for probability in probabilities],
            }
            for step, probabilities in enumerate(row[mask].tolist(), 1)
        ]
        yield {"text": text, "predictions": steps}


KIND = TaskKind(
    "a model of bits or notes", Bits, model, task, VectorReader.from_plain, predictions, ranked=(), artifacts=artifacts
)
