"""Annotations of a setting in addition to its type: a range or a list of names.

    dropout: Annotated[float, Range(0, 1)]      merge: Annotated[str, OneOf(MERGES)]

`config/schema.py` reads these annotations from the source files and checks a configuration by them. They have no effect
in Python: constructors check again what a type checker cannot see.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Annotated


@dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`, both included. high: None for the largest number of any setting."""

    low: float
    high: float | None = None


@dataclass(frozen=True)
class OneOf:
    """One of these names: a tuple or a dictionary with the names as keys, written out at the top level of a module."""

    names: Collection[str]


@dataclass(frozen=True)
class ArgumentsOf:
    """Of `**named`: the arguments of this class, or of the class in the attribute of this name."""

    target: type | str


Fraction = Annotated[float, Range(0, 1)]
Part = Annotated[float, Range(0, 0.9)]
"""Of a series, cut off at its end."""
Weight = Annotated[float, Range(0)]
"""Of a term of a loss."""
Count = Annotated[int, Range(0)]
Size = Annotated[int, Range(1)]
Seed = Annotated[int, Range(0, 0x7FFF_FFFF_FFFF_FFFF)]
SmallSeed = Annotated[int, Range(0, 0xFFFF_FFFF)]
Layers = Annotated[int, Range(1, 1000)]
Heads = Annotated[int, Range(1, 100_000)]
Workers = Annotated[int, Range(0, 1024)]
MAX_TOKENS = 524_288
"""The usual `data.max_tokens`: batches of the data in `conf/` do not reach it."""
