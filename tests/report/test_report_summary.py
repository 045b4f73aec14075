"""Means, spreads and counts of a comparison, and the tables made of them."""

from __future__ import annotations

import csv as sheets
import io
import json
from collections.abc import Callable
from pathlib import Path
from statistics import mean, stdev

import pytest

from lightning_seq.errors import UserError
from lightning_seq.records.record import read, write
from lightning_seq.report import tables
from lightning_seq.report.formats import mean_and_std
from lightning_seq.report.summary import Group, Statistic, summarise
from lightning_seq.report.verdict import ONE_SEED
from tests.report.printed import printed

Make = Callable[..., Path]


def accuracies(directory: Path, label: str) -> list[float]:
    records = [read(path) for path in sorted(directory.glob("*/record.json"))]
    return [record.metrics["test/accuracy"] for record in records if record.label == label and record.metrics]


def group_of(directory: Path, headline: str | None = None) -> Group:
    """The one data set of a comparison."""
    (group,) = summarise(directory, headline).groups
    return group


def edit(directory: Path, run: str, **changes: object) -> None:
    write(directory / run, read(directory / run).with_(**changes))


def test_mean_and_sample_deviation_over_seeds(make_comparison: Make, tmp_path: Path) -> None:
    directory = make_comparison(tmp_path / "demo", labels=("lstm", "gru"))
    group = group_of(directory)
    assert group.headline == "test/accuracy"
    for row in group.rows:
        values = accuracies(directory, row.label)
        assert row.metric("test/accuracy").mean == pytest.approx(mean(values))
        assert row.metric("test/accuracy").std == pytest.approx(stdev(values))
        assert list(row.metric("test/accuracy").values.values()) == values
        assert row.parameters["recurrent"] < row.parameters["total"]


def test_labels_are_in_the_order_they_started_not_in_that_of_their_names(make_comparison: Make, tmp_path: Path) -> None:
    directory = make_comparison(tmp_path / "demo", labels=("rnn", "birnn", "gru"), seeds=2)
    assert [row.label for row in group_of(directory).rows] == ["rnn", "birnn", "gru"]


def test_a_failed_run_is_in_no_mean_and_is_listed_with_its_error_and_log(make_comparison: Make, tmp_path: Path) -> None:
    directory = make_comparison(tmp_path / "demo", labels=("rnn", "lstm"), failed=(("lstm", 2),))
    edit(directory, "lstm-seed2", metrics={"test/accuracy": 0.0})
    summary = summarise(directory)
    row = summary.groups[0].rows[1]
    assert (row.done, row.failed, row.metric("test/accuracy").n) == (2, 1, 2)
    assert row.metric("test/accuracy").mean > 0.5
    (problem,) = summary.problems
    assert (problem.label, problem.seed, problem.status) == ("lstm", 2, "failed")
    assert problem.log == Path("lstm-seed2/log.txt")
    assert "not finite" in (problem.error or "")


@pytest.mark.parametrize("status", ["running", "interrupted"])
def test_a_run_that_has_not_finished_counts_as_such(make_comparison: Make, tmp_path: Path, status: str) -> None:
    directory = make_comparison(tmp_path / "demo", labels=("rnn",), seeds=2)
    edit(directory, "rnn-seed2", status=status)
    summary = summarise(directory)
    assert summary.groups[0].single_seed
    assert summary.problems[0].status == status
    assert "nothing can be concluded from one seed" in tables.markdown(summary)


def test_one_seed_has_no_deviation_and_says_so(make_comparison: Make, tmp_path: Path) -> None:
    group = group_of(make_comparison(tmp_path / "demo", seeds=1))
    assert all(row.metric("test/accuracy").std is None for row in group.rows)
    assert "±" not in mean_and_std(group.rows[0].metric("test/accuracy"))
    assert tables.verdict(group) == [ONE_SEED]
    assert group.marked() == ()


def test_three_seeds_do_not_say_so(make_comparison: Make, tmp_path: Path) -> None:
    assert ONE_SEED not in tables.verdict(group_of(make_comparison(tmp_path / "demo")))


def test_a_value_that_is_missing_is_left_out_and_told(make_comparison: Make, tmp_path: Path) -> None:
    directory = make_comparison(tmp_path / "demo", labels=("rnn",))
    edit(directory, "rnn-seed2", metrics={"test/accuracy": None})
    group = group_of(directory)
    statistic = group.rows[0].metric("test/accuracy")
    assert statistic.n == 2
    assert statistic.values[2] is None
    assert any("1 of 3 finished runs gave no finite test/accuracy" in note for note in tables.notes(group))


def test_a_seed_that_another_label_lacks_is_not_called_without_a_value(make_comparison: Make, tmp_path: Path) -> None:
    directory = make_comparison(tmp_path / "demo", labels=("rnn", "gru"))
    for label in ("rnn", "gru"):
        for seed in (1, 2, 3):
            edit(directory, f"{label}-seed{seed}", drawn=["train", "validation", "test"])
    edit(directory, "gru-seed3", status="failed", metrics={})
    said = " ".join([*tables.verdict(group_of(directory)), *tables.notes(group_of(directory))])
    assert "Without seed 3 in the verdict, its plot and the table: a label has no result there." in said
    assert "gave no finite" not in said


def test_seconds_are_the_latest_on_any_curve(make_comparison: Make, tmp_path: Path) -> None:
    directory = make_comparison(tmp_path / "demo", labels=("rnn",), seeds=1)
    edit(directory, "rnn-seed1", curves={"val/loss": [[1, 1, 4.0, 0.5]], "train/loss": [[1, 1, 9.5, None]]})
    assert group_of(directory).rows[0].seconds.mean == 9.5


def test_the_headline_can_be_chosen_and_a_misspelt_one_names_the_near(make_comparison: Make, tmp_path: Path) -> None:
    directory = make_comparison(tmp_path / "demo")
    assert group_of(directory, headline="test/loss").metrics[0] == "test/loss"
    with pytest.raises(UserError, match=r"did you mean .*test/macro_f1"):
        summarise(directory, headline="test/macro_f")


def test_the_best_mean_of_a_loss_is_the_lowest(make_comparison: Make, tmp_path: Path) -> None:
    directory = make_comparison(tmp_path / "demo", labels=("rnn", "gru"))
    assert [row.label for row in group_of(directory, headline="test/loss").best()] == ["gru"]
    assert [row.label for row in group_of(directory, headline="test/accuracy").best()] == ["gru"]


@pytest.mark.parametrize("jobs", [1, 2])
def test_speed_is_marked_where_other_jobs_ran(make_comparison: Make, tmp_path: Path, jobs: int) -> None:
    text = tables.markdown(summarise(make_comparison(tmp_path / "demo", jobs=jobs)))
    assert ("measured while other jobs or programs ran" in text) == (jobs > 1)
    assert ("†" in text) == (jobs > 1)


def test_csv_has_each_seed_in_a_column_of_its_own(make_comparison: Make, tmp_path: Path) -> None:
    directory = make_comparison(tmp_path / "demo", labels=("rnn", "lstm"), failed=(("lstm", 2),))
    rows = list(sheets.DictReader(io.StringIO(tables.csv(summarise(directory)))))
    assert [row["label"] for row in rows] == ["rnn", "lstm"]
    values = accuracies(directory, "rnn")
    assert [float(rows[0][f"test/accuracy seed {seed}"]) for seed in (1, 2, 3)] == pytest.approx(values)
    assert rows[1]["test/accuracy seed 2"] == ""
    assert float(rows[0]["test/accuracy std"]) == pytest.approx(stdev(values))
    assert rows[0]["parameters recurrent"] == "33024"
    assert rows[0]["measured while other jobs ran"] == "no"
    assert float(rows[0]["training seconds"]) > 1


def test_markdown_rows_keep_their_columns_whatever_a_label_holds(make_comparison: Make, tmp_path: Path) -> None:
    directory = make_comparison(tmp_path / "demo", labels=("a|b\nc <b>x</b>",), error="one|two\nthree")
    lines = [line for line in tables.markdown(summarise(directory)).splitlines() if line.startswith("|")]
    assert len(lines) == 3
    assert len({line.replace("\\|", "").count("|") for line in lines}) == 1
    assert "<b>" not in lines[2]


def test_terminal_table_fits_a_hundred_columns_and_obeys_no_escape(make_comparison: Make, tmp_path: Path) -> None:
    directory = make_comparison(
        tmp_path / "demo", labels=("lstm", "[red]a rather long label, of " + "many words " * 8), jobs=2, seeds=5
    )
    edit(directory, "lstm-seed1", status="failed", error="\x1b[2Jgone")
    text = printed(summarise(directory))
    assert max(len(line) for line in text.splitlines()) <= 100
    assert "[red]" in text
    assert "\x1b" not in text
    assert "test/accuracy" in text


def test_nothing_done_yet_makes_a_table_all_the_same(make_comparison: Make, tmp_path: Path) -> None:
    directory = make_comparison(tmp_path / "demo", labels=("rnn",), seeds=1, failed=(("rnn", 1),))
    summary = summarise(directory)
    assert summary.groups[0].headline is None
    assert summary.groups[0].best() == ()
    assert "No run is done" in tables.markdown(summary)
    assert tables.csv(summary).count("\n") == 2
    assert "No run is done" in printed(summary)


def test_a_directory_that_is_no_comparison_is_the_users_mistake(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is not there"):
        summarise(tmp_path / "nowhere")
    (tmp_path / "demo").mkdir()
    with pytest.raises(UserError, match=r"demo holds no run: expected demo/<label>-seed<k>/record\.json"):
        summarise(tmp_path / "demo")


def test_numbers_that_are_not_finite_count_as_missing(make_comparison: Make, tmp_path: Path) -> None:
    directory = make_comparison(tmp_path / "demo", labels=("rnn",), seeds=2)
    path = directory / "rnn-seed1" / "record.json"
    plain = json.loads(path.read_text())
    plain["metrics"]["test/accuracy"] = float("nan")
    path.write_text(json.dumps(plain))
    assert group_of(directory).rows[0].metric("test/accuracy").n == 1
    assert Statistic({}).mean is None
