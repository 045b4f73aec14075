"""How likely a text is to a language model."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any

import torch

from lightning_seq.errors import UserError
from lightning_seq.experiment.kinds.language_modelling import check_language_model
from lightning_seq.experiment.load import Loaded


@torch.inference_mode()
def scores(loaded: Loaded, texts: Iterable[str]) -> Iterator[dict[str, Any]]:
    """For each text `{"text", "log_probability", "perplexity", "bits_per_character", "tokens": [{"token",
    "log_probability"}, …]}`; logarithms are natural.

    The chain rule: a text's log-probability is the sum over its tokens, each given those before it. The first is given
    what stands before a line (`<eos>`, or the line feed of characters), or, in a vocabulary without it, not counted.

    Raises UserError for another kind of model and for what its reader refuses.
    """
    reader, text = check_language_model(loaded), None
    for text in texts:
        batch = reader.encode([text])
        inputs, targets = batch.inputs, batch.targets[batch.target_mask]
        log_probabilities, _ = loaded.model(inputs, batch.mask)
        found = log_probabilities[batch.target_mask].gather(1, targets[:, None])[:, 0].double()
        total = float(found.sum())
        yield {
            "text": text,
            "log_probability": round(total, 6),
            "perplexity": round(math.exp(-total / len(targets)), 6) if len(targets) else None,
            "bits_per_character": round(-total / math.log(2) / len(text), 6) if text else None,
            "tokens": [
                {"token": reader.vocabulary.words[index], "log_probability": round(value, 6)}
                for index, value in zip(targets.tolist(), found.tolist(), strict=True)
            ],
        }
    if text is None:
        raise UserError('there is no text: give text="…", file=FILE, or lines on standard input')
