"""Predictions of a model of bits for new sequences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch


def predictions(loaded: Any, texts: Sequence[str], top_k: int, first: int = 1) -> Iterator[dict[str, Any]]:
    """For each text, a sequence in JSON, `{"text", "predictions": [{"step", "bits", "probabilities"}, …]}`."""
    with torch.inference_mode():
        batch = loaded.reader.encode(texts, first)
        found = loaded.model(batch.inputs, batch.mask)[0].sigmoid()
    for text, row, mask in zip(texts, found, batch.mask, strict=True):
        steps = [
            {
                "step": step,
                "bits": [int(probability > 0.5) for probability in probabilities],
                "probabilities": [round(probability, 6) for probability in probabilities],
            }
            for step, probabilities in enumerate(row[mask].tolist(), 1)
        ]
        yield {"text": text, "predictions": steps}


RANKED: tuple[str, ...] = ()


def choices(loaded: Any) -> int | None:
    return None
