"""Broken scorers and attentions, each with one mistake that is easily made. The suite must catch them all.

`python -m tests.conformance.scorer_mutants` prints which check caught each.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from lightning_seq.attention.additive import AdditiveScorer
from lightning_seq.attention.attention import Attended, Attention, Memory
from lightning_seq.attention.bilinear import BilinearScorer
from lightning_seq.attention.concat import ConcatScorer
from lightning_seq.attention.cosine import CosineScorer
from lightning_seq.attention.dot import DotScorer
from lightning_seq.attention.multihead import MultiHeadScorer
from lightning_seq.attention.scaled_dot import ScaledDotScorer
from lightning_seq.conformance.check import failure
from lightning_seq.conformance.scorers import CHECKS, Subject

Q, D = 4, 3


class AdditiveWithoutTanh(AdditiveScorer):
    def scores(self, query: Tensor, keys: Tensor) -> Tensor:
        return ((functional.linear(query, self.W)[:, :, None] + keys[:, None]) @ self.v)[:, None]


class MatricesSwapped(AdditiveScorer):
    def keys(self, values: Tensor) -> Tensor:
        return functional.linear(values, self.W)

    def scores(self, query: Tensor, keys: Tensor) -> Tensor:
        return (torch.tanh(functional.linear(query, self.U)[:, :, None] + keys[:, None]) @ self.v)[:, None]


class ValueFirst(ConcatScorer):
    """[h_s; q_t] in the place of [q_t; h_s]."""

    def keys(self, values: Tensor) -> Tensor:
        return functional.linear(values, self.W[:, : self.value_size])

    def scores(self, query: Tensor, keys: Tensor) -> Tensor:
        inner = functional.linear(query, self.W[:, self.value_size :])
        return (torch.tanh(inner[:, :, None] + keys[:, None]) @ self.v)[:, None]


class Transposed(BilinearScorer):
    def keys(self, values: Tensor) -> Tensor:
        return values @ self.W


class KeyBias(BilinearScorer):
    """Adds q · b to the score of every place: the softmax does not see it."""

    def __init__(self, query_size: int, value_size: int) -> None:
        super().__init__(query_size, value_size)
        self.b = torch.nn.Parameter(torch.zeros(query_size))

    def scores(self, query: Tensor, keys: Tensor) -> Tensor:
        return super().scores(query, keys + self.b)


class Unscaled(ScaledDotScorer):
    def scores(self, query: Tensor, keys: Tensor) -> Tensor:
        return super().scores(query * self.query_size**0.5, keys)


class ScaledByLength(DotScorer):
    def scores(self, query: Tensor, keys: Tensor) -> Tensor:
        return super().scores(query, keys) / keys.shape[1] ** 0.5


class QueryOfAnyLength(CosineScorer):
    def scores(self, query: Tensor, keys: Tensor) -> Tensor:
        return super().scores(query, keys) * query.norm(dim=-1)[:, None, :, None]


class NormOfZero(CosineScorer):
    def keys(self, values: Tensor) -> Tensor:
        return values / (values * values).sum(-1, keepdim=True).sqrt()


class ScaledByAllHeads(MultiHeadScorer):
    def scores(self, query: Tensor, keys: Tensor) -> Tensor:
        return super().scores(query, keys) * (self.head_size / self.key_size) ** 0.5


class HeadsInterleaved(MultiHeadScorer):
    def context(self, weights: Tensor, values: Tensor) -> Tensor:
        of_heads = weights @ self._split(values)
        return functional.linear(of_heads.permute(0, 2, 3, 1).flatten(2), self.W_o)


class FirstHeadAlone(MultiHeadScorer):
    def context(self, weights: Tensor, values: Tensor) -> Tensor:
        return super().context(weights[:, :1].expand_as(weights), values)


class AcrossTheBatch(DotScorer):
    def keys(self, values: Tensor) -> Tensor:
        return super().keys(values - values.mean(0, keepdim=True))


class QueriesTogether(DotScorer):
    """Each query hears of those before it."""

    def scores(self, query: Tensor, keys: Tensor) -> Tensor:
        return super().scores(query.cumsum(1), keys)


class ByPlaceUnsaid(DotScorer):
    def scores(self, query: Tensor, keys: Tensor) -> Tensor:
        return super().scores(query, keys) - 0.1 * torch.arange(keys.shape[1])


class SinglePrecision(DotScorer):
    def scores(self, query: Tensor, keys: Tensor) -> Tensor:
        return super().scores(query.float(), keys.float()).to(query.dtype)


class InPlace(DotScorer):
    def scores(self, query: Tensor, keys: Tensor) -> Tensor:
        query.data.mul_(0.5)
        return super().scores(query, keys)


class OneHeadTooFew(DotScorer):
    heads = 2


class PaddingKept(Attention):
    """What stands at padded places is left there: 0 times NaN is NaN."""

    def prepare(self, values: Tensor, mask: Tensor) -> Memory:
        return Memory(self.scorer.keys(values), self.scorer.values(values), mask)


class Weighing(Attention, ABC):
    @abstractmethod
    def weights(self, scores: Tensor, mask: Tensor) -> Tensor: ...

    def attend(self, query: Tensor, memory: Memory, previous: Any = None, start: Any = None) -> Attended:
        weights = self.weights(self.scorer.scores(query, memory.keys), memory.mask[:, None, None])
        return Attended(self.scorer.context(weights, memory.values), weights)


class MaskedAfter(Weighing):
    def weights(self, scores: Tensor, mask: Tensor) -> Tensor:
        return scores.softmax(-1) * mask


class MinusInfinity(Weighing):
    def weights(self, scores: Tensor, mask: Tensor) -> Tensor:
        return scores.masked_fill(~mask, float("-inf")).softmax(-1)


class OverQueries(Weighing):
    def weights(self, scores: Tensor, mask: Tensor) -> Tensor:
        return scores.masked_fill(~mask, -1e9).softmax(2) * mask


class Detached(Weighing):
    def weights(self, scores: Tensor, mask: Tensor) -> Tensor:
        weights = scores.detach().masked_fill(~mask, -1e9).softmax(-1)
        return weights * mask


class KeysEveryTime(Attention):
    def attend(self, query: Tensor, memory: Memory, previous: Any = None, start: Any = None) -> Attended:
        again = Memory(self.scorer.keys(memory.values), memory.values, memory.mask)
        return super().attend(query, again, previous, start)


class ForgetsCoverage(Attention):
    def attend(self, query: Tensor, memory: Memory, previous: Any = None, start: Any = None) -> Attended:
        return super().attend(query, memory, None, start)


class ForgetsStart(Attention):
    def attend(self, query: Tensor, memory: Memory, previous: Any = None, start: Any = None) -> Attended:
        return super().attend(query, memory, previous, None)


class WidthForLength(Attention):
    """A predictive window over the padded width."""

    def attend(self, query: Tensor, memory: Memory, previous: Any = None, start: Any = None) -> Attended:
        assert self.window is not None
        scores = self.scorer.scores(query, memory.keys)
        seen, bell = self.window(query, torch.ones_like(memory.mask), start)
        mask = (memory.mask[:, None] & seen)[:, None]
        weights = scores.masked_fill(~mask, -1e9).softmax(-1) * mask * bell[:, None]
        return Attended(self.scorer.context(weights, memory.values), weights)


class Unsorted(Memory):
    def select(self, rows: Tensor) -> Memory:
        return Memory(self.keys[rows], self.values[rows], self.mask[rows.sort().values])


class SelectsSorted(Attention):
    def prepare(self, values: Tensor, mask: Tensor) -> Memory:
        memory = super().prepare(values, mask)
        return Unsorted(memory.keys, memory.values, memory.mask)


class CutsValues(Attention):
    def prepare(self, values: Tensor, mask: Tensor) -> Memory:
        return super().prepare(values[..., : self.scorer.value_size], mask)


class CastsQueries(Attention):
    def attend(self, query: Tensor, memory: Memory, *given: Any) -> Attended:
        return super().attend(query.to(memory.keys.dtype), memory, *given)


class OneRowForAll(Attention):
    """What was looked at before in one row counts for all of them."""

    def attend(self, query: Tensor, memory: Memory, previous: Tensor | None = None, *given: Any) -> Attended:
        if previous is not None and len(previous) == 1:
            previous = previous.expand(len(query), -1)
        return super().attend(query, memory, previous, *given)


def scorer(kind: Any, value_size: int = D, **options: Any) -> Subject:
    return Subject(lambda: kind(Q, value_size, **options))


def attention(kind: Any, *given: Any, **options: Any) -> Subject:
    return Subject(lambda: BilinearScorer(Q, D), lambda made: kind(made, *given, **options))


MUTANTS: dict[str, tuple[Subject, str]] = {
    "additive: no tanh": (scorer(AdditiveWithoutTanh), "oracle"),
    "additive: W and U swapped": (scorer(MatricesSwapped, Q), "oracle"),
    "concat: value before query": (scorer(ValueFirst), "oracle"),
    "bilinear: W transposed": (scorer(Transposed, Q), "oracle"),
    "bilinear: a bias that no softmax sees": (scorer(KeyBias), "everything counts"),
    "scaled dot: not scaled": (scorer(Unscaled), "oracle"),
    "dot: scaled by the padded length": (scorer(ScaledByLength), "alone"),
    "cosine: the query's length counts": (scorer(QueryOfAnyLength), "oracle"),
    "cosine: divides by a length of zero": (scorer(NormOfZero, Q), "extremes"),
    "multi-head: scaled by the width of all heads": (scorer(ScaledByAllHeads, heads=2), "oracle"),
    "multi-head: heads interleaved": (scorer(HeadsInterleaved, heads=2), "oracle"),
    "multi-head: every head sees what the first does": (scorer(FirstHeadAlone, heads=2), "oracle"),
    "keys: centred over the batch": (scorer(AcrossTheBatch), "alone"),
    "queries: each hears of those before": (scorer(QueriesTogether), "queries"),
    "scores by place, unsaid": (scorer(ByPlaceUnsaid), "places"),
    "scores in single precision": (scorer(SinglePrecision), "oracle"),
    "scores write into the query": (scorer(InPlace), "copies"),
    "heads: more promised than given": (scorer(OneHeadTooFew), "shapes"),
    "attention: padding kept": (attention(PaddingKept), "padding"),
    "attention: masked after the softmax": (attention(MaskedAfter), "alone"),
    "attention: minus infinity": (attention(MinusInfinity), "empty"),
    "attention: softmax over queries": (attention(OverQueries), "sums"),
    "attention: weights detached": (attention(Detached), "gradients"),
    "attention: keys made at every query": (attention(KeysEveryTime), "keys"),
    "attention: a memory's mask left behind": (attention(SelectsSorted), "select"),
    "attention: cuts wider values": (attention(CutsValues), "refuses what does not fit"),
    "attention: casts another type": (attention(CastsQueries), "refuses what does not fit"),
    "attention: one row for all": (attention(OneRowForAll, coverage=True), "refuses what does not fit"),
    "coverage: ignored": (attention(ForgetsCoverage, coverage=True), "coverage"),
    "local: always at the first step": (attention(ForgetsStart, "monotonic", 1), "queries"),
    "local: predicts over the padded width": (attention(WidthForLength, "predictive", 2), "alone"),
}
"""Each with the check that must be among those that catch it."""


def caught_by(subject: Subject, only: str | None = None) -> list[str]:
    """The names of the checks that fail; `only` names the one check to run."""
    checks = [check for check in CHECKS if only in (None, check.name) and check.applies(subject)]
    return [check.name for check in checks if failure(check, subject) is not None]


if __name__ == "__main__":
    from rich.console import Console
    from rich.table import Table

    table = Table("mutant", "caught by", box=None)
    for name, (subject, _) in MUTANTS.items():
        table.add_row(name, ", ".join(caught_by(subject)) or "NOTHING")
    Console(width=150).print(table)
