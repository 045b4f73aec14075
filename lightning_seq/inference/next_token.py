"""Predictions of a language model for new text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch

from lightning_seq.builders.task_kind import check_verb
from lightning_seq.data.language_modelling.reader import LanguageReader


@torch.inference_mode()
def predictions(loaded: Any, texts: Sequence[str], top_k: int, first: int = 1) -> Iterator[dict[str, Any]]:
    """For each text `{"text", "predictions": [{"token", "probability"}, …]}`: what may follow it, likeliest first."""
    batch = loaded.reader.encode(texts, first, unknown=True)
    scores, _ = loaded.model(batch.inputs, batch.mask)
    last = scores[torch.arange(len(texts)), batch.mask.sum(1) - 1].exp()
    values, indices = last.topk(min(top_k, last.shape[-1]), -1)
    for text, row, ids in zip(texts, values.tolist(), indices.tolist(), strict=True):
        ranked = [
            {"token": loaded.reader.vocabulary.words[index], "probability": round(probability, 6)}
            for index, probability in zip(ids, row, strict=True)
        ]
        yield {"text": text, "predictions": ranked}


def check_language_model(loaded: Any, verb: str) -> LanguageReader:
    """Raises UserError, naming the verb that was asked for, for a model of another kind."""
    check_verb(verb, loaded.spec)
    found: LanguageReader = loaded.reader
    return found


RANKED: tuple[str, ...] = ("predictions",)


def choices(loaded: Any) -> int | None:
    return len(loaded.reader.vocabulary)
