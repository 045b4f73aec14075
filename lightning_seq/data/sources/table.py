"""The base of every source: its examples by split, and the cut of missing splits."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Generic, Protocol, Self, TypeAlias, TypeVar

import numpy as np

from lightning_seq.errors import UserError
from lightning_seq.field_checks import check_fields
from lightning_seq.files import Plain
from lightning_seq.value_types import Fraction, Seed

SPLITS = ("train", "validation", "test")
STREAMS = {"validation": 0, "test": 1}

Keys: TypeAlias = list[int | str]
"""The values of a column of ids or groups for the examples of one split: all whole numbers or all texts."""


@dataclass(frozen=True)
class Examples:
    """The examples of one split: each list among the fields has an entry for each example."""

    @property
    def strata(self) -> Sequence[str]:
        """The class of each example: a part that is cut off has the same share of each class as the rest."""
        return [""] * len(self)

    def __len__(self) -> int:
        return len(getattr(self, fields(self)[0].name))

    def take(self, rows: Iterable[int]) -> Self:
        """Those examples, in that order."""
        rows, values = list(rows), {field.name: getattr(self, field.name) for field in fields(self)}
        lists = {name: [value[row] for row in rows] for name, value in values.items() if isinstance(value, list)}
        return replace(self, **lists)


T = TypeVar("T", bound=Examples)


@dataclass(frozen=True)
class Table(Examples):
    """Labelled texts: the examples of one split for classification.

    ids:    of the source: rows, verses, lines of the file.
    origin: the user's file that holds the examples, or None; there `ids` are line numbers.
    keys:   the values of the user's own column of ids, or None.
    groups: the values of the user's own column of groups, or None.
    """

    texts: list[str]
    labels: list[str]
    ids: list[int]
    origin: str | None = None
    keys: Keys | None = None
    groups: Keys | None = None

    @property
    def strata(self) -> Sequence[str]:
        return self.labels


L_co = TypeVar("L_co", covariant=True)


@dataclass(frozen=True)
class Loaded(Generic[T]):
    """The examples of a source.

    tables:   by split: train, validation, test.
    classes:  the classes or tags in the order of the source, or None where it has no order.
    revision: the version of a public set, or None.
    notes:    a line for each change that the user may not expect.
    """

    tables: dict[str, T]
    classes: tuple[str, ...] | None = None
    revision: str | None = None
    notes: list[str] = field(default_factory=list)


class Source(Protocol[L_co]):
    """The origin of examples. Its arguments are plain; it reads nothing before one of its methods is called."""

    def describe(self) -> str:
        """A name for people, such as `stanfordnlp/imdb`."""
        ...

    def identity(self) -> Plain:
        """The checksums, names and settings that decide the result of `load`, without loading."""
        ...

    def load(self) -> L_co:
        """The examples by split. Raises UserError for a mistake that the user can correct."""
        ...


@dataclass(frozen=True, kw_only=True)
class Shares:
    """The shares of the train split that become the validation and the test split of a source that lacks them.

    Raises UserError for a field out of its range.
    """

    validation_fraction: Fraction = 0.1
    test_fraction: Fraction = 0.1

    def __post_init__(self) -> None:
        check_fields(self, "data")
        for name in ("validation_fraction", "test_fraction"):
            share = getattr(self, name)
            if not 0 < share < 1:
                raise UserError(f"data.{name} is {share}, expected more than 0 and less than 1")

    def shares(self) -> dict[str, Plain]:
        return {"validation": self.validation_fraction, "test": self.test_fraction}

    def given(self) -> Collection[str]:
        """The splits that the source has; the others are cut from train."""
        return SPLITS

    def missing(self, splits: Collection[str]) -> list[tuple[str, float]]:
        """The splits to cut from train, test first, with their shares.

        Raises UserError where they leave nothing to train on.
        """
        shares = {split: share for split, share in self.shares().items() if split in SPLITS and split not in splits}
        if sum(shares.values()) >= 1:
            names = " and ".join(f"data.{split}_fraction={share}" for split, share in shares.items())
            raise UserError(f"{names} leave nothing to train on: expected a sum below 1, give smaller ones")
        return list(shares.items())[::-1]


@dataclass(frozen=True, kw_only=True)
class Cut(Shares):
    """Cuts the splits that a source lacks from its train split: the same share of each class, chosen at random; of
    examples in groups (documents, authors) whole groups, since examples of one group may be alike.

    split_seed: of the choice.
    """

    split_seed: Seed = 1

    def shares(self) -> dict[str, Plain]:
        return {**super().shares(), "split_seed": self.split_seed}

    def groups_of(self, split: str, ids: np.ndarray) -> np.ndarray | None:
        """See `keys.Grouped`; a table may have groups of its own."""
        return None

    def loaded(
        self,
        tables: Mapping[str, T],
        classes: tuple[str, ...] | None = None,
        revision: str | None = None,
        notes: Sequence[str] = (),
    ) -> Loaded[T]:
        """All three splits, and a further note for each that was cut."""
        tables, notes = dict(tables), [*notes]
        whole = len(tables["train"])
        for split, share in self.missing(tables):
            # A share of the whole, also for the second cut.
            left = share * whole / max(len(tables["train"]), 1)
            seed, train = [self.split_seed, STREAMS[split]], tables["train"]
            groups = getattr(train, "groups", None) or self.groups_of("train", np.array(getattr(train, "ids", ())))
            tables["train"], tables[split] = cut(train, min(left, 1.0), seed, groups)
            whole_groups = "" if groups is None else " in whole groups"
            notes.append(f"{split}: {share:.0%} of train{whole_groups}, as the source has no such split")
        return Loaded({split: tables[split] for split in SPLITS}, classes, revision, notes)


def drawn_splits(source: object) -> tuple[str, ...]:
    """The splits that the `split_seed` of a source draws: all of generated and embedded data; else those that are cut
    from train, and what is left of train."""
    for part in ("set", "columns"):  # of a public set, of its reading
        source = getattr(source, part, source)
    if getattr(source, "split_seed", None) is None:
        return ()
    if not isinstance(source, Shares):
        return SPLITS
    missing = {split for split, _ in source.missing(source.given())}
    return tuple(split for split in SPLITS if missing & {split} or (missing and split == "train"))


def empty_split(name: str, split: str, wanted: str) -> UserError:
    """The error for a split without examples. wanted: the least that it should have."""
    remedy = (
        "smaller data.validation_fraction and data.test_fraction"
        if split == "train"
        else f"a larger data.{split}_fraction"
    )
    return UserError(f"{name}: the {split} split is empty: expected at least {wanted}; give more data, or {remedy}")


def cut(
    table: T, share: float, seed: Sequence[int], groups: Sequence[int | str] | np.ndarray | None = None
) -> tuple[T, T]:
    """Two tables without a common example: the rest, and `share` of each stratum (class), chosen at random.

    groups: `[N]`; whole groups are then chosen, at least one, until their examples are closest to the share of all.
    """
    generator = np.random.default_rng(np.random.SeedSequence(list(seed)))
    strata = np.array(table.strata, dtype=object)
    chosen = np.zeros(len(table), dtype=bool)
    if groups is not None:
        names, group_of, sizes = np.unique(np.array(groups), return_inverse=True, return_counts=True)
        order = generator.permutation(len(names))
        count = 1 + int(np.abs(np.cumsum(sizes[order])[: max(len(names) - 1, 1)] - share * len(table)).argmin())
        chosen = np.isin(group_of, order[:count])
    for stratum in sorted(set(table.strata)) if groups is None else ():
        rows = np.flatnonzero(strata == stratum)
        chosen[generator.permutation(rows)[: round(share * len(rows))]] = True
    return table.take(np.flatnonzero(~chosen).tolist()), table.take(np.flatnonzero(chosen).tolist())
