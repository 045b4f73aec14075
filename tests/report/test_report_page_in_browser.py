"""What a person does with the dashboard: reads it on a phone or on paper, sorts, chooses, follows links, saves."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from lightning_seq.report.dashboard.dashboard import dashboard
from tests.report.browser import CHROMIUM, Browser, arrived

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on PATH")

Make = Callable[..., Path]

FIRST_ROWS = "Array.from(document.querySelectorAll('#comparison tbody tr'), (row) => row.cells[0].dataset.value)"
AXES = (
    "Array.from(document.querySelectorAll('#curves .chart'), "
    "(chart) => /epoch|step|seconds/.exec(chart.textContent)[0])"
)


@pytest.fixture(scope="module")
def page(make_comparison: Make, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = make_comparison(tmp_path_factory.mktemp("runs") / "A demo", failed=(("birnn", 3),), steps_per_epoch=5)
    (directory / "dashboard.html").write_text(dashboard(directory), encoding="utf-8")
    return directory / "dashboard.html"


def test_a_table_is_sorted_from_the_keyboard(browser: Browser) -> None:
    browser.run("document.querySelector('#comparison th.sort[data-column=\"1\"] button').focus()")
    browser.press("Enter")
    assert browser.run(FIRST_ROWS) == ["gru", "lstm", "birnn", "rnn"]
    browser.press(" ")
    assert browser.run(FIRST_ROWS) == ["rnn", "birnn", "lstm", "gru"]
    assert browser.run("document.activeElement.closest('th').getAttribute('aria-sort')") == "ascending"


def test_the_pairs_are_sorted_too(browser: Browser) -> None:
    differences = (
        "Array.from(document.querySelectorAll('.pairs tbody tr'), (row) => Number(row.cells[3].dataset.value))"
    )
    browser.run("document.querySelector('#verdict details').open = true")
    browser.run("document.querySelector('.pairs th.sort[data-column=\"3\"] button').click()")
    found = browser.run(differences)
    assert len(found) == 6
    assert found == sorted(found)
    browser.run("document.querySelector('.pairs th.sort[data-column=\"3\"] button').click()")
    assert browser.run(differences) == found[::-1]


def test_curves_are_drawn_against_what_the_arrow_keys_choose(browser: Browser) -> None:
    assert set(browser.run(AXES)) == {"epoch"}
    browser.run("document.querySelector('.against input:checked').focus()")
    for key, chosen in (("ArrowRight", "seconds"), ("ArrowLeft", "epoch"), ("ArrowLeft", "step")):
        browser.press(key)
        browser.wait(f"document.documentElement.dataset.against === '{chosen}'")
        assert set(browser.run(AXES)) == {chosen}


def test_a_chart_is_saved_as_a_picture_that_stands_alone(browser: Browser, page: Path, tmp_path: Path) -> None:
    browser.downloads_to(tmp_path)
    names = {
        "#cost": "a-demo-test-accuracy-against-parameters.svg",
        "#curves": "a-demo-val-accuracy.svg",
        "#words": "a-demo-word-vectors-by-pca.svg",
    }
    for section, name in names.items():
        browser.run(f"document.querySelector('{section} button.save').focus()")
        browser.press("Enter")
        text = arrived(browser, tmp_path, name).read_text(encoding="utf-8")
        assert text.startswith("<svg")
        assert "var(--" not in text
        assert "<script" not in text
    curves = (tmp_path / names["#curves"]).read_text(encoding="utf-8")
    shown = re.findall("<text[^>]*>([^<]*)</text>", curves)
    assert {"val/accuracy", "rnn", "lstm", "gru", "birnn", "epoch"} <= set(shown)
    assert "#0072b2" in curves


def test_a_picture_saved_in_the_dark_has_the_colours_of_paper(page: Path, tmp_path: Path) -> None:
    with Browser(dark=True) as browser:
        browser.open(page)
        browser.downloads_to(tmp_path)
        assert (
            browser.run("getComputedStyle(document.querySelector('#curves .mark-line path')).stroke")
            != "rgb(0, 114, 178)"
        )
        browser.run("document.querySelector('#curves button.save').click()")
        saved = arrived(browser, tmp_path)
    assert "#0072b2" in saved.read_text(encoding="utf-8")
    assert browser.said == []


def test_maps_of_attention_are_saved_too(make_translation: Make, tmp_path: Path) -> None:
    directory = make_translation(tmp_path / "demo", seeds=1)
    page = tmp_path / "page.html"
    page.write_text(dashboard(directory), encoding="utf-8")
    with Browser() as browser:
        browser.open(page)
        browser.downloads_to(tmp_path)
        browser.run("document.querySelector('figure.map button.save').click()")
        saved = arrived(browser, tmp_path)
    text = saved.read_text(encoding="utf-8")
    assert saved.name == "attention-gru-additive-sentence-1.svg"
    assert 'xmlns="http://www.w3.org/2000/svg"' in text
    assert "rgb(11, 83, 148)" in text  # the shade of a strong weight
    assert "cursor" not in text


def test_the_number_of_a_seed_leads_to_its_run(browser: Browser) -> None:
    browser.run("document.querySelector('#comparison tbody tr:nth-child(2) .seeds a:nth-child(3)').focus()")
    browser.press("Enter")
    browser.wait("document.activeElement.classList.contains('run')")
    shown = "document.activeElement.closest('details')"
    assert browser.run(f"{shown}.querySelector('summary').textContent") == "seed 3done"
    assert browser.run(f"{shown}.parentElement.closest('details').querySelector('summary').textContent") == "lstm3 runs"
    links = "Array.from(document.activeElement.querySelectorAll('a'), (link) => link.getAttribute('href'))"
    assert browser.run(links) == [f"./lstm-seed3/{name}" for name in ("config.yaml", "metrics.csv", "log.txt")]
    assert browser.run("document.activeElement.checkVisibility()")


def test_a_narrow_screen_scrolls_tables_and_not_the_page(browser: Browser) -> None:
    browser.resize(390, 800)
    browser.wait("document.querySelector('main').clientWidth <= 390")
    browser.run("new Promise((resume) => setTimeout(resume, 400))")
    browser.wait("document.documentElement.dataset.drawn === '9'")
    assert browser.run("document.documentElement.scrollWidth") == 390
    assert browser.run("document.querySelector('#comparison .scroll').scrollWidth") > 390
    widths = "Array.from(document.querySelectorAll('.pair .chart svg, .three .chart svg'), (svg) => svg.clientWidth)"
    assert max(browser.run(widths)) <= 390


def page_of_ten(make_comparison: Make, directory: Path) -> Path:
    """The page of ten labels, with a folded chart."""
    labels = tuple(f"cell{number}" for number in range(10))
    page = directory / "page.html"
    page.write_text(dashboard(make_comparison(directory / "demo", labels=labels, seeds=1, epochs=2)), encoding="utf-8")
    return page


def test_paper_has_nothing_folded_and_every_chart(make_comparison: Make, tmp_path: Path) -> None:
    """Folded charts are drawn while the page is being printed."""
    with Browser() as browser:
        browser.open(page_of_ten(make_comparison, tmp_path))
        folded = int(browser.run("document.querySelectorAll('.chart').length - document.documentElement.dataset.drawn"))
        assert folded == 1
        shut = "document.querySelectorAll('details:not([open])').length"
        browser.run(f"addEventListener('beforeprint', () => window.shut = {shut})")
        paper = base64.b64decode(browser.call("Page.printToPDF")["data"])
        assert paper.startswith(b"%PDF")
        assert browser.run("window.shut") == 0
        assert browser.run("document.querySelectorAll('details[open]').length") == 0
        assert browser.run("document.querySelectorAll('.chart svg.marks').length") == 10
        browser.call("Emulation.setEmulatedMedia", media="print")
        assert browser.run("getComputedStyle(document.querySelector('.saves')).display") == "none"
    assert browser.said == []


def test_folded_charts_wait_until_they_are_unfolded(make_comparison: Make, tmp_path: Path) -> None:
    with Browser() as browser:
        browser.open(page_of_ten(make_comparison, tmp_path))
        assert browser.run("document.querySelectorAll('#confusion .chart svg').length") == 1
        browser.run("document.querySelector('#confusion summary').focus()")
        browser.press("Enter")
        browser.wait("document.querySelectorAll('#confusion .chart svg').length === 2")
    assert browser.said == []
