"""The comparison as a W&B run, offline."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from lightning_seq.errors import UserError
from lightning_seq.report.wandb.summary import log_comparison

Make = Callable[..., Path]


def test_an_offline_run_holds_the_comparison(
    make_comparison: Make, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WANDB_MODE", raising=False)
    directory = make_comparison(tmp_path / "demo", labels=("rnn", "gru"), seeds=2, failed=(("gru", 2),))
    run = log_comparison(directory)
    assert run.parent == directory / "wandb"
    assert run.name.startswith("offline-run-")
    assert list(run.glob("*.wandb"))
    assert capfd.readouterr() == ("", "")
    (runs,) = run.glob("files/media/table/comparison/runs_*.json")
    table = json.loads(runs.read_text())
    rows = [dict(zip(table["columns"], row, strict=True)) for row in table["data"]]
    assert [(row["label"], row["seed"], row["status"]) for row in rows] == [
        ("rnn", 1, "done"),
        ("rnn", 2, "done"),
        ("gru", 1, "done"),
        ("gru", 2, "failed"),
    ]
    assert rows[3]["test/accuracy"] is None
    (means,) = run.glob("files/media/table/comparison/summary_*.json")
    assert [row[0] for row in json.loads(means.read_text())["data"]] == ["rnn", "gru"]
    (curve,) = run.glob("files/media/table/curves/val/accuracy_*.json")
    assert {row[1] for row in json.loads(curve.read_text())["data"]} == {
        "rnn-seed1",
        "rnn-seed2",
        "gru-seed1",
        "gru-seed2",
    }


def test_a_directory_without_runs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no run"):
        log_comparison(tmp_path)


def test_each_data_set_has_tables_and_curves_of_its_own(
    make_language: Make, make_tagging: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WANDB_MODE", raising=False)
    directory = make_tagging(tmp_path / "demo", labels=("rnn-chunks",), seeds=1)
    make_language(directory, labels=("rnn-words", "gru-words"), seeds=1)
    run = log_comparison(directory)
    tables = run / "files" / "media" / "table"
    (means,) = tables.glob("comparison/language_modelling/verses_words/summary_*.json")
    table = json.loads(means.read_text())
    assert table["columns"][3] == "test/perplexity mean"
    assert [row[0] for row in table["data"]] == ["rnn-words", "gru-words"]
    (means,) = tables.glob("comparison/tagging/conll2000/summary_*.json")
    assert json.loads(means.read_text())["columns"][3] == "test/f1 mean"
    (curve,) = tables.glob("curves/language_modelling/verses_words/val/perplexity_*.json")
    assert {row[1] for row in json.loads(curve.read_text())["data"]} == {"rnn-words-seed1", "gru-words-seed1"}
    assert list(tables.glob("curves/tagging/conll2000/val/f1_*.json"))


def test_the_baseline_is_a_row_of_the_table(
    make_comparison: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WANDB_MODE", raising=False)
    fields = {"baseline": {"test/accuracy": 0.25}, "baseline_name": "majority class"}
    run = log_comparison(make_comparison(tmp_path / "demo", labels=("rnn", "gru"), seeds=1, **fields))
    (means,) = run.glob("files/media/table/comparison/summary_*.json")
    table = json.loads(means.read_text())
    rows = [dict(zip(table["columns"], row, strict=True)) for row in table["data"]]
    assert [row["label"] for row in rows] == ["rnn", "gru", "majority class (not trained)"]
    assert (rows[-1]["test/accuracy mean"], rows[-1]["tokens/s"], rows[-1]["done"]) == (0.25, None, 0)
