"""The column of text of a public set, on the Hub or in a mirror of it, read as running text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lightning_seq.data.sources.columns import ColumnRows, Reading, Sets, texts_of
from lightning_seq.data.sources.corpus import Corpus, Tail, lines_of
from lightning_seq.errors import UserError
from lightning_seq.files import Plain


@dataclass(frozen=True)
class TextColumn(Reading[Corpus], Tail):
    """Reads running text.

    text_column: its rows are lines, or hold several lines; a row without a line feed at its end is given one, unless it
                 is the only row.
    """

    text_column: str = "text"

    def to_plain(self) -> Plain:
        return {"running_text": self.text_column, "splits": self.own_splits, "tail": self.shares()}

    def read(self, sets: Sets, name: str, revision: str | None) -> Corpus:
        """Raises UserError for a missing split or column."""
        check_trainable(sets, self.splits, name)
        lines = {split: self._lines(rows, place) for split, rows, place in self.chosen(sets, name)}
        completed, notes = self.completed(lines, name)
        return Corpus(completed, revision=revision, notes=notes)

    def _lines(self, rows: ColumnRows, name: str) -> list[str]:
        texts, lines = texts_of(rows, "text_column", self.text_column, name), list[str]()
        for text in texts:
            ended = text.endswith("\n") or len(texts) == 1
            lines += lines_of(text if ended else f"{text}\n")
        return lines


def check_trainable(sets: Sets, splits: Mapping[str, str | None], name: str) -> None:
    """Raises UserError where a set, such as an incomplete mirror, lacks the split to train on."""
    if splits["train"] not in sets:
        names = sorted(sets)
        raise UserError(
            f"{name} has no split {splits['train']!r} to train on, only {', '.join(names)}: take another with "
            f"data.splits.train={names[-1]} (and data.splits.{names[-1]}=null, to cut that from it), or a complete set"
        )
