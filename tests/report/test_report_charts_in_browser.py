"""What a person does with the charts: hides labels, smooths, reads values, saves; and with sections and settings."""

from __future__ import annotations

import csv
import io
import re
import struct
from collections.abc import Callable
from itertools import pairwise
from math import log
from pathlib import Path
from statistics import fmean

import pytest

from lightning_seq.report.dashboard.dashboard import dashboard
from tests.report.browser import CHROMIUM, Browser, arrived
from tests.report.test_report_tuned import tune

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on PATH")

Make = Callable[..., Path]

LINES = "document.querySelectorAll('#curves .chart')[0].querySelectorAll('[aria-roledescription=\"line mark\"]').length"
NAMES = (
    "Array.from(document.querySelectorAll('#curves .chart')[0].querySelectorAll('.role-mark.mark-text text'), "
    "(text) => text.textContent)"
)
TIP = "Array.from(document.querySelector('.tip').children, (row) => row.textContent.trim())"


@pytest.fixture(scope="module")
def page(make_comparison: Make, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tune(make_comparison(tmp_path_factory.mktemp("runs") / "A demo", labels=("rnn", "gru"), seeds=3))
    (directory / "dashboard.html").write_text(dashboard(directory), encoding="utf-8")
    return directory / "dashboard.html"


def changed(browser: Browser, action: Callable[[], object]) -> None:
    """Do something and wait until the charts are drawn again."""
    before = browser.run("document.documentElement.dataset.redrawn || '0'")
    action()
    browser.wait(f"document.documentElement.dataset.redrawn > {before}")


def test_a_click_on_a_label_hides_its_lines_and_another_shows_them(browser: Browser) -> None:
    button = "document.querySelector('#curves .toggles button')"
    assert (browser.run(LINES), browser.run(NAMES)) == (8, ["gru", "rnn"])  # three seeds and a mean of each
    changed(browser, lambda: browser.run(f"{button}.click()"))
    assert (browser.run(LINES), browser.run(NAMES)) == (4, ["gru"])
    assert browser.run(f"{button}.getAttribute('aria-pressed')") == "false"
    browser.run(f"{button}.focus()")
    changed(browser, lambda: browser.press(" "))
    assert browser.run(LINES) == 8


def test_all_labels_are_hidden_and_shown_at_once(make_comparison: Make, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text(dashboard(make_comparison(tmp_path / "demo", seeds=1)), encoding="utf-8")
    with Browser() as browser:
        browser.open(page)
        for shown, count in (("false", 0), ("true", 4)):
            changed(browser, lambda: browser.run(f"document.querySelector('[data-all={shown}]').click()"))  # noqa: B023
            assert browser.run(LINES) == count
    assert browser.said == []


def test_lines_are_smoothed_by_the_mean_of_their_neighbours(browser: Browser, page: Path) -> None:
    slider = "document.querySelector('#curves .smooth')"
    change = f"{slider}.value = '1'; {slider}.dispatchEvent(new Event('input'))"
    changed(browser, lambda: browser.run(change))
    assert browser.run(f"{slider}.getAttribute('aria-valuetext')") == "3 points"
    assert not browser.run("document.querySelector('#curves .mark-symbol.role-mark')")  # dots would not be on the lines
    browser.run("document.querySelector('#curves .chart').focus()")
    browser.press("Home")
    for _ in range(2):
        browser.press("ArrowRight")
    table = browser.run("JSON.parse(document.getElementById('page-data').textContent).tables")
    rows = next(table[name]["rows"] for name in table if name.startswith("curve"))
    mean = [row[5] for row in rows if row[0] == 0 and row[1] is None]
    said = browser.run(TIP)
    assert said[0] == "epoch 3"
    assert float(re.findall(r"rnn ([\d.]+)", said[2])[0]) == pytest.approx(fmean(mean[1:4]), abs=1e-4)


def test_the_arrow_keys_read_all_labels_at_one_epoch(browser: Browser) -> None:
    browser.run("document.querySelector('#curves .chart').focus()")
    browser.press("ArrowRight")
    head, first, second = browser.run(TIP)
    assert head == "epoch 1"
    assert re.fullmatch(r"gru 0\.5\d+ ± 0\.0\d+", first)
    assert re.fullmatch(r"rnn 0\.4\d+ ± 0\.0\d+", second)
    line = "document.querySelector('#curves .crosshair')"
    left = browser.run(f"{line}.getBoundingClientRect().left")
    browser.press("End")
    assert browser.run(TIP)[0] == "epoch 8"
    assert browser.run(f"{line}.getBoundingClientRect().left") > left + 300
    browser.press("Escape")
    assert browser.run(f"{line}.hidden && document.querySelector('.tip').hidden")


def test_the_pointer_reads_them_too(browser: Browser) -> None:
    browser.run("document.querySelector('#curves .chart').scrollIntoView({block: 'center'})")
    box = browser.run("JSON.parse(JSON.stringify(document.querySelector('#curves .chart').getBoundingClientRect()))")
    browser.call("Input.dispatchMouseEvent", type="mouseMoved", x=box["x"] + box["width"] / 2, y=box["y"] + 80)
    browser.wait("!document.querySelector('.tip').hidden")
    assert browser.run(TIP)[0] in ("epoch 4", "epoch 5")
    assert len(browser.run(TIP)) == 3


def test_a_logarithmic_axis(browser: Browser) -> None:
    ticks = (
        "Array.from(document.querySelectorAll('#curves .chart')[2].querySelectorAll('.mark-text.role-axis-label')[1]"
        ".querySelectorAll('text'), (text) => [Number(text.textContent), text.getBoundingClientRect().top])"
    )
    changed(browser, lambda: browser.run("document.querySelector('#curves .log').click()"))
    known = [tick for tick in browser.run(ticks) if tick[0] > 0]
    (a, y_a), (b, y_b), (c, y_c) = sorted(known)[0], sorted(known)[1], sorted(known)[-1]
    assert (y_a - y_b) / (y_a - y_c) == pytest.approx(log(b / a) / log(c / a), abs=0.03)


def test_names_at_the_ends_of_lines_do_not_overlap(make_comparison: Make, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    labels = tuple(f"cell{number}" for number in range(14))
    page.write_text(dashboard(make_comparison(tmp_path / "demo", labels=labels, seeds=1)), encoding="utf-8")
    bounds = "(({ top, bottom }) => [top, bottom])(%s.getBoundingClientRect())"
    with Browser() as browser:
        browser.open(page)
        assert sorted(browser.run(NAMES)) == sorted(labels)
        boxes = sorted(browser.run(NAMES.replace("text.textContent", bounds % "text")))
        top, bottom = browser.run(bounds % "document.querySelector('#curves .chart svg')")
        dashes = browser.run(
            "Array.from(document.querySelectorAll('.toggles .dash path'), "
            "(path) => path.getAttribute('stroke-dasharray'))"
        )
    assert all(upper[0] + 12 <= lower[0] for upper, lower in pairwise(boxes))
    assert top <= boxes[0][0]
    assert boxes[-1][1] <= bottom
    assert len(set(dashes[:8])) == 8
    assert all(dashes[place] != dashes[place - 8] for place in range(8, 14))


def test_a_chart_is_saved_as_a_picture_and_as_numbers(browser: Browser, page: Path, tmp_path: Path) -> None:
    browser.downloads_to(tmp_path)
    buttons = "Array.from(document.querySelectorAll('#curves .saves')[0].children)"
    labels = browser.run(f"{buttons}.map((button) => button.getAttribute('aria-label'))")
    assert labels == [f"Save val/accuracy as {name}" for name in ("SVG", "PNG", "CSV")]
    browser.run(f"{buttons}[1].click(); {buttons}[2].click()")
    picture = arrived(browser, tmp_path, "a-demo-val-accuracy.png").read_bytes()
    assert picture.startswith(b"\x89PNG")
    width, height = struct.unpack(">II", picture[16:24])
    assert width > 1400
    assert height > 500
    text = arrived(browser, tmp_path, "a-demo-val-accuracy.csv").read_text(encoding="utf-8")
    head, *rows = csv.reader(io.StringIO(text))
    assert head == ["label", "seed", "step", "epoch", "seconds", "value", "sd"]
    table = browser.run("JSON.parse(document.getElementById('page-data').textContent).tables")
    drawn = next(table[name] for name in table if name.startswith("curve"))
    written = [
        [drawn["names"]["label"][row[0]], *("" if part is None else f"{part:g}" for part in row[1:])]
        for row in drawn["rows"]
    ]
    assert [[row[0], *(part and f"{float(part):g}" for part in row[1:])] for row in rows] == written


def test_every_chart_can_be_saved(browser: Browser) -> None:
    assert browser.run("document.querySelectorAll('.saves').length") == browser.run(
        "document.querySelectorAll('.chart svg.marks').length"
    )


def test_labels_with_commas_and_quotes_are_quoted(make_comparison: Make, tmp_path: Path) -> None:
    page, label = tmp_path / "page.html", 'gru, "wide"'
    page.write_text(dashboard(make_comparison(tmp_path / "demo", labels=("rnn", label), seeds=1)), encoding="utf-8")
    with Browser() as browser:
        browser.open(page)
        browser.downloads_to(tmp_path)
        browser.run("document.querySelectorAll('#curves .saves button')[2].click()")
        rows = list(csv.reader(io.StringIO(arrived(browser, tmp_path, "*.csv").read_text(encoding="utf-8"))))
    assert {row[0] for row in rows[1:]} == {"rnn", label}


CURRENT = "document.querySelector('nav a[aria-current]').textContent"


def test_the_list_of_sections_stays_and_marks_the_section_that_is_read(browser: Browser) -> None:
    assert browser.run(CURRENT) == "Result"
    browser.run("document.querySelector('nav a[href=\"#curves\"]').focus()")
    browser.press("Enter")
    browser.wait(f"{CURRENT} === 'Learning curves'")
    assert browser.run("document.querySelector('nav').getBoundingClientRect().top") == 0
    assert browser.run("document.querySelector('main').getBoundingClientRect().left") >= browser.run(
        "document.querySelector('nav').getBoundingClientRect().right"
    )
    browser.run("window.scrollTo(0, document.documentElement.scrollHeight)")
    browser.wait(f"{CURRENT} === 'Configuration of each run'")


def test_the_first_tab_leads_past_the_list(browser: Browser) -> None:
    browser.press("Tab")
    assert browser.run("document.activeElement.textContent") == "Skip to the results"
    assert browser.run("document.activeElement.getBoundingClientRect().left") >= 0
    browser.press("Enter")
    browser.wait("document.activeElement.id === 'main'")


def test_on_a_phone_a_button_opens_the_list(browser: Browser) -> None:
    browser.resize(390, 800)
    browser.wait("document.querySelector('nav button').checkVisibility()")
    assert not browser.run("document.querySelector('nav ol').checkVisibility()")
    browser.run("document.querySelector('nav button').focus()")
    browser.press("Enter")
    assert browser.run("document.querySelector('nav button').getAttribute('aria-expanded')") == "true"
    browser.run("document.querySelector('nav a[href=\"#conditions\"]').click()")
    browser.wait("document.querySelector('nav button span').textContent === 'Equal conditions'")
    assert not browser.run("document.querySelector('nav ol').checkVisibility()")
    top = browser.run("document.getElementById('conditions').getBoundingClientRect().top")
    assert top >= browser.run("document.querySelector('nav').getBoundingClientRect().bottom")


def test_settings_show_their_differences_first(browser: Browser) -> None:
    rows = (
        "Array.from(document.querySelectorAll('.settings tbody tr')).filter((row) => row.checkVisibility())"
        ".map((row) => row.cells[0].textContent)"
    )
    held = (
        "Array.from(document.querySelectorAll('.settings tbody tr:first-child .held'), "
        "(part) => part.textContent.split(' '))"
    )
    assert browser.run(rows) == ["model.cell"]
    assert browser.run(held) == [["rnn", "rnn"], ["gru", "gru"]]
    browser.run("document.querySelector('.settings .only').click()")
    assert browser.run(f"{rows}.length") == 13
    assert "optimizer.lr" in browser.run(rows)


def test_a_trial_is_shown_alone_by_its_number_and_by_its_line(browser: Browser) -> None:
    opacities = (
        "Array.from(document.querySelectorAll('.trials')[1].querySelectorAll('.mark-line.role-mark path'), "
        "(line) => line.getAttribute('opacity') || getComputedStyle(line).opacity)"
    )
    browser.run("document.querySelectorAll('#tuning details')[1].open = true")
    browser.wait("document.querySelectorAll('.trials .chart svg').length === 2")
    assert browser.run(opacities).count("0.9") == 3
    browser.run("document.querySelectorAll('.trials')[1].querySelectorAll('button.trial')[2].focus()")
    browser.wait(f"{opacities}.filter((opacity) => opacity === '0.9').length === 1")
    said = browser.run("document.querySelectorAll('.trials')[1].querySelector('.note').textContent")
    assert said == "trial 3, optimizer.lr 0.0305, task.dropout 0.305, val/accuracy 0.700"
    browser.run("document.activeElement.blur()")
    browser.wait(f"{opacities}.filter((opacity) => opacity === '0.9').length === 3")


def test_words_wrap_on_a_narrow_screen(browser: Browser) -> None:
    browser.resize(390, 800)
    browser.run("document.querySelectorAll('details').forEach((folded) => { folded.open = true; })")
    browser.wait("document.querySelector('main').clientWidth <= 390")
    browser.run("document.querySelectorAll('.only').forEach((box) => box.click())")
    over = (
        "Array.from(document.querySelectorAll('.scroll:has(table.words), pre'))"
        ".map((box) => box.scrollWidth - box.clientWidth)"
    )
    found = browser.run(over)
    assert len(found) > 4
    assert max(found) <= 0
