"""What every synthetic source shares: how large its splits are, and numbers within limits."""

from __future__ import annotations

from collections.abc import Mapping

from lightning_seq.data.sources.table import SPLITS
from lightning_seq.errors import UserError

SHARES = {"train": 1.0, "validation": 0.1, "test": 0.1}
"""Examples of each split, for one of training."""


def sizes(examples: int) -> dict[str, int]:
    """Examples of each split."""
    return {split: round(SHARES[split] * examples) for split in SPLITS}


def check_whole(source: object, limits: Mapping[str, tuple[int, int | None]]) -> None:
    """Raises UserError unless each of these attributes is a whole number within its limits (None: no upper one)."""
    for name, (least, most) in limits.items():
        value = getattr(source, name)
        if isinstance(value, bool) or not isinstance(value, int) or value < least or (most and value > most):
            limit = f"of at least {least}" if most is None else f"from {least} to {most}"
            raise UserError(f"data.{name} is {value}, expected a whole number {limit}")
