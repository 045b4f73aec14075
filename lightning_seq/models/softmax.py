"""From hidden states to a distribution over a vocabulary."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional

from lightning_seq.embeddings.layer import Embedding
from lightning_seq.errors import UserError
from lightning_seq.losses.linear_cross_entropy import linear_cross_entropy

SCORES = 2**22
"""The largest number of scores in memory in evaluation."""


def shared_weight(embedding: nn.Module, key: str, name: str = "embedding") -> nn.Parameter:
    """The embedding's matrix, for a softmax. Raises UserError unless it is trainable."""
    if not isinstance(embedding, Embedding) or embedding.frozen:
        raise UserError(
            f"{key} shares the {name}'s matrix with the softmax: expected embedding=random, word2vec or file, with "
            "embedding.frozen=false"
        )
    return embedding.weight


class Softmax(nn.Module):
    """`softmax(W h + b)`; `loss_sum` is the summed cross-entropy, in nats.

    input_size: H.
    size:       V.
    weight:     the embedding's matrix `[V, H]`, to share it (Press & Wolf 2017; Inan et al. 2017), or None.
    """

    def __init__(self, input_size: int, size: int, weight: nn.Parameter | None = None) -> None:
        super().__init__()
        self.shared = weight is not None
        self.weight = nn.Parameter(torch.empty(size, input_size)) if weight is None else weight
        self.bias = nn.Parameter(torch.empty(size))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """As `nn.Linear`, but the bias is 0; the embedding fills a shared matrix."""
        if not self.shared:
            nn.init.uniform_(self.weight, -(self.weight.shape[1] ** -0.5), self.weight.shape[1] ** -0.5)
        nn.init.zeros_(self.bias)

    def loss_sum(
        self, hidden: Float[Tensor, "N H"], targets: Int[Tensor, "N"], label_smoothing: float = 0.0
    ) -> Float[Tensor, ""]:
        return linear_cross_entropy(hidden, self.weight, self.bias, targets, label_smoothing)

    def log_probabilities(self, hidden: Float[Tensor, "N H"]) -> Float[Tensor, "N V"]:
        return functional.log_softmax(functional.linear(hidden, self.weight, self.bias), -1)

    def extra_repr(self) -> str:
        return f"{self.weight.shape[1]}, {self.weight.shape[0]}, shared={self.shared}"


class AdaptiveSoftmax(nn.Module):
    """Frequent words in a short list, the others in clusters with narrower projections (Grave et al. 2017).

    cutoffs: the first ids of the clusters, in a vocabulary sorted by falling frequency.

    Each cluster's projection is a quarter as wide as the one before. Raises UserError for cutoffs that do not rise from
    1 to V - 1, and for too many for the width.
    """

    def __init__(self, input_size: int, size: int, cutoffs: Sequence[int]) -> None:
        super().__init__()
        wanted = f"expected rising whole numbers from 1 to {size - 1}, as [2000,10000]"
        if not isinstance(cutoffs, Sequence) or any(type(cutoff) is not int for cutoff in cutoffs):
            raise UserError(f"task.adaptive_softmax={cutoffs}: {wanted}")
        if input_size < 4 ** len(cutoffs):
            raise UserError(
                f"task.adaptive_softmax={list(cutoffs)}: with {input_size} units the last of {len(cutoffs)} clusters, "
                "each a quarter as wide as the one before, has none: expected fewer, or a larger model.hidden_size"
            )
        try:
            self.inner = nn.AdaptiveLogSoftmaxWithLoss(input_size, size, list(cutoffs), head_bias=True)
        except ValueError as error:
            raise UserError(f"task.adaptive_softmax={list(cutoffs)}: {wanted}") from error

    def loss_sum(self, hidden: Float[Tensor, "N H"], targets: Int[Tensor, "N"]) -> Float[Tensor, ""]:
        if not len(targets):
            return hidden.sum() * 0.0
        with torch.autocast(hidden.device.type, enabled=False):  # torch's module mixes types under it
            total: Tensor = self.inner(hidden.to(self.inner.head.weight.dtype), targets).output.sum()
        return -total

    def log_probabilities(self, hidden: Float[Tensor, "N H"]) -> Float[Tensor, "N V"]:
        with torch.autocast(hidden.device.type, enabled=False):
            return self.inner.log_prob(hidden.to(self.inner.head.weight.dtype))


@torch.no_grad()
def token_scores(
    layer: Softmax | AdaptiveSoftmax, hidden: Float[Tensor, "N H"], targets: Int[Tensor, "N"], size: int
) -> tuple[Float[Tensor, "N"], Bool[Tensor, "N"]]:
    """For evaluation: each target's cross-entropy, in nats, and whether it is the likeliest; some rows at a time.

    size: V.
    """
    rows = max(1, SCORES // size)
    losses, hits = [hidden.new_empty(0)], [targets.new_empty(0, dtype=torch.bool)]
    for h, y in zip(hidden.split(rows), targets.split(rows), strict=True):
        scores = layer.log_probabilities(h)
        losses.append(-scores.gather(1, y[:, None]).squeeze(1))
        hits.append(scores.argmax(1) == y)
    return torch.cat(losses), torch.cat(hits)
