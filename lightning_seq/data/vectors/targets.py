"""The targets of sequences of vectors as arrays: classes of sequences or of steps, and values of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from lightning_seq.data.class_names import check_names
from lightning_seq.data.sources.table import SPLITS
from lightning_seq.data.sources.vector_table import Target, VectorTable
from lightning_seq.errors import UserError
from lightning_seq.spec import NOT_COUNTED, Class, Tags, Targets, Values


@dataclass(frozen=True)
class TargetKind:
    """kind: of targets. of_steps: whether the source has one for each step. names: of the classes or of the values.
    remaining: see `Values`."""

    kind: type[Class | Tags | Values]
    of_steps: bool
    names: tuple[str, ...]
    remaining: bool = False

    def arrays(self, table: VectorTable, stride: int) -> Iterator[np.ndarray]:
        """The targets of each sequence: a class id `[1]` or values `[1, W]`, of steps `[T']` or `[T', W]`."""
        numbers: Mapping[str | None, int] = {**{name: number for number, name in enumerate(self.names)}, None: -1}
        for target in table.targets:
            if self.kind is Values:
                values = np.asarray(target, dtype=np.float32)
                yield values[::stride] if self.of_steps else values[None]
            elif isinstance(target, str):
                yield np.array([numbers[target]], dtype=np.int64)
            else:
                yield np.array([numbers[name] for name in target[::stride]], dtype=np.int32)

    def targets(self, windowed: bool, train: np.ndarray) -> Targets:
        """Of the `DataSpec`. windowed: whether an example has the target of its last step alone. train: the targets of
        the examples of training."""
        if self.kind is not Values:
            return Class(self.names) if self.kind is Class or windowed else Tags(self.names, scheme="none")
        scale = train.std(0, dtype=np.float64)
        means, scales = train.mean(0, dtype=np.float64).tolist(), np.where(scale > 0, scale, 1).tolist()
        of_steps = self.of_steps and not windowed
        return Values(train.shape[1], self.names, of_steps, tuple(means), tuple(scales), self.remaining)


class Labelled(Protocol):
    """The sequences of one split; see `VectorTable`."""

    @property
    def targets(self) -> Sequence[Target]: ...

    @property
    def origin(self) -> str | None: ...

    @property
    def values(self) -> tuple[str, ...]: ...

    @property
    def remaining(self) -> bool: ...

    def place(self, example: int, name: str, split: str) -> str: ...


def target_kind(name: str, tables: Mapping[str, Labelled], classes: Sequence[str] | None) -> TargetKind:
    """The kind of the targets of a source.

    Raises UserError for a label that no training example has, and for a single class.
    """
    first = tables["train"].targets[0]
    if isinstance(first, np.ndarray) and first.dtype != object:
        return TargetKind(Values, first.ndim == 2, tables["train"].values, tables["train"].remaining)
    of_steps = not isinstance(first, str)
    trained = {label for target in tables["train"].targets for label in _labels(target)}
    if len(trained) < 2:
        raise UserError(
            f"{name}: the train split has {'one class' if trained else 'no class'}, expected at least two: check "
            "the column of labels, or give more examples"
        )
    check_names(tables["train"].origin or name, trained, "data.label_column")
    for split in SPLITS:
        for example, target in enumerate(tables[split].targets):
            for label in _labels(target):
                if label not in trained:
                    raise UserError(
                        f"{tables[split].place(example, name, split)}: no training example has the label {label!r}: "
                        f"expected one of {', '.join(sorted(trained)[:12])}"
                    )
    if classes:
        names = tuple(classes)
    elif all(label.isdecimal() for label in trained):
        names = tuple(sorted(trained, key=lambda label: (int(label), label)))
    else:
        names = tuple(sorted(trained))
    return TargetKind(Tags if of_steps else Class, of_steps, names)


def _labels(target: Target) -> set[str]:
    return {target} if isinstance(target, str) else {label for label in target if label is not None}


def counted(targets: np.ndarray) -> np.ndarray:
    """`[N]` bool, whether a class counts; values always do."""
    return targets != NOT_COUNTED if targets.ndim == 1 else np.ones(len(targets), dtype=bool)
