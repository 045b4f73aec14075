"""Every scorer, and attention around it, in NumPy: one query, one position and one head at a time.

An oracle takes a scorer (for its weights and options), a query q, the encoder output h at a position s, the number s
and the term that coverage adds to its key; it returns the score of each head. It calls no method of the scorer.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from torch import Tensor

from lightning_seq.attention.additive import AdditiveScorer
from lightning_seq.attention.attention import Attention
from lightning_seq.attention.bilinear import BilinearScorer
from lightning_seq.attention.concat import ConcatScorer
from lightning_seq.attention.cosine import CosineScorer
from lightning_seq.attention.dot import DotScorer
from lightning_seq.attention.local import Monotonic, Predictive
from lightning_seq.attention.location import LocationScorer
from lightning_seq.attention.multihead import MultiHeadScorer
from lightning_seq.attention.scaled_dot import ScaledDotScorer
from lightning_seq.attention.scorer import Scorer
from lightning_seq.conformance.oracles import Array, numbers, sigma

OneScore = Callable[..., list[float]]


def same_width(scorer: DotScorer | CosineScorer, h: Array) -> Array:
    return h if scorer.W is None else numbers(scorer.W) @ h


def dot(scorer: DotScorer, q: Array, h: Array, s: int, covered: Array) -> list[float]:
    return [float(np.sum(q * (same_width(scorer, h) + covered)))]


def scaled_dot(scorer: ScaledDotScorer, q: Array, h: Array, s: int, covered: Array) -> list[float]:
    return [float(np.sum(q * (same_width(scorer, h) + covered)) / np.sqrt(len(q)))]


def bilinear(scorer: BilinearScorer, q: Array, h: Array, s: int, covered: Array) -> list[float]:
    W = numbers(scorer.W)
    form = sum(q[i] * W[i, j] * h[j] for i in range(len(q)) for j in range(len(h)))
    return [float(form + q @ covered)]


def additive(scorer: AdditiveScorer, q: Array, h: Array, s: int, covered: Array) -> list[float]:
    W, U, v = numbers(scorer.W), numbers(scorer.U), numbers(scorer.v)
    b = np.zeros(len(v)) if scorer.b is None else numbers(scorer.b)
    return [float(sum(v[a] * np.tanh(W[a] @ q + U[a] @ h + b[a] + covered[a]) for a in range(len(v))))]


def concat(scorer: ConcatScorer, q: Array, h: Array, s: int, covered: Array) -> list[float]:
    return [float(numbers(scorer.v) @ np.tanh(numbers(scorer.W) @ np.concatenate([q, h]) + covered))]


def cosine(scorer: CosineScorer, q: Array, h: Array, s: int, covered: Array) -> list[float]:
    h = same_width(scorer, h)
    learned = scorer.log_temperature
    τ = scorer.temperature if learned is None else float(np.exp(numbers(learned))[0])
    q, h = (x / np.sqrt(x @ x + 1e-8) for x in (q, h))
    return [float(q @ (h + covered) / τ)]


def location(scorer: LocationScorer, q: Array, h: Array, s: int, covered: Array) -> list[float]:
    return [float(numbers(scorer.W)[s] @ q)]


def multihead(scorer: MultiHeadScorer, q: Array, h: Array, s: int, covered: Array) -> list[float]:
    blocks = [np.split(numbers(W), scorer.heads) for W in (scorer.W_q, scorer.W_k)]
    parts = np.split(covered, scorer.heads)
    return [
        float((W_q @ q) @ (W_k @ h + part) / np.sqrt(len(W_q))) for W_q, W_k, part in zip(*blocks, parts, strict=True)
    ]


ORACLES: dict[type[Scorer], OneScore] = {
    DotScorer: dot,
    ScaledDotScorer: scaled_dot,
    BilinearScorer: bilinear,
    AdditiveScorer: additive,
    ConcatScorer: concat,
    CosineScorer: cosine,
    LocationScorer: location,
    MultiHeadScorer: multihead,
}


def oracle_of(scorer: Scorer) -> OneScore | None:
    """The oracle of the scorer's class, or of its nearest base class."""
    return next((ORACLES[kind] for kind in type(scorer).__mro__ if kind in ORACLES), None)


def mean(scorer: Scorer, weights: Array, values: Array) -> Array:
    """The context of one query: weights `[heads, S]`, values `[S, D]`."""
    if not isinstance(scorer, MultiHeadScorer):
        return sum((a * h for a, h in zip(weights[0], values, strict=True)), np.zeros(values.shape[1]))
    blocks = np.split(numbers(scorer.W_v), scorer.heads)
    of_heads = [
        sum(a * (W_v @ h) for a, h in zip(row, values, strict=True)) for W_v, row in zip(blocks, weights, strict=True)
    ]
    return numbers(scorer.W_o) @ np.concatenate(of_heads)


def window(attention: Attention, q: Array, t: int, S: int) -> list[tuple[bool, float]]:
    """For each of S positions: whether the window is open there at step t, and the factor of its weight."""
    local = attention.window
    if isinstance(local, Monotonic):
        centre = min(t, S - 1 + local.window)
        return [(abs(s - centre) <= local.window, 1.0) for s in range(S)]
    if isinstance(local, Predictive):
        p = S * sigma(numbers(local.v) @ np.tanh(numbers(local.W) @ q))
        σ = local.window / 2
        return [(bool(abs(s - p) <= local.window), float(np.exp(-((s - p) ** 2) / (2 * σ**2)))) for s in range(S)]
    return [(True, 1.0)] * S


def run_oracle(
    attention: Attention, query: Tensor, values: Tensor, previous: Tensor, start: int
) -> tuple[Array, Array]:
    """Contexts `[T, C]` and weights `[heads, T, S]` of a sentence without padding.

    query `[T, Q]`, values `[S, D]`, previous `[S]`. Raises KeyError for a scorer without an oracle.
    """
    scorer = attention.scorer
    score = oracle_of(scorer)
    if score is None:
        raise KeyError(type(scorer).__name__)
    outputs, c, S = numbers(values), numbers(previous), len(values)
    w = np.zeros(scorer.key_size) if attention.coverage is None else numbers(attention.coverage.w)
    contexts, all_weights = [], []
    for t, q in enumerate(numbers(query)):
        e = np.array([score(scorer, q, outputs[s], s, w * c[s]) for s in range(S)]).T  # heads S
        positions = window(attention, q, start + t, S)
        weights = np.zeros_like(e)
        for head in range(len(e)):
            total = sum(np.exp(e[head, s]) for s in range(S) if positions[s][0])
            for s in range(S):
                weights[head, s] = positions[s][0] * np.exp(e[head, s]) / total * positions[s][1]
        contexts.append(mean(scorer, weights, outputs))
        all_weights.append(weights)
    return np.stack(contexts), np.stack(all_weights, 1)
