"""Examples on the page have the id that leads back to the user's file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from lightning_seq.files import sha256
from lightning_seq.records.record import read, write
from lightning_seq.report.dashboard.dashboard import dashboard
from lightning_seq.report.predictions import name_of, read_names

Make = Callable[..., Path]


def written(path: Path, **columns: Any) -> Path:
    parquet.write_table(pa.table(columns), path)
    return path


def test_names_are_read_by_row(tmp_path: Path) -> None:
    """A tagger's file has a row for each token; an older file has the place in the test split as its id."""
    tokens = written(tmp_path / "a", row=[3, 3, 1], id=[12, 12, 40], origin=["x.csv"] * 3)
    assert read_names(tokens) == {3: "id 12 in x.csv", 1: "id 40 in x.csv"}
    assert read_names(written(tmp_path / "b", row=[0], id=["key-7"])) == {0: "id key-7"}
    assert read_names(written(tmp_path / "c", id=[0], target=["a"])) == {}
    (tmp_path / "d").write_text("no table")
    with pytest.raises(ValueError, match="Parquet"):
        read_names(tmp_path / "d")


def test_an_example_without_a_name_has_its_place() -> None:
    assert name_of({4: "id 9"}, "4") == "id 9"
    assert name_of({4: "id 9"}, 5) == "row 5 of the test split"


def test_translations_and_worst_sentences_have_the_id(
    make_tagging: Make, make_translation: Make, tmp_path: Path
) -> None:
    directory = make_translation(make_tagging(tmp_path / "demo", seeds=1, parquet=False), seeds=1)
    for run in directory.iterdir():
        path = written(run / "predictions.parquet", row=[17, 100], id=[31, 207], origin=["a<b.tsv"] * 2)
        record = read(run)
        entry = {"path": path.name, "sha256": sha256(path)}
        write(run, record.with_(artifacts={**record.artifacts, "predictions": entry}))
    page = dashboard(directory)
    assert "id 31 in a&lt;b.tsv · 1 of 4 wrong" in page
    assert "id 207 in a&lt;b.tsv</p>" in page
    assert "row 17 of the test split" not in page
    assert "row 4 of the test split" in page
