"""What was said before a turn of a dialog, as one vector."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TypeAlias

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from lightning_seq.models.encoder import Encoder
from lightning_seq.models.pooling import pooling as choose_pooling
from lightning_seq.text.vocabulary import PAD

HISTORIES = ("none", "late", "hierarchical", "memory")
OLDEST = 64
"""Facts that are older have the same vector of age."""

MakeEncoder: TypeAlias = Callable[[int], Encoder]
"""From the width of the inputs to an encoder."""
Embed: TypeAlias = Callable[[Tensor], Tensor]
"""From ids to vectors."""


class Sentences(nn.Module):
    """One vector for each sequence, by an encoder of its own. width: of the vectors."""

    def __init__(self, encoder: Encoder, pooling: str = "auto") -> None:
        super().__init__()
        self.encoder, self.pooling = encoder, choose_pooling(pooling, encoder)
        self.width = self.pooling.width

    def forward(self, x: Tensor, mask: Bool[Tensor, "N T"]) -> Float[Tensor, "N D"]:
        return self.pooling(self.encoder(x, mask))


class History(nn.Module, ABC):
    """From the facts before each turn, `[B, K, T]` ids, to a vector `[B, D]`; every row has at least one fact.

    width: D.
    """

    width: int

    @abstractmethod
    def forward(
        self, history: Int[Tensor, "B K T"], question: Float[Tensor, "B Q"], embed: Embed
    ) -> tuple[Float[Tensor, "B D"], Tensor | None]:
        """The vectors, and the attention to the facts, `[B, K]` or None. question: the vector of the question."""


class Late(History):
    """All facts as one sequence of words (Das et al. 2017, sec. 4, late fusion).

    make: of an encoder; width: of the word vectors; pooling: see `models.pooling`.
    """

    def __init__(self, make: MakeEncoder, width: int, pooling: str) -> None:
        super().__init__()
        self.words = Sentences(make(width), pooling)
        self.width = self.words.width

    def forward(self, history: Tensor, question: Tensor, embed: Embed) -> tuple[Tensor, Tensor | None]:
        ids = history.flatten(1)
        order = torch.argsort((ids == PAD).long(), dim=1, stable=True)
        ids = ids.gather(1, order)[:, : int((ids != PAD).sum(1).max())]
        return self.words(embed(ids), ids != PAD), None


class Facts(History):
    """A vector f_k for each fact, by one encoder."""

    def __init__(self, make: MakeEncoder, width: int, pooling: str) -> None:
        super().__init__()
        self.facts = Sentences(make(width), pooling)

    def read(self, history: Int[Tensor, "B K T"], embed: Embed) -> tuple[Float[Tensor, "B K F"], Bool[Tensor, "B K"]]:
        """The vectors, and the mask of the facts that exist; the vectors of others are zero."""
        known = history[..., 0] != PAD
        ids = history[known]
        vectors = self.facts(embed(ids), ids != PAD)
        facts = vectors.new_zeros(*known.shape, self.facts.width)
        facts[known] = vectors
        return facts, known


class Hierarchical(Facts):
    """h = the last state of a recurrence over f_1 … f_K (Serban et al. 2016; Das et al. 2017, sec. 4)."""

    def __init__(self, make: MakeEncoder, width: int, pooling: str) -> None:
        super().__init__(make, width, pooling)
        turns = make(self.facts.width)
        self.turns = Sentences(turns, "auto" if turns.final_size is None else "last")
        self.width = self.turns.width

    def forward(self, history: Tensor, question: Tensor, embed: Embed) -> tuple[Tensor, Tensor | None]:
        return self.turns(*self.read(history, embed)), None


class MemoryNetwork(Facts):
    """Attention of the question q to the facts (Das et al. 2017, sec. 4, memory network).

        m_k = f_k + t_{K-k},  p = softmax_k(m_k · W q),  h = Σ_k p_k m_k

    t: a learned vector for each age of a fact, without which their order is lost (Sukhbaatar et al. 2015, sec. 4.1).
    """

    def __init__(self, make: MakeEncoder, width: int, pooling: str, question: int) -> None:
        super().__init__(make, width, pooling)
        self.width = self.facts.width
        self.query = nn.Linear(question, self.width, bias=False)
        self.ages = nn.Parameter(torch.empty(OLDEST, self.width))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        nn.init.normal_(self.ages, std=0.1)

    def forward(self, history: Tensor, question: Tensor, embed: Embed) -> tuple[Tensor, Tensor | None]:
        facts, known = self.read(history, embed)
        age = known.sum(1, keepdim=True) - 1 - torch.arange(known.shape[1], device=known.device)
        memory = facts + self.ages[age.clamp(0, OLDEST - 1)]
        scores = torch.einsum("bkd,bd->bk", memory, self.query(question))
        weights = torch.softmax(scores.masked_fill(~known, float("-inf")), 1)
        return torch.einsum("bk,bkd->bd", weights, memory), weights


def history(kind: str, make: MakeEncoder, width: int, pooling: str, question: int) -> History | None:
    """The history of a kind of `HISTORIES`; None for `none`. width: of the word vectors; question: of the question's
    vector."""
    if kind == "memory":
        return MemoryNetwork(make, width, pooling, question)
    made = {"late": Late, "hierarchical": Hierarchical}.get(kind)
    return None if made is None else made(make, width, pooling)
