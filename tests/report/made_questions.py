"""Answerers that nobody trained, with their questions about pictures, answers and attention."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from lightning_seq.records.record import write
from tests.report.made_captions import GRID, peaked, png
from tests.report.made_run import made_directory, record_of

KINDS = {"colour": (0.25, 4), "count": (0.5, 6)}
"""Chance and number of each kind."""


def make_questions(
    directory: Path,
    labels: tuple[str, ...] = ("question", "film", "stacked"),
    seeds: int = 2,
    asked: int = 10,
    side: int = 24,
    epochs: int = 0,
    **changes: Any,
) -> Path:
    """As `make_comparison`, for answerers: `question` sees no picture, `stacked` looks twice; the later a label, the
    better. All but the last two questions are shared. epochs: of `questions.json`; 0: without the file."""
    for order, label in enumerate(labels):
        looks = 2 if label.startswith("stacked") else 0
        fusion = label if label in ("question", "picture", "film") else "stacked_attention"
        for seed in range(1, seeds + 1):
            run = made_directory(directory, label, seed)
            questions = [
                {
                    "id": number,
                    "png": png(number, side),
                    "question": f"what is {number}",
                    "kind": list(KINDS)[number % 2],
                    "target": "red" if number % 2 == 0 else "2",
                    "truth": round(0.05 + 0.09 * number + (0.01 * number * order if number < 9 else 0), 4),
                    "answer": f"{label} wrong" if number < 4 - order else "red" if number % 2 == 0 else "2",
                    "probability": 0.625,
                    "shared": number < asked - 2,
                    "weights": [peaked((number + look) % 6) for look in range(looks)],
                }
                for number in range(asked)
            ]
            files = {"test_questions": run / "test_questions.json"}
            kinds = [{"name": name, "n": n, "chance": chance} for name, (chance, n) in KINDS.items()]
            content = {"n": 10, "chance": 0.4, "grid": list(GRID) if looks else None, "kinds": kinds}
            files["test_questions"].write_text(json.dumps({**content, "questions": questions}))
            if epochs:
                answers = [
                    {"epoch": epoch, "answer": f"{label} {epoch}", "probability": 0.125 * epoch,
                     "weights": [peaked((epoch + look) % 6) for look in range(looks)]}
                    for epoch in range(1, epochs + 1)
                ]  # fmt: skip
                watched = [
                    {
                        "id": number,
                        "png": png(number, side),
                        "question": f"where is {number}",
                        "target": "red",
                        "answers": answers,
                    }
                    for number in (3, 7)
                ]
                files["questions"] = run / "questions.json"
                files["questions"].write_text(json.dumps({"grid": content["grid"], "questions": watched}))
            accuracy = 0.5 + 0.1 * order + 0.01 * seed
            write(
                run,
                record_of(
                    run,
                    label,
                    seed,
                    files,
                    task="visual_questions",
                    model="gru",
                    cell="gru",
                    data="scene_questions",
                    engine="fused",
                    parameters={"total": 900_000, "embedding": 500_000, "recurrent": 190_000, "head": 210_000},
                    metrics={
                        "test/loss": 1.0,
                        "test/accuracy": accuracy,
                        "test/macro_f1": accuracy,
                        "test/accuracy_shuffled": accuracy - 0.25,
                        "test/accuracy_colour": accuracy + 0.125,
                        "test/accuracy_count": accuracy - 0.125,
                    },
                    baseline={"test/accuracy": 0.3},
                    baseline_name="most frequent answer",
                    curves={"val/accuracy": [[10, 1, 3.0, accuracy]]},
                    throughput={"tokens_per_second": 12_000.0},
                    config={"task": {"monitor": "val/accuracy", "fusion": fusion}, "data": {"level": "word"}},
                    started=f"2026-01-05T14:{order:02d}:{seed:02d}+00:00",
                ).with_(**changes),
            )
    return directory
