"""What the suites of cells and of scorers are made of: checks by name, what one found, and the numbers they share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

RAGGED = [5, 2, 0, 1, 4]
DRAWS = 5
SINGLE = 1e-5
"""What float32 may be away from float64 (max-norm, on values of order 1)."""

Subject = TypeVar("Subject")


@dataclass(frozen=True)
class Check(Generic[Subject]):
    """A property by name, and which subjects it is for."""

    name: str
    run: Callable[[Subject], None]
    applies: Callable[[Subject], bool] = lambda subject: True

    @property
    def says(self) -> str:
        return " ".join((self.run.__doc__ or "").split())


def failure(check: Check[Subject], subject: Subject) -> str | None:
    """What a check found, in one line, or None where it passed."""
    try:
        check.run(subject)
    except AssertionError as error:
        return " ".join(str(error).split()) or "not so"
    except Exception as error:  # what cannot be run does not conform either
        return " ".join(f"{type(error).__name__}: {error}".split())
    return None
