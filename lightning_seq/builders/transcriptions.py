"""The transcripts of a batch of utterances, with what a recogniser heard where."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from lightning_seq.builders.task_kind import Row
from lightning_seq.data.speech.reader import SpeechReader
from lightning_seq.models.ctc import Fusion, aligned
from lightning_seq.models.listen_attend_spell import ListenAttendSpell
from lightning_seq.models.search import BeamSearchConfig, rounded
from lightning_seq.models.transcriber import Transcriber
from lightning_seq.spec import Batch


@dataclass(frozen=True)
class Transcription:
    """A transcript of an utterance. log_probability: in nats; score: of the search; units: of the text; spikes: of CTC,
    the units on the transcript's likeliest path and their seconds; weights: of attention `[T][S]`, those of `<eos>`
    last, or None."""

    text: str
    log_probability: float
    score: float
    units: list[str]
    spikes: list[tuple[str, float]] | None = None
    weights: list[list[float]] | None = None

    def to_plain(self) -> Row:
        return {"transcript": self.text, "log_probability": self.log_probability, "score": self.score}


def transcriptions(
    model: Transcriber | ListenAttendSpell,
    reader: SpeechReader,
    batch: Batch,
    limits: Tensor,
    search: BeamSearchConfig,
    fusion: Fusion | None = None,
) -> Iterator[list[Transcription]]:
    """The `search.n_best` transcripts of each utterance, the best first. limits: `[B]`, of attention."""
    found = model.search(batch.inputs, batch.mask, limits, search, fusion)
    emitted = model.emitted(batch.inputs, batch.mask) if isinstance(model, Transcriber) else None
    seconds = frames_of_step(model) * reader.front_end.hop / 1000
    for row, hypotheses in enumerate(found):
        transcripts = []
        for one in hypotheses:
            marks = None
            if emitted is not None:
                steps = aligned(emitted[0][row, : int(emitted[1][row])], one.tokens[:-1])
                marks = [(reader.vocabulary.words[unit], round((step + 0.5) * seconds, 3)) for unit, step in steps]
            units = reader.target_tokens(one.tokens)
            weights = None if one.weights is None else rounded(one.weights)
            values = round(one.log_probability, 6), round(one.score, 6)
            transcripts.append(Transcription(reader.decode(one.tokens), *values, units, marks, weights))
        yield transcripts


def frames_of_step(model: Transcriber | ListenAttendSpell) -> int:
    """The frames that are one step of the encoder's outputs."""
    frames = model.frames if isinstance(model, Transcriber) else model.source
    stack: torch.nn.Module | None = getattr(model.encoder, "stack", None)
    halvings = len(stack.layers) - 1 if stack is not None and stack.pyramid else 0  # type: ignore[arg-type]
    return frames.factor * 2**halvings
