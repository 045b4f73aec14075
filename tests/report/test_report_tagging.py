"""How good taggers are at each class, what they confuse, and their worst sentences, as the dashboard shows it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from lightning_seq.files import sha256
from lightning_seq.records.artifacts import read_artifacts
from lightning_seq.records.record import Record, runs_in
from lightning_seq.records.tagging import Tagged
from lightning_seq.report.dashboard.confusion_matrices import confusions
from lightning_seq.report.dashboard.dashboard import dashboard
from lightning_seq.report.dashboard.page import Page
from lightning_seq.report.dashboard.tagging import MOST_ROWS, MOST_SENTENCES, MOST_TOKENS, classes, worst_sentences
from lightning_seq.report.summary import Summary, summarise
from tests.report.made_run import rewrite

Make = Callable[..., Path]


def tagged(directory: Path) -> tuple[Page, list[tuple[Record, Tagged]], Summary]:
    """A page, the contents of each run's file, and the summary."""
    contents, notes = read_artifacts(runs_in(directory), "tagging", Tagged.read)
    assert notes == []
    summary = summarise(directory)
    return Page(label for group in summary.groups for label in group.labels), contents, summary


def sentence(tokens: str, target: list[str | None], prediction: list[str | None]) -> dict[str, object]:
    return {"id": 3, "tokens": tokens.split(), "target": target, "prediction": prediction, "loss": 1.5}


def test_a_file_is_read_whole(make_tagging: Make, tmp_path: Path) -> None:
    directory = make_tagging(tmp_path / "demo", labels=("rnn",), seeds=1)
    tagged = Tagged.read(directory / "rnn-seed1" / "tagging.json")
    assert tagged.labels == ("O", "B-NP", "I-NP", "B-VP")
    assert tagged.pairs["O", "O"] == 40
    assert tagged.pairs["B-NP", "I-NP"] == 8
    assert len(tagged.pairs) == 4 + 3
    assert (tagged.scores["I-NP"].f1, tagged.scores["I-NP"].support) == (0.6, 188)
    assert (tagged.spans["VP"].precision, tagged.spans["VP"].support) == (0.8, 89)


def test_sentences_with_errors_come_first_and_in_the_order_of_the_file(tmp_path: Path) -> None:
    rows = [sentence("a b", ["X", "Y"], ["X", prediction]) for prediction in ("Y", "X", "Y", "X")]
    for number, row in enumerate(rows):
        row["id"] = number
    path = tmp_path / "tagging.json"
    path.write_text(json.dumps({"labels": ["X", "Y"], "sentences": rows}))
    assert [each.number for each in Tagged.read(path).sentences] == ["1", "3", "0", "2"]


def test_tags_may_be_names_or_ids_and_what_does_not_count_is_no_error(tmp_path: Path) -> None:
    path = tmp_path / "tagging.json"
    rows = [sentence("a b c", [0, None, 1], [1, 0, 1])]
    path.write_text(json.dumps({"labels": ["X", "Y"], "sentences": rows}))
    (only,) = Tagged.read(path).sentences
    assert [(token.target, token.prediction, token.wrong) for token in only.tokens] == [
        ("X", "Y", True),
        (None, "X", False),
        ("Y", "Y", False),
    ]
    assert only.errors == 1


@pytest.mark.parametrize(
    ("labels", "confusion", "usual"),
    [
        (["B-NP", "O"], [[90, 0], [0, 10]], "O"),
        (["NOUN", "VERB"], [[50, 1], [0, 50]], "NOUN"),
        (["NOUN", "VERB"], [[50, 0], [0, 50]], None),
    ],
)
def test_the_tag_that_goes_without_saying(
    tmp_path: Path, labels: list[str], confusion: list[list[int]], usual: str | None
) -> None:
    path = tmp_path / "tagging.json"
    path.write_text(json.dumps({"labels": labels, "confusion": confusion}))
    assert Tagged.read(path).usual == usual


def test_classes_are_a_table_of_labels_with_means_over_seeds(make_tagging: Make, tmp_path: Path) -> None:
    directory = make_tagging(tmp_path / "demo")
    plain = json.loads((directory / "birnn-seed2" / "tagging.json").read_text())
    plain["spans"][0]["f1"] = 0.75
    plain["spans"].append({"kind": "UCP", "precision": 0, "recall": 0, "f1": 0, "predicted": 3, "spans": 0})
    rewrite(directory, "birnn-seed2", "tagging", json.dumps(plain))
    text = classes(*tagged(directory))
    spans, tags = re.findall(r"<table.*?</table>", text)
    first = re.findall(r"<tr>(.*?)</tr>", spans)[1]
    assert re.findall(r">([^<>]+)<", first) == [
        "NP",
        "90",
        "0.600 ± 0.000",
        "P 0.800, R 0.700",
        "0.700 ± 0.071",
        "P 0.800, R 0.700",
    ]
    assert re.findall(r'data-value="([^"]*)">[BIO]', tags) == ["O", "B-NP", "I-NP", "B-VP"]
    assert "UCP" not in spans  # never to be found
    assert ["kind of span" in table for table in (spans, tags)] == [True, False]


def test_tags_that_mark_no_spans_have_one_table(make_tagging: Make, tmp_path: Path) -> None:
    text = classes(*tagged(make_tagging(tmp_path / "demo", spans=False)))
    assert text.count("<table") == 1
    assert "kind of span" not in text


def test_of_very_many_classes_the_rarest_are_left_out(make_tagging: Make, tmp_path: Path) -> None:
    tags = tuple(f"tag{index}" for index in range(MOST_ROWS + 5))
    directory = make_tagging(tmp_path / "demo", labels=("rnn",), seeds=1, tags=tags, spans=False)
    text = classes(*tagged(directory))
    assert text.count("<tr>") == MOST_ROWS + 1
    assert "5 rarer ones are left out." in text
    assert ">tag0<" in text
    assert f">tag{MOST_ROWS}<" not in text


def test_an_error_says_what_it_should_be_and_what_was_predicted(make_tagging: Make, tmp_path: Path) -> None:
    directory = make_tagging(tmp_path / "demo", labels=("rnn",), seeds=1)
    text = worst_sentences(*tagged(directory))
    assert re.findall(r"<mark.*?</mark>", text) == [
        '<mark class="token" title="I-NP → B-VP (should be → predicted)">dog<small>I-NP → B-VP</small></mark>'
    ]
    assert "row 17 of the test split · 1 of 4 wrong · loss 7.250" in text
    assert text.index("row 17 of") < text.index("row 4 of")
    assert '<span class="token" title="O">?</span>' in text
    colours = dict(re.findall(r'title="([^"]*)" style="--c:var\(--(c\d)\)"', text))
    assert colours == {"B-NP": "c0", "B-VP": "c1"}  # of one kind, one colour


def test_one_seed_of_each_label_is_shown(make_tagging: Make, tmp_path: Path) -> None:
    directory = make_tagging(tmp_path / "demo", seeds=3)
    rewrite(directory, "rnn-seed1", "tagging", "{}")
    text = worst_sentences(*tagged(directory))
    assert re.findall(r"<span>(\w+, seed \d)</span>", text) == ["rnn, seed 2", "birnn, seed 1"]
    assert text.count("<details open>") == 1


def test_long_sentences_and_long_lists_are_cut(make_tagging: Make, tmp_path: Path) -> None:
    size = MOST_TOKENS + 7
    rows = (sentence("x " * size, ["O"] * size, ["O"] * size),) * (MOST_SENTENCES + 5)
    directory = make_tagging(tmp_path / "demo", labels=("rnn",), seeds=1, sentences=rows)
    text = worst_sentences(*tagged(directory))
    assert text.count("<li>") == MOST_SENTENCES
    assert text.count(">x</span>") == MOST_SENTENCES * MOST_TOKENS
    assert text.count("… 7 more tokens") == MOST_SENTENCES


def test_confusions_come_from_either_file_in_the_order_of_the_tags(make_tagging: Make, tmp_path: Path) -> None:
    matrices = []
    for parquet in (True, False):
        directory = make_tagging(tmp_path / f"demo{parquet}", parquet=parquet)
        page, contents, _ = tagged(directory)
        counted, names, notes = confusions(runs_in(directory), page.labels, contents)
        assert (names, notes) == (["O", "B-NP", "I-NP", "B-VP"], [])
        matrices.append(counted)
    assert matrices[0] == matrices[1]
    assert [(matrix.label, matrix.seeds) for matrix in matrices[0]] == [("rnn", 2), ("birnn", 2)]
    assert matrices[0][0].counts["B-NP", "I-NP"] == 2 * 8


def test_tokens_without_a_target_are_in_no_confusion(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as sheets

    path = tmp_path / "predictions.parquet"
    sheets.write_table(pa.table({"target": ["X", None, "X"], "prediction": ["X", "X", None]}), path)
    entry = {"path": path.name, "sha256": sha256(path)}
    run = Record("done", "demo", "rnn", 1, task="tagging", artifacts={"predictions": entry})
    (matrix,), names, _ = confusions([(tmp_path, run)], ["rnn"], [])
    assert (names, matrix.counts) == (["X"], {("X", "X"): 1})


@pytest.mark.parametrize(
    "broken",
    [
        "",
        "[]",
        '{"labels": ["X"], "confusion": [[1, 2]]}',
        '{"per_class": [{}]}',
        '{"sentences": [{"tokens": ["a", "b"], "target": ["X"], "prediction": ["X", "X"]}]}',
        '{"sentences": [{"tokens": ["a"]}]}',
    ],
)
def test_a_broken_file_is_a_note_and_the_others_are_read(make_tagging: Make, tmp_path: Path, broken: str) -> None:
    directory = make_tagging(tmp_path / "demo", seeds=1, parquet=False)
    rewrite(directory, "rnn-seed1", "tagging", broken)
    held, (note,) = read_artifacts(runs_in(directory), "tagging", Tagged.read)
    assert [record.label for record, _ in held] == ["birnn"]
    assert note.startswith("rnn, seed 1: tagging.json cannot be used (")


def test_a_broken_file_leaves_the_others_on_the_page(make_tagging: Make, tmp_path: Path) -> None:
    directory = make_tagging(tmp_path / "demo", seeds=1)
    rewrite(directory, "rnn-seed1", "tagging", "[]")
    text = dashboard(directory)
    assert "rnn, seed 1: tagging.json cannot be used" in text
    assert text.count("<mark") == 1
    assert text.count("data-chart") > 2


def test_without_artifacts_there_are_the_tables_alone(make_tagging: Make, tmp_path: Path) -> None:
    body = dashboard(make_tagging(tmp_path / "demo", artifacts={})).split("</style>")[1].split("<script")[0]
    assert "test/f1" in body
    for title in ("Classes", "Confusion matrices", "Worst sentences", "Samples"):
        assert f"<h2>{title}</h2>" not in body
    directory = make_tagging(tmp_path / "gone", labels=("rnn",), seeds=1)
    for name in ("tagging.json", "predictions.parquet", "predictions.conll"):
        (directory / "rnn-seed1" / name).unlink()
    text = dashboard(directory)
    assert "rnn, seed 1: tagging.json is missing" in text
    assert "rnn, seed 1: predictions.parquet is missing" in text
