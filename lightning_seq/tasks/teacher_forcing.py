"""How often a decoder gets the true symbol in training."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

from lightning_seq.errors import UserError, near
from lightning_seq.value_types import Fraction, OneOf, Size

KINDS = ("constant", "linear", "inverse_sigmoid")


@dataclass(frozen=True)
class TeacherForcing:
    """The probability ε_i that the decoder gets the true symbol at optimiser step i (Bengio et al. 2015, sec. 2.4).

    constant:        ε_i = ratio
    linear:          ε_i = max(least, ratio - (ratio - least) i / steps)
    inverse_sigmoid: ε_i = max(least, ratio · k / (k + exp(i/k))), k = `steps`

    Raises UserError for an unknown kind, probabilities outside [0, 1] and steps below 1.
    """

    kind: Annotated[str, OneOf(KINDS)] = "constant"
    ratio: Fraction = 1.0
    least: Fraction = 0.0
    steps: Size = 1000

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise UserError(f"task.teacher_forcing.kind is {self.kind!r}: {near(self.kind, KINDS)}")
        for name in ("ratio", "least"):
            if not 0 <= getattr(self, name) <= 1:
                raise UserError(f"task.teacher_forcing.{name} is {getattr(self, name)}, expected 0 to 1")
        if self.least > self.ratio:
            raise UserError(
                f"task.teacher_forcing.least is {self.least}, expected at most task.teacher_forcing.ratio={self.ratio}"
            )
        if self.steps < 1:
            raise UserError(f"task.teacher_forcing.steps is {self.steps}, expected at least 1")

    def at(self, step: int) -> float:
        """ε at an optimiser step, counted from 0."""
        if self.kind == "constant":
            return self.ratio
        if self.kind == "linear":
            return max(self.least, self.ratio - (self.ratio - self.least) * step / self.steps)
        exponent = min(step / self.steps, 700.0)  # a larger exponent overflows; ε is 0 there
        return max(self.least, self.ratio * self.steps / (self.steps + math.exp(exponent)))
