"""The source's names of its examples, to join predictions to the source, and their groups."""

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
    groups: `[N]`, equal for examples of one group (chapter, document), which may be alike; None if no groups are known.
    """

    values: Sequence[int] | Sequence[str]
    origin: str | None = None
    groups: Sequence[int] | Sequence[str] | None = None


class WithNames(Protocol):
    """The examples of one split; keys, groups: the values of the user's columns, None without such a column."""

    @property
    def keys(self) -> Keys | None: ...

    @property
    def groups(self) -> Keys | None: ...


def save_names(directory: Path, split: str, table: WithNames) -> None:
    """Write the ids and the groups of a split that are in columns of the user."""
    for name, values in (("keys", table.keys), ("groups", table.groups)):
        if values is None:
            continue
        if all(isinstance(value, int) for value in values):
            np.save(directory / f"{split}_{name}.npy", np.array(values, dtype=np.int64))
        else:
            save_texts(directory, f"{split}_{name}_text", [str(value) for value in values])


class Numbered(Protocol):
    """A split; ids: `[N]`, the source's own number of each example."""

    @property
    def ids(self) -> np.ndarray: ...


def read_ids(prepared: PreparedData[Numbered], split: str) -> ExampleIds:
    """The ids and groups of a split: the values of the source's columns, else its own numbers and groups of them."""
    numbers = prepared.splits[split].ids
    keys, groups = (_saved(prepared.directory, f"{split}_{name}") for name in ("keys", "groups"))
    if groups is None and prepared.groups_of is not None:
        known = prepared.groups_of(split, numbers)
        groups = None if known is None else known.tolist()
    return ExampleIds(numbers.tolist() if keys is None else keys, prepared.origins.get(split), groups)


def _saved(directory: Path, name: str) -> list[int] | list[str] | None:
    with reading(directory):
        if (directory / f"{name}_text.npy").is_file():
            return [*KeptTexts(directory, f"{name}_text")]
        if (directory / f"{name}.npy").is_file():
            return list(map(int, mapped(directory, name)))
    return None
