"""The reader of new pieces of music, and the way back from bits to notes, without the data of training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lightning_seq.data.note import EMPTY, Note, refusal
from lightning_seq.data.sources.piano_rolls import NOTES, read_roll
from lightning_seq.errors import UserError
from lightning_seq.spec import Batch, DataSpec

KIND = "sequences_of_sets"


@dataclass(frozen=True)
class SetReader:
    """From new pieces to batches, as in training, and back: all that a checkpoint needs of the data."""

    spec: DataSpec

    def encode(self, texts: Sequence[str], first: int = 1) -> Batch:
        """One batch of pieces in JSON, each a list with a list of MIDI numbers for each step.

        Inputs are a step of silence and all steps of a piece; targets are the steps that follow. What follows the last
        is not known: that target does not count, the prediction is there.

        Raises UserError, with the text's number (the first text's is `first`), for anything that is no piece.
        """
        if not texts:
            raise UserError("there is no piece: expected at least one")
        pieces = [read_roll(text, f"text {number}") for number, text in enumerate(texts, first)]
        lengths = np.array([len(piece) for piece in pieces])
        targets = np.zeros((len(pieces), lengths.max() + 1, len(NOTES)), dtype=np.float32)
        for row, piece in enumerate(pieces):
            targets[row, : len(piece)] = piece
        steps = np.arange(targets.shape[1])
        counts = steps < lengths[:, None]
        return Batch(
            ids=torch.arange(len(pieces)),
            inputs=shifted(targets),
            mask=torch.from_numpy(steps <= lengths[:, None]),
            targets=torch.from_numpy(targets),
            target_mask=torch.from_numpy(counts),
            count=int(lengths.sum()),
        )

    def note(self, text: str) -> Note | None:
        """Why a text is no piece, or None."""
        return refusal(lambda: read_roll(text, "this line")) if text.strip() else EMPTY

    def decode(self, bits: Tensor) -> list[list[int]]:
        """Steps `[T, 88]` of 0 and 1 to the MIDI numbers that sound at each."""
        return [[NOTES[key] for key in step.nonzero().flatten().tolist()] for step in bits]

    def to_plain(self) -> dict[str, Any]:
        """Plain values that a checkpoint can hold."""
        return {"kind": KIND, "spec": self.spec.to_plain()}

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> SetReader:
        """The inverse of `to_plain`."""
        return cls(DataSpec.from_plain(plain["spec"]))


def shifted(steps: np.ndarray) -> Tensor:
    """`[B, T, D]`, a step later: zeros first, the last step left out."""
    inputs = np.zeros_like(steps)
    inputs[:, 1:] = steps[:, :-1]
    return torch.from_numpy(inputs)
