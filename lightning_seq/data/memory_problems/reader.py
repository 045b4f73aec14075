"""The reader of new sequences of vectors, without the data of training."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from lightning_seq.data.note import EMPTY, Note, refusal
from lightning_seq.errors import UserError
from lightning_seq.spec import Batch, Bits, DataSpec, Features, Values

KIND = "memory_problem"


@dataclass(frozen=True)
class VectorReader:
    """From new sequences of vectors to batches: all that a checkpoint needs of the data."""

    spec: DataSpec

    def encode(self, texts: Sequence[str], first: int = 1) -> Batch:
        """One batch of sequences in JSON, each a list of steps: a list of numbers, or one number where inputs are one
        number wide. `targets` are 0 and do not count.

        Raises UserError, with the text's number (the first text's is `first`), for anything else.
        """
        if not texts:
            raise UserError("there is no sequence: expected at least one")
        found = [self._steps(text, number) for number, text in enumerate(texts, first)]
        lengths = np.array([len(steps) for steps in found])
        inputs = np.zeros((len(found), lengths.max(), self._width), dtype=np.float32)
        for row, steps in enumerate(found):
            inputs[row, : len(steps)] = steps
        mask = torch.from_numpy(np.arange(inputs.shape[1]) < lengths[:, None])
        targets = self.spec.targets
        of_steps = isinstance(targets, Bits)
        counts = torch.zeros_like(mask) if of_steps else torch.zeros(len(found), dtype=torch.bool)
        return Batch(
            ids=torch.arange(len(found)),
            inputs=torch.from_numpy(inputs),
            mask=mask,
            targets=torch.zeros(*counts.shape, targets.width if isinstance(targets, Bits | Values) else 0),
            target_mask=counts,
            count=0,
        )

    def note(self, text: str) -> Note | None:
        """Why a text is no sequence, or None."""
        return refusal(lambda: self._steps(text, None)) if text.strip() else EMPTY

    @property
    def _width(self) -> int:
        inputs = self.spec.inputs
        return inputs.width if isinstance(inputs, Features) else 0

    def _steps(self, text: str, number: int | None) -> np.ndarray:
        place = "" if number is None else f"text {number}: "
        example = json.dumps([[0] * self._width, [1] * self._width])
        try:
            value = json.loads(text)
            steps = np.array(value, dtype=np.float32)
        except (ValueError, TypeError, RecursionError, OverflowError):
            raise UserError(f"{place}{_short(text)} came, expected numbers in JSON, such as {example}") from None
        if steps.ndim == 1 and self._width == 1:
            steps = steps[:, None]
        if steps.ndim != 2 or steps.shape[1] != self._width or not len(steps) or not np.isfinite(steps).all():
            raise UserError(
                f"{place}{_short(text)} came, expected a list of steps of {self._width} numbers each, such as {example}"
            )
        return steps

    def to_plain(self) -> dict[str, Any]:
        """Plain values that a checkpoint can hold."""
        return {"kind": KIND, "spec": self.spec.to_plain()}

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> VectorReader:
        """The inverse of `to_plain`."""
        return cls(DataSpec.from_plain(plain["spec"]))


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:60]} …"
