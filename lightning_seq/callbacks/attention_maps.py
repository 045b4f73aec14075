"""Attention maps of a decoder over chosen sentences, after each epoch."""

from __future__ import annotations

from pathlib import Path

from lightning.pytorch import LightningModule, Trainer

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
    and the attention of each target token.

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
        with looking(model):
            hypotheses = greedy(Translator.of(model, inputs, mask), task.limits(mask))  # type: ignore[operator]
        for sentence, hypothesis, length in zip(self.results, hypotheses, mask.sum(1).tolist(), strict=True):
            if hypothesis.weights is not None:
                target = [*reader.target_tokens(hypothesis.tokens), "<eos>"][: len(hypothesis.tokens)]
                weights = tuple(map(tuple, rounded(hypothesis.weights[:, :length])))
                sentence["maps"].append(AttentionMap(epoch, tuple(target), weights).to_plain())
        write_json(self.directory / FILE, {"sentences": self.results})


def chosen(data: SequenceToSequenceData) -> list[int]:
    """Validation sentences of different lengths; none longer than `LONGEST` unless all are."""
    lengths = data.lengths("validation")
    order = sorted(range(len(lengths)), key=lambda row: (int(lengths[row]), row))
    return spread([row for row in order if lengths[row] <= LONGEST] or order[:1])
