"""Sequences of sets: polyphonic music."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback
from torch import nn

from lightning_seq.data.sequences_of_sets import SequencesOfSetsData, SetReader
from lightning_seq.errors import UserError
from lightning_seq.experiment.config import Config
from lightning_seq.experiment.targets import factory
from lightning_seq.models.encoder import Encoder
from lightning_seq.models.set_model import SetModel
from lightning_seq.spec import Bits, DataSpec
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


def predictions(loaded: Any, texts: Sequence[str], top_k: int, first: int = 1) -> Iterator[dict[str, Any]]:
    raise UserError("this model reads notes, not text: predict has nothing to give it")
