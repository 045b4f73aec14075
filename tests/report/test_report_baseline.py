"""The baseline: a row below the labels in every table, and nowhere else."""

from __future__ import annotations

import csv as sheets
import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from lightning_seq.records.captions import TRAINED_ENCODER
from lightning_seq.records.record import Record, read, write
from lightning_seq.report import tables
from lightning_seq.report.baseline import further_baselines
from lightning_seq.report.summary import summarise
from lightning_seq.report.write import write_report
from tests.report.printed import printed

Make = Callable[..., Path]
LABEL = "majority class (not trained)"
BASELINE = {"test/accuracy": 0.99, "test/macro_f1": 0.25}


@pytest.fixture
def comparison(make_comparison: Make, tmp_path: Path) -> Path:
    """Of labels that are worse than the baseline; one run failed."""
    fields = {"baseline": BASELINE, "baseline_name": "majority class"}
    return make_comparison(tmp_path / "demo", labels=("rnn", "lstm"), failed=(("rnn", 2),), **fields)


def test_the_row_of_the_baseline_has_metrics_alone(comparison: Path) -> None:
    edit(comparison, "rnn-seed2", baseline={})  # it failed
    summary = summarise(comparison)
    lines = tables.markdown(summary).splitlines()
    (row,) = [line for line in lines if line.startswith(f"| {LABEL}")]
    assert lines.index(row) == next(i for i, line in enumerate(lines) if line.startswith("| lstm")) + 1
    assert row == f"| {LABEL} | – | 0.990 | 0.250 | – | – | – | – | – | – | – | – | – |"
    (row,) = [line for line in tables.tex(summary).splitlines() if line.startswith(LABEL)]
    assert row == rf"{LABEL} & -- & 0.990 & -- & -- & -- \\"
    *_, sheet = sheets.DictReader(io.StringIO(tables.csv(summary)))
    filled = {name: text for name, text in sheet.items() if text and name != "conventions"}
    assert filled == {
        "label": LABEL,
        "task": "classification",
        "data": "verses_genre",
        "model": "baseline",
        "done": "0",
        "failed": "0",
        "unfinished": "0",
        "headline": "test/accuracy",
        "test/accuracy mean": "0.99",
        "test/macro_f1 mean": "0.25",
        "measured while other jobs ran": "no",
    }
    row = next(line for line in printed(summary, 120).splitlines() if "majority class" in line)
    assert row.split() == ["majority", "class", "(not", "0.990", "–", "–", "–", "–", "–", "–"]
    write_report(comparison)
    page = (comparison / "dashboard.html").read_text(encoding="utf-8")
    foot = page.split("<tfoot>")[1].split("</tfoot>")[0]
    assert LABEL in foot
    assert "0.990" in foot
    assert f"{LABEL}: computed from the targets of the train split alone" in page


def test_the_baseline_changes_nothing_else(comparison: Path) -> None:
    (group,) = summarise(comparison).groups
    for path in comparison.glob("*/record.json"):
        edit(comparison, path.parent.name, baseline={}, baseline_name="")
    (without,) = summarise(comparison).groups
    assert without.baseline is None
    assert group.baseline is not None
    assert replace(group, baseline=None) == without


def test_runs_that_do_not_share_a_baseline_have_none(comparison: Path) -> None:
    assert "not trained" in tables.markdown(summarise(comparison))
    edit(comparison, "lstm-seed1", baseline={"test/accuracy": 0.5})
    assert "not trained" not in tables.markdown(summarise(comparison))


def edit(directory: Path, run: str, **changes: object) -> None:
    write(directory / run, read(directory / run).with_(**changes))


@pytest.mark.parametrize(
    ("task", "source"),
    [("forecasting", "the past of each series"), ("next_frame", "the frames before each predicted one")],
)
def test_baselines_of_test_inputs_name_what_they_read(comparison: Path, task: str, source: str) -> None:
    (group,) = summarise(comparison).groups
    lines = tables.notes(replace(group, task=task))
    assert f"{group.baseline.label}: computed from {source}; no part of the verdict." in lines


def test_further_baselines_are_rows_below_the_first(comparison: Path) -> None:
    near, other = "nearest picture by pixels", "nearest picture by features of cnn"
    for run in ("rnn-seed1", "lstm-seed1", "lstm-seed2"):
        edit(comparison, run, further_baselines={near: {"test/accuracy": 0.125}})
    edit(comparison, "rnn-seed1", further_baselines={near: {"test/accuracy": 0.125}, other: {"test/accuracy": 0.375}})
    summary = summarise(comparison)
    lines = tables.markdown(summary).splitlines()
    rows = [line for line in lines if "(not trained) |" in line]
    assert [row.split(" | ")[2] for row in rows] == ["0.990", "0.125", "0.375"]
    assert (
        f"- {near} (not trained), {other} (not trained): computed from the train split; no part of the verdict."
        in lines
    )
    tex = tables.tex(summary).splitlines()
    assert tex.index("\\midrule", tex.index("\\midrule") + 1) == next(
        place - 1 for place, line in enumerate(tex) if line.startswith(LABEL)
    )
    write_report(comparison)
    foot = (comparison / "dashboard.html").read_text(encoding="utf-8").split("<tfoot>")[1].split("</tfoot>")[0]
    assert near in foot
    assert "0.125" in foot
    edit(comparison, "lstm-seed2", further_baselines={near: {"test/accuracy": 0.25}}, status="failed")
    assert near in tables.markdown(summarise(comparison))
    edit(comparison, "lstm-seed2", status="done")
    assert near not in tables.markdown(summarise(comparison))


def test_seeds_of_other_splits_share_the_mean_of_equal_metrics() -> None:
    def runs(**second: float) -> list[Record]:
        given = {1: {"accuracy": 0.5}, 2: second}
        return [
            Record("done", "demo", "rnn", seed, drawn=("test",), further_baselines={"near": metrics})
            for seed, metrics in given.items()
        ]

    (own,) = further_baselines(
        [Record("done", "demo", "rnn", seed, further_baselines={TRAINED_ENCODER: {"accuracy": value, **more}})
         for seed, value, more in ((1, 0.5, {"bleu": 1.0}), (2, 0.75, {}))]
    )  # fmt: skip
    assert (own.metrics, own.label) == ({"accuracy": 0.625}, f"{TRAINED_ENCODER} (mean of 2 runs)")
    (made,) = further_baselines(runs(accuracy=0.75))
    assert made.metrics == {"accuracy": 0.625}
    assert further_baselines(runs(bleu=1.0)) == ()
