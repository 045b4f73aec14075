"""How each kind of model answers new text."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from lightning_seq.inference import bits, classify, next_token, notes, regress, tag, translate
from lightning_seq.spec import Bits, Class, DataSpec, NextToken, Tags, TokenSequence, Values


@dataclass(frozen=True)
class Predictor:
    """The functions of one kind of model.

    predictions: `(loaded, texts, top_k, first)` to a row for each text, `{"text", "predictions": […]}`; first: the
                 number of the first text.
    choices:     from the loaded model to how many entries `top_k` chooses among; None where nothing is ranked.
    ranked:      the lists of a row that hold `top_k` entries, the likeliest first; other lists are as long as a text.
    """

    predictions: Callable[..., Iterator[dict[str, Any]]]
    choices: Callable[[Any], int | None]
    ranked: tuple[str, ...]


PREDICTORS: dict[type, Predictor] = {
    Class: Predictor(classify.predictions, classify.choices, classify.RANKED),
    Tags: Predictor(tag.predictions, tag.choices, tag.RANKED),
    NextToken: Predictor(next_token.predictions, next_token.choices, next_token.RANKED),
    Bits: Predictor(notes.predictions, notes.choices, notes.RANKED),
    TokenSequence: Predictor(translate.predictions, translate.choices, translate.RANKED),
    Values: Predictor(regress.predictions, regress.choices, regress.RANKED),
}


def predictor_of(spec: DataSpec) -> Predictor:
    if isinstance(spec.targets, Bits) and not spec.targets.shifted:
        return Predictor(bits.predictions, bits.choices, bits.RANKED)
    return PREDICTORS[type(spec.targets)]
