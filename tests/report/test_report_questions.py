"""How questions about pictures are shown: the table by kind, pictures under each look, worst and best, what differs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from lightning_seq.records.attention import LEVELS
from lightning_seq.records.record import runs_in, write
from lightning_seq.report.dashboard.dashboard import dashboard
from lightning_seq.report.dashboard.questions import chosen_questions, first_questions
from lightning_seq.report.wandb.summary import log_comparison
from tests.report.browser import CHROMIUM, Browser, look, pictures_drawn
from tests.report.made_captions import peaked
from tests.report.made_run import rewrite
from tests.report.page import ATTACKS, Page

Make = Callable[..., Path]


def section(text: str) -> str:
    return text.partition('id="questions"')[2].partition("</section>")[0]


def test_accuracy_by_kind_with_chance_and_the_blind_baseline(make_questions: Make, tmp_path: Path) -> None:
    text = section(dashboard(make_questions(tmp_path / "demo")))
    table = Page(text.partition("</table>")[0]).text
    for row in (
        "label all questions colour count words in random order",
        "question blind: sees no picture 0.515 ± 0.007 0.640 ± 0.007 0.390 ± 0.007 0.265 ± 0.007",
        "film 0.615 ± 0.007 0.740 ± 0.007",
        "chance 0.400 0.250 0.500 test questions 10 4 6",
    ):
        assert row in table
    assert "The deaf baseline is not in this comparison: add task.fusion=picture" in Page(text).text.replace(" .", ".")
    other = Page(section(dashboard(make_questions(tmp_path / "deaf", labels=("picture", "film"), seeds=1)))).text
    assert "picture deaf: reads no question" in other
    assert "The blind baseline is not in this comparison: add task.fusion=question" in other


def test_chosen_questions_are_shared_and_of_all_kinds(make_questions: Make, tmp_path: Path) -> None:
    found, wrong = first_questions(runs_in(make_questions(tmp_path / "demo", labels=("film", "stacked"))))
    assert wrong == []
    assert [(record.label, record.seed) for record, _ in found] == [("film", 1), ("stacked", 1)]
    chosen = chosen_questions({record.label: content for record, content in found})
    assert [(mine["film"].number, mine["stacked"].kind) for mine in chosen] == [
        (0, "colour"), (1, "count"), (2, "colour"), (3, "count"), (4, "colour"), (5, "count"),
    ]  # fmt: skip
    ((_, few),), _ = first_questions(runs_in(make_questions(tmp_path / "few", labels=("film",), seeds=1, asked=4)))
    assert [mine["film"].number for mine in chosen_questions({"film": few})] == [0, 1], "those of one run are left out"


def test_the_maps_of_each_look(make_questions: Make, tmp_path: Path) -> None:
    text = dashboard(make_questions(tmp_path / "demo"))
    (held,) = Page(text).data["maps"].values()
    assert (held["epochs"], held["levels"], held["unit"]) == ([], LEVELS, "look")
    first, *_, last = held["pictures"]
    assert first["png"].startswith("iVBOR")
    assert last["png"] == "", "it is in the text of the page"
    assert [(run["label"], run["grid"]) for run in first["runs"]] == [
        ("question", None), ("film", None), ("stacked", [2, 3]),
    ]  # fmt: skip
    assert first["runs"][2]["steps"] == [[0, ["look 1", "look 2"], peaked(0) + peaked(1), [], []]]
    assert first["runs"][0]["steps"] == [[0, [], "", [], []]]


def test_answers_that_differ_come_by_distance_and_extremes_by_truth(make_questions: Make, tmp_path: Path) -> None:
    text = section(dashboard(make_questions(tmp_path / "demo", seeds=1)))
    apart = text.partition("Answers that differ")[2].partition("Worst and best")[0]
    order = [f"row {number} of the test split" for number in (3, 2, 1, 0)]
    places = [apart.index(name) for name in order]
    assert places == sorted(places), "those with the most different probabilities first"
    assert "row 4 of" not in apart, "the same answer by all"
    assert '<span class="other">film wrong</span> <small>62 % · true answer 25 %' in apart
    (best,) = [part for part in text.partition("Worst and best")[2].split("<summary>") if part.startswith("stacked")]
    places = [best.index(f"row {number} of the test split") for number in (0, 1, 2, 8, 9, 7)]
    assert places == sorted(places)


def test_the_page_of_four_labels_is_below_four_megabytes(make_questions: Make, tmp_path: Path) -> None:
    labels = ("stacked", "stacked2", "stacked3", "stacked4")
    text = dashboard(make_questions(tmp_path / "demo", labels=labels, seeds=1, asked=52, side=96))
    assert 1_000_000 < len(text.encode()) < 4_000_000


def test_a_damaged_file_is_a_note_and_text_stays_text(make_questions: Make, tmp_path: Path) -> None:
    directory = make_questions(tmp_path / "demo", seeds=1)
    attacks = {"question": ATTACKS[0], "target": ATTACKS[1], "answer": ATTACKS[2], "kind": ATTACKS[3]}
    for name, change in (("film", {"weights": ["!!"]}), ("stacked", attacks)):
        plain = json.loads((directory / f"{name}-seed1" / "test_questions.json").read_text())
        plain["questions"][0] |= change
        plain["kinds"][0]["name"] = ATTACKS[0]
        rewrite(directory, f"{name}-seed1", "test_questions", json.dumps(plain))
    page = Page(dashboard(directory))
    assert "film, seed 1: test_questions.json cannot be used (expected 0 weights in characters of the" in page.text
    assert not [one for tag, one in page.elements if tag == "img" and not str(one["src"]).startswith("data:image/png")]
    assert len(page.scripts) == 3


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on PATH")
def test_keys_step_through_looks_and_questions(make_questions: Make, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text(dashboard(make_questions(tmp_path / "demo", labels=("film", "stacked"), seeds=1)))
    script = """(async () => {
      const said = [], figure = () => document.querySelectorAll("details[open] figure.pictured")[1];
      const told = () => figure().querySelector(".note").textContent;
      const press = (key) => figure().querySelector("svg[role=img]").dispatchEvent(
        new KeyboardEvent("keydown", { key, cancelable: true }));
      said.push(told(), document.querySelector("figure.pictured .note").textContent);
      press("ArrowRight"); said.push(told(), figure().querySelector("svg").getAttribute("aria-label"));
      press("ArrowRight"); press("ArrowDown");
      said.push(told(), document.activeElement === figure().querySelector("svg"));
      said.push(figure().querySelector(".words").textContent);
      press("ArrowUp"); press("ArrowUp"); said.push(told());
      const strips = document.querySelectorAll(".frames.alone");
      said.push(strips[0].querySelectorAll(".frame image").length, strips[0].querySelector("span").textContent);
      document.body.dataset.said = JSON.stringify(said);
    })()"""
    drawn = Page(look(page, script))
    (body,) = [attributes for tag, attributes in drawn.elements if tag == "body"]
    assert json.loads(str(body["data-said"])) == [
        "look 1: 100 % at the strongest place",
        "This model has no attention.",
        "look 2: 100 % at the strongest place",
        "Attention of stacked, look 2 of 2, look 2: 100 % at the strongest place",
        "look 1: 100 % at the strongest place",
        True,
        "stacked wrong 62 % · true answer 15 %",
        "look 2: 100 % at the strongest place",
        4,
        "look 1",
    ]


def test_answers_and_looks_by_epoch(make_questions: Make, tmp_path: Path) -> None:
    text = dashboard(make_questions(tmp_path / "demo", labels=("film", "stacked"), seeds=1, epochs=3))
    after = Page(section(text).partition("After each epoch")[2]).text
    assert "where is 3 → red" in after
    assert "where is 7 → red" in after
    (held,) = [one for one in Page(text).data["maps"].values() if one["epochs"]]
    assert (held["epochs"], held["unit"], len(held["pictures"])) == ([1, 2, 3], "look", 2)
    film, stacked = held["pictures"][0]["runs"]
    assert film["steps"] == [
        [epoch, [], "", [], [], f"film {epoch} {percent} %"] for epoch, percent in ((1, 12), (2, 25), (3, 38))
    ]
    assert stacked["steps"][2] == [3, ["look 1", "look 2"], peaked(3) + peaked(4), [], [], "stacked 3 38 %"]
    assert "After each epoch" not in section(dashboard(make_questions(tmp_path / "none", seeds=1)))


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on PATH")
def test_the_slider_chooses_the_answer_of_an_epoch(make_questions: Make, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text(
        dashboard(make_questions(tmp_path / "demo", labels=("stacked",), seeds=1, epochs=3)), encoding="utf-8"
    )
    with Browser(390, 800) as browser:
        browser.open(page)
        words = "document.querySelector('.picturing:has(.epoch) figure.pictured .words').textContent"
        assert browser.run(words) == "stacked 3 38 %"
        slider = "document.querySelector('.picturing input.epoch')"
        browser.run(f"{slider}.value = 0; {slider}.dispatchEvent(new Event('input'))")
        assert browser.run(words) == "stacked 1 12 %"
        assert browser.said == []


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on PATH")
def test_it_fits_a_phone_and_unfolds_on_paper(make_questions: Make, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text(dashboard(make_questions(tmp_path / "demo", seeds=1)), encoding="utf-8")
    with Browser(390, 800) as browser:
        assert pictures_drawn(browser, page) == ["3", "18"]
        assert browser.run("document.querySelectorAll('.frames.alone:empty').length") == 0
        assert browser.said == []


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on PATH")
def test_long_names_are_shortened_within_their_chart(make_questions: Make, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    labels = ("question", "model=bidirectional_lstm,fusion=stacked_attention")
    page.write_text(dashboard(make_questions(tmp_path / "demo", labels=labels)), encoding="utf-8")
    outside = """Array.from(document.querySelectorAll("#cost .chart svg text")).filter((text) => {
      const own = text.getBoundingClientRect(), whole = text.closest("svg").getBoundingClientRect();
      return own.left < whole.left - 1 || own.right > whole.right + 1;
    }).map((text) => text.textContent).join()"""
    with Browser(390, 800) as browser:
        browser.open(page)
        assert int(str(browser.run("document.querySelectorAll('#cost .chart svg text').length"))) > 20
        assert browser.run(outside) == ""


def test_an_offline_run_holds_the_pictures(
    make_questions: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WANDB_MODE", raising=False)
    run = log_comparison(make_questions(tmp_path / "demo", seeds=1))
    assert run is not None
    pages = sorted(run.glob("files/media/html/questions/question 0*.html"))
    assert len(pages) == 1
    assert len(list(pages[0].parent.iterdir())) == 6
    text = pages[0].read_text(encoding="utf-8")
    assert "film: what is 0 → red; its answer: film wrong 62 % · true answer 5 %" in text
    assert text.count("<image") == 3 + 2
    assert text.count('fill-opacity="0.800"') == 2
    assert [text.count(f">{name}<") for name in ("look 1", "look 2")] == [1, 1]


def test_an_offline_run_hides_the_answers_of_labels_that_were_not_chosen(
    make_questions: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WANDB_MODE", raising=False)
    directory = make_questions(tmp_path / "demo", labels=("stacked", "stacked2"), seeds=1)
    for rate, (place, record) in enumerate(runs_in(directory), start=1):
        metrics = {**record.metrics, "val/accuracy": record.metrics["test/accuracy"]}
        write(place, record.with_(config={**record.config, "optimizer": {"lr": 0.1 * rate}}, metrics=metrics))
    run = log_comparison(directory)
    assert run is not None
    text = next(run.glob("files/media/html/questions/question 0*.html")).read_text(encoding="utf-8")
    assert [f"{label}: what is 0" in text for label in ("stacked", "stacked2")] == [False, True]
