"""Dialogs about pictures as a LightningModule."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from lightning_seq.errors import UserError
from lightning_seq.metrics.by_kind import AccuracyByKind
from lightning_seq.metrics.means import Means
from lightning_seq.metrics.ranks import Ranks, ndcg, ranks, right_places
from lightning_seq.models.dialog_answerer import DialogAnswerer
from lightning_seq.models.search import greedy
from lightning_seq.models.translator import Translator
from lightning_seq.models.vector_writer import one_step
from lightning_seq.spec import ANSWERS, CANDIDATES, HISTORY, KINDS, PICTURES, RELEVANCES, TURNS, Batch
from lightning_seq.tasks.schedule import MakeOptimizer, Schedule
from lightning_seq.tasks.task import Task
from lightning_seq.text.vocabulary import PAD
from lightning_seq.value_types import Fraction, Range


class VisualDialog(Task):
    """The answer of each turn of dialogs about pictures (Das et al. 2017).

    A model that ranks learns by the cross-entropy of the right one of a turn's candidates, one that writes by that of
    the words of the right answer; its candidates are ranked by their log-likelihood.

    model:           see `DialogAnswerer`.
    candidates:      the most candidates of a turn; 0 for data without.
    turns:           of the longest dialog.
    relevances:      whether candidates of test turns have relevances.
    kinds:           the names of the kinds of questions, by number; measured in a test if there are several.
    label_smoothing: see `losses/linear_cross_entropy.py`; in training alone.
    answer_length:   the most words of a written answer.
    full_predictions: whether `scores` is filled.
    optimizer, monitor, log_every: see `Task`.

    Logged: `train/loss`, and under `val/` and `test/`: `loss` (nats per answer); with candidates `mrr recall_at_1
    recall_at_5 recall_at_10 mean_rank`; of written answers `exact_match`, greedily written. Under `test/` also
    `mrr_turn_N` for each turn, `ndcg` (see `metrics.ranks`) if candidates have relevances, and `accuracy_KIND`, the
    share of a kind's questions whose answer is ranked first, or written.

    After a test `predictions` is `[N, 6]` float64, a row per turn: id, loss, rank of the right answer (0 without
    candidates), place of the best candidate (-1 without), whether the answer is right, and its NDCG (NaN without);
    `written` holds the tokens of the written answers by id, and `scores` those of the candidates by id.
    """

    MONITORS: ClassVar = dict.fromkeys(("val/loss", "val/mean_rank"), "min") | dict.fromkeys(
        ("val/mrr", "val/recall_at_1", "val/recall_at_5", "val/recall_at_10", "val/exact_match"), "max"
    )
    model: DialogAnswerer

    def __init__(
        self,
        model: DialogAnswerer,
        optimizer: MakeOptimizer,
        schedule: Schedule | None = None,
        candidates: int = 0,
        turns: int = 1,
        relevances: bool = False,
        kinds: Sequence[str] = (),
        label_smoothing: Fraction = 0.0,
        answer_length: Annotated[int, Range(1, 1000)] = 20,
        full_predictions: bool = False,
        monitor: str = "val/mrr",
        log_every: int = 20,
    ) -> None:
        super().__init__(model, optimizer, schedule, monitor, log_every)
        if not 0 <= label_smoothing < 1:
            raise UserError(f"task.label_smoothing is {label_smoothing}, expected at least 0 and less than 1")
        metric = monitor.partition("/")[2]
        if metric == "exact_match" and model.writer is None:
            raise UserError("task.monitor=val/exact_match is of written answers: give task.answers=written, or val/mrr")
        if metric not in ("exact_match", "loss") and not candidates:
            raise UserError(
                f"task.monitor={monitor} ranks candidate answers, and these data have none: give val/exact_match or "
                "val/loss"
            )
        self.candidates, self.label_smoothing = candidates, float(label_smoothing)
        self.answer_length, self.full_predictions = answer_length, full_predictions
        self.val_ranks, self.test_ranks = (Ranks(candidates, turns) if candidates else None for _ in range(2))
        self.val_exact, self.test_exact = (Means("exact_match") if model.writer is not None else None for _ in range(2))
        self.test_gain = Means("ndcg") if relevances else None
        self.by_kind = AccuracyByKind(kinds) if len(kinds) > 1 else None
        self.written: dict[int, list[int]] = {}
        self.scores: dict[int, list[float]] = {}
        self._tokens: list[Tensor] = []
        self._scores: list[Tensor] = []

    def forward(self, inputs: Tensor, mask: Tensor, pictures: Tensor, history: Tensor, answers: Tensor) -> Tensor:
        """Questions `[B, T]`, their mask, pictures `[B, C, H, W]`, facts `[B, K, S]` and answers `[A, U]` to the scores
        of all answers `[B, A]`; see `DialogAnswerer`."""
        scores: Tensor = self.model(inputs, mask, pictures, history, answers)
        return scores

    def _context(self, batch: Batch) -> Tensor:
        return self.model.context(batch.inputs, batch.mask, batch.extra[PICTURES], batch.extra[HISTORY])[0]

    def _of_candidates(self, context: Tensor, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """`[B, C]` the scores, -inf for padding, `[B]` the place of the right one, `[B, C]` False for padding."""
        places, answers = batch.extra[CANDIDATES], batch.extra[ANSWERS][0]
        real = places >= 0
        right = right_places(places, batch.targets)
        if self.model.answers is not None:
            scores = self.model.scores(context, answers).gather(1, places.clamp(min=0))
            return scores.masked_fill(~real, float("-inf")), right, real
        rows, columns = real.nonzero(as_tuple=True)
        found = self.model.likelihoods(context, answers, rows, places[real])
        scores = found.new_full(places.shape, float("-inf"))
        scores[rows, columns] = found
        return scores, right, real

    def _loss_sum(self, context: Tensor, batch: Batch, smoothing: float = 0.0) -> Tensor:
        """Over the turns that count."""
        counts = batch.target_mask
        if self.model.answers is not None:
            scores, right, real = (part[counts] for part in self._of_candidates(context, batch))
            likely = functional.log_softmax(scores, -1)
            chosen = -likely.gather(1, right[:, None]).sum()
            if not smoothing:
                return chosen
            spread = -(likely.masked_fill(~real, 0.0).sum(1) / real.sum(1)).sum()
            return (1 - smoothing) * chosen + smoothing * spread
        targets, mask = self._answers(batch)
        hidden = self.model.written(context, one_step(context), targets, mask).hidden
        mask = mask & counts[:, None]
        return self.model.written.softmax.loss_sum(hidden[mask], targets[mask], smoothing)

    def _answers(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """The words of the right answers, and their mask."""
        targets = batch.extra[ANSWERS][0][batch.targets]
        return targets, targets != PAD

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        total = self._loss_sum(self._context(batch), batch, self.label_smoothing)
        self.accumulate_loss(total, batch.target_mask.sum())
        return self.mean_of_step(total, batch)

    def last_step_loss(self, batch: Batch, reverse: bool = False) -> Tensor:
        return self._loss_sum(self._context(batch), batch)

    def evaluate(self, batch: Batch, split: str) -> None:
        counts = batch.target_mask
        if not bool(counts.any()):
            return
        context, ids = self._context(batch), batch.ids[counts]
        rank, best = torch.zeros_like(ids), torch.full_like(ids, -1)
        metric = self.val_ranks if split == "val" else self.test_ranks
        right, losses, gain = None, None, torch.full_like(ids, torch.nan, dtype=torch.float64)
        if metric is not None:
            scores, place, real = (part[counts] for part in self._of_candidates(context, batch))
            rank, best = ranks(scores, place, real), scores.argmax(1)
            metric.update(rank, batch.extra[TURNS][counts])
            right = rank == 1
            losses = -functional.log_softmax(scores.float(), -1).gather(1, place[:, None])[:, 0]
            if split == "test" and self.test_gain is not None:
                gain = ndcg(scores, batch.extra[RELEVANCES][counts], real)
                self.test_gain.update(ndcg=gain[gain.isfinite()])
            if split == "test" and self.full_predictions:
                self._scores.append(torch.cat([ids.double()[:, None], scores.double()], 1))
        if self.model.writer is not None:
            targets, mask = (part[counts] for part in self._answers(batch))
            rows = torch.arange(len(ids), device=ids.device)
            losses = -self.model.likelihoods(context[counts], targets, rows, rows)
            right = self._write(context[counts], ids, targets, mask, split)
        if right is None or losses is None:
            raise TypeError("a model of task.answers=ranked needs candidates")
        self.means(split).update(loss=losses)
        if split == "test":
            if self.by_kind is not None:
                self.by_kind.update(right, batch.extra[KINDS][counts])
            self._rows.append(torch.stack([one.double() for one in (ids, losses, rank, best, right, gain)], 1))

    def _write(self, context: Tensor, ids: Tensor, targets: Tensor, mask: Tensor, split: str) -> Tensor:
        """Write greedily. Returns whether each answer is right."""
        limits = torch.full_like(ids, self.answer_length + 1)  # with <eos>
        found = greedy(Translator.of(self.model.written, context, one_step(context)), limits)
        wanted = [row[: int(count)] for row, count in zip(targets.tolist(), mask.sum(1), strict=True)]
        right = torch.tensor(
            [one.tokens == tokens for one, tokens in zip(found, wanted, strict=True)], device=ids.device
        )
        exact = self.val_exact if split == "val" else self.test_exact
        if exact is not None:
            exact.update(exact_match=right.float())
        if split == "test":
            rows = [
                (number, place, token)
                for number, one in zip(ids.tolist(), found, strict=True)
                for place, token in enumerate(one.tokens)
            ]
            self._tokens.append(torch.tensor(rows, dtype=torch.int64).reshape(-1, 3))
        return right

    def logged(self, split: str, means: dict[str, Tensor]) -> dict[str, Tensor]:
        metrics = (
            (self.val_ranks, self.val_exact) if split == "val" else (self.test_ranks, self.test_exact, self.test_gain)
        )
        values = dict(means)
        for metric in metrics:
            if metric is not None:
                values |= metric.compute()
                metric.reset()
        if split == "val":
            return {name: value for name, value in values.items() if not name.startswith("mrr_turn_")}
        if self.by_kind is not None:
            values |= self.by_kind.compute()
            self.by_kind.reset()
        return values

    def on_test_epoch_start(self) -> None:
        super().on_test_epoch_start()
        self._tokens.clear()
        self._scores.clear()

    def on_test_epoch_end(self) -> None:
        super().on_test_epoch_end()
        self.written, self.scores = {}, {}
        if self.model.writer is not None:
            for number, _, token in sorted(map(tuple, self.gathered(self._tokens, 3, torch.int64).tolist())):
                self.written.setdefault(number, []).append(token)
        if self.full_predictions and self.candidates:
            rows = self.gathered(self._scores, 1 + self.candidates, torch.float64)
            self.scores = {int(number): scores for number, *scores in rows.tolist()}
