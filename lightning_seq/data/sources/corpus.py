"""Running text, the cut of its missing splits, and its reading from a column of a public set."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Protocol, TypeAlias

import numpy as np

from lightning_seq.data.sources.columns import ColumnRows, Reading, Sets, texts_of
from lightning_seq.data.sources.table import SPLITS, STREAMS, Shares, Source
from lightning_seq.errors import UserError
from lightning_seq.files import Plain
from lightning_seq.value_types import Seed

HELD_OUT = 0.1
"""The share of an embedded text's parts for validation, and for test."""


class Lines(Protocol):
    """Lines that can be read several times: a list, or those of a file."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[str]: ...

    def __getitem__(self, part: slice, /) -> Lines: ...


@dataclass(frozen=True)
class Corpus:
    """Running text.

    lines:    by split, each with its line feed; the last one may have none. Joined they are the text.
    symbols:  the whole vocabulary in the source's own order, without specials; None where it comes from the text.
    revision: the version of a public set, or None.
    notes:    a line for each change that the user may not expect.
    """

    lines: Mapping[str, Lines]
    symbols: tuple[str, ...] | None = None
    revision: str | None = None
    notes: list[str] = field(default_factory=list)


CorpusSource: TypeAlias = Source[Corpus]


@dataclass(frozen=True, kw_only=True)
class Tail(Shares):
    """Cuts the splits that a source lacks from its train split, where a line ends. The fractions are shares of the
    characters.

    split_seed: each is a stretch at a place that is drawn at random; None: they are the end, test the very end.
    """

    split_seed: Seed | None = None

    def shares(self) -> dict[str, Plain]:
        return {**super().shares(), **({} if self.split_seed is None else {"split_seed": self.split_seed})}

    def completed(self, lines: Mapping[str, Lines], name: str) -> tuple[dict[str, Lines], list[str]]:
        """All three splits, and a note for each that was cut.

        Raises UserError where there are too few lines for that.
        """
        lines, notes = dict(lines), []
        whole = sum(map(len, lines["train"]))
        for split, share in self.missing(lines):
            text = lines["train"]
            if len(text) < 2:
                raise UserError(
                    f"{name} has {len(text)} lines to train on, too few to cut {split} from their end: "
                    f"expected more lines; or give data.{split}=FILE"
                )
            ends = np.fromiter(accumulate(map(len, text)), dtype=np.int64, count=len(text))
            start, place = ends[-1] - share * whole, "the last"
            if self.split_seed is not None:
                generator = np.random.default_rng(np.random.SeedSequence([self.split_seed, STREAMS[split]]))
                start, place = generator.uniform(0, start), "a drawn stretch of"
            kept = int(np.abs(ends[:-1] - start).argmin()) + 1
            stop = len(text)
            if self.split_seed is not None:
                stop = max(kept, int(np.abs(ends - ends[kept - 1] - share * whole).argmin())) + 1
            lines[split] = text[kept:stop]
            lines["train"] = text[:kept] if stop == len(text) else [*text[:kept], *text[stop:]]
            notes.append(f"{split}: {place} {share:.0%} of train, as the source has no such split")
        return {split: lines[split] for split in SPLITS}, notes


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
        self.check_trainable(sets, name)
        lines = {split: self._lines(rows, place) for split, rows, place in self.chosen(sets, name)}
        completed, notes = self.completed(lines, name)
        return Corpus(completed, revision=revision, notes=notes)

    def _lines(self, rows: ColumnRows, name: str) -> list[str]:
        texts, lines = texts_of(rows, "text_column", self.text_column, name), list[str]()
        for text in texts:
            ended = text.endswith("\n") or len(texts) == 1
            lines += lines_of(text if ended else f"{text}\n")
        return lines


def lines_of(text: str) -> list[str]:
    """The lines of a text with their ends; only a line feed ends a line."""
    *ended, last = text.split("\n")
    return [f"{line}\n" for line in ended] + ([last] if last else [])


def held_out(parts: int, generator: np.random.Generator) -> list[str]:
    """The split of each part: a share for test and for validation, chosen at random."""
    order = generator.permutation(parts)
    size, splits = round(HELD_OUT * parts), ["train"] * parts
    for split, chosen in (("test", order[:size]), ("validation", order[size : 2 * size])):
        for part in chosen:
            splits[part] = split
    return splits


def gathered(parts: Sequence[list[str]], split_seed: int) -> dict[str, list[str]]:
    """The lines of each split, its parts in the same order as before."""
    lines: dict[str, list[str]] = {split: [] for split in SPLITS}
    generator = np.random.default_rng(np.random.SeedSequence([split_seed]))
    for split, part in zip(held_out(len(parts), generator), parts, strict=True):
        lines[split] += part
    return lines
