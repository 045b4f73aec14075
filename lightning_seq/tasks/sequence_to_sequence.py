"""Sequence to sequence as a LightningModule."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, ClassVar

import torch
from torch import Tensor

from lightning_seq.errors import UserError
from lightning_seq.metrics.alignment import AlignmentErrorRate, AttentionEntropy
from lightning_seq.metrics.target_position import AccuracyByPosition, PositionTable
from lightning_seq.metrics.translation import corpus_scores
from lightning_seq.models.encoder_decoder import coverage_penalty
from lightning_seq.models.search import (
    BeamSearchConfig,
    Hypothesis,
    StepwiseModel,
    beam_search,
    greedy,
    max_target_lengths,
)
from lightning_seq.models.sequence_writer import DecoderOutput, SequenceWriter
from lightning_seq.models.softmax import token_scores
from lightning_seq.models.translator import Translator
from lightning_seq.spec import Batch
from lightning_seq.tasks.detokenizer import Detokenizer
from lightning_seq.tasks.schedule import MakeOptimizer, Schedule
from lightning_seq.tasks.task import SPLITS, Task, at_end
from lightning_seq.tasks.teacher_forcing import TeacherForcing
from lightning_seq.value_types import Fraction, Range, Weight


class SequenceToSequence(Task):
    """An encoder-decoder: its loss, its output and the scores of its output.

    text:             from output ids to text.
    label_smoothing:  ε, in training alone (Szegedy et al. 2016, sec. 7).
    teacher_forcing:  how often the decoder gets the true symbol.
    coverage_penalty: λ of See et al. 2017, eq. 13; 0 for none.
    beam:             the search of the test; validation is greedy.
    full_predictions: whether `searched` is filled.
    length_factor, length_extra: the output for a sentence of S tokens has at most S · factor + extra tokens.
    monitor, log_every: see `Task`.

    Logged: `train/loss`, and under `val/` and `test/`: `loss perplexity accuracy` of the targets, each given those
    before it, `<eos>` counted (nats and their exponential; without label smoothing), `bleu chrf` (0 to 100) and
    `exact_match` of the output; under `test/` also `attention_entropy`, and `alignment_error_rate` if the data have
    alignments.

    After a test `written` holds a row `(sentence, loss, tokens)` per sentence, in the order of the sentences;
    `searched`, by sentence, the log-probability and the score of the output; `tables` the accuracy by target position,
    and `signatures` those of sacreBLEU.
    """

    MONITORS: ClassVar[Mapping[str, str]] = dict.fromkeys(("val/loss", "val/perplexity"), "min") | dict.fromkeys(
        ("val/accuracy", "val/bleu", "val/chrf", "val/exact_match"), "max"
    )
    MEANS: ClassVar[tuple[str, ...]] = ("loss", "accuracy")
    model: SequenceWriter

    def __init__(
        self,
        model: SequenceWriter,
        text: Detokenizer,
        optimizer: MakeOptimizer,
        schedule: Schedule | None = None,
        label_smoothing: Fraction = 0.0,
        teacher_forcing: TeacherForcing | None = None,
        coverage_penalty: Weight = 0.0,
        beam: BeamSearchConfig | None = None,
        length_factor: Annotated[float, Range(0, 100)] = 2.0,
        length_extra: Annotated[int, Range(0, 10_000)] = 10,
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
            raise UserError("task.coverage_penalty is of attention: use a model with attention, or 0")
        if length_factor < 0 or length_extra < 0 or length_factor + length_extra == 0:
            raise UserError(
                f"task.length_factor is {length_factor} and task.length_extra {length_extra}: "
                "expected at least 0, and not both 0"
            )
        self.text, self.coverage_penalty = text, coverage_penalty
        self.label_smoothing = float(label_smoothing)
        self.teacher_forcing, self.beam = teacher_forcing or TeacherForcing(), beam or BeamSearchConfig()
        self.length_factor, self.length_extra = length_factor, length_extra
        self.full_predictions = full_predictions
        self.add_metrics()
        self.written: list[tuple[int, float, list[int]]] = []
        self.searched: dict[int, tuple[float, float]] = {}
        self.tables: dict[str, PositionTable] = {}
        self._aligned = False
        self._losses: list[Tensor] = []
        self._searched: list[Tensor] = []

    def add_metrics(self) -> None:
        """The metrics of a test that hold a state."""
        attends = self.model.decoder.attention is not None
        self.positions = AccuracyByPosition()
        self.entropy = AttentionEntropy() if attends else None
        self.alignment = AlignmentErrorRate() if attends else None

    def forward(self, inputs: Tensor, mask: Tensor) -> list[list[Hypothesis]]:
        """Ids `[B, S]` and their mask to the beam search's hypotheses for each sentence, the best first."""
        return self._beam(inputs, mask)

    def _beam(self, inputs: Tensor, mask: Tensor) -> list[list[Hypothesis]]:
        return beam_search(self._stepper(inputs, mask), self.limits(mask), self.beam, source_lengths=mask.sum(1))

    def _greedy(self, inputs: Tensor, mask: Tensor) -> list[list[Hypothesis]]:
        return [[hypothesis] for hypothesis in greedy(self._stepper(inputs, mask), self.limits(mask))]

    def _stepper(self, inputs: Tensor, mask: Tensor) -> StepwiseModel:
        return Translator.of(self.model, inputs, mask)

    def limits(self, mask: Tensor) -> Tensor:
        return max_target_lengths(mask.sum(1), self.length_factor, self.length_extra)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        sampled = 1 - self.teacher_forcing.at(self.global_step)
        output = self.model(batch.inputs, batch.mask, batch.targets, batch.target_mask, sampled)
        rows = batch.target_mask.flatten().nonzero()[:, 0]
        hidden, targets = output.hidden.flatten(0, 1)[rows], batch.targets.flatten()[rows]
        total = self.model.softmax.loss_sum(hidden, targets, self.label_smoothing)
        self.accumulate_loss(total, len(targets))
        return self.mean_of_step(total + self.penalty(output, batch), batch)

    def penalty(self, output: DecoderOutput, batch: Batch) -> Tensor | float:
        """What the loss of a batch has besides that of its targets, summed over the batch."""
        if not self.coverage_penalty or output.weights is None:
            return 0.0
        return self.coverage_penalty * self.attention_penalty(output.weights, batch)

    def attention_penalty(self, weights: Tensor, batch: Batch) -> Tensor:
        """Of attention weights `[B, T, S]`, summed over the batch."""
        return coverage_penalty(weights, batch.target_mask)

    def last_step_loss(self, batch: Batch, reverse: bool = False) -> Tensor:
        """Of the last symbol, given the true symbols before it, also with `reverse`."""
        kept = at_end(batch.target_mask)
        output = self.model(batch.inputs, batch.mask, batch.targets, batch.target_mask)
        return self.model.softmax.loss_sum(output.hidden[kept], batch.targets[kept])

    def evaluate(self, batch: Batch, split: str) -> None:
        weights, hits = self._score_targets(batch, split)
        if split == "val":
            self._write(batch, self._greedy)
            return
        self.positions.update(hits, batch.target_mask)
        if weights is not None:
            self.look(weights, batch)
        best = self._write(batch, self._beam)
        if self.full_predictions:
            values = [(number, one.log_probability, one.score) for number, one in best]
            self._searched.append(torch.tensor(values, dtype=torch.float64).reshape(-1, 3))

    def look(self, weights: Tensor, batch: Batch) -> None:
        """Update the metrics of attention weights `[B, T, S]` of true targets."""
        if self.entropy is None or self.alignment is None:
            return
        self.entropy.update(weights, batch.target_mask)
        if "alignments" in batch.extra:
            self._aligned = True
            self.alignment.update(weights, batch.extra["alignments"], batch.target_mask, batch.mask)

    def on_test_epoch_start(self) -> None:
        super().on_test_epoch_start()
        self._losses.clear()
        self._searched.clear()

    def on_test_epoch_end(self) -> None:
        super().on_test_epoch_end()
        if self.full_predictions:
            rows = self.gathered(self._searched, 3, torch.float64).tolist()
            self.searched = {int(number): (log_probability, score) for number, log_probability, score in rows}

    def _score_targets(self, batch: Batch, split: str) -> tuple[Tensor | None, Tensor]:
        """Attention weights `[B, T, S]`, and whether each target was the likeliest symbol `[B, T]`."""
        output, counts = self.model(batch.inputs, batch.mask, batch.targets, batch.target_mask), batch.target_mask
        hits = torch.zeros_like(counts)
        if bool(counts.any()):
            hidden, targets = output.hidden[counts], batch.targets[counts]
            losses, right = token_scores(self.model.softmax, hidden, targets, self.model.size)
            self.means(split).update(loss=losses, accuracy=right.float())
            hits[counts] = right
            of_targets = torch.zeros(counts.shape, dtype=torch.float64, device=losses.device)
            of_targets[counts] = losses.double()
            real = counts.any(1)
            mean = of_targets.sum(1)[real] / counts.sum(1)[real]
            self._losses.append(torch.stack([batch.ids[real].double(), mean], 1))
        return output.weights, hits

    def _write(
        self, batch: Batch, search: Callable[[Tensor, Tensor], list[list[Hypothesis]]]
    ) -> list[tuple[int, Hypothesis]]:
        """Keep the output as rows (sentence, position, symbol), which ranks can gather.

        Returns each sentence with its best hypothesis.
        """
        real = batch.target_mask.any(1)
        if not bool(real.any()):
            return []
        beams = search(batch.inputs[real], batch.mask[real])
        best = [(number, hypotheses[0]) for number, hypotheses in zip(batch.ids[real].tolist(), beams, strict=True)]
        rows = [(number, place, token) for number, one in best for place, token in enumerate(one.tokens)]
        self._rows.append(torch.tensor(rows, dtype=torch.int64).reshape(-1, 3))
        return best

    def logged(self, split: str, means: dict[str, Tensor]) -> dict[str, Tensor | float]:
        values: dict[str, Tensor | float] = {
            "loss": means["loss"], "perplexity": means["loss"].exp(), "accuracy": means["accuracy"],
        }  # fmt: skip
        if split == "test":
            values |= self.attention_values()
            self.tables = {"by_position": self.positions.compute()}
            self.positions.reset()
        self.written = self._gathered_output()
        texts = [self.text.decode(tokens) for _, _, tokens in self.written]
        scores, self.signatures = self.scores(texts, [number for number, _, _ in self.written], split)
        return values | scores

    def scores(self, texts: list[str], numbers: list[int], split: str) -> tuple[dict[str, float], dict[str, str]]:
        """The scores of the output for these rows of `val` or `test`, and by metric its signature."""
        references = [self.text.reference(SPLITS[split], number) for number in numbers]
        found = corpus_scores(texts, references, self.text.tokenize, self.text.lower)
        return {"bleu": found.bleu, "chrf": found.chrf, "exact_match": found.exact_match}, found.signatures

    def attention_values(self) -> dict[str, Tensor]:
        """The metrics of attention, which are then reset."""
        if self.entropy is None or self.alignment is None:
            return {}
        values = {"attention_entropy": self.entropy.compute()}
        if self._aligned:
            values["alignment_error_rate"] = self.alignment.compute()
        self.entropy.reset()
        self.alignment.reset()
        return values

    def _gathered_output(self) -> list[tuple[int, float, list[int]]]:
        """The output of all ranks: (sentence, nats per token, symbols), in the order of the sentences, each once."""
        rows = self.gathered(self._rows, 3, torch.int64).tolist()
        losses = self.gathered(self._losses, 2, torch.float64).tolist()
        self._rows.clear()
        self._losses.clear()
        tokens: dict[int, dict[int, int]] = {}
        for number, place, token in rows:
            tokens.setdefault(int(number), {})[int(place)] = int(token)
        by_sentence = {int(number): loss for number, loss in losses}
        return [
            (number, by_sentence[number], [token for _, token in sorted(tokens[number].items())])
            for number in sorted(tokens)
        ]
