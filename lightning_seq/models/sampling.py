"""Symbols drawn from a language model, one by one."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from jaxtyping import Float, Int
from torch import Tensor

from lightning_seq.errors import UserError
from lightning_seq.models.language_model import LanguageModel
from lightning_seq.spec import State
from lightning_seq.tensors import FLOATING, IDS, check_tensor


class Reader:
    """Reads symbols and predicts the next: one step per symbol if the encoder has a state.

    Without a state it reads the last `context` symbols again.
    """

    def __init__(self, model: LanguageModel, context: int = 512) -> None:
        self.model, self.context = model, context
        self._state: State | None = None
        self._ids: Tensor | None = None

    @torch.no_grad()
    def feed(self, ids: Int[Tensor, "B T"]) -> Float[Tensor, "B V"]:
        """Log-probabilities of what follows the last of these symbols."""
        if not self.model.encoder.stateful:
            ids = ids if self._ids is None else torch.cat([self._ids, ids], 1)
            self._ids = ids = ids[:, -self.context :]
        read = self.model.read(ids, torch.ones_like(ids, dtype=torch.bool), self._state)
        if self.model.encoder.stateful:
            self._state = read.state
        return self.model.softmax.log_probabilities(read.hidden[:, -1])


def restricted(
    scores: Float[Tensor, "B V"], temperature: float = 1.0, top_k: int | None = None, top_p: float | None = None
) -> Float[Tensor, "B V"]:
    """Probabilities to draw from: log-probabilities over the temperature, cut to the likeliest, normalised.

    temperature: 0 (or less than a millionth) keeps only the likeliest.
    top_k:       keep this many of the likeliest (Fan et al. 2018).
    top_p:       of these, keep the likeliest that together have this probability (Holtzman et al. 2020).

    Raises UserError for values out of their range; ValueError for scores of another shape, TypeError of another type.
    """
    check_tensor("restricted", "scores", scores, ("B", "V"), None, FLOATING)
    if (
        not 0 <= temperature < math.inf
        or (top_k is not None and top_k < 1)
        or (top_p is not None and not 0 < top_p <= 1)
    ):
        raise UserError(
            f"temperature={temperature} top_k={top_k} top_p={top_p}: expected at least 0, at least 1, and more than 0 "
            "and at most 1"
        )
    if temperature < 1e-6:
        return torch.zeros_like(scores).scatter_(-1, scores.argmax(-1, keepdim=True), 1.0)
    scores = scores / temperature
    if top_k is not None and top_k < scores.shape[-1]:
        least = scores.topk(top_k, -1).values[:, -1:]
        scores = scores.masked_fill(scores < least, float("-inf"))
    probabilities = scores.softmax(-1)
    if top_p is not None and top_p < 1:
        ordered, places = probabilities.sort(-1, descending=True)
        beyond = ordered.cumsum(-1) - ordered >= top_p  # never the first
        probabilities = probabilities.scatter(-1, places, ordered.masked_fill(beyond, 0.0))
    return probabilities / probabilities.sum(-1, keepdim=True)


def sample(
    model: LanguageModel,
    prompt: Int[Tensor, "B T"],
    length: int,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    generator: torch.Generator | None = None,
    suppressed_tokens: tuple[int, ...] = (),
) -> Iterator[Int[Tensor, "B"]]:
    """`length` symbols after a prompt of at least one, step by step; the model must be in evaluation mode.

    suppressed_tokens: ids that are not drawn, such as `<pad>`.

    Raises ValueError for a prompt that is not `[B, T]` with a T of at least 1, TypeError for one of another type.
    """
    check_tensor("sample", "prompt", prompt, ("B", "T"), None, IDS)
    if not prompt.shape[1]:
        raise ValueError("sample: prompt has no symbols, expected at least 1")
    reader, ids = Reader(model), prompt
    for _ in range(length):
        scores = reader.feed(ids)
        if suppressed_tokens:
            scores[:, list(suppressed_tokens)] = float("-inf")
        drawn = torch.multinomial(restricted(scores, temperature, top_k, top_p), 1, generator=generator)
        yield drawn[:, 0]
        ids = drawn
