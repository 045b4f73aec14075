"""early.json: the accuracy of a classifier that has read only a share of the steps of each test sequence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from lightning_seq.files import Plain
from lightning_seq.records.json_record import JsonRecord


@dataclass(frozen=True)
class EarlyDecision(JsonRecord):
    """An `early.json`. shares: of the steps, from the beginning; accuracy: after each."""

    shares: tuple[float, ...]
    accuracy: tuple[float, ...]

    @classmethod
    def from_plain(cls, plain: Mapping[str, Plain]) -> Self:
        """Raises one of `files.DAMAGE` for another form."""
        file = super().from_plain(plain)
        if len(file.shares) != len(file.accuracy):
            raise ValueError("expected an accuracy for each share")
        return file
