"""The ids and groups of the examples of a source, and the files or splits that hold them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import Field, dataclass, replace
from typing import ClassVar, Protocol, TypeVar, runtime_checkable

import numpy as np

from lightning_seq.data.sources.table import SPLITS, Keys
from lightning_seq.errors import UserError
from lightning_seq.files import Plain
from lightning_seq.text.lines import check_characters

_LARGEST = 2**63 - 1


@runtime_checkable
class Located(Protocol):
    """A source whose examples a user can look up."""

    def origins(self) -> dict[str, str]:
        """By split, the file that holds its examples, as the user wrote it; of a public set, its own split."""
        ...


@runtime_checkable
class Grouped(Protocol):
    """A source whose examples form groups, such as chapters, in which they may be alike."""

    def groups_of(self, split: str, ids: np.ndarray) -> np.ndarray | None:
        """The group `[N]` of each example of a split, from its id `[N]`; None if no groups are known."""
        ...


@dataclass(frozen=True, kw_only=True)
class NameColumns:
    """The columns of the user that name the examples in predictions.

    id_column:    its values are all different; None: lines or rows are the ids.
    group_column: its values are equal for examples of one group (document, author) in which they may be alike; None:
                  no groups are known.
    """

    id_column: str | None = None
    group_column: str | None = None

    def name_columns(self) -> dict[str, str]:
        """The columns that are given, by their settings."""
        columns = {"id_column": self.id_column, "group_column": self.group_column}
        return {setting: column for setting, column in columns.items() if column}

    def names_to_plain(self) -> dict[str, Plain]:
        """The part of the identity of a source; empty without such columns."""
        names = {setting.replace("_column", "s"): column for setting, column in self.name_columns().items()}
        return {**names, **({"whole_groups": True} if self.group_column else {})}


def check_apart(**columns: object) -> None:
    """Raises UserError for two settings, such as `source_column`, that name the same column."""
    (one, name), (other, second) = columns.items()
    if name is not None and name == second:
        raise UserError(f"data.{one} and data.{other} are both {name!r}: expected two columns")


def origins(places: Mapping[str, str | None]) -> dict[str, str]:
    """By split, its place; a split that is cut from train has the place of train."""
    return {split: str(places.get(split) or places["train"]) for split in SPLITS}


def checked_keys(
    values: Sequence[object], column: str, place: Callable[[int], str], setting: str = "id_column"
) -> Keys:
    """The values of `data.id_column` or `data.group_column` for a file or split.

    place: of example number i, for people.
    Raises UserError for a value that is neither text nor a whole number, and for an id that two examples have.
    """
    keys: Keys = []
    first: dict[str, int] = {}
    for number, value in enumerate(values):
        if isinstance(value, bool) or not isinstance(value, int | str) or not str(value).strip():
            raise UserError(
                f"{place(number)}: {column!r} is {value!r}, expected text or a whole number (data.{setting})"
            )
        check_characters(place(number), str(value))
        before = first.setdefault(str(value), number)
        if before != number and setting == "id_column":
            raise UserError(
                f"{place(number)}: {column!r} is {value!r}, as at {place(before)}: expected another value for each "
                "example (data.id_column); leave data.id_column out for the number of the line or row"
            )
        keys.append(value)
    return keys


def typed_keys(splits: Sequence[Keys], untyped: bool) -> list[Keys]:
    """The keys of all splits as whole numbers where all of them are, else as text.

    untyped: the file has only text: digits are a number, as for other readers of csv files, but `007` is text.
    """
    if all(_is_whole(key, untyped) for keys in splits for key in keys):
        return [[int(key) for key in keys] for keys in splits]
    return [[str(key) for key in keys] for keys in splits]


N = TypeVar("N", bound="Named")


class Named(Protocol):
    """The examples of one split, a dataclass with keys and groups of the user."""

    __dataclass_fields__: ClassVar[dict[str, Field[object]]]

    @property
    def keys(self) -> Keys | None: ...

    @property
    def groups(self) -> Keys | None: ...


def typed_names(tables: Mapping[str, N], untyped: bool) -> dict[str, N]:
    """The tables with the keys and the groups of all splits typed alike; see `typed_keys`."""
    keys = typed_keys([table.keys or [] for table in tables.values()], untyped)
    groups = typed_keys([table.groups or [] for table in tables.values()], untyped)
    return {
        split: replace(table, keys=own or None, groups=group or None)
        for (split, table), own, group in zip(tables.items(), keys, groups, strict=True)
    }


def _is_whole(value: int | str, untyped: bool) -> bool:
    if not untyped and not isinstance(value, int):
        return False
    text = str(value)
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdecimal() and len(digits) <= len(str(_LARGEST))):
        return False
    return str(int(text)) == text and abs(int(text)) <= _LARGEST
