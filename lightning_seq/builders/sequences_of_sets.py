"""Sequences of sets: polyphonic music."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from torch import nn

from lightning_seq.builders.task_kind import TaskKind
from lightning_seq.config.targets import factory
from lightning_seq.config.tree import Config
from lightning_seq.data.sequences_of_sets.reader import SetReader
from lightning_seq.models.encoder import Encoder
from lightning_seq.models.set_model import SetModel
from lightning_seq.spec import Bits, DataSpec

if TYPE_CHECKING:
    from lightning_seq.data.sequences_of_sets.module import SequencesOfSetsData
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


KIND = TaskKind(model, task, reader)
