"""What a run and the verbs on its checkpoint ask of a kind of task."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from lightning_seq.config.targets import factory
from lightning_seq.config.tree import Config
from lightning_seq.errors import UserError
from lightning_seq.spec import Class, DataSpec, Targets

if TYPE_CHECKING:
    from lightning.pytorch import Callback

    from lightning_seq.tasks.task import Task

Row = dict[str, Any]


@dataclass(frozen=True, repr=False)
class Loaded:
    """A trained model in evaluation mode.

    config: the resolved configuration it was trained with.
    spec:   what goes in and what comes out.
    reader: from text to batches, as in training.
    kind:   its kind of task.
    """

    model: Any
    config: Config
    spec: DataSpec
    reader: Any
    kind: TaskKind

    def __repr__(self) -> str:
        choices = self.config.get("choices", {})
        count = sum(parameter.numel() for parameter in self.model.parameters())
        said = f"model={choices.get('model')}, data={choices.get('data')}, {count:,} parameters"
        return f"<Loaded: {self.kind.name}, {said}>"

    @torch.inference_mode()
    def probabilities(self, texts: Sequence[str], first: int = 1) -> Tensor:
        """`[B, C]`, one row per text; `first` is the number of the first one.

        Raises UserError for an empty text, and where the model is no classifier.
        """
        if not isinstance(self.spec.targets, Class):
            raise UserError(f"this model is {self.kind.name}, expected a classifier")
        batch = self.reader.encode(texts, first)
        return torch.softmax(self.model(batch.inputs, batch.mask), -1)


def no_choices(loaded: Loaded) -> int | None:
    """Nothing is ranked."""
    return None


def no_callbacks(config: Config, directory: Path, data: Any) -> list[Callback]:
    """Nothing watches the run for this kind of task alone."""
    return []


def no_artifacts(directory: Path, data: Any, task: Task) -> dict[str, str]:
    """The record says all that a report needs."""
    return {}


@dataclass(frozen=True)
class TaskKind:
    """One kind of task; each file of this room makes one.

    name:        for messages, such as "a tagger".
    targets:     the type of `DataSpec.targets` that the data of this kind have.
    model:       `(config, spec, embedding, encoder, width)` to the whole model. encoder: makes the encoder for inputs
                 of one width; width: of the embedding's vectors.
    task:        `(config, data, model, shared)` to the LightningModule; shared: the arguments that every task takes,
                 optimizer, schedule, monitor, log_every.
    reader:      from `data.to_plain()` to the reader of new text.
    predictions: `(loaded, texts, top_k, first)` to a row for each text, `{"text", "predictions": […]}`; first: the
                 number of the first text.
    choices:     from the loaded model to how many entries `top_k` chooses among; None where nothing is ranked.
    ranked:      the lists of a row that become columns of a CSV file, an entry after the other; of other lists a
                 column has all entries.
    verbs:       the verbs that the checkpoints are for.
    callbacks:   `(config, directory, data)` to the callbacks of this kind alone.
    artifacts:   `(directory, data, task)` writes the files that a report needs of a finished run; returns their names
                 and their paths within the run's directory.
    """

    name: str
    targets: type[Targets]
    model: Callable[..., Any]
    task: Callable[..., Task]
    reader: Callable[[dict[str, Any]], Any]
    predictions: Callable[..., Iterator[Row]]
    choices: Callable[[Loaded], int | None] = no_choices
    ranked: tuple[str, ...] = ("predictions",)
    verbs: tuple[str, ...] = ("predict",)
    callbacks: Callable[..., list[Callback]] = no_callbacks
    artifacts: Callable[..., dict[str, str]] = no_artifacts


def make_task(config: Config, *positional: Any, **named: Any) -> Task:
    """The LightningModule that `task._target_` names, from its arguments."""
    make = factory({"_target_": config["task"]["_target_"]}, "task", config["allow"])
    return make(*positional, **named)
