"""Labels on several data sets that nobody trained, with scores that are known."""

from __future__ import annotations

from collections.abc import Mapping
from math import exp
from pathlib import Path
from typing import Any

from lightning_seq.records.record import Record, write
from tests.report.made_run import made_directory

ACCURACY, PERPLEXITY = "test/accuracy", "test/perplexity"
BASELINES = {ACCURACY: 0.5, PERPLEXITY: exp(4.0)}
LEVELS = {"rnn": 0.5, "lstm": 0.6, "gru": 0.7}
"""By label, the score where the baseline is 0 and the best possible value 1."""


def record(model: str, data: str, seed: int, score: float | None, metric: str = ACCURACY, **changes: Any) -> Record:
    """score: None for a failed run."""
    value = {} if score is None else {metric: 0.5 + 0.5 * score if metric == ACCURACY else exp(4 * (1 - score))}
    fields: dict[str, Any] = {
        "status": "failed" if score is None else "done", "name": "many", "label": f"{model}-data{data}", "seed": seed,
        "task": "classification" if metric == ACCURACY else "language_modelling", "data": data, "model": model,
        "cell": model, "metrics": value, "baseline": {metric: BASELINES[metric]}, "baseline_name": "none",
        "config": {
            "choices": {"model": model}, "model": {"hidden_size": 8}, "data": {"name": data}, "optimizer": {"lr": 0.1},
        },
    }  # fmt: skip
    return Record(**(fields | changes))


def comparison(
    sets: int = 2, seeds: int = 3, levels: Mapping[str, float] = LEVELS, spread: float = 0.01
) -> list[Record]:
    """Every second data set has perplexities. Seeds spread evenly around the level of their label."""
    return [
        record(label, f"d{number}", seed, level + spread * (seed - (seeds + 1) / 2), (ACCURACY, PERPLEXITY)[number % 2])
        for number in range(sets)
        for label, level in levels.items()
        for seed in range(1, seeds + 1)
    ]


def make_data_sets(directory: Path) -> Path:
    for each in comparison():
        write(made_directory(directory, each.label, each.seed), each)
    return directory
