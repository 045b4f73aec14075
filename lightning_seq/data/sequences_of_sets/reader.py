"""The reader of new pieces of music, from JSON to bits and from bits to notes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from lightning_seq.data.note import EMPTY, Note, refusal
from lightning_seq.data.reader import Reader, check_some
from lightning_seq.data.sources.piano_rolls import NOTES, read_roll
from lightning_seq.spec import Batch


@dataclass(frozen=True)
class SetReader(Reader):
    """Reads pieces as bits, and bits as notes."""

    KIND = "sequences_of_sets"

    def encode(self, texts: Sequence[str], first: int = 1) -> Batch:
        """One batch of pieces in JSON, each a list with a list of MIDI numbers for each step.

        Inputs are a step of silence and all steps of a piece; targets are the steps that follow. No step follows the
        last one: that target does not count, and the model still predicts it.

        Raises UserError, with the number of the text, for a text that is no piece.
        """
        check_some(texts, "piece")
        pieces = [read_roll(text, f"text {number}") for number, text in enumerate(texts, first)]
        lengths = np.array([len(piece) for piece in pieces])
        targets = np.zeros((len(pieces), lengths.max() + 1, len(NOTES)), dtype=np.float32)
        for row, piece in enumerate(pieces):
            targets[row, : len(piece)] = piece
        steps = np.arange(targets.shape[1])
        mask, counts = torch.from_numpy(steps <= lengths[:, None]), torch.from_numpy(steps < lengths[:, None])
        ids = torch.arange(len(pieces))
        return Batch(ids, shifted(targets), mask, torch.from_numpy(targets), counts, int(lengths.sum()))

    def note(self, text: str) -> Note | None:
        return refusal(lambda: read_roll(text, "this line")) if text.strip() else EMPTY

    def decode(self, bits: Tensor) -> list[list[int]]:
        """Steps `[T, 88]` of 0 and 1 to the MIDI numbers that sound at each."""
        return [[NOTES[key] for key in step.nonzero().flatten().tolist()] for step in bits]


def shifted(steps: np.ndarray) -> Tensor:
    """`[B, T, D]`, a step later: zeros first, the last step left out."""
    inputs = np.zeros_like(steps)
    inputs[:, 1:] = steps[:, :-1]
    return torch.from_numpy(inputs)
