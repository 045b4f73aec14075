"""Settings of data and tasks of signals (series, speech, video and vectors); see `config/settings.py`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from lightning_seq.config.settings import Predictions, SourceSettings, TaskSettings
from lightning_seq.value_types import Fraction, OneOf, Range, Size, Weight

if TYPE_CHECKING:
    from lightning_seq.data.augment import Augment
    from lightning_seq.data.front_end import FrontEnd
    from lightning_seq.data.spec_augment import SpecAugment
    from lightning_seq.models.forecast_output import OUTPUTS, POINT_LOSSES
    from lightning_seq.models.forecaster import NORMS, STRATEGIES
    from lightning_seq.tasks.teacher_forcing import TeacherForcing


@dataclass(frozen=True)
class NgramSettings:
    order: Annotated[int, Range(0, 10)]
    weight: Weight
    bonus: float


@dataclass(frozen=True)
class SpeechSettings(TaskSettings):
    subsample: Annotated[int, Range(1, 64)]
    blank_bias: float
    ctc_weight: Fraction
    symbol_size: Size
    teacher_forcing: TeacherForcing
    beam: Annotated[int, Range(1, 1000)]
    length_penalty: Annotated[float, Range(0, 100)]
    early_stop: bool
    ngram: NgramSettings
    predictions: Predictions


@dataclass(frozen=True)
class ForecastingSettings(TaskSettings):
    strategy: Annotated[str, OneOf(STRATEGIES)]
    output: Annotated[str, OneOf(OUTPUTS)]
    loss: Annotated[str, OneOf(POINT_LOSSES)]
    instance_norm: Annotated[str, OneOf(NORMS)]
    residual: bool
    head_sizes: list[Size]
    samples: Annotated[int, Range(1, 10_000)]
    decoder_size: Size | None
    attention: bool
    quantiles: list[Fraction]


@dataclass(frozen=True)
class SpokenSettings(SourceSettings):
    front_end: FrontEnd


@dataclass(frozen=True)
class SpeechDataSettings:
    source: Callable[..., object]
    front_end: FrontEnd
    augment: SpecAugment


@dataclass(frozen=True)
class VectorDataSettings:
    source: Callable[..., object]


@dataclass(frozen=True)
class VideoDataSettings:
    source: Callable[..., object]
    augment: Augment
