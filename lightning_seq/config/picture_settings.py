"""Settings of tasks that read pictures; see `config/settings.py`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from lightning_seq.config.settings import PooledSettings, Predictions, SequenceToSequenceSettings
from lightning_seq.value_types import OneOf, Range, Size

if TYPE_CHECKING:
    from lightning_seq.losses.reinforce import Reinforce
    from lightning_seq.models.answerer import FUSIONS
    from lightning_seq.models.dialog_answerer import ANSWERS
    from lightning_seq.models.dialog_history import HISTORIES


@dataclass(frozen=True)
class FusionSettings(PooledSettings):
    fusion: Annotated[str, OneOf(FUSIONS)]
    picture: Callable[..., object]
    width: Size
    hops: Annotated[int, Range(1, 100)]
    predictions: Predictions


@dataclass(frozen=True)
class VisualQuestionSettings(FusionSettings):
    class_weights: Literal["balanced"] | list[float] | None


@dataclass(frozen=True)
class VisualDialogSettings(FusionSettings):
    history: Annotated[str, OneOf(HISTORIES)]
    answers: Annotated[str, OneOf(ANSWERS)]


@dataclass(frozen=True)
class CaptioningSettings(SequenceToSequenceSettings):
    reinforce: Reinforce


@dataclass(frozen=True)
class PictureSettings:
    attend: bool
    picture: Callable[..., object]
