"""The ids that a column of the user gives the examples, and the files or splits that hold the examples of a source."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, runtime_checkable

from lightning_seq.data.sources.table import SPLITS, Keys
from lightning_seq.errors import UserError
from lightning_seq.text.lines import check_characters

_LARGEST = 2**63 - 1


@runtime_checkable
class Located(Protocol):
    """A source whose examples a user can look up."""

    def origins(self) -> dict[str, str]:
        """By split, the file that holds its examples, as the user wrote it; of a public set, its own split."""
        ...


def origins(places: Mapping[str, str | None]) -> dict[str, str]:
    """By split, its place; a split that is cut from train has the place of train."""
    return {split: str(places.get(split) or places["train"]) for split in SPLITS}


def checked_keys(values: Sequence[object], column: str, place: Callable[[int], str]) -> Keys:
    """The values of `data.id_column` for a file or split.

    place: of example number i, for people.
    Raises UserError for a value that is neither text nor a whole number, and for a value that two examples have.
    """
    keys: Keys = []
    first: dict[str, int] = {}
    for number, value in enumerate(values):
        if isinstance(value, bool) or not isinstance(value, int | str) or not str(value).strip():
            raise UserError(
                f"{place(number)}: {column!r} is {value!r}, expected text or a whole number (data.id_column)"
            )
        check_characters(place(number), str(value))
        before = first.setdefault(str(value), number)
        if before != number:
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


def _is_whole(value: int | str, untyped: bool) -> bool:
    if not untyped and not isinstance(value, int):
        return False
    text = str(value)
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdecimal() and len(digits) <= len(str(_LARGEST))):
        return False
    return str(int(text)) == text and abs(int(text)) <= _LARGEST
