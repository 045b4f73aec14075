"""The parts of a kind of task that a run and the verbs on its checkpoint use."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import torch
from torch import Tensor

from lightning_seq.config.targets import factory
from lightning_seq.config.tree import Config
from lightning_seq.errors import UserError
from lightning_seq.models.encoder import Encoder
from lightning_seq.spec import PICTURES, Class, DataSpec, Targets

if TYPE_CHECKING:
    from lightning.pytorch import Callback

    from lightning_seq.tasks.task import Task

Row: TypeAlias = dict[str, Any]
"""One line of the output of a verb."""
MakeEncoder: TypeAlias = Callable[[int], Encoder]
"""From the width of the inputs to the encoder."""
Shared: TypeAlias = dict[str, object]
"""The arguments that every task takes: optimizer, schedule, monitor, log_every."""


@dataclass(frozen=True, repr=False)
class Loaded:
    """A trained model in evaluation mode.

    config: the resolved configuration of its training.
    reader: from text to batches, as in training.
    """

    model: Any
    config: Config
    spec: DataSpec
    reader: Any
    kind: TaskKind

    def __repr__(self) -> str:
        choices = self.config.get("choices", {})
        count = sum(parameter.numel() for parameter in self.model.parameters())
        parts = f"model={choices.get('model')}, data={choices.get('data')}, {count:,} parameters"
        return f"<Loaded: {self.kind.name}, {parts}>"

    @torch.inference_mode()
    def probabilities(self, texts: Sequence[str], first: int = 1) -> Tensor:
        """`[B, C]`, one row per text; `first` is the number of the first one.

        Raises UserError for an empty text, and for a model that is no classifier.
        """
        if not isinstance(self.spec.targets, Class):
            raise UserError(f"this model is {self.kind.name}, expected a classifier")
        return torch.softmax(self.outputs(texts, first), -1)

    @torch.inference_mode()
    def outputs(self, texts: Sequence[str], first: int = 1) -> Tensor:
        """The model's output for one batch of texts."""
        batch = self.reader.encode(texts, first)
        pictures = [batch.extra[PICTURES]] if PICTURES in batch.extra else []
        return self.model(batch.inputs, batch.mask, *pictures)


@dataclass(frozen=True)
class TaskKind:
    """One kind of task; each file of this room makes one.

    name:        for messages, such as "a tagger".
    targets:     the type of `DataSpec.targets`.
    model:       `(config, spec, embedding, encoder, width)` to the whole model; width: of the embedding's vectors.
    task:        `(config, data, model, shared)` to the LightningModule.
    reader:      from `data.to_plain()` to the reader of new text.
    predictions: `(loaded, texts, top_k, first)` to a row for each text, `{"text", "predictions": […]}`; first: the
                 number of the first text.
    choices:     from the loaded model to the number of entries among which `top_k` chooses; None without a ranking.
    ranked:      the lists of a row that become columns of a CSV file, one entry per column; any other list becomes one
                 column.
    verbs:       the verbs that accept the checkpoints.
    callbacks:   `(config, directory, data)` to the callbacks of this kind alone.
    artifacts:   `(directory, data, task)` writes the files that a report needs of a finished run, and returns their
                 names and their paths within the run's directory.
    baseline:    `(data, task)` to the test metrics, without `test/`, of a predictor that looks at no input and is
                 computed from the train split alone (`metrics/baseline.py`); empty without one.
    baseline_name: this predictor in words.
    further_baselines: `(data, task)` to the same for further predictors that are not trained, by their names.
    """

    name: str
    targets: type[Targets]
    model: Callable[..., Any]
    task: Callable[..., Task]
    reader: Callable[[dict[str, Any]], Any]
    predictions: Callable[..., Iterator[Row]]
    choices: Callable[[Loaded], int | None] = lambda loaded: None
    ranked: tuple[str, ...] = ("predictions",)
    verbs: tuple[str, ...] = ("predict",)
    callbacks: Callable[..., list[Callback]] = lambda config, directory, data: []
    artifacts: Callable[..., dict[str, str]] = lambda directory, data, task: {}
    baseline: Callable[..., Mapping[str, float]] = lambda data, task: {}
    baseline_name: str = ""
    further_baselines: Callable[..., Mapping[str, Mapping[str, float]]] = lambda data, task: {}


def make_task(config: Config, *positional: object, **named: object) -> Task:
    """The LightningModule that `task._target_` names, from its arguments."""
    make = factory({"_target_": config["task"]["_target_"]}, "task", config["allow"])
    return make(*positional, **named)


def check_task(config: Config, name: str, targets: str) -> None:
    """Raises UserError where the columns of the user's files give another kind of target than the task needs."""
    chosen, data = config["choices"]["task"], config["choices"]["data"]
    if chosen != name:
        raise UserError(
            f"data={data} is for task={chosen}, and {targets} came: use data=vectors with data.label_column, "
            "data=vector_tags with data.tags_column, or data=vector_values with data.value_columns"
        )


def of_means(task: Task, means: Mapping[str, float]) -> dict[str, float]:
    """The metrics that a task logs of a test with these means."""
    tensors = {name: torch.tensor(value, dtype=torch.float64) for name, value in means.items()}
    return {name: float(value) for name, value in task.logged("test", tensors).items()}


def ranked(
    scores: Tensor, names: Sequence[object], top_k: int, key: str, value: str = "probability"
) -> Iterator[list[Row]]:
    """For each row of scores `[B, C]` its highest, `[{key: name, value: score}, …]`."""
    values, indices = scores.topk(min(top_k, scores.shape[-1]), -1)
    for row, numbers in zip(values.tolist(), indices.tolist(), strict=True):
        yield [{key: names[number], value: round(score, 6)} for number, score in zip(numbers, row, strict=True)]
