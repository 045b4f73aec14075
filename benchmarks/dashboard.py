"""Size and load time of the dashboard of many runs: `python benchmarks/dashboard.py [runs ...]`, 40 and 200 without.

Records of runs that nobody made, in a temporary directory: labels of five seeds each, with curves, predictions, a
configuration and a log like those of real runs. The load time is that of a headless Chromium from the address to the
last chart outside folded parts, with a new profile; without a Chromium on the path there is none.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
from rich.console import Console
from timing import machine, write_results

from lightning_seq.config.compose import compose
from lightning_seq.records.record import write
from lightning_seq.report.dashboard.dashboard import dashboard

sys.path.insert(0, str(Path(__file__).parent.parent))
from tests.report.browser import CHROMIUM, Browser
from tests.report.made_run import record_of

SEEDS, EPOCHS, STEPS, LOGGED = 5, 20, 380, 10
CLASSES = ("law", "history", "wisdom", "prophets", "gospels", "acts", "letters")
CELLS = ("rnn", "irnn", "lstm", "peephole", "gru", "gru_after", "mgu", "sru")


def make_runs(directory: Path, runs: int) -> None:
    config = compose(["model=lstm", "data=verses_genre"])
    for number in range(runs):
        order, seed = number // SEEDS, number % SEEDS + 1
        cell, width = CELLS[order % len(CELLS)], 32 * (1 + order // len(CELLS))
        _make_run(directory, f"cell={cell},hidden_size={width}", cell, width, order, seed, config)


def _make_run(
    directory: Path, label: str, cell: str, width: int, order: int, seed: int, config: dict[str, Any]
) -> None:
    random = np.random.default_rng([order, seed])
    level = 0.66 + 0.1 * (1 - np.exp(-width / 80)) + 0.01 * (order % len(CELLS)) + random.normal(0, 0.006)
    run = directory / f"label{order}-seed{seed}"
    run.mkdir(parents=True)
    target = random.choice(len(CLASSES), 3000)
    other = random.choice(len(CLASSES), 3000)
    prediction = np.where(random.random(3000) < level, target, other)
    names = np.array(CLASSES)
    parquet.write_table(
        pa.table({"target": names[target], "prediction": names[prediction]}), run / "predictions.parquet"
    )
    for name in ("config.yaml", "log.txt", "metrics.csv"):
        (run / name).write_text(f"{label} {seed}\n")
    files = {"config": "config.yaml", "log": "log.txt", "metrics": "metrics.csv", "predictions": "predictions.parquet"}
    speed = 60_000 / (1 + width / 64) * (1 - 0.05 * (order % len(CELLS)))
    recurrent = (1 + order % 4) * width * (width + 101)
    write(
        run,
        record_of(
            run,
            label,
            seed,
            {name: run / path for name, path in files.items()},
            overrides=[f"model.cell={cell}", f"model.hidden_size={width}"],
            task="classification",
            model="recurrent",
            cell=cell,
            data="verses_genre",
            engine="fused",
            parameters={"total": 1_200_000 + recurrent, "embedding": 1_190_000, "recurrent": recurrent, "head": 10_000},
            metrics={
                "test/accuracy": float(np.mean(target == prediction)),
                "test/macro_f1": level - 0.03,
                "test/loss": 1.9 - 1.5 * level,
            },
            curves=_curves(random, level, EPOCHS * STEPS * 2_000 / speed),
            throughput={"tokens_per_second": speed + random.normal(0, 300)},
            fingerprints={"data": "61fa0c22", "split": "0d93bb1c", "batches": f"ba7c4e5{seed}"},
            embedding={"kind": "word2vec", "size": 100, "type_coverage": 0.934, "token_coverage": 0.9921},
            config={**config, "seed": seed, "model": {**config["model"], "cell": cell, "hidden_size": width}},
            environment={"python": "3.11.9", "device": "cpu", "threads": 2},
            started=f"2026-01-05T10:{order % 60:02d}:{seed:02d}+00:00",
        ),
    )


def _curves(random: np.random.Generator, level: float, seconds: float) -> dict[str, list[list[float | None]]]:
    """Validation after each epoch, and the training loss every `LOGGED` steps."""
    last = EPOCHS * STEPS
    train: list[list[float | None]] = []
    accuracy: list[list[float | None]] = []
    loss: list[list[float | None]] = []
    for step in range(LOGGED, last + 1, LOGGED):
        share = step / last
        value = 1.9 * np.exp(-4 * share) + 1.2 - level + random.normal(0, 0.03)
        train.append([step, (step - 1) // STEPS + 1, round(seconds * share, 3), float(value)])
    for epoch in range(1, EPOCHS + 1):
        place = [epoch * STEPS, epoch, round(seconds * epoch / EPOCHS, 3)]
        reached = level - 0.3 * np.exp(-epoch / 3) + random.normal(0, 0.004)
        accuracy.append([*place, float(reached)])
        loss.append([*place, float(1.9 - 1.5 * reached)])
    return {"train/loss": train, "val/accuracy": accuracy, "val/loss": loss}


def measured(runs: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as root:
        directory = Path(root) / f"runs{runs}"
        make_runs(directory, runs)
        begun = time.perf_counter()
        text = dashboard(directory)
        found = {"runs": runs, "write_s": time.perf_counter() - begun, "megabytes": len(text.encode()) / 1e6}
        page = directory / "dashboard.html"
        page.write_text(text, encoding="utf-8")
        if CHROMIUM is not None:
            with Browser() as browser:
                found["load_s"] = browser.open(page)
                found["first_chart_s"] = browser.run("performance.getEntriesByName('first chart')[0].startTime") / 1e3
                found["elements"] = browser.run("document.getElementsByTagName('*').length")
                if browser.said:
                    raise RuntimeError(f"the page said: {browser.said[0]}")
    return found


def main(arguments: list[str]) -> None:
    console = Console(width=110)
    results = []
    for runs in [int(word) for word in arguments] or [40, 200]:
        results.append(found := measured(runs))
        load = (
            f"first chart after {found['first_chart_s']:.1f} s, all after {found['load_s']:.1f} s"
            if "load_s" in found
            else "no Chromium, so no load time"
        )
        console.print(f"{runs} runs: {found['megabytes']:.2f} MB, written in {found['write_s']:.1f} s; {load}")
    console.print(f"written to {write_results('dashboard', {'machine': machine(), 'pages': results})}")


if __name__ == "__main__":
    main(sys.argv[1:])
