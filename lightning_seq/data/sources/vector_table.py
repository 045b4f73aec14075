"""Sequences of vectors: the examples of one split, whose steps are read one sequence at a time."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from lightning_seq.data.sources.table import Examples, Keys, Loaded, Source
from lightning_seq.errors import UserError

Target: TypeAlias = "str | Sequence[str | None] | np.ndarray"
"""The class of a sequence; the class of each step (None does not count); float32 values, `[W]` of a sequence or
`[T, W]` of each step."""


@dataclass(frozen=True)
class VectorTable(Examples):
    """The sequences of one split.

    rows:    the argument of `read` for each sequence.
    read:    gives the steps of a sequence, `[T, D]` float32; NaN is a missing number.
    targets: all of one kind of `Target`.
    ids:     of the source.
    origin:  the user's file that holds the sequences, or None.
    keys, groups: the values of the user's own columns of ids and groups, or None.
    names:   of the D numbers of a step; empty: they are numbered.
    values:  the names of the W values; empty: they are numbered.
    remaining: whether the values are the steps that are left.
    """

    rows: list[int]
    read: Callable[[int], np.ndarray]
    targets: list[Target]
    ids: list[int]
    origin: str | None = None
    keys: Keys | None = None
    groups: Keys | None = None
    names: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    remaining: bool = False

    @property
    def strata(self) -> Sequence[str]:
        return [target if isinstance(target, str) else "" for target in self.targets]

    def place(self, example: int, name: str, split: str) -> str:
        """Where the source has a sequence, for people."""
        where = self.origin or f"{name}, {split} split"
        return f"{where}, sequence {self.keys[example] if self.keys else self.ids[example]}"


VectorSource: TypeAlias = Source[Loaded[VectorTable]]


class StepsOnDisk:
    """Sequences of steps in a file that is deleted with this object: `append` them, then call it with their number."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115
        self._shapes: list[tuple[int, int]] = []
        self._starts = [0]

    def __len__(self) -> int:
        return len(self._shapes)

    def append(self, steps: np.ndarray) -> None:
        """Steps `[T, D]`."""
        self._file.seek(self._starts[-1])
        self._file.write(np.ascontiguousarray(steps, dtype=np.float32).tobytes())
        self._starts.append(self._file.tell())
        self._shapes.append((len(steps), steps.shape[1]))

    def __call__(self, row: int) -> np.ndarray:
        self._file.seek(self._starts[row])
        content = self._file.read(self._starts[row + 1] - self._starts[row])
        return np.frombuffer(content, dtype=np.float32).reshape(self._shapes[row])


def as_steps(value: object, place: str, example: str = "[[0.5, 1.0], [0.25, 2.0]]") -> np.ndarray:
    """`[T, D]` float32 from a list of steps, each a list of numbers. Raises UserError, with the place, for others."""
    try:
        steps = np.asarray(value, dtype=np.float32)
    except (ValueError, TypeError, OverflowError, RecursionError):
        raise UserError(f"{place}: {_shown(value)} came, {_widths(value)}such as {example}") from None
    if steps.ndim == 1 and len(steps):
        steps = steps[:, None]
    if steps.ndim != 2 or not steps.size:
        what = "an empty sequence" if not steps.size else _shown(value)
        raise UserError(f"{place}: {what} came, expected a list of steps, each a list of numbers, such as {example}")
    return steps


def _widths(value: object) -> str:
    """The expected form and, where steps have unequal widths, the first two of them."""
    if isinstance(value, list) and all(isinstance(step, list) for step in value) and value:
        strange = next((number for number, step in enumerate(value) if len(step) != len(value[0])), None)
        if strange is not None:
            return (
                f"step {strange + 1} has {len(value[strange])} numbers and step 1 has {len(value[0])}: expected steps "
                "of equal width, "
            )
    return "expected a list of steps, each a list of numbers, "


def _shown(value: object) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:60]} …"
