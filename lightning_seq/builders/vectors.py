"""Sequences of vectors: a class for each, or for each of their steps."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import torch
from torch import nn

from lightning_seq.builders import classification, tagging
from lightning_seq.builders.prediction_columns import name_column, score_columns, test_rows, write_predictions
from lightning_seq.builders.task_kind import Loaded, MakeEncoder, Row, check_task
from lightning_seq.config.tree import Config
from lightning_seq.data.vectors.reader import SequenceReader
from lightning_seq.data.vectors.settings import ONE_STEP
from lightning_seq.files import write_json
from lightning_seq.metrics.baseline import majority
from lightning_seq.models.classifier import Classifier
from lightning_seq.models.tagger import Tagger
from lightning_seq.records.early import EarlyDecision
from lightning_seq.records.segments import Bands, Timeline, runs_of
from lightning_seq.spec import NOT_COUNTED, Class, DataSpec, Tags

if TYPE_CHECKING:
    from lightning_seq.data.vectors.module import VectorData
    from lightning_seq.data.video.module import VideoData
    from lightning_seq.tasks.tagging import Tagging
    from lightning_seq.tasks.task import Task

Vectors: TypeAlias = "VectorData | VideoData"
SHOWN = 12
"""Sequences in `segments.json`."""


def classifier(config: Config, spec: DataSpec, embedding: nn.Module, encoder: MakeEncoder, width: int) -> Classifier:
    check_task(config, "classification", "a class for each sequence")
    return classification.model(config, spec, embedding, encoder, width)


def tagger(config: Config, spec: DataSpec, embedding: nn.Module, encoder: MakeEncoder, width: int) -> Tagger:
    check_task(config, "tagging", "a class for each step")
    return tagging.model(config, spec, embedding, encoder, width)


def class_artifacts(directory: Path, data: Vectors, task: Task) -> dict[str, str]:
    """`predictions.parquet`, a row per example: target, prediction, loss, length; if full, the probability of each
    class. `early.json`: see `records/early.py`."""
    names, rows = data.spec.targets_as(Class).names, test_rows(task)
    shares = getattr(task, "early", ())
    numbers, early, scores = rows[:, 0].astype("int64"), rows[:, 4 : 4 + len(shares)], rows[:, 4 + len(shares) :]
    columns = {
        "target": name_column(names, rows[:, 1]),
        "prediction": name_column(names, rows[:, 2]),
        "loss": rows[:, 3],
        "length": data.splits["test"].lengths[numbers].astype("int32"),
        **(score_columns(names, scores) if scores.shape[1] else {}),
    }
    files = write_predictions(directory, data.example_ids("test"), numbers, columns)
    if data.order in ONE_STEP or not shares:
        return files
    right = (np.concatenate([early, rows[:, 2:3]], 1) == rows[:, 1:2]).mean(0)
    write_json(directory / "early.json", EarlyDecision((*shares, 1.0), tuple(right.tolist())).to_plain())
    return {**files, "early": "early.json"}


def tag_artifacts(
    directory: Path,
    data: Vectors,
    task: Tagging,
    picture: Callable[[int], str] = lambda row: "",
) -> dict[str, str]:
    """`predictions.parquet`, a row per step that counts: position in its sequence, target, prediction, loss; if full,
    the probability of each label. `segments.json`: see `records/segments.py`; picture: of a
    test sequence, in base64."""
    names, rows = data.spec.targets_as(Tags).names, test_rows(task)
    kept = rows[rows[:, 2] != NOT_COUNTED]
    columns = {
        "position": kept[:, 1].astype("int64"),
        "target": name_column(names, kept[:, 2]),
        "prediction": name_column(names, kept[:, 3]),
        "loss": kept[:, 4],
        **(score_columns(names, kept[:, 5:]) if kept.shape[1] > 5 else {}),
    }
    ids = data.example_ids("test")
    files = write_predictions(directory, ids, kept[:, 0], columns)
    sequences = np.split(rows, np.flatnonzero(np.diff(rows[:, 0])) + 1)[:SHOWN]
    bands = tuple(
        Bands(
            str(ids.values[int(rows[0, 0])]),
            runs_of(rows[:, 2].astype(int)),
            runs_of(rows[:, 3].astype(int)),
            picture(int(rows[0, 0])),
        )
        for rows in sequences
    )
    write_json(directory / "segments.json", Timeline(names, bands).to_plain())
    return {**files, "segments": "segments.json"}


def tags(loaded: Loaded, texts: Sequence[str], top_k: int, first: int = 1) -> Iterator[Row]:
    """For each text, a sequence in JSON or a file, `{"text", "predictions": [{"step", "tag", "probability"}, …]}`."""
    batch = loaded.reader.encode(texts, first)
    with torch.inference_mode():
        scores, _ = loaded.model(batch.inputs, batch.mask, batch.extra)
        decoded = loaded.model.decode(scores, batch.mask)
        own = loaded.model.probabilities(scores, batch.mask).gather(2, decoded[..., None]).squeeze(2)
    names = loaded.spec.targets_as(Tags).names
    for row, text in enumerate(texts):
        pairs = zip(decoded[row, batch.mask[row]].tolist(), own[row, batch.mask[row]].tolist(), strict=True)
        steps = [
            {"step": step, "tag": names[tag], "probability": round(probability, 6)}
            for step, (tag, probability) in enumerate(pairs, 1)
        ]
        yield {"text": text, "predictions": steps}


def tag_baseline(data: Vectors, task: Tagging) -> dict[str, float]:
    """The most frequent label of training at each step."""
    test, names = data.splits["test"], data.spec.targets_as(Tags).names
    answer, metrics = majority(data.train_labels, data.labels("test"), len(names))
    scores = task.test_segments
    if scores is None:
        return metrics
    scores.reset()
    scores.sync_on_compute = False  # rank 0 alone computes it
    for start, stop in zip(test.starts.tolist(), test.stops.tolist(), strict=True):
        targets = torch.from_numpy(test.targets[None, start:stop].astype("int64")).to(scores.device)
        scores.update(torch.full_like(targets, answer), targets, targets != NOT_COUNTED)
    metrics |= {name: float(value) for name, value in scores.compute().items()}
    scores.reset()
    return metrics


CLASSES = replace(
    classification.KIND,
    name="a classifier of sequences",
    model=classifier,
    reader=SequenceReader.from_plain,
    artifacts=class_artifacts,
)
TAGS = replace(
    tagging.KIND,
    name="a tagger of steps",
    model=tagger,
    reader=SequenceReader.from_plain,
    predictions=tags,
    choices=lambda loaded: None,
    artifacts=tag_artifacts,
    baseline=tag_baseline,
    baseline_name="majority label",
)
