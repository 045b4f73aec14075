"""Sequence classification as a LightningModule."""

from __future__ import annotations

from typing import Any

import torch
from lightning.pytorch import LightningModule
from torch import Tensor
from torch.nn import functional

from lightning_seq.errors import UserError, near
from lightning_seq.losses.cross_entropy import cross_entropy_sum
from lightning_seq.metrics.classification import classification_metrics, mean_loss
from lightning_seq.models.classifier import Classifier
from lightning_seq.spec import Batch
from lightning_seq.tasks.gather import gather_rows
from lightning_seq.tasks.schedule import MakeOptimizer, Schedule

MONITORS = {"val/accuracy": "max", "val/macro_f1": "max", "val/loss": "min"}
"""What a checkpoint may be selected by, and which end of it is best."""


class SequenceClassification(LightningModule):
    """One class per sequence: cross-entropy, accuracy, macro-F1, confusion matrix.

    model:           scores before the softmax, `[B, C]`.
    classes:         C.
    optimizer:       makes an optimiser from the parameters that learn.
    class_weights:   `[C]`, scaled so that their mean over the training examples is 1, or None.
    label_smoothing: share of each target spread over all classes, in training only.
    monitor:         the validation metric that selects the best checkpoint, one of `MONITORS`.
    log_every:       optimiser steps between two values of `train/loss`, each the mean since the last.

    Logged: `train/loss`, and `loss accuracy macro_f1` under `val/` and `test/`. Losses are means per example, in nats.
    """

    def __init__(
        self,
        model: Classifier,
        classes: int,
        optimizer: MakeOptimizer,
        schedule: Schedule | None = None,
        class_weights: Tensor | None = None,
        label_smoothing: float = 0.0,
        monitor: str = "val/accuracy",
        log_every: int = 20,
    ) -> None:
        super().__init__()
        if not 0 <= label_smoothing < 1:
            raise UserError(f"task.label_smoothing is {label_smoothing}, expected at least 0 and less than 1")
        self.model, self.optimizer_of, self.schedule = model, optimizer, schedule or Schedule()
        if monitor not in MONITORS:
            raise UserError(f"task.monitor is {monitor!r}: {near(monitor, MONITORS)}")
        if log_every < 1:
            raise UserError(f"trainer.log_every_n_steps is {log_every}, expected at least 1")
        self.label_smoothing, self.monitor, self.mode, self.log_every = (
            label_smoothing, monitor, MONITORS[monitor], log_every,
        )  # fmt: skip
        self.register_buffer("class_weights", class_weights, persistent=False)
        self.val_metrics, self.test_metrics = classification_metrics(classes), classification_metrics(classes)
        self.val_loss, self.test_loss = mean_loss(), mean_loss()
        # Not a buffer: data-parallel training would overwrite it with the first rank's at every step.
        self._running: Tensor | None = None
        self._logged_at = 0
        self.about: dict[str, Any] = {}
        """What a checkpoint holds beside the weights, as plain values."""
        self._rows: list[Tensor] = []
        self.predictions: Tensor | None = None
        """After a test: `[N, 4]` float64, a row per example: id, target, prediction, loss; sorted by id."""

    def forward(self, inputs: Tensor, mask: Tensor) -> Tensor:
        """Ids `[B, T]` and mask `[B, T]` to log-probabilities `[B, C]`."""
        return functional.log_softmax(self.model(inputs, mask), -1)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        scores = self.model(batch.inputs, batch.mask)
        total = cross_entropy_sum(scores, batch.targets, batch.target_mask, self.class_weights, self.label_smoothing)  # type: ignore[arg-type]
        seen = torch.stack([total.detach(), batch.target_mask.sum()])
        self._running = seen if self._running is None else self._running + seen
        return total * (self.trainer.world_size / batch.count)

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        if self.global_step != self._logged_at and self.global_step % self.log_every == 0:
            self._log_train_loss()

    def on_train_epoch_end(self) -> None:
        self._log_train_loss()

    def _log_train_loss(self) -> None:
        if self._running is None:
            return
        total, count = self.trainer.strategy.reduce(self._running, reduce_op="sum").tolist()
        self._running, self._logged_at = None, self.global_step
        for logger in self.trainer.loggers:
            logger.log_metrics({"train/loss": total / count, "epoch": self.current_epoch}, step=self.global_step)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["lightning_seq"] = self.about

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        self._evaluate(batch, self.val_metrics, self.val_loss)

    def on_validation_epoch_end(self) -> None:
        self._log_evaluation("val", self.val_metrics, self.val_loss)

    def on_test_epoch_start(self) -> None:
        self._rows.clear()

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        scores, losses = self._evaluate(batch, self.test_metrics, self.test_loss)
        counts = batch.target_mask
        columns = (batch.ids[counts], batch.targets[counts], scores.argmax(-1), losses)
        self._rows.append(torch.stack([column.double() for column in columns], -1))

    def on_test_epoch_end(self) -> None:
        self._log_evaluation("test", self.test_metrics, self.test_loss)
        rows = gather_rows(torch.cat(self._rows), self.trainer.world_size)
        self.predictions = rows[rows[:, 0].argsort()].cpu()

    def _evaluate(self, batch: Batch, metrics: Any, loss: Any) -> tuple[Tensor, Tensor]:
        scores = self.model(batch.inputs, batch.mask)[batch.target_mask]
        targets = batch.targets[batch.target_mask]
        losses = functional.cross_entropy(scores, targets, reduction="none")
        if len(targets):
            metrics.update(scores, targets)
            loss.update(losses)
        return scores, losses

    def _log_evaluation(self, split: str, metrics: Any, loss: Any) -> None:
        values = metrics.compute()
        values.pop("confusion")
        logged = {f"{split}/loss": loss.compute(), **{f"{split}/{name}": value for name, value in values.items()}}
        # Said here, because Lightning's own step stands one behind while an epoch ends.
        self.log_dict({**logged, "step": float(self.global_step), "epoch": float(self.current_epoch)})
        metrics.reset()
        loss.reset()

    def configure_optimizers(self) -> Any:
        optimizer = self.optimizer_of([parameter for parameter in self.parameters() if parameter.requires_grad])
        return self.schedule.configure(optimizer, self.trainer.estimated_stepping_batches, self.monitor, self.mode)
