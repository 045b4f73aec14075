"""The base class of all kinds of task: the logged loss, the optimiser, evaluation, the contents of a checkpoint."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from jaxtyping import Bool
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn

from lightning_seq.errors import UserError, near
from lightning_seq.lightning_internals import Checkpoint, Module
from lightning_seq.metrics.means import Means
from lightning_seq.spec import Batch
from lightning_seq.tasks.gather import gather_rows, sorted_rows
from lightning_seq.tasks.schedule import MakeOptimizer, Schedule

SPLITS = {"val": "validation", "test": "test"}
"""The split of the data behind each prefix of the logged metrics."""


class Task(Module, ABC):
    """A model, its loss and its metrics.

    optimizer: makes an optimiser from the parameters that learn.
    monitor:   the validation metric that selects the best checkpoint, one of `MONITORS`.
    log_every: optimiser steps between two values of `train/loss`, each the mean since the last, of
               `train/learning_rate`, and of `train/gradient_norm`, before the gradient is clipped.

    A kind of task defines `evaluate` (and `logged`), or Lightning's own hooks of validation and test instead.
    """

    MONITORS: ClassVar[Mapping[str, str]] = {"val/loss": "min"}
    """Metrics that may select the best checkpoint, each with the mode `min` or `max`."""

    MEANS: ClassVar[tuple[str, ...]] = ("loss",)
    """Metrics of validation and test that are means."""

    ROW_KEYS: ClassVar = 1
    """The number of leading columns by which the rows of `predictions` are sorted."""

    def __init__(
        self,
        model: nn.Module,
        optimizer: MakeOptimizer,
        schedule: Schedule | None = None,
        monitor: str = "val/loss",
        log_every: int = 20,
    ) -> None:
        super().__init__()
        if monitor not in self.MONITORS:
            raise UserError(f"task.monitor is {monitor!r}: {near(monitor, self.MONITORS)}")
        if log_every < 1:
            raise UserError(f"trainer.log_every_n_steps is {log_every}, expected at least 1")
        self.model, self.optimizer_of, self.schedule = model, optimizer, schedule or Schedule()
        self.monitor, self.mode, self.log_every = monitor, self.MONITORS[monitor], log_every
        # Not a buffer: data-parallel training would overwrite it with the first rank's at every step.
        self._running: Tensor | None = None
        self._logged_at = 0
        self._epoch_sums = (0.0, 0.0)  # of the epoch's loss and its targets, as far as they are in `train/loss`
        self._last_loss: float | None = None
        self._step: dict[str, float] = {}
        self.val_means, self.test_means = Means(*self.MEANS), Means(*self.MEANS)
        self._rows: list[Tensor] = []
        self.checkpoint_metadata: dict[str, object] = {}
        """The plain values that a checkpoint holds besides weights."""
        self.predictions: Tensor | None = None
        """After a test, a row per prediction (see the kind of task); None if the task keeps none."""
        self.signatures: dict[str, str] = {}
        """After a test, by metric, exactly how it was computed."""

    @property
    def world(self) -> int:
        """The number of ranks; 1 without a trainer."""
        return 1 if self.attached is None else self.attached.world_size

    @property
    def accumulated(self) -> int:
        """Batches whose gradients an optimiser step sums; 1 without a trainer."""
        return 1 if self.attached is None else self.attached.accumulate_grad_batches

    @abstractmethod
    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """The loss whose gradient the optimiser gets; see `mean_of_step`."""

    @abstractmethod
    def last_step_loss(self, batch: Batch, reverse: bool = False) -> Tensor:
        """The loss of each row's last target (or its only one), summed over the rows.

        reverse: of each row's first target instead, for models that read from the end.

        Nothing is smoothed, weighted or logged, and no state is carried.
        """

    def evaluate(self, batch: Batch, split: str) -> None:
        """Update the metrics of `val` or `test`; in a test, add rows for `predictions` to `_rows`."""
        raise NotImplementedError

    def logged(self, split: str, means: dict[str, Tensor]) -> Mapping[str, Tensor | float]:
        """The values to log for `val` or `test`, from the means; other metrics are computed and reset here."""
        return means

    def means(self, split: str) -> Means:
        return self.val_means if split == "val" else self.test_means

    def _log_split(self, split: str) -> None:
        self.log_evaluation(split, self.logged(split, self.means(split).compute()))
        self.means(split).reset()

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        self.evaluate(batch, "val")

    def on_validation_epoch_end(self) -> None:
        self._log_split("val")

    def on_test_epoch_start(self) -> None:
        self._rows.clear()

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        self.evaluate(batch, "test")

    def on_test_epoch_end(self) -> None:
        self._log_split("test")
        if self._rows:
            self.predictions = self.in_order(gather_rows(torch.cat(self._rows), self.world).cpu())

    def gathered(self, parts: Sequence[Tensor], columns: int, dtype: torch.dtype) -> Tensor:
        """The rows of these parts, `[N, columns]`, of all ranks; a rank may have none."""
        rows = torch.cat([*parts]) if parts else torch.empty(0, columns, dtype=dtype)
        return gather_rows(rows.to(self.device), self.world)

    def in_order(self, rows: Tensor) -> Tensor:
        """The rows of all ranks in the order of `predictions`."""
        return sorted_rows(rows, self.ROW_KEYS)

    def mean_of_step(self, total: Tensor, batch: Batch) -> Tensor:
        """A batch's part of the mean loss over all targets of an optimiser step, from the sum over its own targets.

        Gradients are averaged over ranks, and Lightning divides by `accumulate_grad_batches`, in the last step of an
        epoch too, which may have fewer: both are undone, so that ranks and accumulated batches give the gradient of
        one large batch.
        """
        return total * (self.world * self.accumulated / batch.count)

    def accumulate_loss(self, total: Tensor, targets: Tensor | int) -> None:
        """Add a batch's loss, summed over its targets, to the sums behind `train/loss`."""
        counted = torch.as_tensor(targets, device=total.device, dtype=total.dtype)
        seen = torch.stack([total.detach(), counted])
        self._running = seen if self._running is None else self._running + seen

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        if (self.global_step + 1) % self.log_every == 0 or self.trainer.is_last_batch:
            weights = [weight for group in optimizer.param_groups for weight in group["params"]]
            norm = nn.utils.get_total_norm([weight.grad for weight in weights if weight.grad is not None])
            rate = optimizer.param_groups[0]["lr"]
            self._step = {"train/learning_rate": float(rate), "train/gradient_norm": float(norm)}

    def on_train_batch_end(self, outputs: object, batch: Batch, batch_idx: int) -> None:
        if self.global_step != self._logged_at and self.global_step % self.log_every == 0:
            self._log_train_loss()

    def on_train_epoch_end(self) -> None:
        self._log_train_loss()
        self._epoch_sums = (0.0, 0.0)

    def epoch_loss(self) -> float | None:
        """The mean training loss of the epoch so far; None before a step. Every rank must call it."""
        total, count = map(sum, zip(self._epoch_sums, self._running_of_all_ranks(), strict=True))
        return total / count if count else None

    def recent_loss(self) -> float | None:
        """The mean training loss of this rank since the last logged value; that value if nothing came since."""
        if self._running is None:
            return self._last_loss
        total, count = self._running.tolist()
        return total / max(count, 1)

    def _running_of_all_ranks(self) -> tuple[float, float]:
        if self._running is None:
            return 0.0, 0.0
        total, count = self.trainer.strategy.reduce(self._running, reduce_op="sum").tolist()
        return total, count

    def _log_train_loss(self) -> None:
        if self._running is None:
            return
        total, count = self._running_of_all_ranks()
        values = {"train/loss": total / max(count, 1), **self._step}
        self._running, self._step, self._logged_at = None, {}, self.global_step
        self._epoch_sums = (self._epoch_sums[0] + total, self._epoch_sums[1] + count)
        self._last_loss = values["train/loss"]
        for logger in self.trainer.loggers:
            logger.log_metrics({**values, "epoch": self.current_epoch + 1}, step=self.global_step)

    def log_evaluation(self, split: str, values: Mapping[str, Tensor | float]) -> None:
        """Log `values` under `val/` or `test/`."""
        logged = {f"{split}/{name}": value for name, value in values.items()}
        # Lightning's own step is one behind at the end of an epoch.
        self.log_dict({**logged, "step": float(self.global_step), "epoch": float(self.current_epoch + 1)})

    def on_save_checkpoint(self, checkpoint: Checkpoint) -> None:
        checkpoint["lightning_seq"] = self.checkpoint_metadata

    def configure_optimizers(self) -> OptimizerLRScheduler:
        optimizer = self.optimizer_of([parameter for parameter in self.parameters() if parameter.requires_grad])
        return self.schedule.configure(optimizer, self.trainer.estimated_stepping_batches, self.monitor, self.mode)


def at_end(counts: Bool[Tensor, "B T"], reverse: bool = False) -> Bool[Tensor, "B T"]:
    """Only the last True of each row; with `reverse` the first."""
    ordered = counts if reverse else counts.flip(1)
    first = ordered & (ordered.cumsum(1) == 1)
    return first if reverse else first.flip(1)
