"""What an experiment asks of a kind of task, and which kind a data set is of."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from lightning_seq.errors import UserError
from lightning_seq.spec import Bits, Class, DataSpec, NextToken, Tags, TokenSequence, Values

if TYPE_CHECKING:
    from lightning.pytorch import Callback
    from torch import nn

    from lightning_seq.experiment.config import Config
    from lightning_seq.models.encoder import Encoder
    from lightning_seq.tasks.task import Task

OF_TARGETS = {
    Class: "classification",
    Tags: "tagging",
    NextToken: "language_modelling",
    Bits: "sequences_of_sets",
    TokenSequence: "sequence_to_sequence",
    Values: "regression",
}
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
GIVEN_BITS = "bits"
"""The kind of bits whose inputs are not the bits themselves, a step later."""


class Kind(Protocol):
    """A module of this room: one for each kind of task.

    RANKED: the lists of a prediction that hold `top_k` entries, the likeliest first; other lists are as long as a text.
    """

    RANKED: tuple[str, ...]

    def choices(self, loaded: Any) -> int | None:
        """How many entries `top_k` chooses among; None where nothing is ranked."""
        ...

    def model(
        self, config: Config, spec: DataSpec, embedding: nn.Module, encoder: Callable[[int], Encoder], width: int
    ) -> Any:
        """The whole model. encoder: makes the encoder for inputs of a width; width: of the embedding's vectors."""
        ...

    def task(self, config: Config, data: Any, model: Any, shared: dict[str, Any]) -> Task:
        """The LightningModule; `shared` is what every task takes: optimizer, schedule, monitor, log_every."""
        ...

    def reader(self, plain: dict[str, Any]) -> Any:
        """What `data.to_plain()` was made of: it reads new text."""
        ...

    def callbacks(self, config: Config, directory: Path, data: Any) -> list[Callback]:
        """What watches a run of this kind alone."""
        ...

    def artifacts(self, directory: Path, data: Any, task: Any) -> dict[str, str]:
        """Write what a report needs of a finished run; names and paths within the run's directory."""
        ...

    def predictions(self, loaded: Any, texts: Sequence[str], top_k: int, first: int = 1) -> Iterator[dict[str, Any]]:
        """What the model says of each of these texts, as plain values. first: the number of the first one."""
        ...


def check_verb(verb: str, spec: DataSpec) -> None:
    """Raises UserError, with the verbs that fit, for a model that the verb is not for."""
    fitting = [name for name, kinds in VERBS.items() if type(spec.targets) in kinds]
    if verb not in fitting:
        raise UserError(
            f"{verb} is for {' and '.join(NAMES[kind] for kind in VERBS[verb])}, and this checkpoint is "
            f"{NAMES[type(spec.targets)]}: use {' or '.join(fitting)}"
        )


def kind_of(spec: DataSpec) -> Kind:
    """Raises TypeError for targets that no kind of task has."""
    name = OF_TARGETS.get(type(spec.targets))
    if name is None:
        raise TypeError(f"no kind of task predicts {type(spec.targets).__name__}")
    if isinstance(spec.targets, Bits) and not spec.targets.shifted:
        name = GIVEN_BITS
    return cast(Kind, import_module(f"lightning_seq.experiment.kinds.{name}"))
