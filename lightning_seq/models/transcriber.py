"""From frames to a transcript by connectionist temporal classification."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional

from lightning_seq.layers.dropout import Dropout
from lightning_seq.models.ctc import BLANK, Fusion, best_path, prefix_beam_search
from lightning_seq.models.encoder import Encoder, EncoderModel
from lightning_seq.models.search import BeamSearchConfig, Hypothesis
from lightning_seq.models.stacked_frames import StackedFrames, thinned
from lightning_seq.text.vocabulary import BOS, EOS, UNK

IMPOSSIBLE = -1e4
"""Added to the scores of symbols that no path has: with -∞ gradients would not be numbers."""


class Emissions(nn.Module):
    """log P(symbol or blank | frame) = log softmax(W h_t + b), with b_blank + `blank_bias`; no path has `<bos>` or
    `<eos>`."""

    def __init__(self, input_size: int, size: int, blank_bias: float = 0.0) -> None:
        super().__init__()
        self.head = nn.Linear(input_size, size)
        self.blank_bias = float(blank_bias)

    def forward(self, hidden: Float[Tensor, "B T H"]) -> Float[Tensor, "B T V"]:
        scores = self.head(hidden).float()
        offset = torch.zeros(scores.shape[2], device=scores.device)
        offset[[BOS, EOS]] = IMPOSSIBLE
        offset[BLANK] = self.blank_bias
        return functional.log_softmax(scores + offset, 2)


def ctc_losses(
    scores: Float[Tensor, "B T V"],
    lengths: Int[Tensor, "B"],
    targets: Int[Tensor, "B S"],
    target_mask: Bool[Tensor, "B S"],
) -> Float[Tensor, "B"]:
    """-log P(target | frames) of each utterance, in nats (Graves et al. 2006, eq. 8); 0 for one without targets, and
    for one whose target no path has.

    targets: each ends with `<eos>`, which is no symbol of a path.
    """
    real = target_mask.any(1)
    symbols = (target_mask.sum(1) - 1).clamp(min=0)
    losses = functional.ctc_loss(
        scores.transpose(0, 1), targets, lengths, symbols, blank=BLANK, reduction="none", zero_infinity=True
    )
    return torch.where(real, losses, torch.zeros_like(losses))


def without_unknown(scores: Float[Tensor, "B S V"]) -> Float[Tensor, "B S V"]:
    scores = scores.clone()
    scores[..., UNK] = IMPOSSIBLE
    return scores


class Transcriber(EncoderModel):
    """An encoder of frames, and the probability of each symbol or the blank at each of its steps.

    encoder:   of vectors of `subsample` · width numbers: neighbouring frames are stacked.
    size:      V.
    dropout:   on the inputs of the head.
    blank_bias: see `Emissions`; a negative one keeps training from blanks alone at its beginning.
    """

    head_modules = ("emissions",)

    def __init__(
        self, frames: StackedFrames, encoder: Encoder, size: int, dropout: float = 0.0, blank_bias: float = 0.0
    ) -> None:
        super().__init__()
        self.embedding, self.encoder, self.size = frames, encoder, size
        self.frames = frames
        self.dropout = Dropout(float(dropout))
        self.emissions = Emissions(encoder.output_size, size, blank_bias)

    def forward(
        self, inputs: Float[Tensor, "B T D"], mask: Bool[Tensor, "B T"]
    ) -> tuple[Float[Tensor, "B S V"], Int[Tensor, "B"]]:
        """Log-probabilities at each step, and the steps of each utterance."""
        encoded = self.encoder(self.frames(inputs, mask), thinned(mask, self.frames.factor))
        return self.emissions(self.dropout(encoded.outputs)), encoded.mask.sum(1)

    def losses(
        self,
        inputs: Tensor,
        mask: Tensor,
        targets: Int[Tensor, "B S"],
        target_mask: Bool[Tensor, "B S"],
        sampled: float = 0.0,
        smoothing: float = 0.0,
    ) -> Float[Tensor, "B"]:
        """-log P(target) of each utterance. sampled, smoothing: of decoders with attention alone."""
        scores, lengths = self(inputs, mask)
        return ctc_losses(scores, lengths, targets, target_mask)

    @torch.no_grad()
    def greedy(self, inputs: Tensor, mask: Tensor, limits: Tensor) -> list[list[Hypothesis]]:
        return [[one] for one in best_path(*self.emitted(inputs, mask))]

    @torch.no_grad()
    def search(
        self, inputs: Tensor, mask: Tensor, limits: Tensor, beam: BeamSearchConfig, fusion: Fusion | None = None
    ) -> list[list[Hypothesis]]:
        if beam.size == 1 and fusion is None:
            return self.greedy(inputs, mask, limits)
        return prefix_beam_search(*self.emitted(inputs, mask), beam.size, beam.n_best, fusion)

    @torch.no_grad()
    def emitted(self, inputs: Tensor, mask: Tensor) -> tuple[Float[Tensor, "B S V"], Int[Tensor, "B"]]:
        """As `forward`, for searches, which do not write `<unk>`."""
        scores, lengths = self(inputs, mask)
        return without_unknown(scores), lengths

    def engines(self) -> list[str]:
        return self.encoder.engines(torch.zeros(1, 1, self.frames.width))
