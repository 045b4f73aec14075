"""The likeliest ways to tag a whole text, from a tagger with a CRF: `predict … n_best=`."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from lightning_seq.cli.main import main
from lightning_seq.inference.load import load
from lightning_seq.inference.predict import predictions
from tests.runs import TINY, sentences, write_csv
from tests.tagged import tagged_sentences, write_conll

Refused = Callable[..., str]
TEXTS = ("Ann Hill met Rome", "Rome", "then Ann saw Ann Hill")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two taggers, `crf` and `softmax`, and a classifier."""
    found = tmp_path_factory.mktemp("paths")
    tags = write_conll(found / "train.conll", tagged_sentences(160))
    where = [*TINY, f"runs={found / 'runs'}", f"cache={found / 'cache'}", "name=x"]
    for label, words in (
        ("crf", ["data=conll", f"data.train={tags}", "task.crf=true", "trainer.max_epochs=6"]),
        ("softmax", ["data=conll", f"data.train={tags}"]),
        ("classes", ["data=csv", f"data.train={write_csv(found / 'own.csv', sentences(60))}"]),
    ):
        assert main(["train", "model=gru", *where, *words, f"label={label}"]) == 0
    (found / "texts.txt").write_text("".join(f"{text}\n" for text in TEXTS), encoding="utf-8")
    return found


def run_of(place: Path, label: str) -> str:
    return str(place / "runs" / "x" / f"{label}-seed1")


def test_the_paths_begin_with_what_is_predicted_and_fall(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [run_of(place, "crf"), f"file={place / 'texts.txt'}"]
    assert main(["predict", *words, "n_best=4"]) == 0
    rows: list[dict[str, Any]] = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert main(["predict", *words]) == 0
    plain = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [{key: value for key, value in row.items() if key != "paths"} for row in rows] == plain
    for text, row in zip(TEXTS, rows, strict=True):
        paths = [tuple(path["tags"]) for path in row["paths"]]
        assert paths[0] == tuple(token["tag"] for token in row["predictions"])
        assert len(set(paths)) == len(paths)
        assert {len(path) for path in paths} == {len(text.split())}
        values = [path["log_probability"] for path in row["paths"]]
        assert values == sorted(values, reverse=True)
        assert values[0] < 0
        assert values == [round(value, 6) for value in values]
        for path in paths:  # as the constraints ask
            assert all(not tag.startswith("I-") or before[1:] == tag[1:] for before, tag in pairwise(("O", *path)))
    assert [len(row["paths"]) for row in rows] == [4, 3, 4]  # of one word: O, B-PER, B-LOC


def test_all_paths_of_a_text_have_a_probability_of_1_together(place: Path) -> None:
    loaded = load(Path(run_of(place, "crf")))
    (row,) = predictions(loaded, ["Ann met"], n_best=1000)
    assert len(row["paths"]) < 1000
    assert sum(math.exp(path["log_probability"]) for path in row["paths"]) == pytest.approx(1, abs=1e-5)
    by_tag = sum(math.exp(p["log_probability"]) for p in row["paths"] if p["tags"][0] == row["predictions"][0]["tag"])
    assert by_tag == pytest.approx(row["predictions"][0]["probability"], abs=1e-5)


def test_a_csv_file_has_columns_for_each_path(place: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    texts = tmp_path / "texts.txt"
    texts.write_text("Rome\nAnn Hill met Rome\n", encoding="utf-8")  # the first has fewer paths
    assert main(["predict", run_of(place, "crf"), f"file={texts}", "n_best=4", f"output={out}"]) == 0
    with out.open(encoding="utf-8", newline="") as file:
        short, long = csv.DictReader(file)
    assert [name for name in short if name.startswith("paths_tags")] == [
        "paths_tags", "paths_tags_2", "paths_tags_3", "paths_tags_4",
    ]  # fmt: skip
    assert short["paths_tags_4"] == short["paths_log_probability_4"] == ""
    assert len(json.loads(long["paths_tags_4"])) == 4
    assert json.loads(long["paths_tags"]) == json.loads(long["tag"])
    assert float(long["paths_log_probability"]) >= float(long["paths_log_probability_2"])


@pytest.mark.parametrize(
    ("label", "n_best", "message"),
    [
        (
            "softmax",
            "2",
            "n_best=2: this tagger chooses each tag by itself, and only a CRF ranks the tags of a sentence",
        ),
        ("softmax", "2", "train with task.crf=true"),
        ("classes", "2", "n_best=2 is for a tagger with a CRF, and this checkpoint is a classifier: leave it out"),
        ("crf", "0", "n_best is '0', expected a whole number of at least 1 and at most 1,000"),
        ("crf", "1001", "at most 1,000"),
        ("crf", "two", "n_best is 'two'"),
    ],
)
def test_what_ranks_no_paths_is_refused(label: str, n_best: str, message: str, place: Path, refused: Refused) -> None:
    assert message in refused("predict", run_of(place, label), "text=Ann met Rome", f"n_best={n_best}")
