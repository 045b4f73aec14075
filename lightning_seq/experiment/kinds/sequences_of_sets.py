"""Sequences of sets: polyphonic music."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from lightning_seq.data.set_reader import SetReader
from lightning_seq.data.sources.piano_rolls import NOTES
from lightning_seq.experiment.config import Config
from lightning_seq.experiment.targets import factory
from lightning_seq.models.encoder import Encoder
from lightning_seq.models.set_model import SetModel
from lightning_seq.spec import Bits, DataSpec

if TYPE_CHECKING:
    from lightning.pytorch import Callback

    from lightning_seq.data.sequences_of_sets import SequencesOfSetsData
    from lightning_seq.tasks.task import Task


def model(
    config: Config, spec: DataSpec, embedding: nn.Module, encoder: Callable[[int], Encoder], width: int
) -> SetModel:
    assert isinstance(spec.targets, Bits)
    return SetModel(embedding, encoder(width), spec.targets.width, dropout=config["task"]["dropout"])


def task(config: Config, data: SequencesOfSetsData, model: SetModel, shared: dict[str, Any]) -> Task:
    make = factory({"_target_": config["task"]["_target_"]}, "task", config["allow"])
    made: Task = make(model, **shared)
    return made


def reader(plain: dict[str, Any]) -> SetReader:
    return SetReader.from_plain(plain)


def callbacks(config: Config, directory: Path, data: SequencesOfSetsData) -> list[Callback]:
    return []


def artifacts(directory: Path, data: SequencesOfSetsData, task: Task) -> dict[str, str]:
    return {}


RANKED: tuple[str, ...] = ("predictions",)


def choices(loaded: Any) -> int | None:
    return len(NOTES)


def predictions(loaded: Any, texts: Sequence[str], top_k: int, first: int = 1) -> Iterator[dict[str, Any]]:
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
