"""The settings of a configuration and the kinds of their values.

`config/schema.py` reads these classes, and the constructors of the classes that a `_target_` names, as text: the
annotation of a field is the whole schema of its key. `Callable` is a mapping with a `_target_`. A value of a field with
several classes is checked against the class with the same `kind`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from lightning_seq.value_types import Count, Fraction, OneOf, Range, Seed, Size, SmallSeed, Weight

if TYPE_CHECKING:
    from lightning_seq.callbacks.finite_guard import POLICIES
    from lightning_seq.data.augment import Augment
    from lightning_seq.embeddings.word2vec import Word2VecParameters
    from lightning_seq.metrics.translation import TOKENIZERS
    from lightning_seq.models.encoder_decoder import TIED
    from lightning_seq.models.pooling import POOLINGS
    from lightning_seq.tasks.schedule import Schedule
    from lightning_seq.tasks.teacher_forcing import TeacherForcing
    from lightning_seq.text.bio_tags import SCHEMES
    from lightning_seq.text.normalise import FORMS
    from lightning_seq.text.segmenter import LEVELS
    from lightning_seq.text.subwords import KINDS

PRECISIONS = ("32-true", "32", "16-mixed", "bf16-mixed")
WANDB_MODES = ("disabled", "offline", "online")
"""From the least use of W&B to the most."""

Name = str | int | float
"""A word, even if it looks like a number."""
EmbeddingSize = Annotated[int, Range(1, 100_000)]
Jobs = Annotated[int, Range(1, 4096)]
Minutes = Annotated[float, Range(1e-3, 1e7)]
Predictions = Annotated[str, OneOf(("short", "full"))]


@dataclass(frozen=True)
class EntrySettings:
    label: Name
    overrides: list[str]


@dataclass(frozen=True)
class TuneSettings:
    trials: Annotated[int, Range(0, 1000)]
    seed: SmallSeed
    space: dict[str, object]


@dataclass(frozen=True)
class MatchSettings:
    kind: Annotated[str, OneOf(("none", "parameters", "state", "flops"))]
    target: str | Annotated[float, Range(-1e18, 1e18)] | None
    count: Annotated[str, OneOf(("recurrent", "all"))]


@dataclass(frozen=True)
class TrainerSettings:
    accelerator: str
    devices: Annotated[int, Range(-1, 4096)] | list[Count] | str
    num_nodes: Size
    timeout: Annotated[float, Range(1, 1e8)]
    sync_batchnorm: bool
    max_epochs: Annotated[int, Range(-1, 1_000_000_000)]
    max_steps: Annotated[int, Range(-1, 0x20_0000_0000_0000)]
    gradient_clip_val: Annotated[float, Range(0)] | None
    accumulate_grad_batches: Size
    precision: Annotated[str, OneOf(PRECISIONS)] | Literal[32]
    log_every_n_steps: Size
    threads: Jobs | None
    progress: bool


@dataclass(frozen=True)
class FiniteGuardSettings:
    policy: Annotated[str, OneOf(POLICIES)]
    times: Count


@dataclass(frozen=True)
class EarlyStoppingSettings:
    patience: Count
    min_delta: Annotated[float, Range(0)]


@dataclass(frozen=True)
class CallbackSettings:
    checkpoint: bool
    checkpoint_every_n_steps: Size | None
    checkpoint_every_minutes: Minutes | None
    keep_optimizer: bool
    finite_guard: FiniteGuardSettings
    early_stopping: EarlyStoppingSettings | None
    gradient_flow: bool
    gates: bool
    states: bool
    deciding_words: bool
    probe_rows: Annotated[int, Range(1, 100_000)]


@dataclass(frozen=True)
class PlainLogger:
    kind: Literal["none", "tensorboard"]


@dataclass(frozen=True)
class WandbLogger:
    kind: Literal["wandb"]
    mode: Annotated[str, OneOf(WANDB_MODES)]
    project: Name
    entity: Name | None
    tags: list[Name]
    notes: str | None
    log_model: bool


@dataclass(frozen=True)
class PlainLauncher:
    kind: Literal["inline", "local"]


@dataclass(frozen=True)
class RayLauncher:
    kind: Literal["ray"]
    address: str | None
    cpus: Annotated[float, Range(0)] | None
    gpus: Annotated[float, Range(0)] | None


@dataclass(frozen=True)
class SubmititLauncher:
    kind: Literal["submitit"]
    cluster: Literal["slurm", "local"]
    partition: Name | None
    account: Name | None
    minutes: Annotated[int, Range(1, 10_000_000)]
    cpus: Size | None
    memory: Annotated[float, Range(0)]
    sbatch: dict[str, object]
    setup: list[str]


@dataclass(frozen=True)
class FixedEmbedding:
    kind: Literal["onehot", "none"]
    size: EmbeddingSize | None
    frozen: bool | Count


@dataclass(frozen=True)
class Word2VecEmbedding:
    kind: Literal["word2vec"]
    size: EmbeddingSize | None
    frozen: bool | Count
    dropout: Fraction


@dataclass(frozen=True)
class FileEmbedding:
    kind: Literal["file"]
    path: str | None
    target_path: str | None
    size: EmbeddingSize | None
    frozen: bool | Count
    dropout: Fraction


@dataclass(frozen=True)
class RandomEmbedding:
    kind: Literal["random"]
    size: EmbeddingSize
    frozen: bool | Count
    dropout: Fraction
    scale: Annotated[float, Range(0, 1e6)]


@dataclass(frozen=True)
class FramesEmbedding:
    kind: Literal["frames"]
    size: EmbeddingSize
    picture: Callable[..., object]


@dataclass(frozen=True)
class Settings:
    """All keys of a configuration."""

    seed: Seed
    vary: list[Annotated[str, OneOf(("init", "split", "vectors"))]]
    runs: str | None
    name: str | None
    label: str | None
    show: Annotated[str, OneOf(("config",))] | None
    resume: Annotated[str, OneOf(("auto", "must", "never"))]
    cache: str | None
    allow: list[str]
    word2vec: Word2VecParameters
    entries: list[EntrySettings] | None
    seeds: Seed | list[Seed] | Annotated[str, OneOf(("auto",))]
    max_seeds: Annotated[int, Range(2, 200)]
    rope: Annotated[float, Range(0, 1e9)] | None
    jobs: Jobs
    dry_run: bool
    tune: TuneSettings
    evaluate: bool
    output: str | None
    match: MatchSettings
    trainer: TrainerSettings
    callbacks: CallbackSettings
    logger: PlainLogger | WandbLogger
    launcher: PlainLauncher | RayLauncher | SubmititLauncher
    embedding: Word2VecEmbedding | RandomEmbedding | FileEmbedding | FixedEmbedding | FramesEmbedding
    data: Callable[..., object]
    model: Callable[..., object]
    cell: Callable[..., object]
    init: Callable[..., object]
    attention: Callable[..., object]
    task: Callable[..., object]
    optimizer: Callable[..., object]


@dataclass(frozen=True)
class RankingSettings:
    scale: float
    right_margin: float
    wrong_margin: float


@dataclass(frozen=True)
class SampleSettings:
    prompt: str | None
    length: Annotated[int, Range(1, 100_000)]
    temperature: Annotated[float, Range(0, 1000)]


@dataclass(frozen=True)
class TaskSettings:
    """Of every task."""

    dropout: Fraction
    schedule: Schedule


@dataclass(frozen=True)
class BitsSettings(TaskSettings):
    predictions: Predictions


@dataclass(frozen=True)
class PooledSettings(TaskSettings):
    pooling: Annotated[str, OneOf(("auto", *POOLINGS))]
    head_sizes: list[Size]


@dataclass(frozen=True)
class RegressionSettings(PooledSettings):
    tolerance: Weight


@dataclass(frozen=True)
class ClassificationSettings(PooledSettings):
    class_weights: Literal["balanced"] | list[float] | None
    ranking: RankingSettings
    predictions: Predictions


@dataclass(frozen=True)
class LanguageModellingSettings(TaskSettings):
    locked: bool
    tied: bool
    adaptive_softmax: Sequence[Size] | None
    averaging: Count | None
    sample: SampleSettings


@dataclass(frozen=True)
class SequenceToSequenceSettings(TaskSettings):
    tied: Annotated[str, OneOf(TIED)]
    teacher_forcing: TeacherForcing
    beam: Annotated[int, Range(1, 1000)]
    length_penalty: Annotated[float, Range(0, 100)]
    beam_coverage: Annotated[float, Range(0)]
    early_stop: bool
    bleu_tokenize: Annotated[str, OneOf(TOKENIZERS)]
    predictions: Predictions


@dataclass(frozen=True)
class TaggingSettings(TaskSettings):
    characters: Annotated[str, OneOf(("none", "cnn", "lstm"))]
    character_embedding: Size
    character_size: Size
    character_width: Size
    case: Annotated[int, Range(0, 100_000)]
    crf: bool
    constraints: Annotated[str, OneOf(("auto", "training", "none"))]
    locked: bool
    predictions: Predictions


@dataclass(frozen=True)
class AttendSettings:
    attend: bool


@dataclass(frozen=True)
class OptimizerSettings:
    """Of torch's optimisers, whose own annotations have no ranges."""

    lr: Annotated[float, Range(0, 3e38)]
    momentum: Fraction
    weight_decay: Annotated[float, Range(0, 1e6)]


@dataclass(frozen=True)
class SplitSettings:
    """The source's name of each split; null: it is cut from train."""

    train: str
    validation: str | None
    test: str | None


@dataclass(frozen=True)
class HubSettings:
    id: str | None
    config: str | None
    revision: str | None
    splits: SplitSettings
    tokens_column: str | None
    tag_column: str | None
    source_column: str | None
    target_column: str | None
    stream: bool


@dataclass(frozen=True)
class SubwordSettings:
    kind: Annotated[str, OneOf(KINDS)]
    size: Size


@dataclass(frozen=True)
class SourceSettings:
    hub: HubSettings
    splits: SplitSettings
    tokens_column: str | int
    tag_column: str | int


@dataclass(frozen=True)
class DataSettings:
    source: Callable[..., object]
    subword: SubwordSettings
    target_subword: SubwordSettings | None
    level: Annotated[str, OneOf(LEVELS)]
    target_level: Annotated[str, OneOf(LEVELS)] | None
    normalise: Annotated[str, OneOf(FORMS)]
    scheme: Annotated[str, OneOf(SCHEMES)]
    unseen_tags: Annotated[str, OneOf(("error", "ignore"))]
    features: Callable[..., object] | None
    augment: Augment
