"""What every source gives: examples by split."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol, Self, TypeAlias, TypeVar

import numpy as np

from lightning_seq.errors import UserError
from lightning_seq.files import Plain
from lightning_seq.value_types import Seed

SPLITS = ("train", "validation", "test")
_VALIDATION_STREAM, _TEST_STREAM = 0, 1

Keys: TypeAlias = list[int] | list[str]
"""What a column of ids calls the examples of one split, each once."""


class Rows(Protocol):
    """The examples of one split, of any kind."""

    @property
    def strata(self) -> Sequence[str]:
        """For each example what a part that is cut off has the same share of as the rest."""
        ...

    def __len__(self) -> int: ...

    def take(self, rows: Iterable[int]) -> Self:
        """Those examples, in that order."""
        ...


T = TypeVar("T", bound=Rows)


@dataclass(frozen=True)
class Table:
    """Labelled texts: the examples of one split for classification.

    ids:    what the source calls each example: its row, its verse, its line in the file.
    origin: the user's file that holds the examples, or None; there `ids` are line numbers.
    keys:   what the user's own column of ids calls each example, or None.
    """

    texts: list[str]
    labels: list[str]
    ids: list[int]
    origin: str | None = None
    keys: Keys | None = None

    @property
    def strata(self) -> Sequence[str]:
        return self.labels

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, rows: Iterable[int]) -> Table:
        rows = list(rows)
        return Table(
            [self.texts[row] for row in rows],
            [self.labels[row] for row in rows],
            [self.ids[row] for row in rows],
            self.origin,
            taken(self.keys, rows),
        )


L_co = TypeVar("L_co", covariant=True)


@dataclass(frozen=True)
class Loaded(Generic[T]):
    """What a source gives.

    tables:   by split: train, validation, test.
    classes:  the classes or tags in the order the source gives them, or None where it has no order.
    revision: which version of a public set was loaded, where it has one.
    notes:    one line each on what was done that the user may not expect.
    """

    tables: dict[str, T]
    classes: tuple[str, ...] | None = None
    revision: str | None = None
    notes: list[str] = field(default_factory=list)


class Source(Protocol[L_co]):
    """Where examples come from. Frozen, plain arguments; nothing is read before one of its methods is called."""

    def describe(self) -> str:
        """A name for people, such as `stanfordnlp/imdb`."""
        ...

    def identity(self) -> Plain:
        """Everything that decides what `load` returns, found out quickly: checksums, names, settings."""
        ...

    def load(self) -> L_co:
        """The examples by split. Raises UserError for a mistake that the user can correct."""
        ...


@dataclass(frozen=True)
class Cut:
    """How splits that a source does not have are cut from its train split: by class, seeded.

    validation, test: shares of the train split.
    """

    validation: float = 0.1
    test: float = 0.1
    split_seed: Seed = 1

    def __post_init__(self) -> None:
        for name in ("validation", "test"):
            share = getattr(self, name)
            if not 0 < share < 1:
                raise UserError(f"data.{name}_fraction is {share}, expected more than 0 and less than 1")
        if isinstance(self.split_seed, bool) or not isinstance(self.split_seed, int) or self.split_seed < 0:
            raise UserError(f"data.split_seed is {self.split_seed}, expected a whole number of at least 0")

    def to_plain(self) -> Plain:
        return {"validation": self.validation, "test": self.test, "split_seed": self.split_seed}

    def completed(self, tables: dict[str, T]) -> tuple[dict[str, T], list[str]]:
        """All three splits, the missing ones cut from train, and a note for each that was cut."""
        tables, notes = dict(tables), []
        check_rest({"validation": self.validation, "test": self.test}, tables)
        shares = {"test": (self.test, _TEST_STREAM), "validation": (self.validation, _VALIDATION_STREAM)}
        whole = len(tables["train"])
        for split, (share, stream) in shares.items():
            if split not in tables:
                # A share of the whole, also for the second cut.
                left = share * whole / max(len(tables["train"]), 1)
                tables["train"], tables[split] = cut(tables["train"], min(left, 1.0), [self.split_seed, stream])
                notes.append(f"{split}: {share:.0%} of train, as the source has no such split")
        return {split: tables[split] for split in SPLITS}, notes


def taken(keys: Keys | None, rows: Iterable[int]) -> Keys | None:
    """The keys of those examples, where they have some."""
    return None if keys is None else [keys[row] for row in rows]  # type: ignore[return-value]


def check_rest(shares: Mapping[str, float], there: Collection[str]) -> None:
    """Raises UserError where the splits that are cut from train leave nothing of it. there: splits that are not cut."""
    missing = {split: share for split, share in shares.items() if split not in there}
    if sum(missing.values()) >= 1:
        given = " and ".join(f"data.{split}_fraction={share}" for split, share in missing.items())
        raise UserError(f"{given} leave nothing to train on: expected a sum below 1, give smaller ones")


def empty_split(name: str, split: str, wanted: str) -> UserError:
    """The error for a split without examples. wanted: the least that it should have."""
    remedy = (
        "smaller data.validation_fraction and data.test_fraction"
        if split == "train"
        else f"a larger data.{split}_fraction"
    )
    return UserError(f"{name}: the {split} split is empty: expected at least {wanted}; give more data, or {remedy}")


def cut(table: T, share: float, seed: Sequence[int]) -> tuple[T, T]:
    """Two tables without a common example: the rest, and `share` of each stratum (class), chosen at random."""
    generator = np.random.default_rng(np.random.SeedSequence(list(seed)))
    strata = np.array(table.strata, dtype=object)
    chosen = np.zeros(len(table), dtype=bool)
    for stratum in sorted(set(table.strata)):
        rows = np.flatnonzero(strata == stratum)
        chosen[generator.permutation(rows)[: round(share * len(rows))]] = True
    return table.take(np.flatnonzero(~chosen).tolist()), table.take(np.flatnonzero(chosen).tolist())
