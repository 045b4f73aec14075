"""Bits that answer given bits: the lecture's bit problems."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from lightning_seq.builders.prediction_columns import Column, of_task, test_rows, write_predictions
from lightning_seq.builders.task_kind import Loaded, MakeEncoder, Row, Shared, TaskKind, make_task
from lightning_seq.config.tree import Config
from lightning_seq.data.memory_problems.reader import VectorReader
from lightning_seq.metrics.baseline import frequent_bits
from lightning_seq.models.set_model import SetModel
from lightning_seq.spec import Bits, DataSpec

if TYPE_CHECKING:
    from lightning_seq.data.memory_problems.module import MemoryProblemData
    from lightning_seq.tasks.task import Task


def model(config: Config, spec: DataSpec, embedding: nn.Module, encoder: MakeEncoder, width: int) -> SetModel:
    bits = spec.targets_as(Bits)
    dropout = config["task"]["dropout"]
    return SetModel(embedding, encoder(width), bits.width, dropout=dropout, shifted=bits.shifted)


def task(config: Config, data: MemoryProblemData, model: SetModel, shared: Shared) -> Task:
    return make_task(config, model, **of_task(config), **shared)


def artifacts(directory: Path, data: MemoryProblemData, task: Task) -> dict[str, str]:
    """`predictions.parquet`, a row per sequence: target, prediction (see `written`), loss (nats per step); if they are
    full, `probabilities`, a list: of a 1, for each bit that counts, step by step."""
    rows = test_rows(task)
    sequences = np.split(rows, np.flatnonzero(np.diff(rows[:, 0])) + 1)
    width = data.spec.targets_as(Bits).width
    columns: dict[str, Column] = {
        "target": [written(width, rows, rows[:, 3]) for rows in sequences],
        "prediction": [written(width, rows, rows[:, 4] > 0.5) for rows in sequences],
        "loss": [float(rows[:, 5].sum() / (rows[-1, 1] + 1)) for rows in sequences],
    }
    if getattr(task, "full_predictions", False):
        columns["probabilities"] = [sequence[:, 4].astype("float32") for sequence in sequences]
    numbers = np.array([sequence[0, 0] for sequence in sequences])
    return write_predictions(directory, data.example_ids("test"), numbers, columns)


def written(width: int, rows: np.ndarray, bits: np.ndarray) -> str:
    """Bits as text, `0110`, step by step (with a space between steps of several bits), `-` for a bit that does not
    count. rows: of `BitSequences.predictions`, all of one sequence."""
    steps, places = rows[:, 1:3].astype(int).T
    text = np.full((steps.max() + 1, width), "-")
    text[steps, places] = bits.astype(int).astype(str)
    return ("" if width == 1 else " ").join("".join(step) for step in text)


def predictions(loaded: Loaded, texts: Sequence[str], top_k: int, first: int = 1) -> Iterator[Row]:
    """For each text, a sequence in JSON, `{"text", "predictions": [{"step", "bits", "probabilities"}, …]}`."""
    with torch.inference_mode():
        batch = loaded.reader.encode(texts, first)
        probabilities = loaded.model(batch.inputs, batch.mask)[0].sigmoid()
    for text, row, mask in zip(texts, probabilities, batch.mask, strict=True):
        steps = [
            {"step": step, "bits": [int(p > 0.5) for p in bits], "probabilities": [round(p, 6) for p in bits]}
            for step, bits in enumerate(row[mask].tolist(), 1)
        ]
        yield {"text": text, "predictions": steps}


def baseline(data: MemoryProblemData, task: Task) -> dict[str, float]:
    train, test = data.splits["train"], data.splits["test"]
    return frequent_bits(train.targets, train.target_mask, test.targets, test.target_mask)


KIND = TaskKind(
    "a model of bits or notes",
    Bits,
    model,
    task,
    VectorReader.from_plain,
    predictions,
    ranked=(),
    artifacts=artifacts,
    baseline=baseline,
    baseline_name="most frequent bits",
)
