"""How dialogs about pictures are shown: the picture, its turns, and the answer of each label with its rank."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lightning_seq.records.dialogs import AnsweredDialog, AnsweredDialogs, AnsweredTurn
from lightning_seq.records.record import runs_in, write
from lightning_seq.report.dashboard.dashboard import dashboard
from tests.report.browser import CHROMIUM, Browser
from tests.report.made_captions import png
from tests.report.made_comparison import make_comparison
from tests.report.made_run import rewrite
from tests.report.page import ATTACKS, Page


def made(directory: Path, question: str = "is there a red thing") -> Path:
    """Of two labels: `rnn` is right, `gru` is not; only `rnn` has the second dialog."""
    make_comparison(directory, labels=("rnn", "gru"), seeds=1)
    for place, record in runs_in(directory):
        write(place, record.with_(task="visual_dialog", data="scene_dialog"))
        wrong = record.label == "gru"
        turns = (
            AnsweredTurn(question, "existence", "yes", "no" if wrong else "yes", 3 if wrong else 1),
            AnsweredTurn("what is it", "", "a two", "" if wrong else "a two"),
        )
        shown = [AnsweredDialog(0, png(0), "a scene", turns), AnsweredDialog(5, png(5), "", turns[:1])]
        content = AnsweredDialogs(6, 20, tuple(shown[: 1 if wrong else 2])).to_plain()

        rewrite(directory, place.name, "test_dialogs", json.dumps(content))
    return directory


def section(text: str) -> str:
    return text.partition('id="dialogs"')[2].partition("</section>")[0]


def test_turns_with_the_true_answer_and_that_of_each_label(tmp_path: Path) -> None:
    text = section(dashboard(made(tmp_path / "demo")))
    first, second = text.split("<details")[1:]
    assert Page(first).text.split("> ", 1)[-1] == (
        "dialog 0: a scene is there a red thing existence yes rnn yes true answer: rank 1 of 20 "
        "gru no true answer: rank 3 of 20 what is it a two rnn a two gru nothing"
    )
    assert "rank 1 of 20" in second
    assert "gru" not in Page(second).text
    assert '<span class="other">no</span>' in first
    assert '<span class="other">yes</span>' not in text


def test_text_stays_text(tmp_path: Path) -> None:
    page = Page(dashboard(made(tmp_path / "demo", ATTACKS[0])))
    assert len(page.scripts) == 3


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on PATH")
def test_it_fits_a_phone(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text(dashboard(made(tmp_path / "demo", "a very long question " * 12)), encoding="utf-8")
    with Browser(390, 800) as browser:
        browser.open(page)
        boxes = "[...document.querySelectorAll('#dialogs p, #dialogs dd')].map(one => one.getBoundingClientRect())"
        assert browser.run(f"{boxes}.every(box => box.left >= 0 && box.right <= 390)") is True
        size = "getComputedStyle(document.querySelector('#dialogs .asked')).fontSize"
        assert float(str(browser.run(size)).removesuffix("px")) >= 12
        assert browser.said == []
