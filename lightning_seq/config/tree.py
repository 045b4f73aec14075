"""A configuration as a tree of plain values, and keys of it such as `task.dropout`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

from lightning_seq.files import Plain
from lightning_seq.identity import located

Config: TypeAlias = dict[str, Plain]


def paths(value: object, prefix: str = "") -> Iterator[str]:
    """Every key of a configuration and of its mappings: `task`, `task.dropout` …"""
    if isinstance(value, dict):
        for key, inner in value.items():
            path = f"{prefix}.{key}" if prefix else str(key)
            yield path
            yield from paths(inner, path)


def put(config: Config, path: str, value: object) -> None:
    """Write a value at `task.dropout`, in place."""
    *parents, last = located(config, path).split(".")
    for key in parents:
        config = config[key]
    config[last] = value


def plain_differences(one: object, other: object, prefix: str = "") -> Iterator[tuple[str, Plain, Plain]]:
    """Every key at which two plain configurations differ, with both values."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in sorted({*one, *other}):
            yield from plain_differences(one.get(key), other.get(key), f"{prefix}.{key}" if prefix else key)
    elif one != other:
        yield prefix, one, other
