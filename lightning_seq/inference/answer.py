"""The answers to questions about a new picture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from lightning_seq.builders.kinds import check_verb
from lightning_seq.builders.task_kind import Loaded, Row, ranked
from lightning_seq.builders.visual_dialog import replies
from lightning_seq.builders.visual_questions import among
from lightning_seq.data.visual_dialog.reader import Asked, checked
from lightning_seq.errors import UserError
from lightning_seq.inference.predict import choices
from lightning_seq.models.search import rounded
from lightning_seq.spec import PICTURES, Answer


@dataclass(frozen=True)
class Answered:
    """question: that was asked.
    best:    `{"answer", "probability"}`, the likeliest first; of a model that writes its answers `log_probability`.
    values:  the picture, `[channels, height, width]` uint8, as the model sees it.
    words:   a name for each look at the picture; weights: of the attention of each, `[hops][S]`; None without.
    note:    on the picture or the question; None for a usual one.
    """

    question: str
    best: list[Row]
    values: np.ndarray
    words: list[str]
    weights: list[list[float]] | None
    note: str | None


@torch.inference_mode()
def answered(
    loaded: Loaded, image: Path, question: str, listed: str = "", top_k: int = 1, attention: bool = False
) -> Answered:
    """listed: the answers to choose from, with `|` between them; empty: all answers.
    attention: whether the weights are needed.

    Raises UserError for another kind of model, for too many answers, for attention of a model without it, and for a
    picture or a question that cannot be read.
    """
    check_verb("answer", loaded.kind)
    most = choices(loaded, top_k)
    batch = loaded.reader.encode_pairs([(image, question)])
    model, note = loaded.model, loaded.reader.note_of(image, question)
    joined, weights = model.joined(batch.inputs, batch.mask, batch.extra[PICTURES])
    if attention and weights is None:
        raise _without_attention(model.kind)
    names = loaded.spec.targets_as(Answer).names
    probabilities = model.head(joined).softmax(-1)
    if named := loaded.reader.choices(listed):
        best = among(named, names, probabilities[0].tolist(), most)
    else:
        (best,) = ranked(probabilities, names, most, "answer")
    looks = None if weights is None else rounded(weights[0])
    return Answered(question, best, batch.extra[PICTURES][0].numpy(), _words(looks), looks, note.text if note else None)


def conversation(
    loaded: Loaded, first: Asked, further: Sequence[str] = (), top_k: int = 1, attention: bool = False
) -> Iterator[Answered]:
    """The answer to a question and to further ones about its picture; each has the earlier ones with the model's
    answers as its history.

    Raises UserError as `answered` does.
    """
    check_verb("answer", loaded.kind)
    most, turns = choices(loaded, top_k), first.turns
    for asked in [checked(first._replace(question=question), "question") for question in (first.question, *further)]:
        asked = asked._replace(turns=turns)
        (one,) = replies(loaded, [asked], most)
        if attention and one.weights is None:
            raise _without_attention(loaded.model.kind)
        note, values = loaded.reader.note_of(asked), loaded.reader.read(asked.image).values
        yield Answered(asked.question, one.best, values, _words(one.weights), one.weights, note.text if note else None)
        turns = *turns, (asked.question, str(one.best[0]["answer"]))


def _words(looks: list[list[float]] | None) -> list[str]:
    return [f"look {number}" for number in range(1, len(looks or []) + 1)]


def _without_attention(fusion: str) -> UserError:
    return UserError(
        f"attention_out=FILE: task.fusion={fusion} has no attention; train with task.fusion=stacked_attention"
    )
