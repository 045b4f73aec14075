"""A run is known by the content of its data, not by their path."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from lightning_seq.cli.main import main
from lightning_seq.records.record import read, write
from lightning_seq.training.data_files import data_files
from tests.runs import INLINE, TINY, record_of, sentences, write_csv

FAST = (*TINY, "trainer.max_epochs=1", INLINE)


def flipped(path: Path) -> None:
    """Two labels change places."""
    rows = sentences(160)
    write_csv(path, [(rows[0][0], rows[1][1]), (rows[1][0], rows[0][1]), *rows[2:]])


def test_edited_labels_are_refused_by_name_before_anything_is_prepared(
    own: list[str], tmp_path: Path, refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["compare", "model=rnn", "seeds=2", *own, *FAST]) == 0
    assert set(record_of(own, "rnn-seed1").files) == {"data.train"}
    assert main(["compare", "model=rnn", "seeds=2", *own, *FAST]) == 0  # nothing has changed: nothing is said
    before = (tmp_path / "train.csv").read_bytes()
    flipped(tmp_path / "train.csv")
    monkeypatch.setattr("lightning_seq.comparison.prepare.build_data", lambda config: pytest.fail("prepared"))
    expected = f"rnn-seed1 was made from other data: data.train={tmp_path / 'train.csv'} has changed since 2"
    for words in (["train", "model=rnn"], ["compare", "model=rnn,gru"], ["compare", "model=gru"]):
        said = refused(*words, *own, *FAST)
        assert expected in said
        assert "give name=NEW" in said
    monkeypatch.undo()
    assert not (tmp_path / "runs/csv/gru-seed1").exists()
    assert main(["train", "model=rnn", *own, *FAST, "name=new"]) == 0  # the advice, one way
    (tmp_path / "train.csv").write_bytes(before)
    assert main(["train", "model=rnn", *own, *FAST]) == 0  # and the other


def test_a_file_of_another_name_may_differ(own: list[str], tmp_path: Path) -> None:
    assert main(["train", "model=rnn", *own, *FAST]) == 0
    flipped(tmp_path / "other.csv")
    other = [own[0], f"data.train={tmp_path / 'other.csv'}", *own[2:]]
    assert main(["train", "model=gru", *other, *FAST]) == 0


def test_records_without_files_are_held_to_their_fingerprints(
    own: list[str], tmp_path: Path, refused: Callable[..., str]
) -> None:
    assert main(["train", "model=rnn", *own, *FAST]) == 0
    write(tmp_path / "runs/csv/rnn-seed1", replace(record_of(own, "rnn-seed1"), files={}))
    assert main(["train", "model=rnn", *own, *FAST]) == 0
    flipped(tmp_path / "train.csv")
    for verb in ("train", "compare"):
        assert "rnn-seed1 was made from other data: its data fingerprint is" in refused(verb, "model=rnn", *own, *FAST)


def test_an_overwritten_vectors_file_is_refused(own: list[str], tmp_path: Path, refused: Callable[..., str]) -> None:
    vectors = tmp_path / "vectors.txt"
    vectors.write_text("".join(f"{word} 0.1 0.2\n" for word in ("wave", "ship", "hill")), encoding="utf-8")
    words = [
        "train", "model=rnn", *own, *(w for w in FAST if not w.startswith("embedding")), "embedding=file",
        f"embedding.path={vectors}",
    ]  # fmt: skip
    assert main(words) == 0
    vectors.write_text("".join(f"{word} 0.3 0.2\n" for word in ("wave", "ship", "hill")), encoding="utf-8")
    assert f"embedding.path={vectors} has changed since" in refused(*words)


def test_files_are_told_by_their_content(tmp_path: Path) -> None:
    for part, kind in (("mirror/a/b", "parquet"), ("mirror/a/b/.git", "pack"), ("bank", "conllu"), ("vectors", "json")):
        (tmp_path / part).mkdir(parents=True, exist_ok=True)
        (tmp_path / part / f"part.{kind}").write_text("one", encoding="utf-8")
    (tmp_path / "target").write_text("one", encoding="utf-8")
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "1.png").write_bytes(b"one")
    data = {"mirror": str(tmp_path / "mirror"), "mirror_path": "a/b", "train": None}
    configs = [
        {"data": data, "embedding": {"path": str(tmp_path / "vectors")}},
        {"data": {"train": str(tmp_path / "bank"), "train_target": str(tmp_path / "target"), "test": "not there"}},
        {"data": {"train_annotations": str(tmp_path / "target"), "pictures": str(tmp_path / "photos")}},
    ]
    before = [data_files(config) for config in configs]
    assert [set(found) for found in before] == [
        {"data.mirror", "embedding.path"},
        {"data.train", "data.train_target"},
        {"data.train_annotations", "data.pictures"},
    ]
    (tmp_path / "mirror/a/b/.git/part.pack").write_text("two", encoding="utf-8")
    assert [data_files(config) for config in configs] == before
    for changed in ("mirror/a/b/part.parquet", "bank/part.conllu", "vectors/part.json", "target", "photos/1.png"):
        (tmp_path / changed).write_text("other", encoding="utf-8")
    after = [data_files(config) for config in configs]
    assert all(after[i][key] != before[i][key] for i in (0, 1, 2) for key in before[i])


def test_a_report_refuses_one_table_of_two_data(own: list[str], tmp_path: Path, refused: Callable[..., str]) -> None:
    assert main(["train", "model=rnn", *own, *FAST]) == 0
    flipped(tmp_path / "train.csv")
    assert main(["train", "model=gru", *own, *FAST, "name=new"]) == 0
    shutil.copytree(tmp_path / "runs/new/gru-seed1", tmp_path / "runs/csv/gru-seed1")
    said = refused("report", str(tmp_path / "runs/csv"))
    one, other = (read(tmp_path / f"runs/csv/{run}-seed1").fingerprints["data"] for run in ("rnn", "gru"))
    assert f"data fingerprint {other}" in said
    assert str(one) in said
    assert "they were made from other data" in said
