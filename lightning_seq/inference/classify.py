"""Predictions of a classifier for new text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor


def predictions(loaded: Any, texts: Sequence[str], top_k: int, first: int = 1) -> Iterator[dict[str, Any]]:
    """For each text `{"text", "predictions": [{"label", "probability"}, …]}`, the likeliest first.

    A model that was trained to rank has a `score` in the place of the probability.
    """
    names = loaded.spec.targets.names
    ranks = loaded.config["task"].get("loss") == "ranking"
    said = "score" if ranks else "probability"
    found = scores(loaded, texts, first) if ranks else loaded.probabilities(texts, first)
    values, indices = found.topk(min(top_k, len(names)), dim=-1)
    for text, row, labels in zip(texts, values.tolist(), indices.tolist(), strict=True):
        ranked = [{"label": names[label], said: round(value, 6)} for label, value in zip(labels, row, strict=True)]
        yield {"text": text, "predictions": ranked}


@torch.inference_mode()
def scores(loaded: Any, texts: Sequence[str], first: int = 1) -> Tensor:
    """`[B, C]`, as the model gives them."""
    batch = loaded.reader.encode(texts, first)
    return loaded.model(batch.inputs, batch.mask)


RANKED: tuple[str, ...] = ("predictions",)


def choices(loaded: Any) -> int | None:
    return len(loaded.spec.targets.names)
