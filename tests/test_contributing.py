"""CONTRIBUTING's two examples, done as it says in a copy of the package."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import subprocess
import sys
import textwrap
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
SMALL = (
    "embedding=random", "embedding.size=8", "model.hidden_size=8", "trainer.progress=false", "logger=none",
    "trainer.threads=1", "data.batch_size=16", "optimizer.lr=0.03", "runs=runs", "cache=cache",
)  # fmt: skip
BLOCK = re.compile(r"`([\w/]+\.(?:py|yaml))`[^`]*?```(python|yaml|diff)\n(.*?)```", re.DOTALL)
"""A file's name in its sentence, and the block of code after it."""


def section(title: str) -> str:
    return TEXT.partition(f"## {title}\n")[2].partition("\n## ")[0]


def take_steps(title: str, place: Path) -> list[str]:
    """Copy the package, write the files of a section and make its changes; return the names of the files."""
    for folder in ("lightning_seq", "conf", "tests/conformance"):
        shutil.copytree(ROOT / folder, place / folder, ignore=shutil.ignore_patterns("__pycache__"))
    found = []
    for name, language, body in BLOCK.findall(section(title)):
        code, file = textwrap.dedent(body), place / name
        found.append(name)
        if language == "diff":
            text, before = file.read_text(encoding="utf-8"), ""
            for line in code.splitlines():
                if line.startswith("+"):
                    text = text.replace(f"\n{before}\n", f"\n{before}\n{line[1:]}\n", 1)
                    assert f"\n{line[1:]}\n" in text, line
                before = line[1:]
            file.write_text(text, encoding="utf-8")
        else:
            assert not file.exists(), name
            file.parent.mkdir(exist_ok=True)
            file.write_text(code, encoding="utf-8")
    return found


def run(code: str, place: Path) -> str:
    """Run Python on the copy, in its directory; return what it prints."""
    code = f"from lightning_seq.cli.main import main\nSMALL = {SMALL!r}\n{textwrap.dedent(code)}"
    environment = {**os.environ, "PYTHONPATH": str(place), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=place, env=environment
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_extras_are_installed_from_the_source_and_exist() -> None:
    """The project is on no package index: `pip install lightning-seq[…]` would fetch somebody else's package."""
    root = ROOT
    extras = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    texts = [root / "README.md", root / "CONTRIBUTING.md", root / "SECURITY.md", *root.glob("docs/**/*.md")]
    texts += [*root.glob("conf/**/*.yaml"), *root.glob("lightning_seq/**/*.py"), *root.glob("notebooks/*.ipynb")]
    said = "\n".join(path.read_text(encoding="utf-8") for path in texts)
    assert not re.search(r"lightning[-_]seq\[", said)
    named = re.findall(r"(?:install\(|extra=)[\"'](\w+)[\"']\)|[\"']\.\[(\w+)\]", said)
    assert {*named} >= {("slurm", ""), ("", "cells")}
    for found in named:
        assert "".join(found) in extras


def test_a_cell_is_added_as_it_is_written(tmp_path: Path) -> None:
    names = take_steps("Adding a cell", tmp_path)
    assert names == ["lightning_seq/cells/leaky.py", "conf/cell/leaky.yaml", "tests/conformance/cells.py"]
    (tmp_path / "train.csv").write_text("text,label\n" + "a b,x\nc d,y\n" * 40, encoding="utf-8")
    code = """
        import numpy as np, torch
        from lightning_seq.cells.leaky import LeakyCell
        from lightning_seq.layers.recurrent import Recurrent

        cell = LeakyCell(3, 4)
        x = np.random.default_rng(0).normal(size=(1, 3))
        W, U, b = (parameter.detach().double().numpy() for parameter in (cell.W, cell.U, cell.b))
        h = np.zeros((1, 4))
        for _ in range(3):
            h = 0.5 * h + 0.5 * np.tanh(x @ W.T + h @ U.T + b)
        found = Recurrent(cell.double())(torch.tensor(x)[:, None].expand(1, 3, 3))[0][0, -1]
        np.testing.assert_allclose(found.detach().numpy(), h[0], rtol=0, atol=1e-6)

        assert main(["check", "leaky"]) == 0
        assert main(["explain", "leaky"]) == 0
        words = ["data=csv", "data.train=train.csv", "model=recurrent", "cell=leaky", "trainer.max_epochs=1"]
        assert main(["train", *words, *SMALL]) == 0
    """
    said = run(code, tmp_path)
    assert "h_t = (1 - a) h_{t-1} + a tanh(W x_t + U h_{t-1} + b)" in said
    assert re.search(r"(\d+) of \1 checks passed", said)
    (record,) = (tmp_path / "runs" / "csv").glob("*-seed1/record.json")
    assert json.loads(record.read_text(encoding="utf-8"))["status"] == "done"


@pytest.mark.slow
def test_a_kind_of_task_is_added_as_it_is_written(tmp_path: Path) -> None:
    """It learns what labels follow from, resumes to the same numbers after a signal, predicts, and is in the report."""
    names = take_steps("Adding a kind of task", tmp_path)
    assert [Path(name).parent.name for name in names if name.endswith(".py")] == [
        "multi_label", "multi_label", "tasks", "builders", "builders",
    ]  # fmt: skip
    draw, words = random.Random(1), {"sea": "wave ship salt", "land": "hill road corn", "sky": "cloud bird star"}
    lines = []
    for _ in range(200):
        labels = [label for label in words if draw.random() < 0.5]
        text = [draw.choice(words[label].split()) for label in labels for _ in range(2)] + ["the", "and", "old"]
        lines.append(f"{','.join(labels)}\t{' '.join(draw.sample(text, len(text)))}")
    (tmp_path / "labels.txt").write_text("\n".join(lines), encoding="utf-8")
    code = """
        import os, signal
        from pathlib import Path

        from lightning_seq.records.record import read
        from lightning_seq.tasks.multi_label import MultiLabelClassification as Task

        words = ["train", "data=labelled", "data.file=labels.txt", "model=gru", "trainer.max_epochs=10", *SMALL]
        assert main([*words, "name=straight"]) == 0
        step = Task.training_step

        def interrupted(task, batch, number):
            if task.global_step == 25:
                os.kill(os.getpid(), signal.SIGTERM)
            return step(task, batch, number)

        Task.training_step = interrupted
        assert main([*words, "name=ended"]) == 128 + signal.SIGTERM
        Task.training_step = step
        assert main([*words, "name=ended", "resume=must"]) == 0
        straight, ended = (read(Path(f"runs/{name}/gru-seed1")) for name in ("straight", "ended"))
        assert straight.metrics["test/f1"] > 0.9, straight.metrics
        quality = ("test/f1", "test/loss")
        assert [straight.metrics[name] for name in quality] == [ended.metrics[name] for name in quality]
        print("--- predictions")
        main(["predict", "runs/straight/gru-seed1", "text=the old ship wave and the star bird", "top_k=3"])
    """
    said = run(code, tmp_path).partition("--- predictions\n")[2]
    (row,) = map(json.loads, said.splitlines())
    assert {entry["label"]: entry["probability"] > 0.5 for entry in row["predictions"]} == {
        "sea": True, "sky": True, "land": False,
    }  # fmt: skip
    assert "test/f1" in (tmp_path / "runs" / "straight" / "table.md").read_text(encoding="utf-8")
