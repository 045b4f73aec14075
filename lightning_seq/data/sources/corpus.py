"""What every source of running text gives: lines by split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import TypeAlias

import numpy as np

from lightning_seq.data.sources.table import SPLITS, Source, check_rest
from lightning_seq.errors import UserError
from lightning_seq.files import Plain

HELD_OUT = 0.1
"""Share of an embedded text's parts that is kept for validation, and again for test."""


@dataclass(frozen=True)
class Corpus:
    """What a source of running text gives.

    lines:    by split, each with the line feed that ends it; the last one may have none. Joined they are the text.
    symbols:  the whole vocabulary in the source's own order, without specials; None where it comes from the text.
    revision: which version of a public set was loaded, where it has one.
    notes:    one line each on what was done that the user may not expect.
    """

    lines: dict[str, list[str]]
    symbols: tuple[str, ...] | None = None
    revision: str | None = None
    notes: list[str] = field(default_factory=list)


CorpusSource: TypeAlias = Source[Corpus]


@dataclass(frozen=True)
class Tail:
    """How splits that a source does not have are cut: from the end of its train split, where a line ends.

    validation, test: shares of the train split's characters; test is the very end.
    """

    validation: float = 0.1
    test: float = 0.1

    def __post_init__(self) -> None:
        for name in ("validation", "test"):
            share = getattr(self, name)
            if not 0 < share < 1:
                raise UserError(f"data.{name}_fraction is {share}, expected more than 0 and less than 1")

    def to_plain(self) -> Plain:
        return {"validation": self.validation, "test": self.test}

    def completed(self, lines: dict[str, list[str]], name: str) -> tuple[dict[str, list[str]], list[str]]:
        """All three splits, the missing ones cut from train, and a note for each that was cut.

        Raises UserError where there are too few lines for that.
        """
        lines, notes = dict(lines), []
        check_rest({"validation": self.validation, "test": self.test}, lines)
        whole = sum(map(len, lines["train"]))
        for split, share in (("test", self.test), ("validation", self.validation)):
            if split in lines:
                continue
            text = lines["train"]
            if len(text) < 2:
                raise UserError(
                    f"{name} has {len(text)} lines to train on, too few to cut {split} from their end: "
                    f"expected more lines; or give data.{split}=FILE"
                )
            ends = np.fromiter(accumulate(map(len, text)), dtype=np.int64, count=len(text))
            kept = int(np.abs(ends[:-1] - (ends[-1] - share * whole)).argmin()) + 1
            lines["train"], lines[split] = text[:kept], text[kept:]
            notes.append(f"{split}: the last {share:.0%} of train, as the source has no such split")
        return {split: lines[split] for split in SPLITS}, notes


def lines_of(text: str) -> list[str]:
    """The lines of a text with their ends; only a line feed ends a line."""
    *ended, last = text.split("\n")
    return [f"{line}\n" for line in ended] + ([last] if last else [])


def held_out(parts: int, split_seed: int) -> list[str]:
    """The split of each of so many parts: a share for test and for validation, chosen at random."""
    if isinstance(split_seed, bool) or not isinstance(split_seed, int) or split_seed < 0:
        raise UserError(f"data.split_seed is {split_seed}, expected a whole number of at least 0")
    order = np.random.default_rng(np.random.SeedSequence([split_seed])).permutation(parts)
    size, splits = round(HELD_OUT * parts), ["train"] * parts
    for split, places in (("test", order[:size]), ("validation", order[size : 2 * size])):
        for place in places:
            splits[place] = split
    return splits


def gathered(parts: Sequence[list[str]], split_seed: int) -> dict[str, list[str]]:
    """The lines of each split, its parts in the order they came in."""
    lines: dict[str, list[str]] = {split: [] for split in SPLITS}
    for split, part in zip(held_out(len(parts), split_seed), parts, strict=True):
        lines[split] += part
    return lines
