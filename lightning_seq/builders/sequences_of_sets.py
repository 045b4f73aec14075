"""Sequences of sets: polyphonic music."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import torch
from torch import nn

from lightning_seq.builders.task_kind import Loaded, MakeEncoder, Row, Shared, TaskKind, make_task, of_means, ranked
from lightning_seq.config.tree import Config
from lightning_seq.data.sequences_of_sets.reader import SetReader
from lightning_seq.data.sources.piano_rolls import NOTES
from lightning_seq.metrics.baseline import bit_frequencies
from lightning_seq.models.set_model import SetModel
from lightning_seq.spec import Bits, DataSpec

if TYPE_CHECKING:
    from lightning_seq.data.sequences_of_sets.module import SequencesOfSetsData
    from lightning_seq.tasks.task import Task


def model(config: Config, spec: DataSpec, embedding: nn.Module, encoder: MakeEncoder, width: int) -> SetModel:
    return SetModel(embedding, encoder(width), spec.targets_as(Bits).width, dropout=config["task"]["dropout"])


def task(config: Config, data: SequencesOfSetsData, model: SetModel, shared: Shared) -> Task:
    return make_task(config, model, **shared)


def predictions(loaded: Loaded, texts: Sequence[str], top_k: int, first: int = 1) -> Iterator[Row]:
    """For each text, a piece in JSON, `{"text", "predictions": [{"note", "probability"}, …]}`: the MIDI numbers of the
    notes after its last step, the likeliest first."""
    with torch.inference_mode():
        batch = loaded.reader.encode(texts, first)
        scores, _ = loaded.model(batch.inputs, batch.mask)
        last = scores[torch.arange(len(texts)), batch.mask.sum(1) - 1].sigmoid()
    lists = ranked(last, NOTES, top_k, "note")
    yield from ({"text": text, "predictions": best} for text, best in zip(texts, lists, strict=True))


def choices(loaded: Loaded) -> int | None:
    return len(NOTES)


def baseline(data: SequencesOfSetsData, task: Task) -> dict[str, float]:
    splits = data.prepared.splits
    return of_means(task, bit_frequencies(splits["train"].flat, splits["test"].flat))


KIND = TaskKind(
    "a model of bits or notes",
    Bits,
    model,
    task,
    SetReader.from_plain,
    predictions,
    choices,
    baseline=baseline,
    baseline_name="frequency of each note",
)
