"""The source's names of its examples, to join predictions to the source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from lightning_seq.data.cache import PreparedData
from lightning_seq.data.kept_texts import KeptTexts, save_texts
from lightning_seq.data.sources.table import Keys
from lightning_seq.data.token_arrays import mapped, reading


@dataclass(frozen=True)
class ExampleIds:
    """The ids of the examples of one split, in the order of the split.

    values: `[N]`, whole numbers or text: the line of a file (from 1), the row of a public set (from 0), the value of
            `data.id_column`, or the numbers that a source without files gives its examples.
    origin: the file, or the split of a public set, that holds the examples; None for data without files.
    """

    values: Sequence[int] | Sequence[str]
    origin: str | None = None


def save_keys(directory: Path, split: str, keys: Keys | None) -> None:
    """Write the values of a column of ids for a split; None: the source has no such column."""
    if keys is None:
        return
    if all(isinstance(key, int) for key in keys):
        np.save(directory / f"{split}_keys.npy", np.array(keys, dtype=np.int64))
    else:
        save_texts(directory, f"{split}_keys_text", [str(key) for key in keys])


class Numbered(Protocol):
    """A split; ids: `[N]`, the source's own number of each example."""

    @property
    def ids(self) -> np.ndarray: ...


def read_ids(prepared: PreparedData[Numbered], split: str) -> ExampleIds:
    """The ids of a split: the values of the source's column of ids, else its own numbers."""
    directory, numbers, origin = prepared.directory, prepared.splits[split].ids, prepared.origins.get(split)
    with reading(directory):
        if (directory / f"{split}_keys_text.npy").is_file():
            return ExampleIds([*KeptTexts(directory, f"{split}_keys_text")], origin)
        if (directory / f"{split}_keys.npy").is_file():
            numbers = mapped(directory, f"{split}_keys")
        return ExampleIds(numbers.tolist(), origin)
