"""Random fields, random scores, and every path over them, counted one by one."""

from __future__ import annotations

from itertools import pairwise, product

import torch
from torch import Tensor

from lightning_seq.models.crf import LinearChainCRF

NAMES = ("O", "B-X", "I-X", "I-Y", "B-Y")


def random_crf(tags: int, seed: int = 0, **arguments: object) -> LinearChainCRF:
    torch.manual_seed(seed)
    crf = LinearChainCRF(tags, **arguments).double()
    with torch.no_grad():
        for parameter in crf.parameters():
            parameter.normal_(std=1.5)
    return crf


def batch(lengths: list[int], C: int, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor, Tensor]:
    """Scores, tags and mask; padding holds NaN and a tag that there is not."""
    T = max(*lengths, 1)
    mask = torch.arange(T) < torch.tensor(lengths)[:, None]
    scores = torch.where(mask[..., None], 2 * torch.randn(len(lengths), T, C, dtype=dtype), torch.nan)
    return scores, torch.randint(C, mask.shape).masked_fill(~mask, -100), mask


def legal(path: tuple[int, ...]) -> bool:
    """By the definition: I-X follows B-X or I-X."""
    names = ["O", *(NAMES[tag] for tag in path)]
    return all(not to.startswith("I-") or before in (f"B-{to[2:]}", to) for before, to in pairwise(names))


def paths(crf: LinearChainCRF, P: Tensor, only_legal: bool = False) -> dict[tuple[int, ...], float]:
    """Every path over the scores of one sentence `[T, C]`, with its score."""
    A, b, e = (value.tolist() for value in (crf.transitions, crf.start, crf.end))
    found = {}
    for y in product(range(P.shape[1]), repeat=len(P)):
        if not only_legal or legal(y):
            steps = sum(float(P[t, tag]) for t, tag in enumerate(y)) + sum(A[i][j] for i, j in pairwise(y))
            found[y] = float(steps + (b[y[0]] + e[y[-1]] if y else 0))
    return found
