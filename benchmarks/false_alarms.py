"""How often the verdict is wrong, and how often it is right: `python benchmarks/false_alarms.py [simulations]`.

False alarms: comparisons without any difference, in which any label is said to beat another; the nominal share is 5 %.
The number of labels and of seeds, and how the runs spread, are those of the table it prints:

    normal     runs spread normally and alike
    heavy      Student's t with 3 degrees of freedom
    wide       one label spreads four times as much as the others
    two-humped a run succeeds (near 1) or fails (near 0), with equal chances
    clustered  120 test examples in 12 clusters, with a standard error 1.5 times that of single examples
    unequal    the first label has one seed more, every third twice as many

Power: four labels, the first better by d standard deviations of its seeds; the share of its three pairs decided.
"""

from __future__ import annotations

import sys
from concurrent.futures import ProcessPoolExecutor
from itertools import product
from math import sqrt

import numpy as np
from rich.console import Console
from rich.table import Table
from timing import machine, write_results

from lightning_seq.significance.compare import compare

LABELS, SEEDS = (2, 4, 8, 20), (2, 3, 5, 10)
WORLDS = ("normal", "heavy", "wide", "two-humped", "clustered", "unequal")
POWER = ((2, 8.0), (3, 4.0), (5, 2.0))
CLUSTERS, EXAMPLES = 12, 120

Scores = dict[str, dict[int, float]]


def scores_of(values: np.ndarray, counts: list[int]) -> Scores:
    return {f"m{label:02}": dict(enumerate(values[label, :count].tolist())) for label, count in enumerate(counts)}


def alarm(random: np.random.Generator, world: str, labels: int, seeds: int) -> bool:
    """Whether one comparison without a difference ends in any `beats`."""
    counts = [seeds] * labels
    if world == "unequal":
        counts = [seeds + (label == 0) + seeds * (label % 3 == 2) for label in range(labels)]
    values = random.normal(size=(labels, max(counts)))
    if world == "heavy":
        values = random.standard_t(3, size=values.shape)
    elif world == "wide":
        values[0] *= 4
    elif world == "two-humped":
        values = (random.random(values.shape) < 0.5) * 0.98 + 0.01 + 0.002 * np.abs(values)
    elif world == "clustered":
        return clustered(random, values)
    return any(pair.told_apart for pair in compare(scores_of(values, counts)).pairs)


def clustered(random: np.random.Generator, luck: np.ndarray) -> bool:
    """Labels find clusters more or less easy: within a cluster of 10 examples a correlation of 0.139 gives 1.5."""
    labels, seeds = luck.shape
    clusters = np.repeat(np.arange(CLUSTERS), EXAMPLES // CLUSTERS)
    share = (1.5**2 - 1) / (EXAMPLES / CLUSTERS - 1)
    own = sqrt(share) * random.normal(size=(labels, CLUSTERS))[:, clusters]
    own = own + sqrt(1 - share) * random.normal(size=(labels, EXAMPLES))
    cells = own[:, None] + 0.03 * luck[:, :, None] + 0.3 * random.normal(size=(labels, seeds, EXAMPLES))
    cells = cells + random.normal(size=EXAMPLES)
    examples = {(f"m{label:02}", seed): cells[label, seed] for label in range(labels) for seed in range(seeds)}
    return any(
        pair.told_apart for pair in compare(scores_of(cells.mean(2), [seeds] * labels), examples, clusters).pairs
    )


def false_alarms(cell: tuple[str, int, int, int]) -> float:
    world, labels, seeds, simulations = cell
    random = np.random.default_rng([WORLDS.index(world), labels, seeds])
    return sum(alarm(random, world, labels, seeds) for _ in range(simulations)) / simulations


def power(cell: tuple[int, float, int]) -> float:
    """The share of the best label's pairs that are decided, of four labels."""
    seeds, better, simulations = cell
    random = np.random.default_rng(seeds)
    decided = 0
    for _ in range(simulations):
        values = random.normal(size=(4, seeds))
        values[0] += better
        pairs = compare(scores_of(values, [seeds] * 4)).pairs
        decided += sum(pair.told_apart and pair.better == "m00" for pair in pairs)
    return decided / (3 * simulations)


def main(arguments: list[str]) -> None:
    simulations = int(arguments[0]) if arguments else 1000
    cells = list(product(WORLDS, LABELS, SEEDS))
    with ProcessPoolExecutor(2) as pool:
        rates = dict(zip(cells, pool.map(false_alarms, [(*cell, simulations) for cell in cells]), strict=True))
        powers = dict(zip(POWER, pool.map(power, [(*cell, simulations) for cell in POWER]), strict=True))
    most = 0.06 + 2 * sqrt(0.06 * 0.94 / simulations)
    console = Console(width=110)
    table = Table("labels", "seeds", *WORLDS, title=f"False alarms in %, of {simulations:,} comparisons a cell")
    for labels, seeds in product(LABELS, SEEDS):
        table.add_row(str(labels), str(seeds), *(f"{100 * rates[world, labels, seeds]:.1f}" for world in WORLDS))
    console.print(table)
    above = [cell for cell, rate in rates.items() if rate > most]
    console.print(
        f"above 6 % + 2 standard errors ({100 * most:.1f} %): {len(above)} of {len(cells)} cells {above or ''}"
    )
    for (seeds, better), share in powers.items():
        console.print(f"power, 4 labels, {seeds} seeds, {better:g} standard deviations: {100 * share:.0f} %")
    results = {
        "machine": machine(),
        "simulations": simulations,
        "false_alarms": {" ".join(map(str, cell)): rate for cell, rate in rates.items()},
        "power": {f"{seeds} seeds, {better:g} sd": share for (seeds, better), share in powers.items()},
    }
    console.print(f"written to {write_results('false_alarms', results)}")


if __name__ == "__main__":
    main(sys.argv[1:])
