"""Speech recognition as a LightningModule."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor

from lightning_seq.metrics.speech import TranscriptScores
from lightning_seq.models.ctc import Fusion, spikes
from lightning_seq.models.listen_attend_spell import ListenAttendSpell
from lightning_seq.models.search import Hypothesis
from lightning_seq.models.transcriber import Transcriber
from lightning_seq.spec import SPANS, Batch
from lightning_seq.tasks.sequence_to_sequence import SequenceToSequence
from lightning_seq.tasks.task import SPLITS


class SpeechRecognition(SequenceToSequence):
    """A recogniser: its loss, its transcripts and their errors.

    The arguments are those of `SequenceToSequence`; the model is a `Transcriber`, which learns by CTC, or
    `ListenAttendSpell`. fusion: the language model of the test's search, or None.

    Logged: `train/loss`, and under `val/` and `test/`: `loss`, nats per symbol (`<eos>` counted) of -log P(transcript),
    and of the model's own transcripts `wer cer substitutions deletions insertions sentence_error_rate`
    (`metrics/speech.py`); validation is greedy. Under `test/` also `on_target` of CTC for data with the times of
    symbols: of utterances whose likeliest path is right, the share of the spikes that are in the span of their symbol.

    After a test `written` holds a row `(utterance, loss, tokens)` per utterance, in the order of the utterances.
    """

    MONITORS: ClassVar[Mapping[str, str]] = dict.fromkeys(("val/loss", "val/wer", "val/cer"), "min")
    MEANS: ClassVar[tuple[str, ...]] = ("loss",)
    model: Transcriber | ListenAttendSpell  # type: ignore[assignment]
    fusion: Fusion | None = None

    def add_metrics(self) -> None:
        """There are none with a state."""
        self._on_target: list[Tensor] = []

    def forward(self, inputs: Tensor, mask: Tensor) -> list[list[Hypothesis]]:
        """Features `[B, T, D]` and their mask to the hypotheses for each utterance, the best first."""
        return self._beam(inputs, mask)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        sampled = 1 - self.teacher_forcing.at(self.global_step)
        total = self._losses_of(batch, sampled, self.label_smoothing).sum()
        self.accumulate_loss(total, int(batch.target_mask.sum()))
        return self.mean_of_step(total, batch)

    def _losses_of(self, batch: Batch, sampled: float = 0.0, smoothing: float = 0.0) -> Tensor:
        return self.model.losses(batch.inputs, batch.mask, batch.targets, batch.target_mask, sampled, smoothing)

    def last_step_loss(self, batch: Batch, reverse: bool = False) -> Tensor:
        """Of the whole transcript, which is one target; also with `reverse`."""
        return self._losses_of(batch).sum()

    def evaluate(self, batch: Batch, split: str) -> None:
        symbols, losses = batch.target_mask.sum(1), self._losses_of(batch)
        real = symbols > 0
        means = losses[real] / symbols[real]
        self.means(split).update(loss=means.repeat_interleave(symbols[real]))
        self._losses.append(torch.stack([batch.ids[real].double(), means.double()], 1))
        best = self._write(batch, self._greedy if split == "val" else self._beam)
        if split == "test" and SPANS in batch.extra and isinstance(self.model, Transcriber):
            self._look_at_spikes(self.model, batch)
        if split == "test" and self.full_predictions:
            values = [(number, one.log_probability, one.score) for number, one in best]
            self._searched.append(torch.tensor(values, dtype=torch.float64).reshape(-1, 3))

    def _look_at_spikes(self, model: Transcriber, batch: Batch) -> None:
        """Of utterances whose likeliest path is right, whether each spike is in the span of its symbol."""
        scores, lengths = model.emitted(batch.inputs, batch.mask)
        sizes, factor = batch.target_mask.sum(1).tolist(), -(-batch.mask.shape[1] // scores.shape[1])
        for row, (length, size) in enumerate(zip(lengths.tolist(), sizes, strict=True)):
            found = spikes(scores[row, :length])
            if size and [symbol for symbol, _ in found] == batch.targets[row, : size - 1].tolist():
                middles = torch.tensor([(step + 0.5) * factor for _, step in found], device=self.device)
                spans = batch.extra[SPANS][row, : size - 1]
                self._on_target.append(((spans[:, 0] <= middles) & (middles < spans[:, 1])).double()[:, None])

    def _greedy(self, inputs: Tensor, mask: Tensor) -> list[list[Hypothesis]]:
        return self.model.greedy(inputs, mask, self.limits(mask))

    def _beam(self, inputs: Tensor, mask: Tensor) -> list[list[Hypothesis]]:
        return self.model.search(inputs, mask, self.limits(mask), self.beam, self.fusion)

    def logged(self, split: str, means: dict[str, Tensor]) -> dict[str, Tensor | float]:
        self.written = self._gathered_output()
        texts = [self.text.decode(tokens) for _, _, tokens in self.written]
        scores, self.signatures = self.scores(texts, [number for number, _, _ in self.written], split)
        if split == "test":
            hits = self.gathered(self._on_target, 1, torch.float64)
            scores |= {"on_target": float(hits.mean())} if len(hits) else {}
            self._on_target.clear()
        return {"loss": means["loss"], **scores}

    def scores(self, texts: list[str], numbers: list[int], split: str) -> tuple[dict[str, float], dict[str, str]]:
        references = [self.text.reference(SPLITS[split], number) for number in numbers]
        return TranscriptScores.of(texts, references).logged(), {}
