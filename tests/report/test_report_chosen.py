"""Where labels differ in what is to be chosen, validation chooses, and test is shown of the chosen one alone."""

from __future__ import annotations

import csv as sheets
import io
from pathlib import Path

import pytest

from lightning_seq.records.record import Record, write
from lightning_seq.report import tables
from lightning_seq.report.dashboard.dashboard import dashboard
from lightning_seq.report.summary import Group, Summary, summarise
from tests.report.made_run import made_directory
from tests.report.made_sweep import config_of, made
from tests.report.printed import printed


def only(summary: Summary) -> Group:
    (group,) = summary.groups
    return group


def test_within_each_architecture_validation_chooses(tmp_path: Path) -> None:
    group = only(made(tmp_path / "sweep"))
    assert [(choice.chosen, choice.others, choice.metric, choice.keys) for choice in group.choices] == [
        ("lstm-lr0.01", ("lstm-lr0.1",), "val/accuracy", ("optimizer.lr",)),
        ("rnn-lr0.1", ("rnn-lr0.01",), "val/accuracy", ("optimizer.lr",)),
    ]
    by_label = {row.label: row for row in group.rows}
    assert by_label["lstm-lr0.1"].metric("test/accuracy").n == 0
    assert by_label["lstm-lr0.1"].metric("val/accuracy").n == 3
    assert by_label["lstm-lr0.01"].metric("test/accuracy").mean == pytest.approx(0.722)
    assert [row.label for row in group.best()] == ["lstm-lr0.01"]
    assert group.headline == "test/accuracy"
    assert {pair.better for pair in group.verdict.pairs} | {pair.other for pair in group.verdict.pairs} == {
        "lstm-lr0.01", "rnn-lr0.1",
    }  # fmt: skip


def test_every_table_shows_test_of_the_chosen_alone_and_says_so(tmp_path: Path) -> None:
    summary = made(tmp_path / "sweep")
    said = "lstm-lr0.01 is chosen by val/accuracy from 2 labels that differ in optimizer.lr alone"
    shown = {
        "markdown": tables.markdown(summary), "tex": tables.tex(summary), "page": dashboard(tmp_path / "sweep"),
        "terminal": printed(summary), "csv": tables.csv(summary),
    }  # fmt: skip
    for name, text in shown.items():
        flat = " ".join(text.split())
        assert said in flat, name
        assert all(number in flat for number in ("0.72", "0.752", "0.712")), name
        assert not any(number in flat for number in ("0.792", "0.791", "0.793")), name
        assert "gave no finite" not in flat, name
    rows = {row["label"]: row for row in sheets.DictReader(io.StringIO(shown["csv"]))}
    assert rows["lstm-lr0.1"]["test/accuracy mean"] == ""
    assert float(rows["lstm-lr0.1"]["val/accuracy mean"]) == pytest.approx(0.712)


def test_architectures_are_compared_on_test(tmp_path: Path) -> None:
    """One rate each: nothing is chosen; nor where labels have the same configuration, or none."""
    values = {"lstm-lr0.1": (0.7, 0.7), "rnn-lr0.1": (0.6, 0.8)}
    group = only(made(tmp_path / "two", values))
    assert not group.choices
    assert [row.label for row in group.best()] == ["rnn-lr0.1"]
    wide = only(made(tmp_path / "same", {"lstm-lr0.1": (0.7, 0.7), "lstm-lr0.10": (0.6, 0.8)}))
    assert not wide.choices


def test_a_loss_chooses_by_its_lower_end(tmp_path: Path) -> None:
    for label, loss in (("lstm-lr0.1", 0.5), ("lstm-lr0.01", 0.4)):
        metrics = {"val/loss": loss, "test/loss": loss}
        config = config_of(label, 1, task={"monitor": "val/loss"})
        record = Record(status="done", name="x", label=label, seed=1, task="regression", data="adding", metrics=metrics,
                        config=config)  # fmt: skip
        write(made_directory(tmp_path / "x", label, 1), record)
    assert only(summarise(tmp_path / "x")).choices[0].chosen == "lstm-lr0.01"


def test_the_only_label_with_a_result_is_no_best_one(tmp_path: Path) -> None:
    """Its test result stands alone: those of the labels that were not chosen are hidden."""
    values = {"lstm-lr0.1": (0.71, 0.79), "lstm-lr0.01": (0.75, 0.72)}
    summary = made(tmp_path / "sweep", values)
    assert only(summary).marked() == ()
    assert "Best mean" not in tables.markdown(summary)
    page = dashboard(tmp_path / "sweep")
    assert "lstm-lr0.01: test/accuracy 0.722 ± 0.001, from 3 seeds." in page
    assert "Take" not in page.split('<section id="result">')[1].split("</section>")[0]


def test_the_charts_of_cost_say_why_a_label_is_not_drawn(tmp_path: Path) -> None:
    made(tmp_path / "x", seeds=2, parameters={"total": 900, "recurrent": 90})
    page = dashboard(tmp_path / "x")
    said = "Not drawn, as validation did not choose them and their test/accuracy is hidden: lstm-lr0.1, rnn-lr0.01."
    assert said in page
    assert "as a number is missing" not in page
