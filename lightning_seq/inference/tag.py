"""Predictions of a tagger for new text."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor


def predictions(
    loaded: Any, texts: Sequence[str], top_k: int, first: int = 1, n_best: int | None = None
) -> Iterator[dict[str, Any]]:
    """For each text `{"text", "predictions": [{"token", "tag", "probability"}, …]}`, a tag for every token.

    A tag's probability is its own, whatever its neighbours are; of a CRF's path, the marginal. A model with intents
    adds `"intents": [{"label", "probability"}, …]`, `top_k` of them, the likeliest first.

    n_best: adds `"paths": [{"tags", "log_probability"}, …]`, so many ways to tag the whole sentence, or as many as
            there are, the likeliest first; the first is the one in `predictions`. None: none are added.

    Raises TypeError for `n_best` where the tagger has no CRF.
    """
    with torch.inference_mode():
        batch = loaded.reader.encode(texts, first)
        scores, of_intents = loaded.model(batch.inputs, batch.mask, batch.extra)
        tags = loaded.model.decode(scores, batch.mask)
        own = loaded.model.probabilities(scores, batch.mask).gather(2, tags[..., None]).squeeze(2)
        paths = None if n_best is None else loaded.model.best_paths(scores, batch.mask, n_best)
    names = loaded.spec.targets.names
    for row, text in enumerate(texts):
        tokens = loaded.reader.tokens(text)
        found = zip(tokens, tags[row].tolist(), own[row].tolist(), strict=False)  # shorter than the batch is wide
        tagged = [{"token": token, "tag": names[tag], "probability": round(p, 6)} for token, tag, p in found]
        line: dict[str, Any] = {"text": text, "predictions": tagged}
        if paths is not None:
            line["paths"] = _paths(names, paths[0][row, :, : len(tagged)], paths[1][row])
        if of_intents is not None:
            line["intents"] = _ranked(loaded.spec.targets.intents, of_intents[row], top_k)
        yield line


def _ranked(names: Sequence[str], scores: Tensor, top_k: int) -> list[dict[str, Any]]:
    values, indices = torch.softmax(scores, -1).topk(min(top_k, len(names)))
    return [
        {"label": names[index], "probability": round(probability, 6)}
        for index, probability in zip(indices.tolist(), values.tolist(), strict=True)
    ]


RANKED: tuple[str, ...] = ("intents", "paths")


def choices(loaded: Any) -> int | None:
    return len(loaded.spec.targets.intents) if loaded.model.intents is not None else None


def _paths(names: Sequence[str], paths: Tensor, log_probabilities: Tensor) -> list[dict[str, Any]]:
    return [
        {"tags": [names[tag] for tag in path], "log_probability": round(value, 6)}
        for path, value in zip(paths.tolist(), log_probabilities.tolist(), strict=True)
        if value > -math.inf  # a short sentence has fewer paths
    ]
