"""The reader of new sequences of vectors."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from lightning_seq.data.note import EMPTY, Note, refusal
from lightning_seq.data.reader import Reader, check_some
from lightning_seq.errors import UserError
from lightning_seq.spec import Batch, Bits, Features, Values


@dataclass(frozen=True)
class VectorReader(Reader):
    """Reads sequences of vectors."""

    KIND = "memory_problem"

    def encode(self, texts: Sequence[str], first: int = 1) -> Batch:
        """One batch of sequences in JSON, each a list of steps: a list of numbers, or one number where inputs are one
        number wide. `targets` are 0 and do not count.

        Raises UserError, with the number of the text, for any other text.
        """
        check_some(texts, "sequence")
        sequences = [self._steps(text, f"text {number}: ") for number, text in enumerate(texts, first)]
        lengths = np.array([len(steps) for steps in sequences])
        inputs = np.zeros((len(sequences), lengths.max(), self._width), dtype=np.float32)
        for row, steps in enumerate(sequences):
            inputs[row, : len(steps)] = steps
        mask = torch.from_numpy(np.arange(inputs.shape[1]) < lengths[:, None])
        targets = self.spec.targets
        counts = torch.zeros_like(mask if isinstance(targets, Bits) else mask[:, 0])
        zeros = torch.zeros(*counts.shape, targets.width if isinstance(targets, Bits | Values) else 0)
        return Batch(torch.arange(len(sequences)), torch.from_numpy(inputs), mask, zeros, counts, count=0)

    def note(self, text: str) -> Note | None:
        return refusal(lambda: self._steps(text)) if text.strip() else EMPTY

    @property
    def _width(self) -> int:
        inputs = self.spec.inputs
        return inputs.width if isinstance(inputs, Features) else 0

    def _steps(self, text: str, place: str = "") -> np.ndarray:
        shown = text if len(text) <= 60 else f"{text[:60]} …"
        example = json.dumps([[0] * self._width, [1] * self._width])
        try:
            steps = np.array(json.loads(text), dtype=np.float32)
        except (ValueError, TypeError, RecursionError, OverflowError):
            raise UserError(f"{place}{shown} came, expected numbers in JSON, such as {example}") from None
        if steps.ndim == 1 and self._width == 1:
            steps = steps[:, None]
        if steps.ndim != 2 or steps.shape[1] != self._width or not len(steps) or not np.isfinite(steps).all():
            raise UserError(
                f"{place}{shown} came, expected a list of steps of {self._width} numbers each, such as {example}"
            )
        return steps
