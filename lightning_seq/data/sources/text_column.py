"""From a public set's column of text to running text; used for the Hub and for a mirror of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lightning_seq.data.sources.columns import check_columns, check_splits, chosen_splits
from lightning_seq.data.sources.corpus import Corpus, Tail, lines_of
from lightning_seq.data.sources.table import SPLITS
from lightning_seq.errors import UserError
from lightning_seq.files import Plain


@dataclass(frozen=True)
class TextColumn:
    """Which column and splits of a public set are used.

    text_column: its rows are lines, or hold several lines; a row that does not end in a line feed is given one,
                 unless it is the only row.
    splits: by our name (train, validation, test) the set's own; null where ours is cut from the end of train.
    """

    text_column: str = "text"
    splits: Mapping[str, str | None] = field(default_factory=lambda: {split: split for split in SPLITS})
    tail: Tail = field(default_factory=Tail)

    def __post_init__(self) -> None:
        check_splits(self.splits)

    def to_plain(self) -> Plain:
        return {
            "running_text": self.text_column,
            "splits": {split: self.splits.get(split) for split in SPLITS},
            "tail": self.tail.to_plain(),
        }

    def read(self, sets: Any, name: str, revision: str | None) -> Corpus:
        """Lines from a `datasets.DatasetDict`. Raises UserError for a split or column that is not there."""
        check_trainable(sets, self.splits, name)
        lines = {split: self._lines(rows, place) for split, rows, place in chosen_splits(sets, self.splits, name)}
        completed, notes = self.tail.completed(lines, name)
        return Corpus(completed, revision=revision, notes=notes)

    def _lines(self, rows: Any, name: str) -> list[str]:
        check_columns(rows, {"text_column": self.text_column}, name)
        texts, lines = list(rows[self.text_column]), []
        for row, text in enumerate(texts):
            if not isinstance(text, str):
                raise UserError(
                    f"{name}, row {row}: {self.text_column!r} is {type(text).__name__}, "
                    "expected text: give data.text_column"
                )
            ended = text.endswith("\n") or len(texts) == 1
            lines += lines_of(text if ended else f"{text}\n")
        return lines


def check_trainable(sets: Any, splits: Mapping[str, str | None], name: str) -> None:
    """Raises UserError where a set (an incomplete mirror of one) lacks the split to train on, saying what it has."""
    if splits["train"] not in sets:
        there = sorted(sets)
        raise UserError(
            f"{name} has no split {splits['train']!r} to train on, only {', '.join(there)}: take another with "
            f"data.splits.train={there[-1]} (and data.splits.{there[-1]}=null, to cut that from it), or a complete set"
        )
