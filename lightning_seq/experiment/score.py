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
    reader, number = check_language_model(loaded), 0
    for number, text in enumerate(texts, 1):
        batch = reader.encode([text], number, unknown=True)
        inputs, targets = batch.inputs, batch.targets[batch.target_mask]
        log_probabilities, _ = loaded.model(inputs, batch.mask)
        found = log_probabilities[batch.target_mask].gather(1, targets[:, None])[:, 0].double()
        total = float(found.sum())
        # As in training: words have one space between them, and a first symbol that is not predicted does not count.
        typed = text if reader.reading.by_character else "\n".join(" ".join(line.split()) for line in text.split("\n"))
        characters = len(typed) - (len(reader.vocabulary.words[int(inputs[0, 0])]) if reader.line_end is None else 0)
        yield {
            "text": text,
            "log_probability": round(total, 6),
            "perplexity": round(math.exp(-total / len(targets)), 6) if len(targets) else None,
            "bits_per_character": round(-total / math.log(2) / characters, 6) if characters else None,
            "tokens": [
                {"token": reader.vocabulary.words[index], "log_probability": round(value, 6)}
                for index, value in zip(targets.tolist(), found.tolist(), strict=True)
            ],
        }
    if not number:
        raise UserError('there is no text: give text="…", file=FILE, or lines on standard input')
