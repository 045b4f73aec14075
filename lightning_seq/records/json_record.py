"""Dataclasses that JSON files hold: they are written and read by their annotations."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from types import UnionType
from typing import Annotated, NamedTuple, Self, Union, get_args, get_origin, get_type_hints

from lightning_seq.files import Plain, read_json
from lightning_seq.records.numbers import number

Reader = Callable[[Plain], Plain]


class Key(NamedTuple):
    """The key of a field whose name is another one: `number: Annotated[int, Key("id")]`."""

    name: str


@dataclass(frozen=True)
class JsonRecord:
    """A mapping in a JSON file, with a key for each field; a key that the file lacks has the field's default.

    Texts and whole numbers are converted (`str`, `int`). A `float` must be finite; `float | None` and `int | None` are
    None for everything but a finite number. Lists and dictionaries other than of texts, numbers and records are not
    checked.
    """

    def to_plain(self) -> dict[str, Plain]:
        return {key: _plain(getattr(self, name)) for name, key, _ in _columns(type(self))}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Plain]) -> Self:
        """Raises one of `files.DAMAGE` for another form."""
        columns = _columns(cls)
        missing = [key for name, key, _ in columns if key not in plain and not hasattr(cls, name)]
        if missing:
            raise KeyError(missing[0])
        return cls(**{name: read(plain[key]) for name, key, read in columns if key in plain})

    @classmethod
    def read(cls, path: Path) -> Self:
        """Raises one of `files.DAMAGE` for a file of another form."""
        return cls.from_plain(read_json(path, dict))


_COLUMNS: dict[type[JsonRecord], list[tuple[str, str, Reader]]] = {}


def _columns(record: type[JsonRecord]) -> list[tuple[str, str, Reader]]:
    """For each field its name, its key, and the function that reads its value."""
    if record not in _COLUMNS:
        kinds = get_type_hints(record, include_extras=True)
        names = [item.name for item in fields(record)]
        keys = [next((part.name for part in get_args(kinds[name]) if isinstance(part, Key)), name) for name in names]
        _COLUMNS[record] = [(name, key, reader(kinds[name])) for name, key in zip(names, keys, strict=True)]
    return _COLUMNS[record]


@cache
def reader(kind: object) -> Reader:
    """The function that makes a value of this annotation from a value of JSON."""
    origin, parts = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return reader(parts[0])
    if origin in (Union, UnionType):
        if parts[0] in (int, float):
            return lambda value: None if (known := number(value)) is None else parts[0](known)
        inner = reader(parts[0])
        return lambda value: None if value is None else inner(value)
    if origin is tuple and parts[-1] is Ellipsis:
        inner = reader(parts[0])
        return lambda value: tuple(map(inner, value))
    if origin is tuple:
        readers = tuple(map(reader, parts))
        return lambda value: tuple(read(item) for read, item in zip(readers, value, strict=True))
    if origin is dict:
        inner = reader(parts[1])
        return lambda value: {str(key): inner(item) for key, item in value.items()}
    if kind is float:
        return finite_number
    if isinstance(kind, type) and issubclass(kind, JsonRecord):
        return kind.from_plain
    return kind if kind in (str, bool, int) and callable(kind) else _unchanged


@cache
def checker(kind: object) -> Callable[[Plain], bool]:
    """The function that says whether a value of JSON has this annotation; a whole number is a `float`, too."""
    origin, parts = get_origin(kind), get_args(kind)
    checks = [checker(part) for part in parts]
    if origin in (Union, UnionType):
        return lambda value: any(check(value) for check in checks)
    if origin is dict:
        return lambda value: isinstance(value, dict) and all(map(checks[1], value.values()))
    if origin is list:
        return lambda value: isinstance(value, list) and all(map(checks[0], value))
    if kind in (int, float):
        numbers = int if kind is int else (int, float)
        return lambda value: isinstance(value, numbers) and not isinstance(value, bool)
    return lambda value: kind is Plain or isinstance(value, kind if isinstance(kind, type) else object)


def finite_number(value: Plain) -> float:
    """Raises ValueError for anything but a finite number."""
    if number(value) is None:
        raise ValueError(f"expected a finite number, {value!r} came")
    return value


def _unchanged(value: Plain) -> Plain:
    return value


def _plain(value: Plain) -> Plain:
    if isinstance(value, JsonRecord):
        return value.to_plain()
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value
