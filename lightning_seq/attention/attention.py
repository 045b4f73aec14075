"""Attention: a scorer, a masked softmax and the weighted mean."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from lightning_seq.attention.coverage import Coverage
from lightning_seq.attention.local import Monotonic, Predictive
from lightning_seq.attention.masked_softmax import masked_softmax
from lightning_seq.attention.scorer import Scorer
from lightning_seq.errors import UserError, at_least_one, one_of
from lightning_seq.tensors import FLOATING, check_tensor

LOCAL = ("none", "monotonic", "predictive")


@dataclass(frozen=True)
class Memory:
    """The keys and values of a batch of sources, made once.

    keys:   `[B, S, K]`.
    values: `[B, S, C]`, zeros at padding.
    mask:   `[B, S]`, True = a real token.
    means:  `[B]`, of hard attention in training: the sources whose contexts are weighted means; None: not in training.
    """

    keys: Float[Tensor, "B S K"]
    values: Float[Tensor, "B S C"]
    mask: Bool[Tensor, "B S"]
    means: Bool[Tensor, "B"] | None = None

    def select(self, rows: Int[Tensor, "N"]) -> Memory:
        """Those rows, in that order, with repetitions: for the hypotheses of beam search."""
        keys = self.keys.index_select(0, rows)
        values = keys if self.values is self.keys else self.values.index_select(0, rows)
        means = None if self.means is None else self.means.index_select(0, rows)
        return Memory(keys, values, self.mask.index_select(0, rows), means)


class Attended(NamedTuple):
    """context `[B, T, C]`, weights `[B, heads, T, S]`."""

    context: Tensor
    weights: Tensor


class Drawn(NamedTuple):
    """context, weights: see `Attended`; chosen: `[B, T]`, ln of the probability of the positions that were drawn, 0 for
    a row that took the mean; None where nothing is drawn."""

    context: Tensor
    weights: Tensor
    chosen: Tensor | None = None


_watched: ContextVar[list[Tensor] | None] = ContextVar("watched", default=None)


@contextmanager
def watched_weights() -> Iterator[list[Tensor]]:
    """The weights `[B, heads, T, S]` of all calls of `attend` inside, in their order.

    with watched_weights() as weights:
        model(inputs, mask)
    """
    weights: list[Tensor] = []
    token = _watched.set(weights)
    try:
        yield weights
    finally:
        _watched.reset(token)


class Attention(nn.Module):
    """Attention over the positions of a source.

        e_t = scores of q_t against k_1 … k_S
        a_t = softmax of e_t over the unpadded positions
        c_t = Σ_s a_ts v_s

    An empty source gives zeros. Padding has no effect, NaN included.

    scorer:     gives e, k and v.
    local:      `none`; `monotonic` or `predictive`, a window over the source (Luong et al. 2015, sec. 3.2).
    window:     D, the number of positions to either side.
    coverage:   keys depend on their position's past attention (See et al. 2017, eq. 11).
    query_size: Q of a predictive window; None: the scorer's.

    Raises UserError for an unknown `local`, a window below 1, and coverage for a scorer that reads no keys.
    """

    def __init__(
        self,
        scorer: Scorer,
        local: str = "none",
        window: int = 10,
        coverage: bool = False,
        query_size: int | None = None,
    ) -> None:
        super().__init__()
        one_of("local", local, LOCAL)
        if coverage and not scorer.key_size:
            raise UserError(
                f"coverage changes keys, and {type(scorer).__name__} scores positions without them: "
                "set model.coverage=false, or choose another scorer"
            )
        self.scorer = scorer
        self.window: Monotonic | Predictive | None = None
        if local != "none":
            D = at_least_one("window", window)
            self.window = Monotonic(D) if local == "monotonic" else Predictive(query_size or scorer.query_size, D)
        self.coverage = Coverage(scorer.key_size) if coverage else None

    @property
    def context_size(self) -> int:
        """C, width of a context."""
        return self.scorer.context_size

    @property
    def needs_previous(self) -> bool:
        """Whether a query depends on the weights of earlier queries, so that each needs a call."""
        return self.coverage is not None

    def prepare(self, values: Float[Tensor, "B S D"], mask: Bool[Tensor, "B S"]) -> Memory:
        """The keys and values, which depend on the source alone.

        Raises ValueError for another shape or device, TypeError for another type.
        """
        like, types = self._like(values)
        check_tensor("attention", "values", values, ("B", "S", self.scorer.value_size), like, types)
        check_tensor("attention", "mask", mask, values.shape[:2], values, torch.bool)
        values = values.masked_fill(~mask[..., None], 0)
        return Memory(self.scorer.keys(values), self.scorer.values(values), mask)

    def attend(
        self,
        query: Float[Tensor, "B T Q"],
        memory: Memory,
        previous: Float[Tensor, "B S"] | None = None,
        start: Int[Tensor, "B"] | None = None,
    ) -> Attended:
        """As `draw`, without `chosen`."""
        return Attended(*self.draw(query, memory, previous, start)[:2])

    def draw(
        self,
        query: Float[Tensor, "B T Q"],
        memory: Memory,
        previous: Float[Tensor, "B S"] | None = None,
        start: Int[Tensor, "B"] | None = None,
    ) -> Drawn:
        """The contexts of T queries; the weights are zero at padding.

        previous: the sum of the weights of all earlier queries, a mean over heads; None: zeros. For coverage.
        start:    the step of each row's first query; None: 0. For a monotonic window.

        Raises ValueError for several queries if `needs_previous`, and for another shape or device; TypeError for
        another type.
        """
        positions, (like, types) = memory.mask.shape, self._like(query)
        check_tensor("attention", "query", query, (positions[0], "T", self.scorer.query_size), like, types)
        check_tensor("attention", "memory.keys", memory.keys, (*positions, self.scorer.key_size), query, FLOATING)
        check_tensor("attention", "memory.values", memory.values, (*positions, "C"), query, FLOATING)
        if previous is not None:
            check_tensor("attention", "previous", previous, positions, query, FLOATING)
        if start is not None:
            check_tensor("attention", "start", start, positions[:1], query, torch.int64)
        scores = self.scorer.scores(query, self._keys(query, memory, previous))
        mask, emphasis = memory.mask[:, None, None], None
        if self.window is not None:
            open_, emphasis = self.window(query, memory.mask, start)
            mask = mask & open_[:, None]
        weights = masked_softmax(scores, mask)
        if emphasis is not None:
            weights = weights * emphasis[:, None]
        if (watching := _watched.get()) is not None:
            watching.append(weights.detach())
        used, chosen = self.used(weights, memory)
        return Drawn(self.scorer.context(used, memory.values), weights, chosen)

    def used(self, weights: Float[Tensor, "B N T S"], memory: Memory) -> tuple[Tensor, Tensor | None]:
        """The weights of the values in the context, and `Drawn.chosen`."""
        return weights, None

    def _like(self, tensor: Tensor) -> tuple[Tensor, tuple[torch.dtype, ...] | None]:
        """A tensor of the required device, and the allowed types (None: those of the parameters)."""
        parameter = next(self.parameters(), None)
        return (tensor, FLOATING) if parameter is None else (parameter, None)

    def _keys(self, query: Tensor, memory: Memory, previous: Tensor | None) -> Tensor:
        if self.coverage is None:
            return memory.keys
        if query.shape[1] != 1:
            raise ValueError(
                f"coverage takes 1 query at a time, {query.shape[1]} came: each needs the weights of the one before"
            )
        return self.coverage(memory.keys, torch.zeros_like(memory.keys[..., 0]) if previous is None else previous)
