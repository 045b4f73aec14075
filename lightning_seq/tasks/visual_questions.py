"""Answers to questions about pictures as a LightningModule."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional
from torchmetrics import MeanMetric

from lightning_seq.metrics.by_kind import AccuracyByKind
from lightning_seq.spec import KINDS, PICTURES, Batch
from lightning_seq.tasks.classification import SequenceClassification


class VisualQuestions(SequenceClassification):
    """An answer for each question about a picture; the arguments are those of `SequenceClassification`.

    Logged besides: under `test/` `accuracy_KIND` for each kind of question, if kinds are known, and
    `accuracy_shuffled`, the accuracy for the same questions with their words in a random order.
    """

    def know_kinds(self, kinds: Sequence[str]) -> None:
        """Measure each kind in a test; call it before one. kinds: the names of the kinds of questions, by number."""
        self.by_kind = AccuracyByKind(kinds) if len(kinds) > 1 else None
        self.shuffled = MeanMetric()

    def forward(self, inputs: Tensor, mask: Tensor, pictures: Tensor) -> Tensor:  # type: ignore[override]
        """Ids `[B, T]`, mask `[B, T]` and pictures `[B, C, H, W]` to log-probabilities `[B, A]`."""
        scores: Tensor = self.model(inputs, mask, pictures)
        return functional.log_softmax(scores, -1)

    def scores(self, batch: Batch) -> Tensor:
        return self.model(batch.inputs, batch.mask, batch.extra[PICTURES])

    def look(self, scores: Tensor, batch: Batch) -> None:
        counts = batch.target_mask
        right = (scores.argmax(-1) == batch.targets)[counts]
        if self.by_kind is not None:
            self.by_kind.update(right, batch.extra[KINDS][counts])
        order = _shuffled(batch.mask, batch.ids)
        other = self.model(batch.inputs.gather(1, order), batch.mask, batch.extra[PICTURES])
        self.shuffled.update((other.argmax(-1) == batch.targets)[counts].float())

    def logged(self, split: str, means: dict[str, Tensor]) -> dict[str, Tensor]:
        values = super().logged(split, means)
        if split == "test":
            values["accuracy_shuffled"] = self.shuffled.compute()
            self.shuffled.reset()
            if self.by_kind is not None:
                values |= self.by_kind.compute()
                self.by_kind.reset()
        return values


def _shuffled(mask: Tensor, ids: Tensor) -> Tensor:
    """`[B, T]`, an order of the real tokens of each row that its id decides; padding stays in its place."""
    keys = torch.arange(mask.shape[1], dtype=torch.float64).repeat(len(mask), 1) + 1
    for row, number in enumerate(ids.tolist()):
        length = int(mask[row].sum())
        keys[row, :length] = torch.rand(length, dtype=torch.float64, generator=torch.Generator().manual_seed(number))
    return keys.argsort(1).to(mask.device)
