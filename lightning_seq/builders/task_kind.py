"""What a run asks of a kind of task: a model, a LightningModule, a reader of new text, artifacts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightning_seq.errors import UserError
from lightning_seq.spec import Bits, Class, DataSpec, NextToken, Tags, TokenSequence, Values

if TYPE_CHECKING:
    from lightning.pytorch import Callback

    from lightning_seq.config.tree import Config
    from lightning_seq.tasks.task import Task

NAMES: dict[type, str] = {
    Class: "a classifier",
    Tags: "a tagger",
    NextToken: "a language model",
    Bits: "a model of bits or notes",
    TokenSequence: "a translator",
    Values: "a regression model",
}
VERBS: dict[str, tuple[type, ...]] = {
    "predict": tuple(NAMES),
    "score": (NextToken,),
    "sample": (NextToken,),
    "translate": (TokenSequence,),
}
"""The verbs on a checkpoint, and the targets of the models that they are for."""


def no_callbacks(config: Config, directory: Path, data: Any) -> list[Callback]:
    """Nothing watches the run for this kind of task alone."""
    return []


def no_artifacts(directory: Path, data: Any, task: Task) -> dict[str, str]:
    """The record says all that a report needs."""
    return {}


@dataclass(frozen=True)
class TaskKind:
    """The functions of one kind of task; each file of this room makes one.

    model:     `(config, spec, embedding, encoder, width)` to the whole model. encoder: makes the encoder for inputs of
               one width; width: of the embedding's vectors.
    task:      `(config, data, model, shared)` to the LightningModule; shared: the arguments that every task takes,
               optimizer, schedule, monitor, log_every.
    reader:    from `data.to_plain()` to the reader of new text.
    callbacks: `(config, directory, data)` to the callbacks of this kind alone.
    artifacts: `(directory, data, task)` writes the files that a report needs of a finished run; returns their names and
               their paths within the run's directory.
    """

    model: Callable[..., Any]
    task: Callable[..., Task]
    reader: Callable[[dict[str, Any]], Any]
    callbacks: Callable[..., list[Callback]] = no_callbacks
    artifacts: Callable[..., dict[str, str]] = no_artifacts


def check_verb(verb: str, spec: DataSpec) -> None:
    """Raises UserError, with the verbs that fit, for a model that the verb is not for."""
    fitting = [name for name, kinds in VERBS.items() if type(spec.targets) in kinds]
    if verb not in fitting:
        raise UserError(
            f"{verb} is for {' and '.join(NAMES[kind] for kind in VERBS[verb])}, and this checkpoint is "
            f"{NAMES[type(spec.targets)]}: use {' or '.join(fitting)}"
        )
