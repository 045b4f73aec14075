"""Predictions of a model of polyphonic music for new pieces."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch

from lightning_seq.data.sources.piano_rolls import NOTES

RANKED: tuple[str, ...] = ("predictions",)


def choices(loaded: Any) -> int | None:
    return len(NOTES)


def predictions(loaded: Any, texts: Sequence[str], top_k: int, first: int = 1) -> Iterator[dict[str, Any]]:
    """For each text, a piece in JSON, `{"text", "predictions": [{"note", "probability"}, …]}`: the MIDI numbers of what
    may sound after its last step, the likeliest first."""
    with torch.inference_mode():
        batch = loaded.reader.encode(texts, first)
        scores, _ = loaded.model(batch.inputs, batch.mask)
        last = scores[torch.arange(len(texts)), batch.mask.sum(1) - 1].sigmoid()
        values, keys = last.topk(min(top_k, len(NOTES)), -1)
    for text, row, ids in zip(texts, values.tolist(), keys.tolist(), strict=True):
        ranked = [
            {"note": NOTES[key], "probability": round(probability, 6)}
            for key, probability in zip(ids, row, strict=True)
        ]
        yield {"text": text, "predictions": ranked}
