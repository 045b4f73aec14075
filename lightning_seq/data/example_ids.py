"""What a source calls its examples, so that predictions can be joined to the source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lightning_seq.data.kept_texts import KeptTexts, save_texts
from lightning_seq.data.numbered import mapped, reading
from lightning_seq.data.sources.keys import Located
from lightning_seq.data.sources.table import Keys


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


def read_ids(directory: Path, split: str, numbers: np.ndarray, origin: str | None) -> ExampleIds:
    """The ids of a split: the keys that were kept, else the source's own numbers `[N]`."""
    with reading(directory):
        if (directory / f"{split}_keys_text.npy").is_file():
            return ExampleIds([*KeptTexts(directory, f"{split}_keys_text")], origin)
        kept = (directory / f"{split}_keys.npy").is_file()
        return ExampleIds((mapped(directory, f"{split}_keys") if kept else numbers).tolist(), origin)
