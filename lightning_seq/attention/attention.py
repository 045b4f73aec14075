"""Attention: a scorer, the masked softmax, and the mean that comes of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from lightning_seq.attention.coverage import Coverage
from lightning_seq.attention.local import Monotonic, Predictive
from lightning_seq.attention.masked_softmax import masked_softmax
from lightning_seq.attention.scorer import Scorer
from lightning_seq.errors import UserError, at_least_one, near
from lightning_seq.tensors import FLOATING, check_tensor

LOCAL = ("none", "monotonic", "predictive")


@dataclass(frozen=True)
class Memory:
    """What a sentence is asked with and answers with, made once.

    keys:   `[B, S, K]`.
    values: `[B, S, C]`, zeros beyond the sentence.
    mask:   `[B, S]`, True = a real place.
    """

    keys: Float[Tensor, "B S K"]
    values: Float[Tensor, "B S C"]
    mask: Bool[Tensor, "B S"]

    def select(self, rows: Int[Tensor, "N"]) -> Memory:
        """Those rows, in that order, as often as they are named: what beam search goes on with."""
        keys = self.keys.index_select(0, rows)
        values = keys if self.values is self.keys else self.values.index_select(0, rows)
        return Memory(keys, values, self.mask.index_select(0, rows))


class Attended(NamedTuple):
    """context `[B, T, C]`, weights `[B, heads, T, S]`."""

    context: Tensor
    weights: Tensor


class Attention(nn.Module):
    """Attention over the places of a source.

        e_t = scores of q_t against k_1 … k_S
        a_t = softmax of e_t over the real places
        c_t = Σ_s a_ts v_s

    A sentence of no places gives zeros. What stands at padded places never matters, NaN included.

    scorer:     gives e, k and v.
    local:      `none`; `monotonic` or `predictive`, a window over the source (Luong et al. 2015, sec. 3.2).
    window:     D, how far it reaches to either side.
    coverage:   keys know how much attention their place has had (See et al. 2017, eq. 11).
    query_size: Q of a predictive window; None takes the scorer's.

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
        if local not in LOCAL:
            raise UserError(f"local is {local!r}: {near(local, LOCAL)}")
        if coverage and not scorer.key_size:
            raise UserError(
                f"coverage changes keys, and {type(scorer).__name__} scores places without them: "
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
        """Whether a query depends on the weights of those before it, so that they must be asked one by one."""
        return self.coverage is not None

    def prepare(self, values: Float[Tensor, "B S D"], mask: Bool[Tensor, "B S"]) -> Memory:
        """All that depends on the source alone, once per sentence.

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
        """Ask T queries at once; the weights are zero at padded places.

        previous: the sum of the weights of all queries before, a mean over heads; None for none yet. Only coverage
                  reads it.
        start:    the number of each row's first query among its sentence's steps; None for 0. Only a monotonic window
                  reads it.

        Raises ValueError for several queries at once where `needs_previous`, and for another shape or device; TypeError
        for another type.
        """
        places, (like, types) = memory.mask.shape, self._like(query)
        check_tensor("attention", "query", query, (places[0], "T", self.scorer.query_size), like, types)
        check_tensor("attention", "memory.keys", memory.keys, (*places, self.scorer.key_size), query, FLOATING)
        check_tensor("attention", "memory.values", memory.values, (*places, "C"), query, FLOATING)
        if previous is not None:
            check_tensor("attention", "previous", previous, places, query, FLOATING)
        if start is not None:
            check_tensor("attention", "start", start, places[:1], query, torch.int64)
        scores = self.scorer.scores(query, self._keys(query, memory, previous))
        mask, emphasis = memory.mask[:, None, None], None
        if self.window is not None:
            open_, emphasis = self.window(query, memory.mask, start)
            mask = mask & open_[:, None]
        weights = masked_softmax(scores, mask)
        if emphasis is not None:
            weights = weights * emphasis[:, None]
        return Attended(self.scorer.context(weights, memory.values), weights)

    def _like(self, tensor: Tensor) -> tuple[Tensor, tuple[torch.dtype, ...] | None]:
        """A parameter, whose type and device the argument must have; without parameters the argument itself, and every
        floating type."""
        parameter = next(self.parameters(), None)
        return (tensor, FLOATING) if parameter is None else (parameter, None)

    def _keys(self, query: Tensor, memory: Memory, previous: Tensor | None) -> Tensor:
        if self.coverage is None:
            return memory.keys
        if query.shape[1] != 1:
            raise ValueError(
                f"coverage asks 1 query at a time, {query.shape[1]} came: each waits for the weights before"
            )
        return self.coverage(memory.keys, torch.zeros_like(memory.keys[..., 0]) if previous is None else previous)
