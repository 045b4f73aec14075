"""From frames to a transcript by a decoder with attention."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Annotated

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from lightning_seq.cells.cell import Cell
from lightning_seq.errors import UserError
from lightning_seq.models.ctc import Fusion
from lightning_seq.models.decoder import Source
from lightning_seq.models.encoder_decoder import EncoderDecoder
from lightning_seq.models.search import BeamSearchConfig, Hypothesis, beam_search, greedy
from lightning_seq.models.sequence_writer import DecoderOutput
from lightning_seq.models.stacked_frames import StackedFrames, thinned
from lightning_seq.models.transcriber import Emissions, ctc_losses
from lightning_seq.models.translator import Translator
from lightning_seq.spec import Encoded
from lightning_seq.text.vocabulary import PAD
from lightning_seq.value_types import ArgumentsOf


class ListenAttendSpell(EncoderDecoder):
    """Listen, attend and spell (Chan et al. 2016): an encoder of frames and a decoder of symbols with attention, as in
    `EncoderDecoder`; jointly with CTC (Kim et al. 2017, eq. 14):

        loss = (1 - λ) · -log P_attention(y | x) + λ · -log P_CTC(y | x)

    A search with λ > 0 ranks the hypotheses of the decoder's beam by the same sum (Watanabe et al. 2017, sec. II-C).

    source:     stacks neighbouring frames.
    ctc_weight: λ; 0: without the CTC layer.
    blank_bias: see `Emissions`.
    options:    of `EncoderDecoder`.
    """

    source: StackedFrames

    def __init__(
        self,
        source: StackedFrames,
        target: nn.Module,
        size: int,
        cell: Callable[[int, int], Cell],
        ctc_weight: float = 0.0,
        blank_bias: float = 0.0,
        **options: Annotated[object, ArgumentsOf(EncoderDecoder)],
    ) -> None:
        super().__init__(source, target, size, cell, **options)  # type: ignore[arg-type]
        if not 0 <= ctc_weight < 1:
            raise UserError(f"task.ctc_weight is {ctc_weight}, expected at least 0 and less than 1")
        self.ctc_weight = float(ctc_weight)
        self.emissions = Emissions(self.encoder.output_size, size, blank_bias) if ctc_weight else None

    def listened(self, inputs: Float[Tensor, "B T D"], mask: Bool[Tensor, "B T"]) -> Encoded:
        """Frames to the outputs and the state of the encoder."""
        return self.encoded(self.source(inputs, mask), thinned(mask, self.source.factor))

    def encode(self, inputs: Float[Tensor, "B T D"], mask: Bool[Tensor, "B T"]) -> Source:
        """Utterances to the decoder's source."""
        return self.source_of(self.listened(inputs, mask))

    def losses(
        self,
        inputs: Tensor,
        mask: Tensor,
        targets: Int[Tensor, "B S"],
        target_mask: Bool[Tensor, "B S"],
        sampled: float = 0.0,
        smoothing: float = 0.0,
    ) -> Float[Tensor, "B"]:
        """The loss of each utterance, in nats, summed over its symbols. sampled: see `SequenceWriter.forward`."""
        encoded = self.listened(inputs, mask)
        losses = self._spelling(
            self.decoded(self.source_of(encoded), targets, target_mask, sampled), targets, target_mask, smoothing
        )
        return self._joint(losses, encoded, targets, target_mask)

    def _spelling(self, output: DecoderOutput, targets: Tensor, target_mask: Tensor, smoothing: float) -> Tensor:
        scores = self.softmax.log_probabilities(output.hidden)
        losses = -scores.gather(2, targets[..., None])[..., 0]
        if smoothing:
            losses = (1 - smoothing) * losses - smoothing * scores.mean(2)
        return (losses * target_mask).sum(1)

    def _joint(self, losses: Tensor, encoded: Encoded, targets: Tensor, target_mask: Tensor) -> Tensor:
        if self.emissions is None:
            return losses
        aligned = ctc_losses(self.emissions(encoded.outputs), encoded.mask.sum(1), targets, target_mask)
        return (1 - self.ctc_weight) * losses + self.ctc_weight * aligned

    @torch.no_grad()
    def greedy(self, inputs: Tensor, mask: Tensor, limits: Tensor) -> list[list[Hypothesis]]:
        return [[one] for one in greedy(Translator.of(self, inputs, mask), limits)]

    @torch.no_grad()
    def search(
        self, inputs: Tensor, mask: Tensor, limits: Tensor, beam: BeamSearchConfig, fusion: Fusion | None = None
    ) -> list[list[Hypothesis]]:
        """Raises UserError for a language model, which a search of CTC alone can take."""
        if fusion is not None:
            raise UserError("a language model is for a recogniser with CTC, such as model=bilstm: leave it out")
        encoded = self.listened(inputs, mask)
        wide = replace(beam, n_best=beam.size) if self.emissions is not None else beam
        found = beam_search(Translator(self, self.source_of(encoded)), limits, wide, source_lengths=encoded.mask.sum(1))
        if self.emissions is None:
            return found
        scores, lengths = self.emissions(encoded.outputs), encoded.mask.sum(1)
        return [self._ranked(own, scores[row, : int(lengths[row])], beam.n_best) for row, own in enumerate(found)]

    def _ranked(self, hypotheses: list[Hypothesis], scores: Tensor, n_best: int) -> list[Hypothesis]:
        targets = nn.utils.rnn.pad_sequence([torch.tensor(one.tokens) for one in hypotheses], True, PAD).to(
            scores.device
        )
        sizes = torch.tensor([len(one.tokens) for one in hypotheses], device=scores.device)
        mask = torch.arange(targets.shape[1], device=scores.device) < sizes[:, None]
        frames = torch.full((len(hypotheses),), len(scores), device=scores.device)
        aligned = ctc_losses(scores.expand(len(hypotheses), -1, -1), frames, targets, mask)
        joint = [
            replace(one, score=(1 - self.ctc_weight) * one.score - self.ctc_weight * loss)
            for one, loss in zip(hypotheses, aligned.tolist(), strict=True)
        ]
        return sorted(joint, key=lambda one: one.score, reverse=True)[:n_best]

    def parts(self) -> dict[str, nn.Module]:
        parts = super().parts()
        if self.emissions is not None:
            parts["head"] = nn.ModuleList([*parts["head"].children(), self.emissions])
        return parts
