"""A small data set of the user's own, on which a run takes a second."""

from __future__ import annotations

import os
import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

import lightning_seq
from lightning_seq.records.record import Record, read

TINY = (
    "embedding=random", "embedding.size=8", "model.hidden_size=8", "trainer.max_epochs=2", "trainer.progress=false",
    "logger=none", "trainer.threads=1", "data.batch_size=16",
    "optimizer.lr=0.03",
)  # fmt: skip
INLINE = "launcher=inline"


def environment() -> dict[str, str]:
    """Of a command or a run that a test starts as a process of its own."""
    return {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(lightning_seq.__file__).parents[1])}


def record_of(own: list[str], run: str, name: str = "csv") -> Record:
    return read(Path(own[2].removeprefix("runs=")) / name / run)


def crossed(rows: Iterable[Any], columns: Iterable[Any]) -> list[Any]:
    """Parameters of a test: every pair. `make test` takes the first row and the first column, `make test-all` the
    others."""
    return [
        pytest.param(row, column, marks=[pytest.mark.slow] * (i > 0 and j > 0))
        for i, row in enumerate(rows)
        for j, column in enumerate(columns)
    ]


def sentences(count: int, seed: int = 0) -> list[tuple[str, str]]:
    """Texts whose class can be told from their words."""
    draw = random.Random(seed)
    words = {"sea": ["wave", "ship", "salt", "sail"], "land": ["hill", "road", "corn", "barn"]}
    shared = ["the", "a", "and", "old", "by", "was"]
    made = []
    for number in range(count):
        label = ("sea", "land")[number % 2]
        length = draw.randint(3, 9)
        made.append(
            (" ".join(draw.choice(words[label] + shared * 2) for _ in range(length)) + f" {words[label][0]}", label)
        )
    return made


def write_csv(path: Path, rows: list[tuple[str, str]]) -> Path:
    path.write_text("text,label\n" + "".join(f'"{text}",{label}\n' for text, label in rows), encoding="utf-8")
    return path
