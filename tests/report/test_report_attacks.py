"""Texts from data that try to run a script on the dashboard's page."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from lightning_seq.records.record import read, write
from lightning_seq.report.dashboard.dashboard import dashboard
from tests.report.browser import CHROMIUM, look
from tests.report.page import ATTACKS, Page

Make = Callable[..., Path]


def hostile(make_comparison: Make, directory: Path) -> Path:
    """A comparison in which every string that may come from data attacks the page."""
    make_comparison(
        directory, labels=ATTACKS, seeds=2, classes=ATTACKS, words=ATTACKS, failed=((ATTACKS[0], 2),), error=ATTACKS[1]
    )
    for path in directory.glob("*/record.json"):
        record = read(path)
        write(
            path.parent,
            record.with_(
                name=ATTACKS[0],
                task=ATTACKS[1],
                model=ATTACKS[2],
                data=ATTACKS[3],
                engine=ATTACKS[0],
                overrides=list(ATTACKS),
                config={ATTACKS[0]: {ATTACKS[1]: ATTACKS[2]}, "list": list(ATTACKS)},
                environment={ATTACKS[0]: ATTACKS[1] + str(record.seed)},
                fingerprints={"data": ATTACKS[2], "split": ATTACKS[1] + str(record.seed)},
                embedding={"kind": ATTACKS[3], "size": ATTACKS[0]},
                metrics={f"test/{ATTACKS[0]}": 0.5, **record.metrics} if record.metrics else {},
                started=ATTACKS[1],
                finished=ATTACKS[2],
            ),
        )
    return directory


@pytest.fixture(scope="module")
def attacked(make_comparison: Make, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return hostile(make_comparison, tmp_path_factory.mktemp("runs") / "a & <b>comparison")


def test_strings_from_data_become_no_elements_and_leave_no_script(attacked: Path) -> None:
    text = dashboard(attacked)
    page = Page(text)
    assert [tag for tag, _ in page.elements].count("script") == 3
    assert {"img", "svg onload"} & {tag for tag, _ in page.elements} == set()
    assert not [name for _, attributes in page.elements for name in attributes if name.startswith("on")]
    assert all(attack in page.data["labels"] for attack in ATTACKS)
    assert "\u2028" not in page.scripts[0]
    assert "<" not in page.scripts[0]
    for attack in ATTACKS[:3]:
        assert attack in page.text
        assert attack not in text


def test_no_expression_is_made_of_data(attacked: Path) -> None:
    """Vega compiles filters, tests and calculations: a name from data must not get into one."""
    compiled = []

    def walk(value: object, key: str = "") -> None:
        if isinstance(value, dict):
            for name, item in value.items():
                walk(item, name)
        elif isinstance(value, list):
            for item in value:
                walk(item, key)
        elif key in ("filter", "test", "expr", "calculate", "signal", "href", "url"):
            compiled.append(str(value))

    for entry in Page(dashboard(attacked)).data["charts"].values():
        walk(entry["spec"])
    assert compiled
    assert not [text for text in compiled if "owned" in text]


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on PATH")
def test_a_browser_draws_every_chart_and_runs_no_script_from_data(attacked: Path, tmp_path: Path) -> None:
    source = dashboard(attacked)
    charts = len(Page(source).data["charts"])
    # Without the policy, so that escaping alone has to hold.
    unguarded = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", source)
    for name, text in (("guarded", source), ("unguarded", unguarded)):
        page = tmp_path / f"{name}.html"
        page.write_text(text, encoding="utf-8")
        document = look(page)
        drawn = Page(document)
        assert "<title>owned" not in document
        assert "could not be drawn" not in drawn.text
        assert f'data-drawn="{charts}"' in document
        marks = [
            attributes for tag, attributes in drawn.elements if tag == "svg" and attributes.get("class") == "marks"
        ]
        assert len(marks) == charts
        roles = Counter(attributes.get("aria-roledescription") for _, attributes in drawn.elements)
        runs, means = 2 * len(ATTACKS), len(ATTACKS) - 1
        assert roles["line mark"] == 3 * (runs + means)
        assert roles["area mark"] == 3 * means
        assert roles["rect mark"] == len(ATTACKS) * len(ATTACKS) ** 2
        assert roles["text mark"] > roles["rect mark"]
        forest = [(row[0], row[3]) for row in Page(source).data["tables"]["forest0"]["rows"]]
        rules = sum(kind in ("best", "tie") or (kind == "mean" and low is not None) for kind, low in forest)
        assert rules == 4  # the best mean, two intervals, a bar: one label has no finished run
        names = 3 * len(ATTACKS)  # at the ends of curves, each with a line to it
        assert roles["rule mark"] == 2 + 3 * 2 * len(ATTACKS) + rules + names  # arrows between words, bars


@pytest.fixture(scope="module")
def attacked_texts(make_language: Make, make_tagging: Make, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Language models and taggers in which prompts, texts, symbols, tags, tokens and data sets attack the page."""
    directory = tmp_path_factory.mktemp("runs") / "texts"
    sentence = {"id": ATTACKS[0], "tokens": list(ATTACKS), "target": list(ATTACKS[::-1]), "prediction": list(ATTACKS)}
    make_language(directory, labels=ATTACKS[:2], level="character", prompt=ATTACKS[0], words=ATTACKS, data=ATTACKS[2])
    make_tagging(
        directory, labels=ATTACKS[2:], tags=ATTACKS, sentences=(sentence,), spans=False, data=ATTACKS[1], parquet=False
    )
    return directory


def test_texts_symbols_tags_and_tokens_become_no_elements(attacked_texts: Path) -> None:
    text = dashboard(attacked_texts)
    page = Page(text)
    assert [tag for tag, _ in page.elements].count("script") == 3
    assert {"img", "svg onload"} & {tag for tag, _ in page.elements} == set()
    assert not [name for _, attributes in page.elements for name in attributes if name.startswith("on")]
    for section in ("Samples", "Worst sentences", "Classes", "Confusion matrices"):
        assert section in page.text
    for attack in ATTACKS[:3]:
        assert page.text.count(attack) >= 8
        assert attack not in text


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on PATH")
def test_a_browser_shows_several_data_sets_and_runs_no_script_from_their_texts(
    attacked_texts: Path, tmp_path: Path
) -> None:
    source = dashboard(attacked_texts)
    page = tmp_path / "page.html"
    page.write_text(re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", source), encoding="utf-8")
    document = look(page)
    drawn = Page(document)
    assert "<title>owned" not in document
    assert "could not be drawn" not in drawn.text
    assert f'data-drawn="{len(Page(source).data["charts"])}"' in document
    roles = Counter(attributes.get("aria-roledescription") for _, attributes in drawn.elements)
    assert roles["rect mark"] == 2 * len(ATTACKS) ** 2
