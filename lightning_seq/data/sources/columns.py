"""The columns of a public set, on the Hub or in a mirror of it, read as examples."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeAlias

from lightning_seq.data.sources.keys import NameColumns, check_apart, checked_keys, typed_keys
from lightning_seq.data.sources.table import SPLITS, Cut, Keys, L_co, Loaded, Shares, Table
from lightning_seq.errors import UserError, near
from lightning_seq.files import Plain


class ColumnRows(Protocol):
    """The rows of one split, by column: a `datasets.Dataset`."""

    @property
    def column_names(self) -> list[str]: ...

    @property
    def features(self) -> Mapping[str, object]: ...

    def __len__(self) -> int: ...

    def __getitem__(self, column: str, /) -> Iterable[object]: ...

    def select(self, indices: Iterable[int], /) -> ColumnRows: ...

    def flatten(self) -> ColumnRows: ...


Sets: TypeAlias = Mapping[str, ColumnRows]
"""The splits of a public set, by its own names: a `datasets.DatasetDict`."""


@dataclass(frozen=True, kw_only=True)
class Reading(Shares, ABC, Generic[L_co]):
    """Reads the columns of a public set as examples.

    splits: by our name (train, validation, test) the set's own; null where the set lacks it, and it is cut from train.

    Raises UserError for an unknown split, and for a missing train split.
    """

    splits: Mapping[str, str | None] = field(default_factory=lambda: {split: split for split in SPLITS})

    def __post_init__(self) -> None:
        super().__post_init__()
        for split in self.splits:
            if split not in SPLITS:
                raise UserError(f"data.splits has {split!r}; {near(split, SPLITS)}")
        if not self.splits.get("train"):
            raise UserError("data.splits.train is null: expected the name of the split to train on")

    @property
    def own_splits(self) -> dict[str, str | None]:
        return {split: self.splits.get(split) for split in SPLITS}

    def given(self) -> Collection[str]:
        return [split for split, own in self.own_splits.items() if own is not None]

    def chosen(self, sets: Sets, name: str) -> Iterator[tuple[str, ColumnRows, str]]:
        """Our name of each split, its rows, and their place, for people.

        Raises UserError for a split that the set does not have.
        """
        for split, own in self.own_splits.items():
            if own is None:
                continue
            if own not in sets:
                raise UserError(
                    f"{name} has no split {own!r} (data.splits.{split}); {near(own, sets)} "
                    f"Or null, to cut {split} from train"
                )
            yield split, sets[own], f"{name}, split {own}"

    def check_trainable(self, sets: Sets, name: str) -> None:
        """Raises UserError where a set, such as an incomplete mirror, lacks the split to train on."""
        if self.splits["train"] not in sets:
            *_, last = names = sorted(sets)
            raise UserError(
                f"{name} has no split {self.splits['train']!r} to train on, only {', '.join(names)}: take another with "
                f"data.splits.train={last} (and data.splits.{last}=null, to cut that from it), or a complete set"
            )

    @abstractmethod
    def to_plain(self) -> Plain:
        """The settings that decide what `read` returns."""

    @abstractmethod
    def read(self, sets: Sets, name: str, revision: str | None) -> L_co:
        """The examples of a set. name: of the set, for people. revision: its version."""


def check_columns(rows: ColumnRows, columns: Mapping[str, str], name: str) -> None:
    """Raises UserError for a column that is missing. columns: by the setting that names each."""
    for setting, column in columns.items():
        if column not in rows.column_names:
            raise UserError(
                f"{name} has no column {column!r} (data.{setting}): its columns are {', '.join(rows.column_names)}"
            )


def texts_of(rows: ColumnRows, setting: str, column: str, name: str) -> list[str]:
    """The texts of the column that `data.SETTING` names. Raises UserError for a missing column and for other values."""
    check_columns(rows, {setting: column}, name)
    texts = []
    for row, text in enumerate(rows[column]):
        if not isinstance(text, str):
            raise UserError(
                f"{name}, row {row}: {column!r} is {type(text).__name__}, expected text: give data.{setting}"
            )
        texts.append(text)
    return texts


def keys_of(rows: ColumnRows, column: str, name: str, setting: str = "id_column") -> Keys:
    """The values of a column of ids or groups. Raises UserError for a missing column and as `checked_keys` does."""
    check_columns(rows, {setting: column}, name)
    keys = checked_keys(list(rows[column]), column, lambda row: f"{name}, row {row}", setting)
    return typed_keys([keys], untyped=False)[0]


def names_of(rows: ColumnRows, columns: NameColumns, name: str, kept: Sequence[int]) -> tuple[Keys | None, Keys | None]:
    """The ids and the groups of the rows that are kept; None without such a column. Raises UserError as `keys_of`."""
    names = {setting: keys_of(rows, column, name, setting) for setting, column in columns.name_columns().items()}
    chosen = {setting: [values[row] for row in kept] for setting, values in names.items()}
    return chosen.get("id_column"), chosen.get("group_column")


@dataclass(frozen=True)
class Columns(NameColumns, Reading[Loaded[Table]], Cut):
    """Reads labelled texts.

    classes: names of the labels 0, 1, … of a set that does not name them.

    An example's id is its row in the set's own split, counted from 0.
    """

    text_column: str = "text"
    label_column: str = "label"
    classes: Sequence[str] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_apart(text_column=self.text_column, label_column=self.label_column)

    def to_plain(self) -> Plain:
        return {
            "text": self.text_column,
            "label": self.label_column,
            "classes": list(self.classes) if self.classes else None,
            "splits": self.own_splits,
            "cut": self.shares(),
            **self.names_to_plain(),
        }

    def read(self, sets: Sets, name: str, revision: str | None) -> Loaded[Table]:
        """Raises UserError for a missing split or column, and for a label missing or out of range."""
        tables, classes = {}, None
        for split, rows, place in self.chosen(sets, name):
            tables[split], classes = self._table(rows, place)
        return self.loaded(tables, classes, revision)

    def _table(self, rows: ColumnRows, name: str) -> tuple[Table, tuple[str, ...] | None]:
        check_columns(rows, {"text_column": self.text_column, "label_column": self.label_column}, name)
        texts, labels = texts_of(rows, "text_column", self.text_column, name), rows[self.label_column]
        names = getattr(rows.features[self.label_column], "names", None) or self.classes
        classes = [class_of(label, names, name, row) for row, label in enumerate(labels)]
        ids = list(range(len(texts)))
        keys, groups = names_of(rows, self, name, ids)
        return Table(texts, classes, ids, keys=keys, groups=groups), tuple(names) if names else None


def class_of(label: object, names: Sequence[str] | None, name: str, row: int) -> str:
    """The name of a label. Raises UserError for one that is missing or out of range."""
    number = label if isinstance(label, int) and not isinstance(label, bool) else -1
    if names and 0 <= number < len(names):
        return names[number]
    if not names and (isinstance(label, bool | str) or number >= 0) and str(label).strip():
        return str(label)
    expected = (
        f"0 to {len(names) - 1} ({', '.join(names[:12])})" if names else "a class name, or a number of at least 0"
    )
    raise UserError(
        f"{name}, row {row}: label missing or out of range, it is {label!r} and should be {expected}: "
        "the split may hide its labels; choose another with data.splits, or another column with data.label_column"
    )
