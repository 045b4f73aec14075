"""The share of verdicts with a difference between equal labels: `python benchmarks/false_alarms.py [comparisons]`.

Comparisons of three to six labels with three to five seeds are made up without any difference: examples are more or
less difficult for all, each label finds some easier than the others do, runs are luckier or less so, and what is left
is noise, each by a random share. A false alarm is a comparison in which any two labels are told apart; the nominal rate
is 5 %. Covered is the share of pairs whose 95 % interval holds zero, the true difference.
"""

from __future__ import annotations

import sys
from math import sqrt
from typing import Any

import numpy as np
from rich.console import Console
from timing import machine, write_results

from lightning_seq.significance import compare

KINDS = ("normal", "bernoulli", "seeds alone")
Runs = tuple[dict[str, dict[int, float]], dict[tuple[str, int], np.ndarray]]


def without_difference(random: np.random.Generator, kind: str) -> Runs:
    """Metrics by label and seed, and scores of examples: normal ones, or right and wrong answers."""
    labels, seeds = int(random.integers(3, 7)), int(random.integers(3, 6))
    N = int(random.integers(50, 600))
    share, lucky = random.choice([0.0, 0.2, 1.0], 2)
    if kind == "seeds alone":  # labels differ on these examples only, and the verdict is about these examples
        share = 0.0
    # axes: label, seed, example
    latent = random.normal(0.5, 1, N) + share * random.normal(0, 0.5, (labels, 1, N))
    latent = latent + lucky * random.normal(0, random.choice([0.02, 0.1, 0.3]), (labels, seeds, 1))
    values = latent + random.normal(0, random.choice([0.3, 1.0]), (labels, seeds, N))
    if kind == "bernoulli":
        values = (values > 0).astype(float)
    runs = {(f"label{label}", seed + 1): values[label, seed] for label in range(labels) for seed in range(seeds)}
    scores: dict[str, dict[int, float]] = {}
    for (label, seed), each in runs.items():
        scores.setdefault(label, {})[seed] = float(each.mean())
    return scores, {} if kind == "seeds alone" else runs


def measure(kind: str, comparisons: int) -> dict[str, Any]:
    random = np.random.default_rng([KINDS.index(kind), comparisons])
    alarms, covered, pairs = 0, 0, 0
    for _ in range(comparisons):
        found = compare(*without_difference(random, kind))
        alarms += any(pair.told_apart for pair in found)
        covered += sum(not pair.low > 0 for pair in found)
        pairs += len(found)
    rate = alarms / comparisons
    return {
        "comparisons": comparisons,
        "false_alarms": rate,
        "standard_error": sqrt(rate * (1 - rate) / comparisons),
        "pairs": pairs,
        "covered": covered / pairs,
    }


def main(arguments: list[str]) -> None:
    comparisons = int(arguments[0]) if arguments else 1000
    found = {kind: measure(kind, comparisons) for kind in KINDS}
    console = Console(width=110)
    for kind, each in found.items():
        console.print(
            f"{kind}: false alarms in {100 * each['false_alarms']:.1f} ± {100 * each['standard_error']:.1f} % of "
            f"{comparisons:,} comparisons (nominal 5 %); intervals cover {100 * each['covered']:.1f} % (nominal 95 %)"
        )
    console.print(f"written to {write_results('false_alarms', {'machine': machine(), **found})}")


if __name__ == "__main__":
    main(sys.argv[1:])
