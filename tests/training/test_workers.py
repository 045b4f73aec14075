"""The same seed gives the same run, whoever makes its batches and whatever is in the cache."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from torch.utils.data import DataLoader

from lightning_seq.cli.main import main
from lightning_seq.records.record import read
from torture.killed import differences, write_data

WORDS = (
    "embedding=word2vec", "word2vec.vector_size=8", "word2vec.epochs=1", "embedding.dropout=0.2", "model.hidden_size=8",
    "task.dropout=0.2", "trainer.max_epochs=2", "trainer.log_every_n_steps=1", "trainer.progress=false",
    "trainer.threads=1", "logger=none", "optimizer.lr=0.03",
)  # fmt: skip

TASKS = {
    "classification": ("data=csv", "model=bilstm", "data.batch_size=16", "data.eval_batch_size=8"),
    "language_modelling": (
        "data=text_words", "model=lstm", "data.layout=columns", "data.chunk_length=12", "data.random_chunks=true",
        "data.batch_size=4", "data.eval_batch_size=2", "task.carry=epochs",
    ),
}  # fmt: skip
"""Buckets, and windows of drawn lengths with a carried state; dropout of vectors and of what is learnt of them."""


@pytest.mark.parametrize("task", TASKS)
def test_a_run_is_the_same_with_any_workers_and_any_cache(
    task: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[int] = []
    iterate = DataLoader._get_iterator

    def counted(loader: DataLoader[Any]) -> Any:
        started.append(loader.num_workers)
        return iterate(loader)

    monkeypatch.setattr(DataLoader, "_get_iterator", counted)
    data = write_data(tmp_path / "data")[task]

    def run(name: str, workers: int, cache: str, seed: int = 1) -> Path:
        started.clear()
        places = [f"runs={tmp_path / 'runs'}", f"cache={tmp_path / cache}", f"name={name}", f"seed={seed}"]
        assert main(["train", *WORDS, *TASKS[task], *data, *places, f"data.num_workers={workers}"]) == 0
        assert set(started) == {workers}
        (found,) = (tmp_path / "runs" / name).glob(f"*-seed{seed}")
        return found

    first = run("none", 0, "cache")
    assert len(read(first).curves["train/loss"]) > 10
    for name, workers, cache in (("warm", 0, "cache"), ("one", 1, "cache"), ("two-and-cold", 2, "other")):
        found = differences(first, run(name, workers, cache))
        assert not any(found.values()), (name, found)
    other = differences(first, run("seed", 0, "cache", seed=2))
    assert other["losses"]
    assert other["weights"]
