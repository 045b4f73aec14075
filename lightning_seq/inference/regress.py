"""Predictions of a regression model for new sequences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch

from lightning_seq.builders.regression import names


def predictions(loaded: Any, texts: Sequence[str], top_k: int, first: int = 1) -> Iterator[dict[str, Any]]:
    """For each text, a sequence in JSON, `{"text", "predictions": [{"value", "prediction"}, …]}`."""
    with torch.inference_mode():
        batch = loaded.reader.encode(texts, first)
        found = loaded.model(batch.inputs, batch.mask)
    for text, row in zip(texts, found.tolist(), strict=True):
        said = zip(names(loaded.spec.targets), row, strict=True)
        yield {"text": text, "predictions": [{"value": name, "prediction": round(value, 6)} for name, value in said]}


RANKED: tuple[str, ...] = ("predictions",)
"""As many values for each text."""


def choices(loaded: Any) -> int | None:
    return None
