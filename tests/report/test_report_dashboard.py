"""The dashboard: whole, self-contained, and readable."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from lightning_seq.errors import UserError
from lightning_seq.records.record import read, runs_in, write
from lightning_seq.report.dashboard.dashboard import dashboard
from lightning_seq.report.verdict import ONE_SEED
from lightning_seq.report.write import write_report
from tests.report.browser import CHROMIUM, look
from tests.report.page import Page

Make = Callable[..., Path]


def test_every_piece_is_on_the_page(make_comparison: Make, tmp_path: Path) -> None:
    page = Page(dashboard(make_comparison(tmp_path / "demo", failed=(("birnn", 3),))))
    for title in (
        "Result",
        "Verdict",
        "Comparison",
        "Quality against cost",
        "Learning curves",
        "Confusion matrices",
        "Word vectors",
        "Unfinished runs",
        "Equal conditions",
        "Configuration of each run",
    ):
        assert title in page.text
    assert (
        "gru has the best mean, but is not told apart from lstm; birnn and rnn are behind gru by 4.5 to 7.2 points."
        in page.text
    )
    assert "RuntimeError: loss is not finite at step 120" in page.text
    assert len(page.data["charts"]) == 1 + 3 + 3 + 1 + 1
    links = {attributes["href"] for tag, attributes in page.elements if tag == "a"}
    assert {"./gru-seed1/config.yaml", "./gru-seed1/log.txt", "./gru-seed1/metrics.csv"} <= links
    ids = {f"#{attributes['id']}" for _, attributes in page.elements if "id" in attributes}
    assert all(target in ids or (tmp_path / "demo" / str(target)).is_file() for target in links)


def test_the_page_asks_nobody_for_anything(make_comparison: Make, tmp_path: Path) -> None:
    text = dashboard(make_comparison(tmp_path / "demo"))
    page = Page(text)
    for tag, attributes in page.elements:
        assert tag not in ("link", "iframe", "img", "base", "form")
        assert "src" not in attributes
        assert not str(attributes.get("href", "./")).startswith(("http", "//"))
    policy = next(attributes["content"] for tag, attributes in page.elements if "http-equiv" in attributes)
    assert "default-src 'none'" in str(policy)
    assert "viewport" in {attributes.get("name") for tag, attributes in page.elements if tag == "meta"}
    assert "prefers-color-scheme: dark" in text


def test_each_data_set_is_there_once_and_each_chart_finds_its_own(make_comparison: Make, tmp_path: Path) -> None:
    data = Page(dashboard(make_comparison(tmp_path / "demo"))).data
    used = [entry[kind] for entry in data["charts"].values() for kind in ("table", "words", "arrows") if kind in entry]
    assert set(used) == set(data["tables"])
    specs = [json.dumps(entry["spec"]) for entry in data["charts"].values()]
    assert not [spec for spec in specs if '"data": {"values"' in spec or "datasets" in spec]
    bodies = [json.dumps(table) for table in data["tables"].values()]
    assert len(bodies) == len(set(bodies))


def test_forty_runs_stay_under_three_megabytes(make_comparison: Make, tmp_path: Path) -> None:
    labels = tuple(f"model=recurrent,cell=variant{index},num_layers=2" for index in range(14))
    directory = make_comparison(tmp_path / "demo", labels=labels, epochs=30, steps_per_epoch=50)
    assert len(dashboard(directory).encode()) < 3_000_000


def test_missing_pieces_leave_their_section_out(make_comparison: Make, tmp_path: Path) -> None:
    page = Page(dashboard(make_comparison(tmp_path / "demo", artifacts={}, curves={}, config={}, environment={})))
    assert "Confusion matrices" not in page.text
    assert "Word vectors" not in page.text
    assert "Unfinished runs" not in page.text
    assert "No run has recorded a curve yet" in page.text
    assert [entry["title"].rpartition(" against ")[2] for entry in page.data["charts"].values()] == [
        "test/accuracy by label",
        "parameters",
        "recurrent parameters",
        "tokens/s",
    ]


def test_a_changed_artifact_is_left_out_with_a_note(make_comparison: Make, tmp_path: Path) -> None:
    directory = make_comparison(tmp_path / "demo", labels=("rnn",), seeds=1)
    (directory / "rnn-seed1" / "predictions.parquet").write_bytes(b"changed")
    (directory / "rnn-seed1" / "config.yaml").unlink()
    page = Page(dashboard(directory))
    assert "rnn, seed 1: predictions.parquet has changed since the run ended" in page.text
    assert "rnn, seed 1: config.yaml is missing" in page.text
    assert not [entry for entry in page.data["charts"].values() if entry.get("table", "").startswith("confusion")]


def test_nothing_finished_says_so(make_comparison: Make, tmp_path: Path) -> None:
    directory = make_comparison(tmp_path / "demo", labels=("rnn",), seeds=1, failed=(("rnn", 1),))
    assert "No run is done yet" in Page(dashboard(directory)).text


def test_one_seed_says_that_nothing_can_be_concluded(make_comparison: Make, tmp_path: Path) -> None:
    text = Page(dashboard(make_comparison(tmp_path / "demo", seeds=1))).text
    assert f"Result {ONE_SEED}" in text
    assert f"Verdict {ONE_SEED}" in text


def test_unequal_splits_are_told_plainly(make_comparison: Make, tmp_path: Path) -> None:
    directory = make_comparison(tmp_path / "demo", labels=("rnn", "gru"), seeds=1)
    record = read(directory / "gru-seed1")
    write(directory / "gru-seed1", record.with_(fingerprints={**record.fingerprints, "split": "another"}))
    text = Page(dashboard(directory)).text
    assert re.search(r"split train, validation and test split no 0d93bb1c5e02f7a4 rnn seed 1 another gru seed 1", text)


def test_the_report_is_four_files_and_a_second_one_replaces_them(make_comparison: Make, tmp_path: Path) -> None:
    directory = make_comparison(tmp_path / "demo", labels=("rnn",), seeds=1)
    summary = write_report(directory)
    assert summary.groups[0].labels == ["rnn"]
    names = {path.name for path in directory.iterdir() if path.is_file()}
    assert names == {"table.md", "table.csv", "table.tex", "dashboard.html"}
    (directory / "table.md").write_text("old")
    write_report(directory)
    assert (directory / "table.md").read_text().startswith("# demo")


def test_a_report_of_nothing_is_the_users_mistake(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no run"):
        write_report(tmp_path)
    assert list(tmp_path.iterdir()) == []


def curve_charts(data: dict) -> list[dict]:
    return [entry for entry in data["charts"].values() if "choice" in entry]


@pytest.mark.parametrize(("epochs", "ticks"), [(3, [1, 2, 3]), (10, [1, 3, 5, 7, 9]), (30, [1, 6, 11, 16, 21, 26])])
def test_epochs_are_counted_whole(make_language: Make, tmp_path: Path, epochs: int, ticks: list[int]) -> None:
    data = Page(dashboard(make_language(tmp_path / "demo", labels=("rnn",), seeds=1, epochs=epochs))).data
    choice = curve_charts(data)[0]["choice"]
    assert choice["epoch"]["axis"]["values"] == ticks
    assert list(choice) == ["step", "epoch", "seconds"]


def test_a_run_of_one_epoch_has_axes_around_its_point(make_comparison: Make, tmp_path: Path) -> None:
    data = Page(dashboard(make_comparison(tmp_path / "demo", labels=("rnn",), seeds=1, epochs=1))).data
    chart = curve_charts(data)[0]
    table = data["tables"][chart["table"]]
    value = table["rows"][0][table["columns"].index("value")]
    low, high = chart["spec"]["layer"][0]["encoding"]["y"]["scale"]["domain"]
    assert low < value < high


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on PATH")
def test_a_legend_highlights_in_its_own_data_set_alone(make_language: Make, make_music: Make, tmp_path: Path) -> None:
    directory = make_music(make_language(tmp_path / "demo", labels=("rnn", "gru"), seeds=1), labels=("tanh", "lstm"))
    page = tmp_path / "page.html"
    page.write_text(dashboard(directory), encoding="utf-8")
    change = """
      for (const [section, index] of [["cost", 1], ["curves", 2]])
        document.querySelectorAll(`#${section} .legend button`)[index].click();
      new Promise((resume) => setInterval(() => document.documentElement.dataset.redrawn && resume(), 20))"""
    drawn = Page(look(page, change))
    pressed = [attributes["aria-pressed"] for tag, attributes in drawn.elements if "aria-pressed" in attributes]
    costs, language, music = ["false", "true"], ["true", "true"], ["false", "true"]  # music has no costs
    assert pressed == [*costs, *language, *music]
    lines = sum(attributes.get("aria-roledescription") == "line mark" for _, attributes in drawn.elements)
    assert lines == 3 * 2 + 2 * 3  # a seed of rnn and gru in three charts, both seeds of lstm and their mean in two


def test_numbers_and_bits_have_no_confusion_matrix(make_comparison: Make, tmp_path: Path) -> None:
    directory = make_comparison(tmp_path / "demo", labels=("rnn",), seeds=1)
    assert 'id="confusion"' in dashboard(directory)
    for path in directory.glob("*/record.json"):
        record = json.loads(path.read_text(encoding="utf-8"))
        path.write_text(json.dumps(record | {"task": "regression"}), encoding="utf-8")
    assert 'id="confusion"' not in dashboard(directory)


@pytest.mark.parametrize(
    ("values", "places"),
    [
        ((0.25, 0.75), {"7.0", "143.0"}),
        ((0.5, 0.5), {"75.0"}),
        ((4503599627370498.0, 4503599627370498.0), {"75.0"}),  # 0.5 more is the same number
        ((5e-324, 1e-323), {"75.0"}),
        ((-1e149, 1e149), {"7.0", "143.0"}),
        ((0.5, 1e200), {"75.0"}),  # as good as infinite
    ],
)
def test_dots_of_any_numbers_lie_in_the_strip(
    make_comparison: Make, tmp_path: Path, values: tuple[float, float], places: set[str]
) -> None:
    directory = make_comparison(tmp_path / "demo", labels=("rnn",), seeds=2)
    for path, value in zip(sorted(directory.glob("*/record.json")), values, strict=True):
        record = json.loads(path.read_text(encoding="utf-8"))
        path.write_text(json.dumps(record | {"metrics": {"test/accuracy": value}}), encoding="utf-8")
    dots = [attributes["cx"] for tag, attributes in Page(dashboard(directory)).elements if tag == "circle"]
    assert set(dots) == places


def test_finished_runs_without_a_finite_result_are_told(make_comparison: Make, tmp_path: Path) -> None:
    directory = make_comparison(tmp_path / "demo", labels=("rnn", "gru"), seeds=1)
    for run, record in runs_in(directory):
        write(run, record.with_(metrics=dict.fromkeys(record.metrics)))
    text = Page(dashboard(directory)).text
    assert "None of the 2 runs that are done has a finite test/accuracy." in text
    assert "No run is done yet" not in text
