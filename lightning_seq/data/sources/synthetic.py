"""The base of every synthetic source, and draws without repetition."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Annotated, TypeVar

import numpy as np

from lightning_seq.data.sources.table import Table
from lightning_seq.errors import UserError
from lightning_seq.field_checks import check_fields
from lightning_seq.files import Plain
from lightning_seq.value_types import Range, Seed

SHARES = {"train": 1.0, "validation": 0.1, "test": 0.1}
"""Examples of each split, for one of training."""
Examples = Annotated[int, Range(10)]
Letters = Annotated[int, Range(2, 26)]
"""The size of an alphabet."""
T = TypeVar("T", bound=tuple[object, ...])


@dataclass(frozen=True, kw_only=True)
class Synthetic:
    """Examples that a rule makes from random draws.

    examples:   of training; validation and test have a tenth as many each.
    split_seed: of the draws.

    Raises UserError for a value out of its range.
    """

    examples: Examples = 10000
    split_seed: Seed = 1

    name = "synthetic"
    """Of the problem, in the keys of caches."""

    def __post_init__(self) -> None:
        check_fields(self, "data")

    def describe(self) -> str:
        return self.name

    def identity(self) -> Plain:
        return {"synthetic": self.name, **vars(self)}

    @property
    def sizes(self) -> dict[str, int]:
        """Examples of each split."""
        return {split: round(share * self.examples) for split, share in SHARES.items()}

    def generator(self, *stream: int) -> np.random.Generator:
        return np.random.default_rng(np.random.SeedSequence([self.split_seed, *stream]))

    def check_enough(self, possible: int, examples: str, remedy: str) -> None:
        """Raises UserError unless at least twice as many different examples are possible as are drawn."""
        wanted = sum(self.sizes.values())
        if possible < 2 * wanted:
            raise UserError(
                f"data.examples is {self.examples}, {wanted:,} in all splits, and there are {possible:,} different "
                f"{examples}: expected at least twice as many as are drawn; give fewer examples, or {remedy}"
            )


def different(size: int, seen: set[object], draw: Callable[[], T]) -> list[T]:
    """Draws whose first items are not in `seen`, where they are added."""
    drawn = list[T]()
    while len(drawn) < size:
        example = draw()
        if example[0] not in seen:
            seen.add(example[0])
            drawn.append(example)
    return drawn


class InPairs:
    """Examples from `two_classes`: their groups are the pairs."""

    def groups_of(self, split: str, ids: np.ndarray) -> np.ndarray:
        return ids // 2


def two_classes(pairs: Sequence[tuple[str, str]], classes: tuple[str, str]) -> Table:
    """Pairs of texts, the first one of the first class and the second one of the second."""
    texts = list(chain.from_iterable(pairs))
    return Table(texts, [*classes] * len(pairs), list(range(len(texts))))
