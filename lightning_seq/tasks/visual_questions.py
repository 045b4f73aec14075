"""Answers to questions about pictures as a LightningModule."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from lightning_seq.metrics.by_kind import AccuracyByKind
from lightning_seq.metrics.means import Means
from lightning_seq.metrics.ranks import ranks, right_places
from lightning_seq.spec import AGREEMENT, ANNOTATED, CHOICES, KINDS, PICTURES, Batch
from lightning_seq.tasks.classification import SequenceClassification


class VisualQuestions(SequenceClassification):
    """An answer for each question about a picture; the arguments are those of `SequenceClassification`.

    classes: C + 1: one more than the model has scores, for answers that it cannot give. They count as wrong, and not in
             the loss.

    Also logged, under `test/`:
    accuracy_KIND:     for each kind of question, if kinds are known.
    accuracy_shuffled: the accuracy for the same questions with their words in a random order.
    unknown_answers:   the share of questions with an answer that the model cannot give, if there are any.
    vqa_accuracy:      mean agreement of annotators with the answer (Antol et al. 2015), if there are several.
    accuracy_choices:  share of the questions with choices whose answer is the best scored of the choices.
    mrr:               mean of 1 / rank of the answer among the choices. In both a tie is lost, and choices that the
                       model cannot give come last.

    With choices `predictions` has two more columns after the loss: the best scored of the choices, and the rank of the
    answer; NaN for a question without choices.
    """

    def know_questions(self, kinds: Sequence[str], *others: str) -> None:
        """Measure what the questions have in a test; call it before one.

        kinds: the names of the kinds of questions, by number; others: the names of further values to log.
        """
        self.by_kind = AccuracyByKind(kinds) if len(kinds) > 1 else None
        self.others = Means("accuracy_shuffled", *others)

    def forward(self, inputs: Tensor, mask: Tensor, pictures: Tensor) -> Tensor:  # type: ignore[override]
        """Ids `[B, T]`, mask `[B, T]` and pictures `[B, C, H, W]` to log-probabilities `[B, A]`."""
        scores: Tensor = self.model(inputs, mask, pictures)
        return functional.log_softmax(scores, -1)

    def scores(self, batch: Batch) -> Tensor:
        return self.model(batch.inputs, batch.mask, batch.extra[PICTURES])

    def _losses(self, scores: Tensor, targets: Tensor) -> Tensor:
        """0 for an answer that the model cannot give."""
        return functional.cross_entropy(scores, targets, reduction="none", ignore_index=scores.shape[1])

    def measure(self, split: str, scores: Tensor, targets: Tensor, losses: Tensor) -> None:
        never = float("-inf")
        self._metrics(split).update(functional.pad(scores, (0, 1), value=never), targets)
        self.means(split).update(loss=losses[targets < scores.shape[1]])

    def look(self, scores: Tensor, batch: Batch) -> Sequence[Tensor]:
        counts, extra = batch.target_mask, batch.extra
        best = scores.argmax(-1)
        right = (best == batch.targets)[counts]
        if self.by_kind is not None:
            self.by_kind.update(right, extra[KINDS][counts])
        order = _shuffled(batch.mask, batch.ids)
        other = self.model(batch.inputs.gather(1, order), batch.mask, extra[PICTURES])
        values = {"accuracy_shuffled": (other.argmax(-1) == batch.targets)[counts].float()}
        values["unknown_answers"] = (batch.targets == scores.shape[1])[counts].float()
        if ANNOTATED in extra:
            values["vqa_accuracy"] = ((extra[ANNOTATED] == best[:, None]) * extra[AGREEMENT]).sum(1)[counts]
        columns: list[Tensor] = []
        if CHOICES in extra:
            choice, rank = _among(scores[counts], batch.targets[counts], extra[CHOICES][counts])
            asked = rank[~rank.isnan()]
            values |= {"accuracy_choices": (asked == 1).float(), "mrr": 1 / asked}
            columns = [choice, rank]
        self.others.update(**{name: value for name, value in values.items() if name in self.others})
        return columns

    def logged(self, split: str, means: dict[str, Tensor]) -> dict[str, Tensor]:
        values = super().logged(split, means)
        if split == "test":
            values |= self.others.compute()
            self.others.reset()
            if self.by_kind is not None:
                values |= self.by_kind.compute()
                self.by_kind.reset()
        return values


def _among(
    scores: Float[Tensor, "N C"], targets: Int[Tensor, "N"], choices: Int[Tensor, "N M"]
) -> tuple[Float[Tensor, "N"], Float[Tensor, "N"]]:
    """The number of the best choice, and the rank of the target among the choices; NaN where there are none.

    choices: below 0 in the padding; C for answers without a score.
    """
    known = functional.pad(scores.float(), (0, 1), value=float("-inf"))
    listed = choices >= 0
    values = known.gather(1, choices.clamp(min=0))
    best = torch.where(listed, values.nan_to_num(neginf=torch.finfo(values.dtype).min), -torch.inf).argmax(1)
    rank = ranks(values, right_places(choices, targets), listed)
    asked = listed.any(1)
    choice = choices.gather(1, best[:, None])[:, 0]
    return torch.where(asked, choice.float(), torch.nan), torch.where(asked, rank.float(), torch.nan)


def _shuffled(mask: Tensor, ids: Tensor) -> Tensor:
    """`[B, T]`, an order of the real tokens of each row that its id decides; padding stays in its place."""
    keys = torch.arange(mask.shape[1], dtype=torch.float64).repeat(len(mask), 1) + 1
    for row, number in enumerate(ids.tolist()):
        length = int(mask[row].sum())
        keys[row, :length] = torch.rand(length, dtype=torch.float64, generator=torch.Generator().manual_seed(number))
    return keys.argsort(1).to(mask.device)
