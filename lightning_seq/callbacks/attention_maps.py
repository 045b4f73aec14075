"""Attention maps of a decoder over chosen sentences, after each epoch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from lightning.pytorch import LightningModule, Trainer
from torch import Tensor

from lightning_seq.attention.attention import watched_weights
from lightning_seq.callbacks.diagnostic import ModelWriter
from lightning_seq.callbacks.probe import LONGEST, looking, spread
from lightning_seq.data.sequence_to_sequence.module import SequenceToSequenceData
from lightning_seq.files import write_json
from lightning_seq.models.encoder_decoder import EncoderDecoder
from lightning_seq.models.search import greedy, rounded
from lightning_seq.models.translator import Translator
from lightning_seq.records.attention import AttentionMap, MappedSentence

FILE = "attention.json"


class AttentionMaps(ModelWriter):
    """Writes `attention.json` (see `records/attention.py`): some validation sentences with their greedy translations,
    and the attention of each target token: the mean over heads, and after the last epoch each of several heads.

    The data alone choose the sentences, so all runs on a data set have the same. A model without attention writes
    nothing.
    """

    STATE = "sentences"

    def __init__(self, directory: Path, data: SequenceToSequenceData) -> None:
        super().__init__(directory)
        self.data, self.rows = data, chosen(data)
        self.texts = [data.source_text("validation", row) for row in self.rows]
        self.results = [
            MappedSentence(row, tuple(data.reader.tokens(text)), ()).to_plain()
            for row, text in zip(self.rows, self.texts, strict=True)
        ]

    def look(self, trainer: Trainer, task: LightningModule, epoch: int) -> None:
        model, reader = task.model, self.data.reader
        if not isinstance(model, EncoderDecoder) or model.decoder.attention is None:
            return
        batch = reader.encode(self.texts, cut=True)
        inputs, mask = batch.inputs.to(task.device), batch.mask.to(task.device)
        with looking(model), watched_weights() as weights:
            hypotheses = greedy(Translator.of(model, inputs, mask), task.limits(mask))  # type: ignore[operator]
        of_heads = by_sentence(weights, [len(hypothesis.tokens) for hypothesis in hypotheses])
        rows = zip(self.results, hypotheses, of_heads, mask.sum(1).tolist(), strict=True)
        for sentence, hypothesis, heads, length in rows:
            if hypothesis.weights is not None:
                target = [*reader.target_tokens(hypothesis.tokens), "<eos>"][: len(hypothesis.tokens)]
                mean, *each = (
                    tuple(map(tuple, rounded(values[:, :length]))) for values in (hypothesis.weights, *heads)
                )
                for earlier in sentence["maps"]:
                    earlier.pop("heads", None)
                heads_shown = tuple(each) if len(each) > 1 else ()
                sentence["maps"].append(AttentionMap(epoch, tuple(target), mean, heads_shown).to_plain())
        write_json(self.directory / FILE, {"sentences": self.results})


def by_sentence(weights: Sequence[Tensor], lengths: Sequence[int]) -> list[Tensor]:
    """Of each sentence the weights `[heads, T, S]` of a greedy search.

    weights: of each step `[B, heads, 1, S]`, with a row for each sentence that is not finished, in their order.
    lengths: T of each sentence.
    """
    written: list[list[Tensor]] = [[] for _ in lengths]
    for step, rows in enumerate(weights):
        unfinished = [place for place, length in enumerate(lengths) if length > step]
        for place, row in zip(unfinished, rows, strict=True):
            written[place].append(row[:, 0])
    return [torch.stack(steps, 1) if steps else torch.empty(0, 0, 0) for steps in written]


def chosen(data: SequenceToSequenceData) -> list[int]:
    """Validation sentences of different lengths; none longer than `LONGEST` unless all are."""
    lengths = data.lengths("validation")
    order = sorted(range(len(lengths)), key=lambda row: (int(lengths[row]), row))
    return spread([row for row in order if lengths[row] <= LONGEST] or order[:1])
