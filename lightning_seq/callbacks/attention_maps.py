"""Attention maps of a decoder over chosen sentences, after each epoch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor

from lightning_seq.data.sequence_to_sequence.module import SequenceToSequenceData
from lightning_seq.files import write_json
from lightning_seq.models.encoder_decoder import EncoderDecoder
from lightning_seq.models.search import greedy, rounded
from lightning_seq.models.translator import Translator
from lightning_seq.records.attention import AttentionMap, MappedSentence

FILE = "attention.json"
SENTENCES, LONGEST = 4, 30


class AttentionMaps(Callback):
    """Writes `attention.json` (see `records/attention.py`): some validation sentences with their greedy translations,
    and the attention of each target token.

    The sentences are chosen by the data alone, spread over the lengths up to 30 tokens, so that they are the same for
    all runs on a data set. Nothing is drawn: training is the same with it and without. A model without attention writes
    nothing.
    """

    def __init__(self, directory: Path, data: SequenceToSequenceData) -> None:
        self.directory, self.data = directory, data
        self.rows = chosen(data)
        texts = (data.source_text("validation", row) for row in self.rows)
        sentences = (
            MappedSentence(row, tuple(data.reader.tokens(text)), ()) for row, text in zip(self.rows, texts, strict=True)
        )
        self.sentences = [sentence.to_plain() for sentence in sentences]

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        model = pl_module.model
        if not isinstance(model, EncoderDecoder) or model.decoder.attention is None:
            return
        if trainer.state.fn != "fit" or not trainer.is_global_zero:
            return
        was_training = model.training
        model.eval()
        try:
            self._look(model, trainer.current_epoch + 1, pl_module.device, pl_module.limits)  # type: ignore[arg-type]
        finally:
            model.train(was_training)
        write_json(self.directory / FILE, {"sentences": self.sentences})

    def _look(
        self, model: EncoderDecoder, epoch: int, device: torch.device, limits: Callable[[Tensor], Tensor]
    ) -> None:
        batch = self.data.reader.encode([self.data.source_text("validation", row) for row in self.rows], cut=True)
        inputs, mask = batch.inputs.to(device), batch.mask.to(device)
        found = greedy(Translator.of(model, inputs, mask), limits(mask))
        for sentence, hypothesis, places in zip(self.sentences, found, mask.sum(1).tolist(), strict=True):
            if hypothesis.weights is None:
                continue
            written = [*self.data.reader.target_tokens(hypothesis.tokens), "<eos>"][: len(hypothesis.tokens)]
            weights = tuple(map(tuple, rounded(hypothesis.weights[:, :places])))
            sentence["maps"].append(AttentionMap(epoch, tuple(written), weights).to_plain())

    def state_dict(self) -> dict[str, Any]:
        return {"sentences": self.sentences}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.sentences = state_dict["sentences"]


def chosen(data: SequenceToSequenceData) -> list[int]:
    """Validation sentences to look at: of different lengths, none longer than `LONGEST` where there are such."""
    lengths = data.lengths("validation")
    order = sorted(range(len(lengths)), key=lambda row: (int(lengths[row]), row))
    short = [row for row in order if lengths[row] <= LONGEST] or order[:1]
    places = [len(short) * (2 * number + 1) // (2 * SENTENCES) for number in range(SENTENCES)]
    return list(dict.fromkeys(short[place] for place in places))
