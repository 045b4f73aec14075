"""What travels between the rooms: DataSpec, Batch, Encoded."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch
    from torch import Tensor


SHOWN = 6


class Short:
    """Prints long tuples, such as vocabularies, by their beginning and their length."""

    def __repr__(self) -> str:
        said = (f"{item.name}={_short(getattr(self, item.name))}" for item in fields(self))  # type: ignore[arg-type]
        return f"{type(self).__name__}({', '.join(said)})"


class Side(Short):
    """What goes into a model, or comes out: each kind is a frozen dataclass of plain values."""

    KINDS: ClassVar[dict[str, type[Side]]] = {}

    def __init_subclass__(cls) -> None:
        Side.KINDS[cls.__name__] = cls


class Inputs(Side):
    """What goes into a model at each step."""


class Targets(Side):
    """What comes out of a model."""


S = TypeVar("S", bound=Side)


def _short(value: Any) -> str:
    if not isinstance(value, tuple) or len(value) <= SHOWN:
        return repr(value)
    return f"({', '.join(map(repr, value[:SHOWN]))}, … {len(value):,} in all)"


@dataclass(frozen=True, repr=False)
class Tokens(Inputs):
    """Symbols of a vocabulary, as ids `[B, T]`; `words[i]` is the symbol with id i.

    characters: by id too, where batches spell the words out.
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
class Class(Targets):
    """One class per sequence, as an id `[B]`."""

    names: tuple[str, ...]

    @property
    def size(self) -> int:
        return len(self.names)


@dataclass(frozen=True, repr=False)
class Tags(Targets):
    """One label per step, as ids `[B, T]`; and, where there are `intents`, one of them per sequence.

    scheme: of the spans that the tags mark, as `text/bio_tags.py` has it; None: older than this field.
    """

    names: tuple[str, ...]
    intents: tuple[str, ...] = ()
    scheme: str | None = None

    @property
    def size(self) -> int:
        return len(self.names)


@dataclass(frozen=True, repr=False)
class NextToken(Targets):
    """The symbol that follows, as ids `[B, T]`."""

    words: tuple[str, ...]

    @property
    def size(self) -> int:
        return len(self.words)


@dataclass(frozen=True, repr=False)
class TokenSequence(Targets):
    """Another sequence of symbols, as ids `[B, T']`."""

    words: tuple[str, ...]

    @property
    def size(self) -> int:
        return len(self.words)


@dataclass(frozen=True, repr=False)
class Bits(Targets):
    """`width` independent bits per step, `[B, T, width]`.

    shifted: whether the inputs are these bits a step later, so that whoever looks ahead would see the answer.
    """

    width: int
    names: tuple[str, ...] = ()
    shifted: bool = True


@dataclass(frozen=True, repr=False)
class Values(Targets):
    """`width` real numbers per step or per sequence."""

    width: int
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class DataSpec:
    """What goes into a model and what comes out: every size, name and vocabulary that comes from the data."""

    inputs: Inputs
    targets: Targets

    def inputs_as(self, kind: type[S]) -> S:
        """The inputs. Raises TypeError for another kind."""
        return _as(self.inputs, kind)

    def targets_as(self, kind: type[S]) -> S:
        """The targets. Raises TypeError for another kind."""
        return _as(self.targets, kind)

    def to_plain(self) -> dict[str, Any]:
        """Plain values that a checkpoint can hold."""
        return {
            part.name: {"kind": type(value).__name__}
            | {item.name: _plain(getattr(value, item.name)) for item in fields(value)}
            for part in fields(self)
            for value in [getattr(self, part.name)]
        }

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> DataSpec:
        """The inverse of `to_plain`."""
        parts: dict[str, Any] = {}
        for name, values in plain.items():
            arguments = {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}
            kind: Any = Side.KINDS[values["kind"]]
            parts[name] = kind(**{key: value for key, value in arguments.items() if key != "kind"})
        return cls(**parts)


def _as(side: Side, kind: type[S]) -> S:
    if not isinstance(side, kind):
        raise TypeError(f"expected {kind.__name__}, {type(side).__name__} came")
    return side


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


@dataclass(frozen=True)
class Batch:
    """One rank's share of a global batch.

    ids:         `[B]` int64, the samples' positions in their split.
    inputs:      `[B, T]` int64 token ids, or `[B, T, D]` features.
    mask:        `[B, T]` bool, True = a real token; a prefix of every row.
    targets:     `[B]` for classes, `[B, T, …]` otherwise.
    target_mask: bool, the shape of `targets` without its features; False where a target does not count (padding, or
                 the stand-in sample of a rank whose share is empty).
    count:       how many targets count in the optimiser step, in the global batches of all ranks whose gradients are
                 accumulated: see `tasks.Task.mean_of_step`.
    extra:       what some kinds of data give beside the inputs, by name; the DataModule says what.
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
        changed: dict[str, Any] = {
            item.name: change(getattr(self, item.name)) for item in fields(self) if item.name not in ("count", "extra")
        }
        return Batch(count=self.count, extra={name: change(tensor) for name, tensor in self.extra.items()}, **changed)


State: TypeAlias = "tuple[tuple[tuple[Tensor, ...], ...], ...]"
"""The final state of an encoder: layers of directions of a cell's tensors."""


@dataclass(frozen=True)
class Encoded:
    """What every encoder returns: a place for each input, and a final state where there is one.

    outputs: `[B, S, D]`, zero where the mask is False.
    mask:    `[B, S]` bool.
    state:   layers of directions of tensors; `()` for an encoder without a state.
    last:    `[B, final_size]`, what the top layer's directions gave at their last step, side by side; None without one.
    """

    outputs: Tensor
    mask: Tensor
    state: Any = ()
    last: Tensor | None = None


NOT_COUNTED = -1
"""In the place of a tag or an intent that does not count."""


COUNTED = "counted"
"""In a batch's `extra`: which bits of a step count, where not all do."""
