"""Records of a sweep over learning rates, with the numbers of each label."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lightning_seq.records.record import Record, write
from lightning_seq.report.summary import Summary, summarise
from tests.report.made_run import made_directory

# By label: validation and test accuracy. The best on test is not the best on validation.
VALUES = {
    "lstm-lr0.1": (0.71, 0.79), "lstm-lr0.01": (0.75, 0.72),
    "rnn-lr0.1": (0.66, 0.611), "rnn-lr0.01": (0.65, 0.69),
}  # fmt: skip

METRICS = ("val/accuracy", "test/accuracy", "test/loss")


def config_of(label: str, seed: int, **more: Any) -> dict[str, Any]:
    model, _, rate = label.partition("-lr")
    return {
        "seed": seed,
        "choices": {"model": model, "data": "csv"},
        "model": {"hidden_size": 8, "dropout": 0.0},
        "optimizer": {"_target_": "torch.optim.AdamW", "lr": float(rate)},
        "task": {"monitor": "val/accuracy"},
        "trainer": {"threads": seed},
        **more,
    }


def made(
    place: Path,
    values: dict[str, tuple[float, float]] = VALUES,
    seeds: int = 3,
    parameters: dict[str, int] | None = None,
    **more: Any,
) -> Summary:
    """more: of the configuration."""
    for label, (validation, test) in values.items():
        for seed in range(1, seeds + 1):
            record = Record(
                status="done", name=place.name, label=label, seed=seed, task="classification", data="csv",
                model=label.partition("-")[0], config=config_of(label, seed, **more),
                parameters=parameters or {},
                metrics=dict(zip(METRICS, (validation + seed / 1000, test + seed / 1000, 1.0), strict=True)),
            )  # fmt: skip
            write(made_directory(place, label, seed), record)
    return summarise(place)
