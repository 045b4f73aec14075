"""Sequences from a model of the next token: greedy search, beam search, sampling, and scores of given targets.

A search needs a `StepwiseModel`. Searches raise ValueError or TypeError for limits, targets or scores of a wrong shape
or type.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from lightning_seq.errors import UserError
from lightning_seq.models.sampling import restricted
from lightning_seq.tensors import FLOATING, check_tensor
from lightning_seq.text.vocabulary import BOS, EOS, PAD, UNK

UNSEEN = 1e-6
"""The least attention of a source position in the coverage penalty: its logarithm is finite."""
SUPPRESSED = (PAD, UNK, BOS)
"""Tokens that a search does not write."""


StateT = TypeVar("StateT")
"""Of a state: tuples of tensors `[N, …]`, nested."""


class StepwiseModel(Protocol[StateT]):
    """The next token of each sentence of a batch, given those before."""

    def start(self) -> StateT:
        """The state before the first token."""
        ...

    def step(self, tokens: Int[Tensor, "N"], state: StateT) -> tuple[Float[Tensor, "N V"], StateT, Tensor | None]:
        """Log-probabilities of the token after each row's last one, the next state, and the attention `[N, S]` or
        None."""
        ...

    def select(self, rows: Int[Tensor, "N"]) -> StepwiseModel[StateT]:
        """The model for some of the sentences, in another order, or several times."""
        ...


@dataclass(frozen=True)
class Hypothesis:
    """A generated sentence.

    tokens:          without `<bos>`; the last one is `<eos>` unless the limit cut it.
    log_probability: of all tokens, in nats.
    score:           the log-probability over the length penalty, plus the coverage penalty.
    weights:         `[T, S]` of attention, or None.
    """

    tokens: list[int]
    log_probability: float
    score: float
    weights: Tensor | None = field(default=None, compare=False)


@dataclass(frozen=True)
class BeamSearchConfig:
    """The settings of a beam search.

    size:     the number of hypotheses at each step.
    length:   α of the length penalty ((5 + |y|)/6)^α, which divides a log-probability (Wu et al. 2016, eq. 14).
    coverage: β of the coverage penalty β Σ_s log min(Σ_t a_{t,s}, 1), which is added (ibid.).
    n_best:   the number of hypotheses in the result, the best first.
    early:    stop at `size` finished hypotheses; otherwise when no unfinished one can become better.

    Raises UserError for a size below 1, more hypotheses than the beam has, and penalties below 0.
    """

    size: int = 5
    length: float = 1.0
    coverage: float = 0.0
    n_best: int = 1
    early: bool = False

    def __post_init__(self) -> None:
        if self.size < 1:
            raise UserError(f"beam is {self.size}, expected at least 1")
        if not 1 <= self.n_best <= self.size:
            raise UserError(f"n_best is {self.n_best} with beam={self.size}: expected 1 to {self.size}")
        for name, value in (("length_penalty", self.length), ("coverage_penalty", self.coverage)):
            if not 0 <= value < math.inf:
                raise UserError(f"{name} is {value}, expected at least 0")

    def length_penalty(self, length: int) -> float:
        """The length penalty of a hypothesis of `length` tokens."""
        return float(((5 + length) / 6) ** self.length)


def max_target_lengths(lengths: Int[Tensor, "B"], factor: float = 2.0, more: int = 10) -> Int[Tensor, "B"]:
    """The largest number of target tokens for sources of these lengths, independent of the batch."""
    return (lengths * factor).long() + more


@torch.no_grad()
def greedy(
    stepper: StepwiseModel[StateT],
    limits: Int[Tensor, "B"],
    first: int = BOS,
    last: int = EOS,
    suppressed_tokens: Sequence[int] = SUPPRESSED,
) -> list[Hypothesis]:
    """The likeliest token at each step. limits: `[B]`, the largest number of tokens, with `last`."""
    return _write(stepper, limits, lambda scores: scores.argmax(-1), first, last, suppressed_tokens)


@torch.no_grad()
def sample(
    stepper: StepwiseModel[StateT],
    limits: Int[Tensor, "B"],
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    generator: torch.Generator | None = None,
    first: int = BOS,
    last: int = EOS,
    suppressed_tokens: Sequence[int] = SUPPRESSED,
) -> list[Hypothesis]:
    """Tokens drawn from `sampling.restricted`; `log_probability` is the model's."""

    def drawn(scores: Tensor) -> Tensor:
        return torch.multinomial(restricted(scores, temperature, top_k, top_p), 1, generator=generator)[:, 0]

    return _write(stepper, limits, drawn, first, last, suppressed_tokens)


def _write(
    stepper: StepwiseModel[StateT],
    limits: Tensor,
    choose: Callable[[Tensor], Tensor],
    first: int,
    last: int,
    suppressed_tokens: Sequence[int],
) -> list[Hypothesis]:
    """One hypothesis per sentence; finished sentences leave the batch."""
    _check_limits(limits)
    B = len(limits)
    tokens: list[list[int]] = [[] for _ in range(B)]
    attention: list[list[Tensor]] = [[] for _ in range(B)]
    totals = [0.0] * B
    state, alive = stepper.start(), torch.arange(B, device=limits.device)
    current = torch.full_like(limits, first)
    while len(alive):
        scores, state, weights = _step(stepper, current, state)
        current = choose(_without(scores, suppressed_tokens))
        gained = scores.gather(1, current[:, None])[:, 0]
        finished = current == last
        for index, (row, token, value) in enumerate(
            zip(alive.tolist(), current.tolist(), gained.tolist(), strict=True)
        ):
            tokens[row].append(token)
            totals[row] += value
            if weights is not None:
                attention[row].append(weights[index])
            if len(tokens[row]) >= int(limits[row]):
                finished[index] = True
        if bool(finished.any()):
            kept = (~finished).nonzero()[:, 0]
            alive, current, state, stepper = alive[kept], current[kept], select(state, kept), stepper.select(kept)
    return [
        Hypothesis(written, total, total, torch.stack(weights) if weights else None)
        for written, total, weights in zip(tokens, totals, attention, strict=True)
    ]


@torch.no_grad()
def beam_search(
    stepper: StepwiseModel[StateT],
    limits: Int[Tensor, "B"],
    beam: BeamSearchConfig | None = None,
    first: int = BOS,
    last: int = EOS,
    suppressed_tokens: Sequence[int] = SUPPRESSED,
    source_lengths: Int[Tensor, "B"] | None = None,
) -> list[list[Hypothesis]]:
    """The `n_best` hypotheses of each sentence, the best first; all sentences at once.

    Each step ranks the 2·size likeliest continuations of a sentence: those that end among the first `size` are
    finished, the first `size` others continue. A beam as wide as the number of prefixes is an exhaustive search. The
    limit cuts unfinished hypotheses; they rank after the finished ones. If all scores are NaN, the result is one
    hypothesis, `<eos>`, with log-probability NaN.

    source_lengths: `[B]`, for the coverage penalty; None: all positions with weights.
    """
    beam = beam or BeamSearchConfig()
    _check_limits(limits)
    if source_lengths is not None:
        check_tensor("a search", "source_lengths", source_lengths, limits.shape, limits, torch.int64)
    B, K, device = len(limits), beam.size, limits.device
    state = stepper.start()
    whole: list[list[Hypothesis]] = [[] for _ in range(B)]
    cut: list[list[Hypothesis]] = [[] for _ in range(B)]
    alive = torch.arange(B, device=device)  # the sentence of each group of rows
    width = 1
    totals = torch.zeros(B, 1, dtype=torch.float64, device=device)
    current = torch.full((B,), first, dtype=torch.int64, device=device)
    written = torch.zeros(B, 1, 0, dtype=torch.int64, device=device)
    looks: Tensor | None = None  # `[groups, width, T, S]`
    step = 0
    while len(alive):
        step += 1
        scores, state, weights = _step(stepper, current, state)
        V = scores.shape[1]
        scores = _without(scores, suppressed_tokens).double().nan_to_num(nan=-math.inf, neginf=-math.inf)
        scores = scores.view(len(alive), width, V) + totals[..., None]
        found, indices = scores.flatten(1).topk(min(2 * K, width * V), 1)
        parents, tokens = indices // V, indices % V
        if weights is not None:
            S = weights.shape[1]
            now = weights.view(len(alive), width, 1, S)
            looks = now if looks is None else torch.cat([looks, now], 2)
        ends, possible = tokens == last, found > -math.inf
        rank = torch.arange(found.shape[1], device=device)
        finishing = ends & possible & (rank < K)
        at_limit = limits[alive] <= step
        for group, place in finishing.nonzero().tolist():
            parent, sentence = int(parents[group, place]), int(alive[group])
            weights = _own_weights(looks, group, parent, source_lengths, sentence)
            symbols = [*written[group, parent].tolist(), last]
            whole[sentence].append(_scored(symbols, float(found[group, place]), weights, beam))
        # The first K that continue; if they are fewer, the others are impossible.
        going = (possible & ~ends).long()
        order = torch.argsort(going, dim=1, descending=True, stable=True)[:, : min(K, found.shape[1])]
        onward = going.gather(1, order).bool()
        parents, tokens = parents.gather(1, order), tokens.gather(1, order)
        totals = found.gather(1, order).masked_fill(~onward, -math.inf)
        grown = torch.cat([written.gather(1, parents[..., None].expand(-1, -1, step - 1)), tokens[..., None]], 2)
        if looks is not None:
            looks = looks.gather(1, parents[..., None, None].expand(-1, -1, *looks.shape[2:]))
        open_groups = []
        for group, sentence in enumerate(alive.tolist()):
            finished = whole[sentence]
            if bool(at_limit[group]):
                for place in onward[group].nonzero()[:, 0].tolist():
                    weights = _own_weights(looks, group, place, source_lengths, sentence)
                    symbols = grown[group, place].tolist()
                    cut[sentence].append(_scored(symbols, float(totals[group, place]), weights, beam))
            elif bool(onward[group].any()) and not _settled(
                finished, float(totals[group].max()), int(limits[sentence]), beam
            ):
                open_groups.append(group)
        rows = torch.tensor(open_groups, dtype=torch.int64, device=device)
        sources = (rows[:, None] * width + parents[rows]).flatten()
        state, stepper = select(state, sources), stepper.select(sources)
        alive, totals, written, current = alive[rows], totals[rows], grown[rows], tokens[rows].flatten()
        looks = None if looks is None else looks[rows]
        width = parents.shape[1]
    return [
        [*_best_first(whole[row]), *_best_first(cut[row])][: beam.n_best] or [Hypothesis([last], math.nan, math.nan)]
        for row in range(B)
    ]


def _check_limits(limits: Tensor) -> None:
    """Raises ValueError unless each limit is at least 1, TypeError for numbers of another type."""
    check_tensor("a search", "limits", limits, ("B",), None, torch.int64)
    if bool((limits < 1).any()):
        raise ValueError(f"a search: limits are {limits.tolist()[:8]}, expected at least 1 symbol for each sentence")


def _step(stepper: StepwiseModel[StateT], current: Tensor, state: StateT) -> tuple[Tensor, StateT, Tensor | None]:
    """One step. Raises ValueError unless scores and weights have a row for each token."""
    scores, state, weights = stepper.step(current, state)
    check_tensor("a search", "scores", scores, (len(current), "V"), current, FLOATING)
    if weights is not None:
        check_tensor("a search", "weights", weights, (len(current), "S"), current, FLOATING)
    return scores, state, weights


def _best_first(hypotheses: Sequence[Hypothesis]) -> list[Hypothesis]:
    return sorted(hypotheses, key=lambda hypothesis: hypothesis.score, reverse=True)


def _own_weights(
    weights: Tensor | None, group: int, place: int, source_lengths: Tensor | None, sentence: int
) -> Tensor | None:
    """The weights `[T, S]` of one hypothesis over its own source, as a copy: a view keeps those of all others."""
    length = None if source_lengths is None else int(source_lengths[sentence])
    return None if weights is None else weights[group, place, :, :length].clone()


def _scored(tokens: list[int], log_probability: float, weights: Tensor | None, beam: BeamSearchConfig) -> Hypothesis:
    score = log_probability / beam.length_penalty(len(tokens))
    if beam.coverage and weights is not None:
        score += beam.coverage * float(weights.double().sum(0).clamp(UNSEEN, 1.0).log().sum())
    return Hypothesis(tokens, log_probability, score, weights)


def _settled(finished: Sequence[Hypothesis], best: float, limit: int, beam: BeamSearchConfig) -> bool:
    """Whether no unfinished hypothesis can become one of the best. best: the largest unfinished log-probability."""
    if len(finished) < (beam.size if beam.early else beam.n_best):
        return False
    if beam.early:
        return True
    worst = _best_first(finished)[beam.n_best - 1].score
    return best / beam.length_penalty(limit) <= worst  # the coverage penalty is at most 0


@torch.no_grad()
def score_targets(
    stepper: StepwiseModel[StateT], targets: Int[Tensor, "B T"], first: int = BOS
) -> tuple[Float[Tensor, "B T"], Tensor | None]:
    """The log-probability of each target given those before, step by step, and the attention `[B, T, S]`."""
    check_tensor("a search", "targets", targets, ("B", "T"), None, torch.int64)
    if not targets.shape[1]:
        raise ValueError("a search: targets have no symbols, expected at least 1")
    state, current, scored, attention = stepper.start(), torch.full_like(targets[:, 0], first), [], []
    for t in range(targets.shape[1]):
        scores, state, weights = _step(stepper, current, state)
        current = targets[:, t]
        scored.append(scores.gather(1, current[:, None])[:, 0])
        if weights is not None:
            attention.append(weights)
    return torch.stack(scored, 1), torch.stack(attention, 1) if attention else None


def select(state: Any, rows: Int[Tensor, "N"]) -> Any:
    """Some rows of every tensor in nested tuples."""
    if isinstance(state, Tensor):
        return state[rows]
    if isinstance(state, tuple):
        parts = [select(part, rows) for part in state]
        return type(state)(*parts) if hasattr(state, "_fields") else type(state)(parts)
    return state


def _without(scores: Tensor, suppressed_tokens: Sequence[int]) -> Tensor:
    if not suppressed_tokens:
        return scores
    scores = scores.clone()
    scores[:, list(suppressed_tokens)] = -math.inf
    return scores


def rounded(weights: Tensor) -> list[list[float]]:
    """Four decimals, enough for a picture."""
    return [[round(value, 4) for value in row] for row in weights.tolist()]
