"""The page on paper: few enough pages, and no chart on two of them."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from lightning_seq.records.record import write
from lightning_seq.report.dashboard.dashboard import dashboard
from lightning_seq.report.summary import runs_of
from tests.report.browser import CHROMIUM, Browser

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on PATH")

Make = Callable[..., Path]

A4 = {"paperWidth": 8.27, "paperHeight": 11.69}
MOST_PAGES = 12


@pytest.fixture(scope="module")
def demo(make_comparison: Make, make_tagging: Make, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As large as the demo: two data sets, four labels and three seeds each, 150 settings, 20 sentences of 45 words."""
    words = tuple(f"word{number}" for number in range(400))
    directory = tmp_path_factory.mktemp("runs") / "demo"
    make_comparison(directory, epochs=3, words=words, steps_per_epoch=40)
    marks = [f"{mark}{cap}" for mark in ("", ",", ".", ";", ":", "?", "!") for cap in ("+Cap", "")]
    tags = ("O", *filter(None, marks))
    tokens = [f"begotten{number}" for number in range(45)]
    target = [tags[number % 5] for number in range(45)]
    sentence = {"tokens": tokens, "target": target, "prediction": target[1:] + target[:1], "loss": 7.5}
    make_tagging(
        directory, ("rnn-marks", "lstm-marks", "gru-marks", "birnn-marks"), 3, tags,
        tuple({"id": number, **sentence} for number in range(20)), spans=False, data="verses_punctuation",
    )  # fmt: skip
    for run, record in runs_of(directory):
        shared = {f"group{number // 10}.key{number % 10}": number for number in range(143)}
        own = {f"model.key{number}": f"lightning_seq.cells.{record.model}" for number in range(7)}
        write(run, record.with_(config={**shared, **own, "seed": record.seed}))
    page = directory / "page.html"
    page.write_text(dashboard(directory), encoding="utf-8")
    return page


def test_the_demo_is_printed_on_twelve_pages(demo: Path) -> None:
    with Browser(width=1280) as browser:
        browser.open(demo)
        paper = base64.b64decode(browser.call("Page.printToPDF", **A4)["data"])
        pages = len(re.findall(rb"/Type\s*/Page\b", paper))
        assert 6 <= pages <= MOST_PAGES
        browser.call("Emulation.setEmulatedMedia", media="print")
        charts = "document.querySelectorAll('.card')"
        kept = f"Array.from({charts}, (card) => getComputedStyle(card).breakInside)"
        assert set(browser.run(kept)) == {"avoid"}
        assert browser.run("getComputedStyle(document.querySelector('nav')).display") == "none"
        heights = "Array.from(document.querySelectorAll('.chart svg'), (svg) => svg.getBoundingClientRect().height)"
        assert max(browser.run(heights)) < 950  # pixels: a chart that is taller than a page runs over what follows it
        shown = (
            "Array.from(document.querySelectorAll('.sentences')[0].children).filter((item) => item.checkVisibility())"
        )
        assert browser.run(f"{shown}.length") == 1
        note = "Array.from(document.querySelectorAll('.onpaper'), (note) => note.textContent)[0]"
        assert browser.run(note) == "The first of 20; the page on a screen has them all."
    assert browser.said == []
