"""The next frames of clips, as a LightningModule."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional
from torchmetrics.functional.image import structural_similarity_index_measure

from lightning_seq.models.frame_predictor import FramePredictor
from lightning_seq.spec import Batch
from lightning_seq.tasks.schedule import MakeOptimizer, Schedule
from lightning_seq.tasks.task import Task, at_end

SHOWN = 8
"""Clips whose predicted frames are kept."""


class NextFramePrediction(Task):
    """The frame after each frame of a clip; pixels are numbers from 0 to 1.

    Logged: `train/loss`, and under `val/` and `test/`
    loss: cross-entropy of a pixel in nats, where its value is a probability (Srivastava et al. 2015); a mean over the
          pixels of a frame and over all predicted frames.
    mse:  mean squared error of a pixel.
    ssim: structural similarity (Wang et al. 2004, by torchmetrics), a mean over all predicted frames.

    After a test `predictions` is `[frames, 5]` float64, a row per predicted frame: id of its clip, number of the frame
    that is read, loss, mse, ssim; sorted by the first two. `shown` holds the predicted frames of the first clips, by
    id, `[T, C, H, W]` uint8.
    """

    MONITORS: ClassVar[Mapping[str, str]] = {"val/loss": "min", "val/mse": "min", "val/ssim": "max"}
    MEANS: ClassVar = ("loss", "mse", "ssim")
    ROW_KEYS: ClassVar = 2

    def __init__(
        self,
        model: FramePredictor,
        optimizer: MakeOptimizer,
        schedule: Schedule | None = None,
        monitor: str = "val/loss",
        log_every: int = 20,
    ) -> None:
        super().__init__(model, optimizer, schedule, monitor, log_every)
        self.shown: dict[int, Tensor] = {}

    def forward(self, inputs: Tensor, mask: Tensor) -> Tensor:
        """Clips `[B, T, C, H, W]` to the next frames, 0 to 1, of the same shape."""
        return self.model(inputs, mask).sigmoid()

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        _, losses = self._losses(batch)
        total = losses[batch.target_mask].sum()
        self.accumulate_loss(total, batch.target_mask.sum())
        return self.mean_of_step(total, batch)

    def last_step_loss(self, batch: Batch, reverse: bool = False) -> Tensor:
        return self._losses(batch)[1][at_end(batch.target_mask, reverse)].sum()

    def _losses(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Scores `[B, T, C, H, W]`, and the loss of each frame `[B, T]`."""
        scores = self.model(batch.inputs, batch.mask)
        targets = batch.targets.to(scores.dtype) / 255
        losses = functional.binary_cross_entropy_with_logits(scores, targets, reduction="none")
        return scores, losses.flatten(2).mean(-1)

    def evaluate(self, batch: Batch, split: str) -> None:
        scores, losses = self._losses(batch)
        counts, frames = batch.target_mask, scores.sigmoid()
        if not counts.any():
            return
        mse, ssim = self.frame_scores(frames[counts], batch.targets[counts])
        self.means(split).update(loss=losses[counts], mse=mse, ssim=ssim)
        if split == "test":
            row, step = counts.nonzero(as_tuple=True)
            columns = (batch.ids[row], step, losses[counts], mse, ssim)
            self._rows.append(torch.stack([column.double() for column in columns], -1))
            for place, number in enumerate(batch.ids.tolist()):
                if number < SHOWN and counts[place].any():
                    self.shown[number] = (frames[place][counts[place]] * 255).round().to(torch.uint8).cpu()

    def on_test_epoch_start(self) -> None:
        super().on_test_epoch_start()
        self.shown.clear()

    @staticmethod
    def frame_scores(predicted: Tensor, true: Tensor) -> tuple[Tensor, Tensor]:
        """The mean squared error and the structural similarity of each frame, `[N]`.

        predicted: `[N, C, H, W]`, 0 to 1; true: the same as uint8.
        """
        predicted, true = predicted.float(), true.float() / 255
        ssim = structural_similarity_index_measure(predicted, true, data_range=1.0, reduction="none")
        return ((predicted - true) ** 2).flatten(1).mean(1), torch.as_tensor(ssim).reshape(-1)
