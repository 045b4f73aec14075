"""Sequence to sequence as a LightningModule."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from lightning_seq.errors import UserError
from lightning_seq.metrics.alignment import AlignmentErrorRate, AttentionEntropy
from lightning_seq.metrics.classification import mean_loss
from lightning_seq.metrics.target_position import AccuracyByPosition
from lightning_seq.metrics.translation import corpus_scores
from lightning_seq.models.encoder_decoder import EncoderDecoder, coverage_penalty
from lightning_seq.models.search import Beam, Hypothesis, Stepper, beam_search, greedy, longest
from lightning_seq.models.softmax import token_scores
from lightning_seq.models.translator import Translator
from lightning_seq.spec import Batch
from lightning_seq.tasks.gather import gather_rows
from lightning_seq.tasks.schedule import MakeOptimizer, Schedule
from lightning_seq.tasks.task import Task, at_end
from lightning_seq.tasks.teacher_forcing import TeacherForcing


@dataclass(frozen=True)
class Readable:
    """How ids become text that can be compared.

    decode:    target ids, up to `<eos>`, to text.
    reference: (split, row) to the text that `decode` should have given.
    tokenize:  how sacreBLEU splits the texts for BLEU.
    lower:     they are in small letters.
    """

    decode: Callable[[Sequence[int]], str]
    reference: Callable[[str, int], str]
    tokenize: str
    lower: bool


class SequenceToSequence(Task):
    """An encoder-decoder, its loss, and what it writes.

    model:            the encoder-decoder.
    text:             how what it writes is read.
    label_smoothing:  ε, in training alone (Szegedy et al. 2016, sec. 7).
    teacher_forcing:  how often the decoder is given the true symbol.
    coverage_penalty: λ of See et al. 2017, eq. 13; 0 for none.
    beam:             how test sentences are searched; validation is greedy.
    full_predictions: whether `searched` is filled.
    length_factor, length_extra: a sentence of S tokens is written in at most S · factor + extra.
    monitor, log_every: see `Task`.

    Logged: `train/loss`, and under `val/` and `test/`: `loss perplexity accuracy` of the targets, each given those
    before it, `<eos>` counted (nats and their exponential; without label smoothing), `bleu chrf` (0 to 100) and
    `exact_match` of what was written; under `test/` also `alignment_error_rate`, where alignments are known, and
    `attention_entropy`.

    After a test `written` holds a row `(sentence, loss, tokens)` per sentence, in the order of the sentences;
    `searched`, by sentence, the log-probability and the score of what was written, where that is asked for; `tables`
    the accuracy by target position, and `signatures` those of sacreBLEU.
    """

    MONITORS: ClassVar[Mapping[str, str]] = {
        "val/loss": "min",
        "val/perplexity": "min",
        "val/accuracy": "max",
        "val/bleu": "max",
        "val/chrf": "max",
        "val/exact_match": "max",
    }

    def __init__(
        self,
        model: EncoderDecoder,
        text: Readable,
        optimizer: MakeOptimizer,
        schedule: Schedule | None = None,
        label_smoothing: float = 0.0,
        teacher_forcing: TeacherForcing | None = None,
        coverage_penalty: float = 0.0,
        beam: Beam | None = None,
        length_factor: float = 2.0,
        length_extra: int = 10,
        full_predictions: bool = False,
        monitor: str = "val/bleu",
        log_every: int = 20,
    ) -> None:
        super().__init__(model, optimizer, schedule, monitor, log_every)
        if not 0 <= label_smoothing < 1:
            raise UserError(f"task.label_smoothing is {label_smoothing}, expected at least 0 and less than 1")
        if coverage_penalty < 0:
            raise UserError(f"task.coverage_penalty is {coverage_penalty}, expected at least 0")
        if coverage_penalty and model.decoder.attention is None:
            raise UserError("task.coverage_penalty is of attention: use model=encoder_decoder_attention, or 0")
        if length_factor < 0 or length_extra < 0 or length_factor + length_extra == 0:
            raise UserError(
                f"task.length_factor is {length_factor} and task.length_extra {length_extra}: "
                "expected at least 0, and not both 0"
            )
        self.text, self.coverage_penalty = text, coverage_penalty
        self.label_smoothing = float(label_smoothing)
        self.teacher_forcing, self.beam = teacher_forcing or TeacherForcing(), beam or Beam()
        self.length_factor, self.length_extra = length_factor, length_extra
        self.full_predictions = full_predictions
        self.val_loss, self.test_loss = mean_loss(), mean_loss()
        self.val_accuracy, self.test_accuracy = mean_loss(), mean_loss()
        self.positions = AccuracyByPosition()
        attends = model.decoder.attention is not None
        self.entropy = AttentionEntropy() if attends else None
        self.alignment = AlignmentErrorRate() if attends else None
        self.written: list[tuple[int, float, list[int]]] = []
        self.searched: dict[int, tuple[float, float]] = {}
        self.tables: dict[str, Any] = {}
        self._aligned = False
        self._rows: list[Tensor] = []
        self._losses: list[Tensor] = []
        self._searched: list[Tensor] = []

    def forward(self, inputs: Tensor, mask: Tensor) -> list[list[Hypothesis]]:
        """Ids `[B, S]` and their mask to what the beam search writes for each sentence."""
        return self._beam(self._stepper(inputs, mask), mask)

    def _beam(self, stepper: Stepper, mask: Tensor) -> list[list[Hypothesis]]:
        return beam_search(stepper, self.limits(mask), self.beam, places=mask.sum(1))

    def _greedy(self, stepper: Stepper, mask: Tensor) -> list[list[Hypothesis]]:
        return [[found] for found in greedy(stepper, self.limits(mask))]

    def _stepper(self, inputs: Tensor, mask: Tensor) -> Stepper:
        return Translator.of(self.model, inputs, mask)  # type: ignore[arg-type]

    def limits(self, mask: Tensor) -> Tensor:
        return longest(mask.sum(1), self.length_factor, self.length_extra)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        model: EncoderDecoder = self.model  # type: ignore[assignment]
        sampled = 1 - self.teacher_forcing.at(self.global_step)
        written = model(batch.inputs, batch.mask, batch.targets, batch.target_mask, sampled)
        rows = batch.target_mask.flatten().nonzero()[:, 0]
        hidden, targets = written.hidden.flatten(0, 1)[rows], batch.targets.flatten()[rows]
        total = model.softmax.loss_sum(hidden, targets, self.label_smoothing)
        self.accumulate_loss(total, len(targets))
        if self.coverage_penalty:
            total = total + self.coverage_penalty * coverage_penalty(written.weights, batch.target_mask)
        return self.mean_of_step(total, batch)

    def last_step_loss(self, batch: Batch, reverse: bool = False) -> Tensor:
        """Of the last symbol, given the true ones before it; an encoder that reads from the end sees the same."""
        model: EncoderDecoder = self.model  # type: ignore[assignment]
        kept = at_end(batch.target_mask)
        written = model(batch.inputs, batch.mask, batch.targets, batch.target_mask)
        return model.softmax.loss_sum(written.hidden[kept], batch.targets[kept])

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        self._evaluate(batch, self.val_loss, self.val_accuracy)
        self._write(batch, self._greedy)

    def on_validation_epoch_end(self) -> None:
        self._log("val", "validation", self.val_loss, self.val_accuracy, {})

    def on_test_epoch_start(self) -> None:
        self._rows.clear()
        self._losses.clear()
        self._searched.clear()

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        weights, hits = self._evaluate(batch, self.test_loss, self.test_accuracy)
        self.positions.update(hits, batch.target_mask)
        if weights is not None and self.entropy is not None and self.alignment is not None:
            self.entropy.update(weights, batch.target_mask)
            if "alignments" in batch.extra:
                self._aligned = True
                self.alignment.update(weights, batch.extra["alignments"], batch.target_mask, batch.mask)
        best = self._write(batch, self._beam)
        if self.full_predictions:
            values = [(number, found.log_probability, found.score) for number, found in best]
            self._searched.append(torch.tensor(values, dtype=torch.float64).reshape(-1, 3))

    def on_test_epoch_end(self) -> None:
        more: dict[str, Any] = {}
        if self.entropy is not None and self.alignment is not None:
            more["attention_entropy"] = self.entropy.compute()
            if self._aligned:
                more["alignment_error_rate"] = self.alignment.compute()
            self.entropy.reset()
            self.alignment.reset()
        self.tables = {"by_position": self.positions.compute()}
        self.positions.reset()
        self._log("test", "test", self.test_loss, self.test_accuracy, more)
        if self.full_predictions:
            rows = gather_rows(_whole(self._searched, 3, torch.float64).to(self.device), self.world).tolist()
            self.searched = {int(number): (log_probability, score) for number, log_probability, score in rows}

    def _evaluate(self, batch: Batch, loss: Any, accuracy: Any) -> tuple[Tensor | None, Tensor]:
        """Attention weights `[B, T, S]` and which targets were the likeliest `[B, T]`."""
        model: EncoderDecoder = self.model  # type: ignore[assignment]
        written, counts = model(batch.inputs, batch.mask, batch.targets, batch.target_mask), batch.target_mask
        hits = torch.zeros_like(counts)
        if bool(counts.any()):
            losses, right = token_scores(model.softmax, written.hidden[counts], batch.targets[counts], model.size)
            loss.update(losses)
            accuracy.update(right.float())
            hits[counts] = right
            each = torch.zeros(counts.shape, dtype=torch.float64, device=losses.device)
            each[counts] = losses.double()
            real = counts.any(1)
            mean = each.sum(1)[real] / counts.sum(1)[real]
            self._losses.append(torch.stack([batch.ids[real].double(), mean], 1))
        return written.weights, hits

    def _write(
        self, batch: Batch, search: Callable[[Stepper, Tensor], list[list[Hypothesis]]]
    ) -> list[tuple[int, Hypothesis]]:
        """Keep what is written as rows (sentence, position, symbol), so that ranks can gather them.

        Returns each sentence and the best hypothesis of it.
        """
        real = batch.target_mask.any(1)
        if not bool(real.any()):
            return []
        found = search(self._stepper(batch.inputs[real], batch.mask[real]), batch.mask[real])
        best = [(number, hypotheses[0]) for number, hypotheses in zip(batch.ids[real].tolist(), found, strict=True)]
        rows = [(number, place, token) for number, one in best for place, token in enumerate(one.tokens)]
        self._rows.append(torch.tensor(rows, dtype=torch.int64).reshape(-1, 3))
        return best

    def _log(self, prefix: str, split: str, loss: Any, accuracy: Any, more: Mapping[str, Any]) -> None:
        nats = loss.compute()
        values = {"loss": nats, "perplexity": nats.exp(), "accuracy": accuracy.compute(), **more}
        self.written = self._gathered()
        texts = [self.text.decode(tokens) for _, _, tokens in self.written]
        references = [self.text.reference(split, number) for number, _, _ in self.written]
        scores = corpus_scores(texts, references, self.text.tokenize, self.text.lower)
        self.signatures = scores.signatures
        values |= {"bleu": scores.bleu, "chrf": scores.chrf, "exact_match": scores.exact_match}
        self.log_evaluation(prefix, values)
        loss.reset()
        accuracy.reset()

    def _gathered(self) -> list[tuple[int, float, list[int]]]:
        """What all ranks wrote: (sentence, nats per token, symbols), in the order of the sentences, each once."""
        rows = gather_rows(_whole(self._rows, 3, torch.int64).to(self.device), self.world).tolist()
        losses = gather_rows(_whole(self._losses, 2, torch.float64).to(self.device), self.world).tolist()
        self._rows.clear()
        self._losses.clear()
        tokens: dict[int, dict[int, int]] = {}
        for number, place, token in rows:
            tokens.setdefault(number, {})[place] = token
        by_sentence = {int(number): loss for number, loss in losses}
        return [
            (number, by_sentence[number], [token for _, token in sorted(tokens[number].items())])
            for number in sorted(tokens)
        ]


def _whole(parts: list[Tensor], columns: int, dtype: torch.dtype) -> Tensor:
    return torch.cat(parts) if parts else torch.empty(0, columns, dtype=dtype)
