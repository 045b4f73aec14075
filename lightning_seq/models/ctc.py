"""Searches for the likeliest transcript under connectionist temporal classification (CTC).

A path has one symbol or the blank at each frame; its transcript is the path without repeats, then without blanks
(Graves et al. 2006). The blank is the id 0, `<pad>`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, groupby, pairwise
from typing import Any, Protocol

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from lightning_seq.errors import UserError
from lightning_seq.models.search import Hypothesis
from lightning_seq.tensors import FLOATING, check_tensor
from lightning_seq.text.vocabulary import EOS, PAD

BLANK = PAD
UNLIKELY = -18.0
"""A symbol of a smaller log-probability does not extend a prefix at a frame."""


class PrefixScorer(Protocol):
    """A language model that follows the prefixes of a search."""

    def start(self) -> Any:
        """The state of the empty prefix."""
        ...

    def extend(self, state: Any, symbol: int) -> tuple[Any, float]:
        """The state after one more symbol, and the log-probability of what it completes; EOS ends the transcript."""
        ...


@dataclass(frozen=True)
class Fusion:
    """Shallow fusion: a prefix y has the score log P_CTC(y) + weight · log P_LM(y) + bonus · |y|.

    The language model's score of the end counts for whole transcripts alone.
    """

    scorer: PrefixScorer
    weight: float = 0.5
    bonus: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.weight < math.inf or not math.isfinite(self.bonus):
            raise UserError(
                f"the weight of a language model is {self.weight} and its bonus {self.bonus}: expected a weight of at "
                "least 0 and a finite bonus"
            )


def minimal_frames(targets: Sequence[int]) -> int:
    """The fewest frames of a path for these symbols: a blank stands between two equal ones."""
    return len(targets) + sum(one == other for one, other in pairwise(targets))


def best_path(scores: Float[Tensor, "B T V"], lengths: Int[Tensor, "B"]) -> list[Hypothesis]:
    """The transcript of the likeliest path, and this path's log-probability. scores: log-probabilities."""
    _check(scores, lengths)
    values, symbols = scores.max(2)
    rows = []
    for length, own, path in zip(lengths.tolist(), values, symbols, strict=True):
        tokens = [symbol for symbol, _ in groupby(path[:length].tolist()) if symbol != BLANK]
        total = float(own[:length].double().sum())
        rows.append(Hypothesis([*tokens, EOS], total, total))
    return rows


def spikes(scores: Float[Tensor, "T V"]) -> list[tuple[int, int]]:
    """The symbols of the likeliest path, each with the frame at which it is likeliest."""
    values, symbols = (part.tolist() for part in scores.max(1))
    found, at = [], 0
    for symbol, group in groupby(symbols):
        size = len([*group])
        if symbol != BLANK:
            found.append((symbol, max(range(at, at + size), key=values.__getitem__)))
        at += size
    return found


def aligned(scores: Float[Tensor, "T V"], tokens: Sequence[int]) -> list[tuple[int, int]]:
    """The symbols of a transcript, each with the frame at which it is likeliest on the transcript's likeliest path.

    Empty for a transcript that no path of these frames has. tokens: without EOS.
    """
    symbols = [BLANK, *chain.from_iterable((token, BLANK) for token in tokens)]
    own = scores.detach().double().cpu().numpy()[:, symbols]
    skips = np.array([place > 1 and symbol not in (BLANK, symbols[place - 2]) for place, symbol in enumerate(symbols)])
    best = np.full(len(symbols) + 2, -math.inf)  # two places before the first symbol
    best[2:4] = own[0, :2] if len(own) else -math.inf
    moves = np.zeros(own.shape, dtype=np.int64)
    for frame in range(1, len(own)):
        before = np.stack([best[2:], best[1:-1], np.where(skips, best[:-2], -math.inf)])
        moves[frame] = before.argmax(0)
        best[2:] = before.max(0) + own[frame]
    place = len(symbols) - 1 if best[-1] >= best[-2] else len(symbols) - 2
    if not tokens or best[place + 2] == -math.inf:
        return []
    frames: dict[int, int] = {}
    for frame in range(len(own) - 1, -1, -1):
        if place % 2 and own[frame, place] >= own[frames.get(place, frame), place]:
            frames[place] = frame
        place -= moves[frame, place]
    return [(token, frames[2 * number + 1]) for number, token in enumerate(tokens)]


def prefix_beam_search(
    scores: Float[Tensor, "B T V"],
    lengths: Int[Tensor, "B"],
    size: int = 8,
    n_best: int = 1,
    fusion: Fusion | None = None,
    unlikely: float = UNLIKELY,
) -> list[list[Hypothesis]]:
    """The `n_best` likeliest transcripts of each utterance, the best first (Graves & Jaitly 2014; Hannun et al. 2014).

    The log-probability of a prefix is the sum over its paths: of those that end with the blank, and of the others.
    After each frame the `size` best prefixes stay. A beam as wide as the number of prefixes gives the exact
    probabilities.

    scores: log-probabilities; `score` of a hypothesis has those of the language model.
    """
    _check(scores, lengths)
    if size < 1 or not 1 <= n_best <= size:
        raise UserError(f"beam is {size} and n_best {n_best}: expected a beam of at least 1, and n_best from 1 to it")
    frames = scores.detach().double().cpu().numpy()
    return [
        _search(own[:length], size, n_best, fusion, unlikely)
        for own, length in zip(frames, lengths.tolist(), strict=True)
    ]


def _search(scores: np.ndarray, size: int, n_best: int, fusion: Fusion | None, unlikely: float) -> list[Hypothesis]:
    start = fusion.scorer.start() if fusion else None
    beam: dict[tuple[int, ...], tuple[float, float]] = {(): (0.0, -math.inf)}
    known: dict[tuple[int, ...], tuple[Any, float]] = {(): (start, 0.0)}  # the state and the added score of a prefix

    def added(prefix: tuple[int, ...]) -> float:
        if fusion is None:
            return 0.0
        if prefix not in known:
            state, before = known[prefix[:-1]]
            state, gained = fusion.scorer.extend(state, prefix[-1])
            known[prefix] = state, before + fusion.weight * gained + fusion.bonus
        return known[prefix][1]

    for own in scores:
        likely = [symbol for symbol in np.flatnonzero(own >= unlikely).tolist() if symbol != BLANK]
        grown: dict[tuple[int, ...], list[float]] = {}
        for prefix, (blank, other) in beam.items():
            whole = _sum(blank, other)
            place = grown.setdefault(prefix, [-math.inf, -math.inf])
            place[0] = _sum(place[0], whole + own[BLANK])
            if prefix:
                place[1] = _sum(place[1], other + own[prefix[-1]])
            for symbol in likely:
                before = blank if prefix and prefix[-1] == symbol else whole
                if before > -math.inf:
                    place = grown.setdefault((*prefix, symbol), [-math.inf, -math.inf])
                    place[1] = _sum(place[1], before + own[symbol])
        ranked = sorted(grown.items(), key=lambda item: (-_sum(*item[1]) - added(item[0]), item[0]))
        beam = {prefix: (blank, other) for prefix, (blank, other) in ranked[:size]}
    ended = []
    for prefix, parts in beam.items():
        total = score = _sum(*parts)
        if fusion is not None:
            added(prefix)
            state, before = known[prefix]
            score += before + fusion.weight * fusion.scorer.extend(state, EOS)[1]
        ended.append(Hypothesis([*prefix, EOS], total, score))
    return sorted(ended, key=lambda one: (-one.score, one.tokens))[:n_best]


def _sum(one: float, other: float) -> float:
    """log(eᵃ + eᵇ)."""
    low, high = sorted((one, other))
    return high if low == -math.inf else high + math.log1p(math.exp(low - high))


def _check(scores: Tensor, lengths: Tensor) -> None:
    check_tensor("a search", "scores", scores, ("B", "T", "V"), None, FLOATING)
    check_tensor("a search", "lengths", lengths, (len(scores),), None, torch.int64)
