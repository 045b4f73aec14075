"""What the suites of cells and of scorers share: named checks and their results."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from torch import Tensor

RAGGED = [5, 2, 0, 1, 4]
DRAWS = 5
SINGLE = 1e-5
"""The largest difference of float32 from float64 (max-norm, for values of order 1)."""

Subject = TypeVar("Subject")


@dataclass(frozen=True)
class Check(Generic[Subject]):
    """A named property; `applies` tells which subjects must have it."""

    name: str
    run: Callable[[Subject], None]
    applies: Callable[[Subject], bool] = lambda subject: True

    @property
    def says(self) -> str:
        return " ".join((self.run.__doc__ or "").split())


@dataclass(frozen=True)
class Result:
    """error: None if the check passed. engine, reverse: of a cell's check."""

    check: str
    error: str | None
    engine: str = ""
    reverse: bool = False


def require(holds: bool | Tensor, message: str) -> None:
    """Raises AssertionError with the message unless the condition holds, under `python -O` too."""
    if not holds:
        raise AssertionError(message)


def failure(check: Check[Subject], subject: Subject) -> str | None:
    """The error of a check, in one line; None if it passed."""
    try:
        check.run(subject)
    except AssertionError as error:
        return " ".join(str(error).split()) or "not so"
    except Exception as error:  # a subject that cannot be run does not conform either
        return " ".join(f"{type(error).__name__}: {error}".split())
    return None
