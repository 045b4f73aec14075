"""Small sequences of vectors, as a source of a test."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lightning_seq.data.sources.table import SPLITS, Cut, Loaded
from lightning_seq.data.sources.vector_table import Target, VectorTable
from lightning_seq.files import Plain


@dataclass(frozen=True)
class Given(Cut):
    """Sequences by split: (steps, target) or (steps, target, group)."""

    sequences: dict[str, list[tuple[Any, ...]]] = field(default_factory=dict)

    def describe(self) -> str:
        return "given"

    def identity(self) -> Plain:
        return repr(self.sequences)

    def load(self) -> Loaded[VectorTable]:
        tables = {}
        for split, rows in self.sequences.items():
            arrays = [np.array(row[0], dtype=np.float32) for row in rows]
            groups = [row[2] for row in rows] if len(rows[0]) > 2 else None
            targets: list[Target] = [row[1] for row in rows]
            ids = list(range(len(rows)))
            tables[split] = VectorTable(ids, arrays.__getitem__, targets, ids, groups=groups)
        return self.loaded(tables)


def same(*rows: tuple[Any, ...]) -> dict[str, list[tuple[Any, ...]]]:
    """These sequences as each split."""
    return {key: list(rows) for key in SPLITS}


def drawn(count: int, seed: int = 0, width: int = 3, longest: int = 9) -> list[tuple[np.ndarray, str]]:
    """Sequences of two classes, which differ in the sign of their mean."""
    generator = np.random.default_rng(seed)
    lengths = generator.integers(2, longest + 1, count)
    return [
        (generator.normal(1 - 2 * (row % 2), 1, (length, width)).round(3), ("up", "down")[row % 2])
        for row, length in enumerate(lengths.tolist())
    ]
