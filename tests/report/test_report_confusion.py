"""The picture of confusion matrices: shared classes, hidden rows and columns, differences to a label."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from lightning_seq.report.dashboard.confusion_matrices import (
    GAP,
    SMALL_STEP,
    UNNAMED,
    WIDTH,
    Confusion,
    Shown,
    confusion_chart,
    largest_differences,
)
from lightning_seq.report.dashboard.dashboard import dashboard
from tests.report.browser import CHROMIUM, Browser
from tests.report.page import Page

Make = Callable[..., Path]

CLASSES = ["a", "b", "c"]
MATRICES = [
    Confusion("rnn", 1, {("a", "a"): 6, ("a", "b"): 2, ("b", "b"): 4, ("c", "a"): 1}),
    Confusion("gru", 2, {("a", "a"): 4, ("a", "b"): 4, ("b", "b"): 3, ("b", "a"): 1, ("c", "b"): 1}),
]


def test_every_task_has_class_names_or_no_matrices() -> None:
    named = {"classification", "tagging", "visual_questions"}
    tasks = {file.stem for file in Path("conf/task").glob("*.yaml")}
    assert {*UNNAMED} == tasks - named


def test_empty_columns_are_hidden_and_named() -> None:
    shown, sentences = Shown.of(MATRICES, CLASSES)
    assert (shown.targets, shown.predictions) == (CLASSES, ["a", "b"])
    assert sentences == ["Never predicted by any label: c (empty columns are hidden)."]
    alone = [Confusion("rnn", 1, {("b", "a"): 1, ("b", "b"): 3})]
    assert Shown.of(alone, ["a", "b"])[1] == ["Never the true class: a (empty rows are hidden)."]


def test_every_label_has_the_pairs_of_all() -> None:
    shown, _ = Shown.of(MATRICES, CLASSES)
    rows = shown.rows(MATRICES, CLASSES)
    assert len(rows) == 2 * 3 * 2
    assert [0, 0, 0, 1, 2, 0.25] in rows
    assert [0, 0, 1, 0, 0, 0.0] in rows
    assert [1, 1, 2, 1, 1, 1.0] in rows


def test_the_largest_difference_has_full_colour() -> None:
    assert largest_differences(MATRICES, CLASSES) == [1.0, 1.0]
    close = [Confusion("x", 1, {("a", "a"): 3, ("a", "b"): 1}), Confusion("y", 1, {("a", "a"): 1, ("a", "b"): 1})]
    assert largest_differences(close, ["a", "b"]) == [0.25, 0.25]
    assert largest_differences(close[:1], ["a", "b"]) == [1.0]


@pytest.mark.parametrize(("classes", "labels"), [(2, 1), (3, 8), (7, 4), (14, 2), (15, 8), (40, 3)])
def test_matrices_fit_the_page(classes: int, labels: int) -> None:
    names = [str(number) for number in range(classes)]
    columns, step = Shown(names, names).layout(labels)
    assert 1 <= columns <= labels
    assert columns * (step * classes + GAP) <= WIDTH + GAP
    assert step >= SMALL_STEP


def test_the_picture_compiles_with_and_without_a_difference() -> None:
    import vl_convert

    shown, _ = Shown.of(MATRICES, CLASSES)
    labels = ["rnn", "gru"]
    spec = confusion_chart(shown, labels, largest_differences(MATRICES, CLASSES), 0)
    fields = ("place", "label", "target", "prediction", "count", "share")
    rows = [dict(zip(fields, row, strict=True)) for row in shown.rows(MATRICES, CLASSES)]
    for row in rows:
        row |= {"label": labels[row["label"]], **{side: CLASSES[row[side]] for side in ("target", "prediction")}}
    shapes = {}
    for against in ("", "gru"):
        params = [param | ({"value": against} if param["name"] == "against" else {}) for param in spec["params"]]
        svg = vl_convert.vegalite_to_svg(spec | {"params": params, "data": {"values": rows}})
        shapes[against] = re.findall(r">([+−]?[\d.]+)</text>", svg)
    assert shapes[""] == ["6", "2", "0", "4", "1", "0", "4", "4", "1", "3", "0", "1"]
    assert shapes["gru"] == ["+25.0", "−25.0", "−25.0", "+25.0", "+100.0", "−100.0"]


def test_a_single_label_has_no_menu() -> None:
    shown, _ = Shown.of(MATRICES[:1], CLASSES)
    (against,) = [each for each in confusion_chart(shown, ["rnn"], [1.0], 0)["params"] if each["name"] == "against"]
    assert against == {"name": "against", "expr": "''"}


def test_labels_share_a_picture_up_to_eight(make_comparison: Make, tmp_path: Path) -> None:
    labels = tuple(f"cell{number}" for number in range(10))
    page = Page(dashboard(make_comparison(tmp_path / "demo", labels=labels, seeds=1, epochs=2)))
    charts = [entry for entry in page.data["charts"].values() if entry.get("table", "").startswith("confusion")]
    assert len(charts) == 2
    assert charts[0]["table"] == charts[1]["table"]
    assert "Counts of 1 seed a label." in page.text
    assert "2 more labels" in page.text


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on PATH")
def test_a_narrow_screen_has_matrices_below_each_other(make_comparison: Make, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text(dashboard(make_comparison(tmp_path / "demo", labels=("rnn", "gru"), epochs=2)), encoding="utf-8")
    heights = []
    for width in (1200, 450):
        with Browser(width=width) as browser:
            browser.open(page)
            heights.append(browser.run("document.querySelector('#confusion .chart svg').clientHeight"))
    assert heights[1] > 1.5 * heights[0]


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on PATH")
def test_a_reader_chooses_the_label_of_the_difference(make_comparison: Make, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text(dashboard(make_comparison(tmp_path / "demo", labels=("rnn", "gru"), epochs=2)), encoding="utf-8")
    texts = "Array.from(document.querySelectorAll('#confusion .chart svg text'), (each) => each.textContent)"
    with Browser() as browser:
        browser.open(page)
        assert "Share of the true class, full colour at 100 %" in browser.run(texts)
        choose = "const menu = document.querySelector('#confusion select'); menu.selectedIndex = 2;"
        browser.run(f"{{ {choose} menu.dispatchEvent(new Event('change', {{ bubbles: true }})); }}")
        browser.wait(f"{texts}.some((text) => text.startsWith('Difference to gru in points'))")
        browser.resize(1200, 900)  # the chart is drawn again
        browser.run("new Promise((resume) => setTimeout(resume, 400))")
        browser.wait(f"{texts}.some((text) => text.startsWith('Difference to gru in points'))")
        assert any(re.fullmatch(r"[+−]\d+\.\d", text) for text in browser.run(texts))
    assert browser.said == []
