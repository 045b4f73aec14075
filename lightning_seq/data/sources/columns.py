"""From a public set's columns to examples; used for the Hub and for a mirror of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from lightning_seq.data.sources.keys import check_keys, typed_keys
from lightning_seq.data.sources.table import SPLITS, Cut, Keys, L_co, Loaded, Table
from lightning_seq.errors import UserError, near
from lightning_seq.files import Plain


class Reading(Protocol[L_co]):
    """How the columns of a public set become examples."""

    @property
    def splits(self) -> Mapping[str, str | None]:
        """By our name the set's own; null where ours is cut from train."""
        ...

    def to_plain(self) -> Plain: ...

    def read(self, sets: Any, name: str, revision: str | None) -> L_co:
        """Tables from a `datasets.DatasetDict`."""
        ...


def check_splits(splits: Mapping[str, str | None]) -> None:
    """Raises UserError for an unknown split, and for a missing train split."""
    for split in splits:
        if split not in SPLITS:
            raise UserError(f"data.splits has {split!r}; {near(split, SPLITS)}")
    if not splits.get("train"):
        raise UserError("data.splits.train is null: expected the name of the split to train on")


def chosen_splits(sets: Any, splits: Mapping[str, str | None], name: str) -> Iterator[tuple[str, Any, str]]:
    """Our name of each split, its rows, and where they are, for people.

    Raises UserError for a split that is not there.
    """
    for split in SPLITS:
        own = splits.get(split)
        if own is None:
            continue
        if own not in sets:
            raise UserError(
                f"{name} has no split {own!r} (data.splits.{split}); {near(own, sets)} "
                f"Or null, to cut {split} from train"
            )
        yield split, sets[own], f"{name}, split {own}"


def check_columns(rows: Any, columns: Mapping[str, str], name: str) -> None:
    """Raises UserError for a column (by the setting that names it) that is not there."""
    for setting, column in columns.items():
        if column not in rows.column_names:
            raise UserError(
                f"{name} has no column {column!r} (data.{setting}): its columns are {', '.join(rows.column_names)}"
            )


def keys_of(rows: Any, column: str, name: str) -> Keys:
    """The values of a column of ids. Raises UserError where it is not there and as `check_keys` does."""
    check_columns(rows, {"id_column": column}, name)
    values = list(rows[column])
    check_keys(values, column, lambda row: f"{name}, row {row}")
    return typed_keys([values], untyped=False)[0]


@dataclass(frozen=True)
class Columns:
    """Which columns and splits of a public set of labelled texts are used.

    classes: names of the labels 0, 1, … where the set itself gives none.
    splits: by our name (train, validation, test) the set's own; null where it has none and ours is cut from train.
    cut:    how a split that the set does not have is cut.
    id_column: its values, all different, name the examples in predictions; None: their rows do.

    An example's id is its row in the set's own split, counted from 0.
    """

    text_column: str = "text"
    label_column: str = "label"
    classes: Sequence[str] | None = None
    splits: Mapping[str, str | None] = field(default_factory=lambda: {split: split for split in SPLITS})
    cut: Cut = field(default_factory=Cut)
    id_column: str | None = None

    def __post_init__(self) -> None:
        check_splits(self.splits)

    def to_plain(self) -> Plain:
        return {
            "text": self.text_column,
            "label": self.label_column,
            "classes": list(self.classes) if self.classes else None,
            "splits": {split: self.splits.get(split) for split in SPLITS},
            "cut": self.cut.to_plain(),
            **({"ids": self.id_column} if self.id_column else {}),
        }

    def read(self, sets: Any, name: str, revision: str | None) -> Loaded[Table]:
        """Tables from a `datasets.DatasetDict`.

        Raises UserError for a split or column that is not there, and for a label missing or out of range.
        """
        tables, classes = {}, None
        for split, rows, place in chosen_splits(sets, self.splits, name):
            tables[split], classes = self._table(rows, place)
        completed, notes = self.cut.completed(tables)
        return Loaded(completed, classes, revision, notes)

    def _table(self, rows: Any, name: str) -> tuple[Table, tuple[str, ...] | None]:
        check_columns(rows, {"text_column": self.text_column, "label_column": self.label_column}, name)
        texts, labels = list(rows[self.text_column]), list(rows[self.label_column])
        for row, text in enumerate(texts):
            if not isinstance(text, str):
                raise UserError(
                    f"{name}, row {row}: {self.text_column!r} is {type(text).__name__}, "
                    "expected text: give data.text_column"
                )
        names = getattr(rows.features[self.label_column], "names", None) or self.classes
        classes = [_class(label, names, name, row) for row, label in enumerate(labels)]
        keys = keys_of(rows, self.id_column, name) if self.id_column else None
        return Table(texts, classes, list(range(len(texts))), keys=keys), tuple(names) if names else None


def _class(label: Any, names: Sequence[str] | None, name: str, row: int) -> str:
    whole = isinstance(label, int) and not isinstance(label, bool)
    if whole and names and 0 <= label < len(names):
        return names[label]
    if not names and (isinstance(label, bool | str) or (whole and label >= 0)) and str(label).strip():
        return str(label)
    expected = (
        f"0 to {len(names) - 1} ({', '.join(names[:12])})" if names else "a class name, or a number of at least 0"
    )
    raise UserError(
        f"{name}, row {row}: label missing or out of range, it is {label!r} and should be {expected}: "
        "the split may hide its labels; choose another with data.splits, or another column with data.label_column"
    )
