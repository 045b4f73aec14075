"""Captioning as a LightningModule."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor

from lightning_seq.losses.reinforce import Reinforce
from lightning_seq.metrics.captions import caption_scores
from lightning_seq.metrics.pointing import Pointing
from lightning_seq.models.captioner import Captioner, doubly_stochastic
from lightning_seq.models.sequence_writer import DecoderOutput
from lightning_seq.spec import BOXES, Batch
from lightning_seq.tasks.detokenizer import CaptionTexts
from lightning_seq.tasks.sequence_to_sequence import SequenceToSequence
from lightning_seq.tasks.task import SPLITS

UNKNOWN = 1.0
"""More than any log-probability."""


class Captioning(SequenceToSequence):
    """A captioner: its loss, its captions and their scores.

    The arguments are those of `SequenceToSequence`; coverage_penalty: λ of Xu et al. 2015, eq. 14.

    Logged: `train/loss`, and under `val/` and `test/`: `loss perplexity accuracy` of the words of the first caption,
    each given those before it (teacher forcing), and of the model's own captions, written without the reference,
    `bleu_1 bleu_2 bleu_3 bleu chrf cider rouge_l exact_match distinct commonest` (`metrics/captions.py`) and `seen`,
    the share of captions that the train split has. Under `test/` also `attention_entropy`, and `pointing on_target
    uniform` if the boxes of the words are known.
    """

    MONITORS: ClassVar[Mapping[str, str]] = dict.fromkeys(("val/loss", "val/perplexity"), "min") | dict.fromkeys(
        ("val/accuracy", "val/bleu", "val/chrf", "val/cider", "val/rouge_l", "val/exact_match"), "max"
    )
    model: Captioner
    text: CaptionTexts

    reinforce: Reinforce
    expected_likelihood: Tensor
    """The baseline of hard attention, a moving mean of log p(word) over all ranks; 1, which no such mean is,
    before the first batch: a checkpoint holds finite numbers alone."""

    def add_metrics(self) -> None:
        super().add_metrics()
        self.reinforce = Reinforce()
        self.register_buffer("expected_likelihood", torch.tensor(UNKNOWN))
        self.pointing = Pointing() if self.model.decoder.attention is not None else None
        self._has_boxes = False

    def attention_penalty(self, weights: Tensor, batch: Batch) -> Tensor:
        return doubly_stochastic(weights, batch.target_mask)

    def penalty(self, output: DecoderOutput, batch: Batch) -> Tensor | float:
        total = super().penalty(output, batch)
        if output.chosen is None or output.weights is None:
            return total
        scores = self.model.softmax.log_probabilities(output.hidden.flatten(0, 1))
        likelihood = scores.gather(1, batch.targets.flatten()[:, None]).view_as(batch.targets)
        mask = batch.target_mask
        sums = torch.stack([(likelihood.detach() * mask).sum(), mask.sum().to(likelihood.dtype)])
        sums = sums if self.world == 1 else self.trainer.strategy.reduce(sums, reduce_op="sum")
        decay, mean = self.reinforce.decay, sums[0] / sums[1].clamp(min=1)
        old = torch.where(self.expected_likelihood == UNKNOWN, mean, self.expected_likelihood)
        self.expected_likelihood.copy_(decay * old + (1 - decay) * mean)
        later = not self.model.decoder.is_parallel
        return total + self.reinforce.loss(likelihood, output.chosen, output.weights, mask, old, later)

    def look(self, weights: Tensor, batch: Batch) -> None:
        super().look(weights, batch)
        if self.pointing is not None and BOXES in batch.extra:
            self._has_boxes = True
            self.pointing.update(weights, batch.extra[BOXES], batch.target_mask, self.model.picture.grid)

    def attention_values(self) -> dict[str, Tensor]:
        values = super().attention_values()
        if self.pointing is not None:
            if self._has_boxes:
                values |= self.pointing.compute()
            self.pointing.reset()
        return values

    def scores(self, texts: list[str], numbers: list[int], split: str) -> tuple[dict[str, float], dict[str, str]]:
        references = [self.text.references(SPLITS[split], number) for number in numbers]
        scores, signatures = caption_scores(texts, references, self.text.tokenize)
        return scores | {"seen": sum(map(self.text.trained, texts)) / len(texts)}, signatures
