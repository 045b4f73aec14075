"""The values that pass between the packages: DataSpec, Batch, Encoded."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, ClassVar, TypeAlias, TypeVar

from lightning_seq.files import Plain

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch
    from torch import Tensor


SHOWN = 6


class Short:
    """Prints long tuples, such as vocabularies, by their beginning and their length."""

    def __repr__(self) -> str:
        values = (f"{item.name}={_short(getattr(self, item.name))}" for item in fields(self))  # type: ignore[arg-type]
        return f"{type(self).__name__}({', '.join(values)})"


class Side(Short):
    """The inputs or the targets of a model: each kind is a frozen dataclass of plain values."""

    KINDS: ClassVar[dict[str, Callable[..., Side]]] = {}

    def __init_subclass__(cls) -> None:
        Side.KINDS[cls.__name__] = cls


class Inputs(Side):
    """The inputs of a model at each step."""


class Targets(Side):
    """The targets of a model."""


S = TypeVar("S", bound=Side)


def _short(value: object) -> str:
    if not isinstance(value, tuple) or len(value) <= SHOWN:
        return repr(value)
    return f"({', '.join(map(repr, value[:SHOWN]))}, … {len(value):,} in all)"


@dataclass(frozen=True, repr=False)
class Tokens(Inputs):
    """Symbols of a vocabulary, as ids `[B, T]`; `words[i]` is the symbol with id i.

    characters: by id too, if batches spell the words.
    """

    words: tuple[str, ...]
    characters: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        return len(self.words)


@dataclass(frozen=True, repr=False)
class Features(Inputs):
    """A vector of real numbers at each step, `[B, T, width]`."""

    width: int
    names: tuple[str, ...] = ()


@dataclass(frozen=True, repr=False)
class Grid(Inputs):
    """A picture at each step, `[B, T, channels, *space]`."""

    channels: int
    space: tuple[int, ...]


@dataclass(frozen=True, repr=False)
class Picture(Inputs):
    """One picture per example, uint8 `[B, channels, height, width]`; the mask of a batch is `[B, 1]`."""

    channels: int
    height: int
    width: int

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width."""
        return self.channels, self.height, self.width


@dataclass(frozen=True, repr=False)
class FilmStrip(Picture):
    """A clip of `frames` frames next to each other in one picture, which has their common width."""

    frames: int = 1


@dataclass(frozen=True, repr=False)
class Question(Tokens):
    """Symbols of a vocabulary, as ids `[B, T]`, and one picture per example, uint8 `[B, channels, height, width]`, as
    `pictures` in a batch's `extra`."""

    channels: int = 3
    height: int = 1
    width: int = 1

    @property
    def picture(self) -> tuple[int, int, int]:
        """Channels, height and width."""
        return self.channels, self.height, self.width


@dataclass(frozen=True, repr=False)
class Labels(Targets):
    """`names[i]` is the label with id i."""

    names: tuple[str, ...]

    @property
    def size(self) -> int:
        return len(self.names)


class Class(Labels):
    """One class per sequence, as an id `[B]`."""


class Answer(Class):
    """One answer per question, as an id `[B]`."""


@dataclass(frozen=True, repr=False)
class Tags(Labels):
    """One label per step, as ids `[B, T]`; with `intents`, also one of them per sequence.

    scheme: of the spans that the tags mark, one of `text/bio_tags.py`; None: older than this field.
    """

    intents: tuple[str, ...] = ()
    scheme: str | None = None


@dataclass(frozen=True, repr=False)
class Symbols(Targets):
    """`words[i]` is the symbol with id i."""

    words: tuple[str, ...]

    @property
    def size(self) -> int:
        return len(self.words)


class NextToken(Symbols):
    """The next symbol, as ids `[B, T]`."""


class TokenSequence(Symbols):
    """Another sequence of symbols, as ids `[B, T']`."""


class Caption(TokenSequence):
    """A sequence of symbols that describes the input, as ids `[B, T']`."""


class Transcript(TokenSequence):
    """A sequence of symbols that is said in the input, as ids `[B, T']`."""


@dataclass(frozen=True, repr=False)
class Reply(Symbols):
    """The answer of each turn of a dialog, one of several texts, as its place `[B]` among them.

    candidates: the most texts among which the answer of a turn is to be found; 0 if turns have none.
    turns:      of the longest dialog.
    """

    candidates: int = 0
    turns: int = 1


@dataclass(frozen=True, repr=False)
class Bits(Targets):
    """`width` independent bits per step, `[B, T, width]`.

    shifted: whether the inputs are these bits a step later, so that a model that looks ahead would see the answer.
    """

    width: int
    names: tuple[str, ...] = ()
    shifted: bool = True


@dataclass(frozen=True, repr=False)
class Values(Targets):
    """`width` real numbers per sequence, `[B, width]`, or per step, `[B, T, width]`.

    of_steps:    whether there are numbers at each step.
    mean, scale: of each number in training, by which a model learns (value - mean) / scale; empty: it learns the value.
    remaining:   whether the numbers are the steps that are left, such as of a machine's life.
    """

    width: int
    names: tuple[str, ...] = ()
    of_steps: bool = False
    mean: tuple[float, ...] = ()
    scale: tuple[float, ...] = ()
    remaining: bool = False


@dataclass(frozen=True, repr=False)
class Future(Targets):
    """The next `horizon` values of a series, `[B, horizon]`.

    season: steps of a period.
    known:  covariates of each step that are known in the future too; past: those that are not.
    counts: whether all values are whole and not negative.
    gaps:   whether values are missing; the second input then says which are there.
    scale:  of the values, see `data.forecasting.SeriesSettings`.
    """

    horizon: int
    season: int = 1
    known: int = 0
    past: int = 0
    counts: bool = False
    gaps: bool = False
    scale: str = "none"


@dataclass(frozen=True, repr=False)
class NextFrame(Targets):
    """The next frame of a clip after each of its frames, uint8 `[B, T, channels, height, width]`."""

    channels: int
    height: int
    width: int

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width."""
        return self.channels, self.height, self.width


@dataclass(frozen=True)
class DataSpec:
    """The inputs and targets of a model: every size, name and vocabulary that comes from the data."""

    inputs: Inputs
    targets: Targets

    def inputs_as(self, kind: type[S]) -> S:
        """The inputs. Raises TypeError for another kind."""
        return _as(self.inputs, kind)

    def targets_as(self, kind: type[S]) -> S:
        """The targets. Raises TypeError for another kind."""
        return _as(self.targets, kind)

    def to_plain(self) -> dict[str, Plain]:
        """Plain values that a checkpoint can hold."""
        return {"inputs": _to_plain(self.inputs), "targets": _to_plain(self.targets)}

    @classmethod
    def from_plain(cls, plain: dict[str, Plain]) -> DataSpec:
        """The inverse of `to_plain`."""
        return cls(_as(_from_plain(plain["inputs"]), Inputs), _as(_from_plain(plain["targets"]), Targets))


def _as(side: Side, kind: type[S]) -> S:
    if not isinstance(side, kind):
        raise TypeError(f"expected {kind.__name__}, {type(side).__name__} came")
    return side


def _to_plain(side: Inputs | Targets) -> dict[str, Plain]:
    values = {name: list(value) if isinstance(value, tuple) else value for name, value in vars(side).items()}
    return {"kind": type(side).__name__, **values}


def _from_plain(plain: dict[str, Plain]) -> Side:
    values = {key: tuple(value) if isinstance(value, list) else value for key, value in plain.items() if key != "kind"}
    return Side.KINDS[plain["kind"]](**values)


@dataclass(frozen=True)
class Batch:
    """One rank's share of a global batch.

    ids:         `[B]` int64, the samples' positions in their split.
    inputs:      `[B, T]` int64 token ids, `[B, T, D]` features, pictures `[B, C, H, W]` or clips `[B, T, C, H, W]`.
    mask:        `[B, T]` bool, True = a real token; a prefix of every row.
    targets:     `[B]` for classes, `[B, T, …]` otherwise.
    target_mask: bool, the shape of `targets` without its features; False for a target that does not count (padding, or
                 the padding sample of a rank without samples).
    count:       the number of targets that count in the optimiser step, in all accumulated batches of all ranks: see
                 `tasks.Task.mean_of_step`.
    extra:       further tensors of some kinds of data, by name; see their DataModule.
    """

    ids: Tensor
    inputs: Tensor
    mask: Tensor
    targets: Tensor
    target_mask: Tensor
    count: int
    extra: dict[str, Tensor] = field(default_factory=dict)

    def to(self, device: torch.device | str, non_blocking: bool = False) -> Batch:
        return self._each(lambda tensor: tensor.to(device, non_blocking=non_blocking))

    def pin_memory(self) -> Batch:
        return self._each(lambda tensor: tensor.pin_memory())

    def _each(self, change: Callable[[Tensor], Tensor]) -> Batch:
        tensors = (self.ids, self.inputs, self.mask, self.targets, self.target_mask)
        ids, inputs, mask, targets, target_mask = map(change, tensors)
        extra = {name: change(tensor) for name, tensor in self.extra.items()}
        return Batch(ids, inputs, mask, targets, target_mask, self.count, extra)


State: TypeAlias = "tuple[tuple[tuple[Tensor, ...], ...], ...]"
"""The final state of an encoder: layers of directions of a cell's tensors."""


@dataclass(frozen=True)
class Encoded:
    """The result of every encoder.

    outputs: `[B, S, D]`, zero where the mask is False.
    mask:    `[B, S]` bool.
    state:   the final state; `()` for an encoder without a state.
    last:    `[B, final_size]`, the outputs of the top layer's directions at their last step, concatenated; None without
             a state.
    """

    outputs: Tensor
    mask: Tensor
    state: State = ()
    last: Tensor | None = None


NOT_COUNTED = -1
"""The id of a tag or an intent that does not count."""

COUNTED = "counted"
"""The key in a batch's `extra` of the bits that count, if not all do."""

PICTURES, KINDS, BOXES = "pictures", "kinds", "boxes"
"""The keys in a batch's `extra` of pictures and kinds of questions, and of the boxes of the words of captions."""

HISTORY, ANSWERS, CANDIDATES, RELEVANCES, TURNS = "history", "answers", "candidates", "relevances", "turns"
"""The keys in a batch's `extra` of dialogs, see `data.visual_dialog.VisualDialogData`."""

SPANS = "spans"
"""The key in a batch's `extra` of the frames of each symbol of a transcript, see `data.speech.SpeechData`."""

ANNOTATED, AGREEMENT, CHOICES = "annotated", "agreement", "choices"
"""The keys in a batch's `extra` of answers of several annotators, of the agreement with each, and of the answers to
choose from."""

FUTURE, SCALES = "future", "scales"
"""The keys in a batch's `extra` of series: covariates of the steps to predict, and the scale of the values, see
`data.forecasting.ForecastingData`."""
