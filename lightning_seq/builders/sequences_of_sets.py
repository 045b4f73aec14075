"""Sequences of sets: polyphonic music."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from lightning_seq.builders.task_kind import Loaded, Row, TaskKind, make_task
from lightning_seq.config.tree import Config
from lightning_seq.data.sequences_of_sets.reader import SetReader
from lightning_seq.data.sources.piano_rolls import NOTES
from lightning_seq.models.encoder import Encoder
from lightning_seq.models.set_model import SetModel
from lightning_seq.spec import Bits, DataSpec

if TYPE_CHECKING:
    from lightning_seq.data.sequences_of_sets.module import SequencesOfSetsData
    from lightning_seq.tasks.task import Task


def model(
    config: Config, spec: DataSpec, embedding: nn.Module, encoder: Callable[[int], Encoder], width: int
) -> SetModel:
    return SetModel(embedding, encoder(width), spec.targets_as(Bits).width, dropout=config["task"]["dropout"])


def task(config: Config, data: SequencesOfSetsData, model: SetModel, shared: dict[str, Any]) -> Task:
    return make_task(config, model, **shared)


def predictions(loaded: Loaded, texts: Sequence[str], top_k: int, first: int = 1) -> Iterator[Row]:
    """For each text, a piece in JSON, `{"text", "predictions": [{"note", "probability"}, …]}`: the MIDI numbers of what
    may sound after its last step, the likeliest first."""
    with torch.inference_mode():
        batch = loaded.reader.encode(texts, first)
        scores, _ = loaded.model(batch.inputs, batch.mask)
        last = scores[torch.arange(len(texts)), batch.mask.sum(1) - 1].sigmoid()
        values, keys = last.topk(min(top_k, len(NOTES)), -1)
    for text, row, ids in zip(texts, values.tolist(), keys.tolist(), strict=True):
        ranked = [
            {"note": NOTES[key], "probability": round(probability, 6)}
            for key, probability in zip(ids, row, strict=True)
        ]
        yield {"text": text, "predictions": ranked}


def choices(loaded: Loaded) -> int | None:
    return len(NOTES)


KIND = TaskKind("a model of bits or notes", Bits, model, task, SetReader.from_plain, predictions, choices)
