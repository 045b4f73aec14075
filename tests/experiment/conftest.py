"""A small data set of the user's own, on which a run takes a second."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

import lightning_seq
from lightning_seq.cli.main import main
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


@pytest.fixture(autouse=True)
def _dashboards_only_where_marked(request: pytest.FixtureRequest) -> None:
    """Charts take two thirds of the time of a small run: they are drawn where a test is marked `dashboard`."""
    if request.node.get_closest_marker("dashboard") is None:
        request.getfixturevalue("no_charts")


@pytest.fixture
def own(tmp_path: Path) -> list[str]:
    """The words that choose an own file, a place for runs and a cache."""
    file = write_csv(tmp_path / "train.csv", sentences(160))
    return ["data=csv", f"data.train={file}", f"runs={tmp_path / 'runs'}", f"cache={tmp_path / 'cache'}"]


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Run a command that must end with exit code 2 and one line; return the line."""

    def run(*words: str) -> str:
        with pytest.raises(SystemExit) as ended:
            main(words)
        assert ended.value.code == 2
        said = capsys.readouterr().err.strip().splitlines()
        lines = [line for line in said if line.startswith("lightning-seq: ")]
        assert len(lines) == 1, said
        assert "Traceback" not in "".join(said)
        return lines[0].removeprefix("lightning-seq: ")

    return run
