"""Translations of new text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import torch

from lightning_seq.builders.sequence_to_sequence import MOST_HYPOTHESES, beam
from lightning_seq.builders.task_kind import check_verb
from lightning_seq.data.sequence_to_sequence.reader import PairReader
from lightning_seq.errors import UserError
from lightning_seq.inference.load import Loaded
from lightning_seq.models.search import Beam, beam_search, longest, rounded
from lightning_seq.models.translator import Translator


@dataclass(frozen=True)
class Translation:
    """text: readable; log_probability: in nats; score: what it was chosen by; source, target: tokens; weights: `[T][S]`
    of attention, or None."""

    text: str
    log_probability: float
    score: float
    source: list[str] = field(default_factory=list)
    target: list[str] = field(default_factory=list)
    weights: list[list[float]] | None = None

    def to_plain(self) -> dict[str, Any]:
        return {"translation": self.text, "log_probability": self.log_probability, "score": self.score}


@torch.inference_mode()
def translations(
    loaded: Loaded,
    texts: Iterable[str],
    search: Beam,
    batch_size: int = 32,
    attention: bool = False,
    target_language: str | None = None,
    first: int = 1,
) -> Iterator[list[Translation]]:
    """For each text its `search.n_best` translations, in the order of the texts; `batch_size` of them at a time.

    attention:       with tokens and weights.
    target_language: what the model must write; None takes any.
    first:           the number of the first text.

    Raises UserError for another kind of model, for an empty text and one longer than the model's limit (with their
    number), where there is no text at all, for another language, and for attention where the model has none.
    """
    reader = check_translator(loaded)
    if attention and loaded.model.decoder.attention is None:
        raise UserError("attention_out=FILE: this model has no attention; train model=encoder_decoder_attention")
    reader.check_target_language(target_language)
    given, task, number = iter(texts), loaded.config["task"], 0
    while batch := list(islice(given, batch_size)):
        encoded = reader.encode(batch, first=first + number)
        lengths = encoded.mask.sum(1)
        limits = longest(lengths, task["length_factor"], task["length_extra"])
        stepper = Translator.of(loaded.model, encoded.inputs, encoded.mask)
        for text, hypotheses in zip(batch, beam_search(stepper, limits, search, places=lengths), strict=True):
            line = []
            for each in hypotheses:
                more: dict[str, Any] = {}
                if attention and each.weights is not None:
                    target = [*reader.target_tokens(each.tokens), "<eos>"][: len(each.tokens)]
                    more = {
                        "source": reader.tokens(text),
                        "target": target,
                        "weights": rounded(each.weights),
                    }
                values = round(each.log_probability, 6), round(each.score, 6)
                line.append(Translation(reader.decode(each.tokens), *values, **more))
            yield line
        number += len(batch)
    if not number:
        raise UserError('there is no text: give text="…", file=FILE, or lines on standard input')


def predictions(loaded: Any, texts: Sequence[str], top_k: int, first: int = 1) -> Iterator[dict[str, Any]]:
    """For each text `{"text", "predictions": [{"translation", "log_probability", "score"}, …]}`, the best first."""
    from lightning_seq.inference.translate import translations

    settings = loaded.config["task"]
    search = beam({**settings, "beam": max(top_k, settings["beam"])}, top_k)
    for text, found in zip(texts, translations(loaded, texts, search, first=first), strict=True):
        yield {"text": text, "predictions": [line.to_plain() for line in found]}


def check_translator(loaded: Any) -> PairReader:
    """Raises UserError for a model of another kind."""
    check_verb("translate", loaded.spec)
    found: PairReader = loaded.reader
    return found


RANKED: tuple[str, ...] = ("predictions",)


def choices(loaded: Any) -> int | None:
    return MOST_HYPOTHESES
