"""Learning curves, confusion matrices, word maps and equal conditions, as the dashboard gets them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from lightning_seq.files import sha256
from lightning_seq.records.artifacts import artifact
from lightning_seq.records.record import Record, runs_in
from lightning_seq.records.word_map import word_maps
from lightning_seq.report.agreement import Agreement, environment, fingerprints
from lightning_seq.report.curves import Point, metrics_to_draw, points
from lightning_seq.report.dashboard.configurations import flatten
from lightning_seq.report.dashboard.confusion_matrices import MOST_CLASSES, confusions
from lightning_seq.report.dashboard.templates import draw
from lightning_seq.report.escape import link, markdown_cell, one_line, script_json
from tests.report.made_run import rewrite

Make = Callable[..., Path]


def record(curve: list[list[float | None]], seed: int = 1, status: str = "done") -> Record:
    return Record(status=status, name="demo", label="rnn", seed=seed, curves={"val/loss": curve})


def save(path: Path, target: list[str], prediction: list[str]) -> dict[str, str]:
    parquet.write_table(pa.table({"target": target, "prediction": prediction}), path)
    return {"path": path.name, "sha256": sha256(path)}


def test_a_long_curve_is_thinned_and_keeps_both_ends() -> None:
    curve = [[step, step, float(step), 1.0 / step] for step in range(1, 5001)]
    thinned = points(record(curve), "val/loss")
    assert len(thinned) == 200
    assert (thinned[0], thinned[-1]) == (Point(1, 1, 1), Point(5000, 5000, 1 / 5000))
    assert len({point.epoch for point in thinned}) == 200


def test_points_within_an_epoch_are_spread_over_it() -> None:
    curve = [[1, 1, 1.0, 0.9], [2, 1, 2.0, 0.8], [3, 2, 3.0, 0.7], [4, 2, 4.0, 0.6]]
    assert [point.epoch for point in points(record(curve), "val/loss")] == [0.5, 1.0, 1.5, 2.0]


def test_points_without_a_number_are_left_out() -> None:
    curve = [[1, 1, 1.0, None], [2, 2, None, 0.5], [3, 3, 3.0, float("nan")], [4, 4, 4.0, 0.5], [5, 5]]
    assert points(record(curve), "val/loss") == [Point(4, 4, 0.5)]


def test_the_curves_drawn_are_the_headline_on_validation_and_the_losses(make_comparison: Make, tmp_path: Path) -> None:
    records = [each for _, each in runs_in(make_comparison(tmp_path / "demo", labels=("rnn",)))]
    assert metrics_to_draw(records, "test/accuracy") == ["val/accuracy", "val/loss", "train/loss"]
    assert metrics_to_draw(records, "test/macro_f1") == ["val/accuracy", "val/loss", "train/loss"]


def test_confusions_are_summed_over_seeds_with_shares_of_the_true_class(tmp_path: Path) -> None:
    runs = []
    for seed, prediction in ((1, ["b", "b", "10"]), (2, ["b", "9", "10"])):
        run = tmp_path / f"rnn-seed{seed}"
        run.mkdir()
        entry = save(run / "predictions.parquet", ["b", "b", "9"], prediction)
        runs.append((run, Record("done", "demo", "rnn", seed, artifacts={"predictions": entry})))
    (matrix,), classes, notes = confusions(runs, ["rnn"], [])
    assert (classes, notes, matrix.seeds) == (["9", "10", "b"], [], 2)
    rows = {(classes[i], classes[j]): (count, share) for i, j, count, share in matrix.rows(classes)}
    assert rows["b", "b"] == (3, 0.75)
    assert rows["b", "9"] == (1, 0.25)
    assert rows["9", "10"] == (2, 1.0)
    assert rows["10", "9"] == (0, 0.0)


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (lambda path: path.unlink(), "is missing"),
        (lambda path: path.write_bytes(path.read_bytes() + b"x"), "has changed"),
    ],
)
def test_a_missing_or_changed_artifact_is_a_note(
    make_comparison: Make, tmp_path: Path, damage: Callable[[Path], None], expected: str
) -> None:
    directory = make_comparison(tmp_path / "demo", labels=("rnn",), seeds=2)
    for name in ("predictions.parquet", "word_map.json"):
        damage(directory / "rnn-seed1" / name)
    (matrix,), _, notes = confusions(runs_in(directory), ["rnn"], [])
    assert matrix.seeds == 1
    assert notes == [f"rnn, seed 1: predictions.parquet {notes[0].split('parquet ')[1]}"]
    assert expected in notes[0]
    maps, notes = word_maps(runs_in(directory))
    assert len(maps) == 1
    assert expected in notes[0]


@pytest.mark.parametrize("content", [b"", b"not parquet", None])
def test_predictions_that_are_no_predictions_are_a_note(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "predictions.parquet"
    if content is None:
        parquet.write_table(pa.table({"other": [1]}), path)
    else:
        path.write_bytes(content)
    entry = {"path": path.name, "sha256": sha256(path)}
    run = Record("done", "demo", "rnn", 1, artifacts={"predictions": entry})
    matrices, _, notes = confusions([(tmp_path, run)], ["rnn"], [])
    assert matrices == []
    assert "cannot be used" in notes[0]


def test_of_too_many_classes_the_most_confused_are_shown(tmp_path: Path) -> None:
    names = [f"class {index}" for index in range(MOST_CLASSES + 3)]
    confused = {"class 1": "class 42", "class 7": "class 41"}
    entry = save(tmp_path / "predictions.parquet", names, [confused.get(name, name) for name in names])
    run = Record("done", "demo", "rnn", 1, artifacts={"predictions": entry})
    (matrix,), classes, notes = confusions([(tmp_path, run)], ["rnn"], [])
    assert len(classes) == MOST_CLASSES
    assert {"class 1", "class 42", "class 7", "class 41"} <= set(classes)
    assert classes.index("class 7") < classes.index("class 41")
    assert notes == [f"Of {MOST_CLASSES + 3} classes, the {MOST_CLASSES} with the most confusions are shown."]
    shares = {(classes[i], classes[j]): share for i, j, _, share in matrix.rows(classes)}
    assert (shares["class 1", "class 42"], shares["class 42", "class 42"]) == (1.0, 1.0)


def test_an_artifact_outside_the_runs_directory_is_not_opened(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    run = tmp_path / "rnn-seed1"
    run.mkdir()
    for path in ("../secret.txt", str(secret)):
        entry = {"path": path, "sha256": sha256(secret)}
        found = artifact(run, Record("done", "demo", "rnn", 1, artifacts={"log": entry}), "log")
        assert found is not None
        assert found.path is None


def test_equal_word_maps_are_one_and_different_ones_are_two(make_comparison: Make, tmp_path: Path) -> None:
    directory = make_comparison(tmp_path / "demo", labels=("rnn", "gru"), seeds=2)
    (only,), _ = word_maps(runs_in(directory))
    assert only.labels == ("rnn", "gru")
    assert [(only.words[a][0], only.words[b][0]) for a, b in only.arrows] == [
        ("king", "queen"),
        ("israel", "jerusalem"),
    ]
    other = directory / "gru-seed1" / "word_map.json"
    plain = json.loads(other.read_text())
    plain["words"][0] |= {"x": None}
    rewrite(directory, "gru-seed1", "word_map", json.dumps(plain))
    first, second = word_maps(runs_in(directory))[0]
    assert len(second.words) == len(first.words) - 1
    assert len(second.arrows) == 1


def test_batches_of_runs_that_ended_after_different_epochs(make_comparison: Make, tmp_path: Path) -> None:
    """What both had is compared, and how much that is stands beside it."""
    directory = make_comparison(tmp_path / "demo", labels=("rnn", "gru"), seeds=1)
    long, short = [each for _, each in runs_in(directory)]

    def marked(record: Record, total: str, epochs: str) -> Record:
        return record.with_(fingerprints={**record.fingerprints, "batches": total, "epochs": epochs})

    def batches(*records: Record) -> Agreement:
        return {item.name: item for item in fingerprints(list(records))}["batches"]

    same = batches(marked(long, "a", "11-22-33"), marked(short, "b", "11-22"))
    assert same.equal
    assert list(same.values) == ["22 (2 epochs)"]
    assert batches(marked(long, "a", "11-22-33"), marked(short, "b", "11-24")).equal is False
    assert batches(marked(long, "a", "11-22"), marked(short, "b", "11-22")).equal is False  # as many, and not the same


def test_equal_conditions_are_told_from_unequal_ones(make_comparison: Make, tmp_path: Path) -> None:
    directory = make_comparison(tmp_path / "demo", labels=("rnn", "gru"), seeds=2)
    records = [each for _, each in runs_in(directory)]
    assert {item.name: item.equal for item in fingerprints(records)} == dict.fromkeys(
        ("data", "split", "batches", "embedding"), True
    )
    changed = records[3]
    records[3] = changed.with_(fingerprints={**changed.fingerprints, "batches": "other", "split": None})
    found = {item.name: item for item in fingerprints(records)}
    assert found["batches"].equal is False
    assert found["batches"].values["other"] == ("gru seed 2",)
    assert found["split"].missing == ("gru seed 2",)
    assert found["data"].equal
    records[0] = records[0].with_(environment={**records[0].environment, "threads": 9})
    assert {item.name: item.equal for item in environment(records)}["threads"] is False


def test_a_single_run_has_nothing_to_be_equal_to(make_comparison: Make, tmp_path: Path) -> None:
    records = [each for _, each in runs_in(make_comparison(tmp_path / "demo", labels=("rnn",), seeds=1))]
    assert {item.equal for item in fingerprints(records)} == {None}


def test_text_is_made_safe_for_the_place_it_stands_in() -> None:
    text = "</script><!--\u2028&'\"\ud800"
    assert not set("<>&\u2028") & set(script_json({text: [text]}))
    assert json.loads(script_json([text, float("nan")])) == [text, None]
    page = draw("note", text=f"{text}\u202e")
    assert page.startswith('<p class="note">&lt;/script&gt;&lt;!--')
    assert not set("<>\"'\ud800\u202e") & set(page.removeprefix('<p class="note">').removesuffix("</p>"))
    assert one_line("a\x1b[31m\r\nb\u202ec") == "a [31m bc"
    assert markdown_cell("a|b `c` snake_case _x_\n*y*") == r"a\|b \`c\` snake_case \_x\_ \*y\*"
    assert link("javascript:alert(1)", 'a"b c.txt') == "./javascript%3Aalert%281%29/a%22b%20c.txt"


def test_keys_of_a_source_are_shown_as_they_are_typed() -> None:
    config: dict[str, Any] = {"data": {"source": {"_target_": "x.Files", "train": "a.csv"}, "lower": True}}
    assert dict(flatten(config)) == {"data.source._target_": "x.Files", "data.train": "a.csv", "data.lower": "true"}
