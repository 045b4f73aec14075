"""The seeds of a comparison with `vary`: each has its own splits or word vectors, the same for all labels.

The runs of a seed are then a block: what they share cancels in the differences of labels (Bouthillier et al. 2021).
Test examples of different seeds are not the same, and are not joined.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

import numpy as np

from lightning_seq.records.record import Record

SPLITS = ("train", "validation", "test")
ENOUGH = 3
"""Seeds from which the shared part of the variance is estimated."""


def drawn(records: Iterable[Record]) -> tuple[str, ...]:
    """What the seeds of these runs drew: splits by name and `vectors`."""
    names = {name for record in records for name in record.drawn}
    return tuple(name for name in (*SPLITS, "vectors") if name in names)


def in_words(names: Collection[str]) -> str:
    """`split and word vectors`, `train and validation split`; empty for nothing."""
    splits = [name for name in SPLITS if name in names]
    split = "split" if len(splits) == len(SPLITS) else f"{' and '.join(splits)} split" if splits else ""
    return " and ".join(filter(None, [split, "word vectors" if "vectors" in names else ""]))


def common_seeds(scores: Mapping[str, Mapping[int, float]], labels: Iterable[str]) -> list[int]:
    """The seeds with a result of each of these labels."""
    return sorted(set.intersection(*(set(scores[label]) for label in labels)))


def shared_variance(scores: Mapping[str, Mapping[int, float]], labels: Sequence[str]) -> float | None:
    """The part, 0 to 1, of the variance between runs of a label that all labels of a seed have in common; from the mean
    squares of a two-way layout. None for fewer than `ENOUGH` seeds, or without any variance."""
    seeds = common_seeds(scores, labels)
    if len(seeds) < ENOUGH or len(labels) < 2:
        return None
    values = np.array([[scores[label][seed] for seed in seeds] for label in labels])
    L, K = values.shape
    rest = values - values.mean(1, keepdims=True) - values.mean(0) + values.mean()
    own = float(np.square(rest).sum()) / ((L - 1) * (K - 1))
    shared = max(0.0, float(values.mean(0).var(ddof=1)) - own / L)
    return shared / (shared + own) if shared + own > (1e-9 * float(np.abs(values).max())) ** 2 else None


def how(names: Collection[str], scores: Mapping[str, Mapping[int, float]], labels: Sequence[str]) -> list[str]:
    """Lines on the test of a comparison whose seeds are blocks."""
    what, seeds = in_words(names), common_seeds(scores, labels)
    lines = [f"Each seed has its own {what}, the same for all labels: labels are compared seed by seed (blocks)."]
    others = sorted({seed for label in labels for seed in scores[label]} - set(seeds))
    if others:
        few = f"seed {others[0]}" if len(others) == 1 else f"seeds {', '.join(map(str, others))}"
        lines.append(f"Without {few} in the verdict, its plot and the table: a label has no result there.")
    part = shared_variance(scores, labels)
    if part is not None:
        lines.append(
            f"Of the variance between runs of a label, {part:.0%} comes from the {what} that a seed draws (from "
            f"{len(seeds)} seeds); the rest is initialisation, batch order, and how a label takes the {what}."
        )
    return lines
