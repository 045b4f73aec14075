"""The page is for keyboards and screen readers too: three rules in its HTML, all others by axe-core in a browser."""

from __future__ import annotations

import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest

from lightning_seq.report.dashboard.dashboard import dashboard
from tests.report.browser import CHROMIUM, Browser
from tests.report.made_data_sets import make_data_sets
from tests.report.made_sweep import made
from tests.report.test_report_tuned import tune

Make = Callable[..., Path]

ROOT = Path(__file__).parents[2]
AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
"""`npm install --no-save axe-core` puts it there."""

PAGES = ("sweep", "several", "single", "language", "translation", "tuned", "data_sets", "captions")
TEMPLATES = sorted((ROOT / "lightning_seq" / "report" / "dashboard" / "templates").glob("*.html"))


class Outline(HTMLParser):
    """The levels of headings, the texts of table headings, and elements that may scroll."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.levels: list[int] = []
        self.headings: list[str] = []
        self.scrolling: list[dict[str, str | None]] = []
        self._in_heading = False
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if re.fullmatch("h[1-6]", tag):
            self.levels.append(int(tag[1]))
        if tag == "th":
            self.headings.append("")
            self._in_heading = True
        if tag == "pre" or "scroll" in str(found.get("class")).split():
            self.scrolling.append(found)

    def handle_endtag(self, tag: str) -> None:
        self._in_heading = self._in_heading and tag != "th"

    def handle_data(self, data: str) -> None:
        if self._in_heading:
            self.headings[-1] += data.strip()


@pytest.fixture(scope="module")
def pages(
    make_comparison: Make,
    make_language: Make,
    make_tagging: Make,
    make_translation: Make,
    make_captions: Make,
    make_music: Make,
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, Path]:
    place = tmp_path_factory.mktemp("pages")
    made(place / "sweep")
    make_music(make_comparison(make_tagging(place / "several"), labels=("gru-genre", "birnn-genre"), seeds=2))
    make_comparison(place / "single", failed=(("birnn", 3),), steps_per_epoch=5)
    make_language(place / "language")
    make_translation(place / "translation")
    make_data_sets(place / "data_sets")
    tune(make_comparison(place / "tuned", labels=("rnn", "gru"), seeds=2))
    make_captions(place / "captions")
    written = {}
    for name in PAGES:
        written[name] = place / f"{name}.html"
        written[name].write_text(dashboard(place / name), encoding="utf-8")
    return written


def test_three_rules_hold_in_every_page(pages: dict[str, Path]) -> None:
    for path in pages.values():
        outline = Outline(path.read_text(encoding="utf-8"))
        assert outline.levels[0] == 1
        steps = [after - before for before, after in zip(outline.levels, outline.levels[1:], strict=False)]
        assert max(steps) <= 1
        assert outline.levels.count(1) == 1
        assert outline.headings
        assert all(outline.headings)
        assert outline.scrolling
        for found in outline.scrolling:
            assert (found.get("tabindex"), found.get("role")) == ("0", "region")
            assert found.get("aria-label")


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.stem)
def test_no_template_breaks_the_rules(template: Path) -> None:
    """Of parts too that the pages above do not have: tables come from `scroll`, listings from `listing`."""
    text = template.read_text(encoding="utf-8")
    assert "<h4" not in text
    assert not re.search(r"<th[^>]*>\s*</th>", text)
    if template.stem != "macros":
        assert "<table" not in text
        assert "<pre" not in text


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on PATH")
@pytest.mark.skipif(not AXE.is_file(), reason="no axe-core: npm install --no-save axe-core")
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing_serious(pages: dict[str, Path], name: str, dark: bool) -> None:
    with Browser(dark=dark) as browser:
        browser.open(pages[name])
        browser.run("document.querySelectorAll('details').forEach((folded) => { folded.open = true; })")
        browser.wait("document.querySelectorAll('.chart').length === document.querySelectorAll('.chart svg').length")
        browser.run(AXE.read_text(encoding="utf-8"))
        found = browser.run(
            "axe.run(document).then((result) => result.violations.map("
            "(each) => [each.id, each.impact, each.nodes[0].html.slice(0, 200)]))"
        )
    named = ("scrollable-region-focusable", "heading-order", "empty-table-header")
    assert [each for each in found if each[1] in ("serious", "critical") or each[0] in named] == []
