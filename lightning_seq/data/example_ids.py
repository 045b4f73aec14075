"""What a source calls its examples, so that predictions can be joined to the source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from lightning_seq.data.kept_texts import KeptTexts, save_texts
from lightning_seq.data.sources.keys import Located
from lightning_seq.data.sources.table import Keys
from lightning_seq.data.token_arrays import mapped, reading


@dataclass(frozen=True)
class ExampleIds:
    """The ids of the examples of one split, in the order of the split.

    values: `[N]`, whole numbers or text: the line of a file (from 1), the row of a public set (from 0), the value of
            `data.id_column`, or what a source without files calls its examples.
    origin: the file, or the split of a public set, that holds the examples; None for data without files.
    """

    values: Sequence[int] | Sequence[str]
    origin: str | None = None


def origins_of(source: object) -> dict[str, str]:
    """By split, what holds a source's examples; empty for a source without files."""
    return source.origins() if isinstance(source, Located) else {}


def save_keys(directory: Path, split: str, keys: Keys | None) -> None:
    """Keep what a column of ids calls the examples of a split, where there is such a column."""
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


class WithIds(Protocol):
    """Prepared data. splits, origins: by the name of a split."""

    @property
    def directory(self) -> Path: ...

    @property
    def origins(self) -> dict[str, str]: ...

    @property
    def splits(self) -> Mapping[str, Numbered]: ...


def read_ids(prepared: WithIds, split: str) -> ExampleIds:
    """The ids of a split: the keys that were kept, else the source's own numbers."""
    directory, numbers, origin = prepared.directory, prepared.splits[split].ids, prepared.origins.get(split)
    with reading(directory):
        if (directory / f"{split}_keys_text.npy").is_file():
            return ExampleIds([*KeptTexts(directory, f"{split}_keys_text")], origin)
        kept = (directory / f"{split}_keys.npy").is_file()
        return ExampleIds((mapped(directory, f"{split}_keys") if kept else numbers).tolist(), origin)
