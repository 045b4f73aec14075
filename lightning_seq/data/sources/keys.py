"""What a column of the user's own calls the examples, and where the examples of a source are found."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from lightning_seq.data.sources.table import SPLITS, Keys
from lightning_seq.errors import UserError
from lightning_seq.text.lines import check_characters

_LARGEST = 2**63 - 1


@runtime_checkable
class Located(Protocol):
    """A source whose examples a user can look up."""

    def origins(self) -> dict[str, str]:
        """By split, the file its examples are in, as it was given; of a public set, its own split."""
        ...


def origins(given: Mapping[str, str | None]) -> dict[str, str]:
    """By split, what is given for it; a split that is cut from train has what is given for train."""
    return {split: str(given.get(split) or given["train"]) for split in SPLITS}


def check_keys(values: Sequence[Any], column: str, place: Callable[[int], str]) -> None:
    """Raises UserError for a value of `data.id_column` that is neither text nor a whole number, and for one that two
    examples of a file or split have.

    place: says for people where example number i is.
    """
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


def typed_keys(splits: Iterable[Sequence[int | str]], untyped: bool) -> list[Keys]:
    """The keys of all splits as whole numbers where all of them are, else as text.

    untyped: the file knows text alone: digits are a number, as other readers of csv files have it, but `007` is text.
    """
    found = [list(values) for values in splits]
    if all(_is_whole(value, untyped) for values in found for value in values):
        return [[int(value) for value in values] for values in found]
    return [[str(value) for value in values] for values in found]


def _is_whole(value: int | str, untyped: bool) -> bool:
    if not untyped and not isinstance(value, int):
        return False
    text = str(value)
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdecimal() and len(digits) <= len(str(_LARGEST))):
        return False
    return str(int(text)) == text and abs(int(text)) <= _LARGEST
