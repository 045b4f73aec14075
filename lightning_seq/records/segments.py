"""segments.json: the true and the predicted label of each step of some test sequences, as runs of equal labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np

from lightning_seq.files import Plain
from lightning_seq.records.json_record import JsonRecord


@dataclass(frozen=True)
class Bands(JsonRecord):
    """Of one sequence. truth, prediction: runs of (label, steps); label -1: it does not count. png: of the frames of a
    clip next to each other, in base64; empty for other sequences."""

    id: str
    truth: tuple[tuple[int, ...], ...]
    prediction: tuple[tuple[int, ...], ...]
    png: str = ""


@dataclass(frozen=True)
class Timeline(JsonRecord):
    """A `segments.json`."""

    labels: tuple[str, ...]
    sequences: tuple[Bands, ...]

    @classmethod
    def from_plain(cls, plain: Mapping[str, Plain]) -> Self:
        """Raises one of `files.DAMAGE` for another form."""
        file = super().from_plain(plain)
        for bands in file.sequences:
            for band in (bands.truth, bands.prediction):
                if any(len(run) != 2 or not -1 <= run[0] < len(file.labels) or run[1] < 1 for run in band):
                    raise ValueError("expected runs of a label and a number of steps")
            if sum(run[1] for run in bands.truth) != sum(run[1] for run in bands.prediction):
                raise ValueError("expected as many true as predicted labels")
        return file


def runs_of(labels: np.ndarray) -> tuple[tuple[int, int], ...]:
    """The runs of equal labels: each label and how many steps it lasts."""
    starts = np.concatenate([[0], np.flatnonzero(np.diff(labels)) + 1])
    lengths = np.diff([*starts, len(labels)])
    return tuple(zip(labels[starts].tolist(), lengths.tolist(), strict=True))
