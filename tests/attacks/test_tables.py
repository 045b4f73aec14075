"""Texts that a spreadsheet would take for a formula."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import pytest

from lightning_seq.cli.rows import write_rows
from lightning_seq.printable import table_cell
from lightning_seq.records.comparison import Plan
from lightning_seq.report import over_data_sets_tables, tables
from lightning_seq.report.summary import runs_of as runs_of_directory
from lightning_seq.report.summary import summarise_runs
from lightning_seq.training.loggers.curve_logger import CurveLogger
from tests.report.made_comparison import make_comparison

FORMULAS = ['=HYPERLINK("http://x")', "@SUM(1)", "+1+cmd|' /C calc'!A0", "-2+3", "＝1", "'=1", "''@x", "\t=1", "'-5"]
PLAIN = ["", "a=b", "-5", "+0.25", "-1e-05", "1,234", "-inf", "nan", "it's", "'tis", "–", "—"]


@pytest.mark.parametrize("text", [*FORMULAS, *PLAIN])
def test_a_cell_of_a_table_is_no_formula_and_can_be_read_back(text: str) -> None:
    cell = table_cell(text)
    assert cell == (f"'{text}" if text in FORMULAS else text)
    assert not re.match(r"[=@＝+-](?!\d*[,.]?\d+(e-\d+)?$|inf)", cell)
    assert "\x1b" not in table_cell(f"{text}\x1b[2J\x07\u202e")


def cells_of(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text)))


def test_no_formula_gets_into_a_table_of_predictions(tmp_path: Path) -> None:
    row = {"text": "=1+1", "predictions": [{"label": "@SUM(1)", "probability": 0.5}], "=x": -0.5}
    write_rows(tmp_path / "rows.csv", [row], ("predictions",))
    header, cells = cells_of((tmp_path / "rows.csv").read_text())
    assert header == ["text", "label", "probability", "'=x", "note"]
    assert cells[:4] == ["'=1+1", "'@SUM(1)", "0.5", "-0.5"]


def test_no_formula_gets_into_the_tables_of_a_comparison(
    tmp_path: Path,
) -> None:
    labels = ["=HYPERLINK(1)", "@SUM\x1b[2J"]
    place = make_comparison(tmp_path / "runs", labels=labels)
    text = tables.csv(summarise_runs(place, runs_of_directory(place)))
    assert [row[0] for row in cells_of(text)[1:]][:2] == ["'=HYPERLINK(1)", "'@SUM [2J"]
    assert not [cell for row in cells_of(text) for cell in row if cell[:1] in ("=", "@", "+") or "\x1b" in cell]


def test_no_formula_gets_into_the_metrics_of_a_run(tmp_path: Path) -> None:
    logger = CurveLogger(tmp_path, lambda: 1.0, lambda: None)
    logger.log_metrics({"=cmd()": -0.5, "epoch": 1}, step=1)
    logger.save()
    assert cells_of((tmp_path / "metrics.csv").read_text()) == [["step", "epoch", "seconds", "'=cmd()"],
                                                               ["1", "1", "1.0", "-0.5"]]  # fmt: skip


def test_the_table_over_data_sets_names_no_formula(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(over_data_sets_tables, "sheet", lambda over: [["label", "rank"], ["=1+1", -1.5]])
    assert tables.over_csv(None) == "label,rank\n'=1+1,-1.5\n"  # type: ignore[arg-type]


def test_a_plan_with_runs_of_any_name_has_the_seeds_that_it_names() -> None:
    assert Plan({"lstm": "lstm", "gru-seed3": "gru", "a-seedx": "a"}).seed_of() == {"gru-seed3": 3}
