"""How captions are shown: pictures under attention, worst and best, what differs; the tables and their warning."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from lightning_seq.data.pictures import small_png
from lightning_seq.records.attention import LEVELS
from lightning_seq.records.captions import Captions, fitted
from lightning_seq.records.record import runs_in
from lightning_seq.report.dashboard.captions import first_captions
from lightning_seq.report.dashboard.compared_words import compared
from lightning_seq.report.dashboard.dashboard import dashboard
from lightning_seq.report.examples import example_scores
from lightning_seq.report.headline import conventions, importance, is_percentage, is_share, lower_is_better
from lightning_seq.report.scale import scale
from lightning_seq.report.summary import summarise
from lightning_seq.report.tables import notes
from lightning_seq.report.wandb.summary import log_comparison
from tests.report.browser import CHROMIUM, Browser, arrived, look, pictures_drawn
from tests.report.made_captions import WORDS, peaked
from tests.report.made_run import rewrite
from tests.report.page import ATTACKS, Page

Make = Callable[..., Path]


def test_pictures_of_the_first_seed_of_each_label(make_captions: Make, tmp_path: Path) -> None:
    directory = make_captions(tmp_path / "demo")
    found, wrong = first_captions(runs_in(directory))
    assert wrong == []
    assert [(record.label, record.seed) for record, _ in found] == [("fixed", 1), ("additive", 1), ("dot", 1)]
    page = Page(dashboard(directory))
    (held,) = page.data["maps"].values()
    assert (held["epochs"], held["levels"], len(held["pictures"])) == ([1, 2], LEVELS, 2)
    first = held["pictures"][0]
    assert first["things"][1] == ["blue one", 0.5, 0.5, 1.0, 1.0]
    assert [(one["label"], one["grid"]) for one in first["runs"]] == [
        ("fixed", None),
        ("additive", [2, 3]),
        ("dot", [2, 3]),
    ]
    epoch, words, code, things, shares = first["runs"][1]["steps"][0]
    assert (epoch, words, things) == (1, list(WORDS[:5]), [None, 0, 0, None, None])
    assert code == "".join(map(peaked, range(5)))
    assert shares == [None, 0.25, 0.25, None, None]
    sliders = [one["max"] for _, one in page.elements if one.get("type") == "range" and one.get("class") != "smooth"]
    assert sliders == ["1", "7", "7"]


def test_captions_that_differ_come_by_distance_and_extremes_by_score(make_captions: Make, tmp_path: Path) -> None:
    text = dashboard(make_captions(tmp_path / "demo", seeds=1))
    apart = text.partition("Captions that differ")[2].partition("Worst and best")[0]
    assert [name for name in ("scene0", "scene2", "scene4") if f"id {name}" in apart] == ["scene0", "scene2", "scene4"]
    assert "id scene3" not in apart, "the same caption by all, though its scores differ"
    assert "id scene6" not in apart, "not one of those that the data chose"
    assert '<span class="other">dot</span>' in apart
    (of_dot,) = [part for part in text.partition("Worst and best")[2].split("<summary>")[1:4] if part.startswith("dot")]
    order = [f"id scene{number}" for number in (0, 1, 2, 7, 3, 6)]
    places = [of_dot.index(name) for name in order if name in of_dot]
    assert len(places) == 6
    assert places == sorted(places)


def test_of_equal_scores_the_higher_loss_is_worse(make_captions: Make, tmp_path: Path) -> None:
    directory = make_captions(tmp_path / "demo", labels=("dot",), seeds=1)
    plain = json.loads((directory / "dot-seed1" / "test_captions.json").read_text())
    for one in plain["pictures"]:
        one |= {"cider": 1.0, "loss": float(one["id"] % 5)}
    rewrite(directory, "dot-seed1", "test_captions", json.dumps(plain))
    text = dashboard(directory).partition("Worst and best")[2]
    assert text.index("id scene4") < text.index("id scene3") < text.index("id scene0")
    assert "exact · CIDEr 1.000" in text


def test_a_caption_is_compared_with_the_nearest_reference() -> None:
    assert compared("a red dog", ["two cats", "a red cat"]) == [("a red", True), ("dog", False)]
    assert compared("a  dog", []) == [("a dog", True)]


def test_the_page_of_four_labels_is_below_four_megabytes(make_captions: Make, tmp_path: Path) -> None:
    """With pictures of the largest size, which noise keeps from compressing."""
    directory = make_captions(
        tmp_path / "demo", labels=("fixed", "a", "b", "c"), seeds=1, pictures=6, tested=40, side=96
    )
    text = dashboard(directory)
    assert 1_000_000 < len(text.encode()) < 4_000_000


def test_too_many_weights_leave_out_epochs(make_captions: Make, tmp_path: Path) -> None:
    directory = make_captions(tmp_path / "demo", labels=("dot",), seeds=1, epochs=2, pictures=1)
    run = Captions.read(directory / "dot-seed1" / "captions.json")
    assert fitted([run], most=78) == [run]
    (kept,) = fitted([run], most=77)
    assert [one.epoch for one in kept.pictures[0].captions] == [2]


def test_a_damaged_file_is_a_note_and_text_stays_text(make_captions: Make, tmp_path: Path) -> None:
    directory = make_captions(tmp_path / "demo", seeds=1, pictures=1)
    for name, change in (("additive", {"png": "x" * 50}), ("fixed", {"references": list(ATTACKS)})):
        plain = json.loads((directory / f"{name}-seed1" / "captions.json").read_text())
        plain["pictures"][0] |= change
        rewrite(directory, f"{name}-seed1", "captions", json.dumps(plain))
    text = dashboard(directory)
    page = Page(text)
    assert "additive, seed 1: captions.json cannot be used (expected a small PNG file in base64)" in page.text
    assert not [one for tag, one in page.elements if tag == "img" and not str(one["src"]).startswith("data:image/png")]
    assert len(page.scripts) == 3


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on PATH")
def test_keys_and_sliders_step_through_words_and_epochs(make_captions: Make, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text(dashboard(make_captions(tmp_path / "demo", labels=("fixed", "dot"), seeds=1)), encoding="utf-8")
    script = """(async () => {
      const said = [], [fixed, dot] = document.querySelectorAll("details[open] figure.pictured");
      const told = (figure) => figure.querySelector(".note").textContent;
      const svg = dot.querySelector("svg[role=img]"), now = () => dot.querySelector(".words mark").textContent;
      const press = (key) => svg.dispatchEvent(new KeyboardEvent("keydown", { key, cancelable: true }));
      const frames = (figure) => figure.querySelectorAll(".frames .frame").length;
      said.push(told(fixed), told(dot), frames(dot), frames(fixed));
      press("ArrowRight"); said.push(told(dot), now());
      press("ArrowLeft"); press("ArrowLeft"); said.push(told(dot));
      const word = document.querySelector(".word input");
      word.value = "7"; word.dispatchEvent(new Event("input")); said.push(told(dot));
      press("ArrowDown"); said.push(dot.querySelector("figcaption small").textContent, told(dot));
      dot.querySelectorAll(".frame")[2].dispatchEvent(new Event("click")); said.push(now());
      const image = new Image(); image.src = dot.querySelector("image.attention").getAttribute("href");
      await image.decode();
      const pen = Object.assign(document.createElement("canvas"), { width: 24, height: 16 })
        .getContext("2d", { willReadFrequently: true });
      pen.drawImage(image, 0, 0);
      const alpha = (x, y) => pen.getImageData(x, y, 1, 1).data[3];
      said.push(Array.from(dot.querySelectorAll(".frames .frame small"), (share) => share.textContent).join(" "));
      said.push(alpha(20, 2), alpha(2, 2), alpha(20, 14), dot.querySelectorAll("svg[role=img] rect.box.named").length);
      document.body.dataset.said = JSON.stringify(said);
    })()"""
    drawn = Page(look(page, script))
    (body,) = [attributes for tag, attributes in drawn.elements if tag == "body"]
    said = json.loads(str(body["data-said"]))
    none = "the reference has no box for this word"
    assert said[:4] == ["This model has no attention.", f"“a”: {none}", 8, 0]
    assert said[4:7] == ["“red”: 25 % in the box of “red three” (equal weights: 25 %)", "red", f"“a”: {none}"]
    assert said[7:] == [
        "“one”: 50 % in the box of “blue one” (equal weights: 25 %)",
        "epoch 1 · 25 % in boxes",
        "It has 5 words.",
        "three",
        "25 % 25 %",
        *said[-4:],
    ]
    assert said[-4] > 195
    assert said[-3:-1] == [0, 0]
    assert said[-1] == 1


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on PATH")
def test_it_fits_a_phone_and_unfolds_on_paper(make_captions: Make, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text(dashboard(make_captions(tmp_path / "demo", seeds=1)), encoding="utf-8")
    with Browser(390, 800) as browser:
        assert pictures_drawn(browser, page) == ["3", "6"]
        assert browser.run("document.querySelectorAll('.frames .frame').length") == 4 * 8
        browser.downloads_to(tmp_path)
        browser.run("document.querySelector('#captions .saves button').click()")
        saved = arrived(browser, tmp_path).read_text(encoding="utf-8")
        assert saved.count('stroke-dasharray="3px, 3px"') == 2
        assert 'image-rendering="pixelated"' in saved
        assert browser.said == []


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on PATH")
def test_a_strip_of_frames_is_wide(make_captions: Make, tmp_path: Path) -> None:
    directory = make_captions(tmp_path / "demo", labels=("dot",), seeds=1, pictures=1)
    plain = json.loads((directory / "dot-seed1" / "captions.json").read_text())
    plain["pictures"][0]["png"] = small_png(np.zeros((3, 24, 384), dtype=np.uint8))
    rewrite(directory, "dot-seed1", "captions", json.dumps(plain))
    page = tmp_path / "page.html"
    page.write_text(dashboard(directory), encoding="utf-8")
    script = "['svg[role=img]', '.frame svg'].map((name) => document.querySelector('#captions .pictured ' + name)"
    for window, widths in ((1400, [832, 240]), (390, None)):
        with Browser(window, 800) as browser:
            pictures_drawn(browser, page)
            drawn = browser.run(f"{script}.getBoundingClientRect().width)")
            assert drawn == widths if widths else 200 < max(drawn) < 390


def test_the_headline_is_cider_or_the_exact_match_that_chose(make_captions: Make, tmp_path: Path) -> None:
    directory = make_captions(tmp_path / "demo")
    (group,) = summarise(directory).groups
    assert group.shown[:6] == (
        "test/cider",
        "test/bleu",
        "test/chrf",
        "test/rouge_l",
        "test/exact_match",
        "test/accuracy",
    )
    records = [record.with_(selected_by="val/exact_match") for _, record in runs_in(directory)]
    assert importance(records)[:3] == ("exact_match", "cider", "bleu")
    said = conventions(records, ["test/exact_match", "test/accuracy", "test/bleu_1"])
    assert said[0] == (
        "test/exact_match: share of the pictures whose caption, written freely, is one of their references."
    )
    assert said[1].startswith("test/accuracy: teacher-forced: share of the words")
    assert len(said) == 2


def test_the_scales_of_the_new_metrics() -> None:
    assert (scale("test/cider").limits, scale("test/cider").unit) == ((0.0, 10.0), "in CIDEr")
    shares = ("rouge_l", "exact_match", "distinct", "commonest", "seen", "pointing", "on_target", "uniform")
    assert [name for name in shares if not is_share(f"test/{name}")] == []
    assert [name for name in (*shares, "cider", "bleu_1") if lower_is_better(f"test/{name}")] == ["commonest"]
    assert scale("test/commonest").lower_is_better
    assert is_percentage("test/bleu_3")
    assert not is_share("test/cider")


@pytest.mark.parametrize(
    ("commonest", "baseline", "warned"), [(0.86, 0.12, True), (0.5, 0.1, False), (0.86, 0.8, False)]
)
def test_one_caption_for_most_pictures_is_a_warning(
    make_captions: Make, tmp_path: Path, commonest: float, baseline: float, warned: bool
) -> None:
    (group,) = summarise(
        make_captions(tmp_path / "demo", labels=("dot",), seeds=1, commonest=commonest, baseline=baseline)
    ).groups
    said = [line for line in notes(group) if "the same caption" in line]
    assert said == (
        [
            "dot writes the same caption for 86 % of the test pictures, and the most frequent caption is right for "
            "12 %: it hardly looks at them; train it longer."
        ]
        if warned
        else []
    )


def test_each_picture_has_a_score(make_captions: Make, tmp_path: Path) -> None:
    runs = runs_in(make_captions(tmp_path / "demo", labels=("dot",), seeds=1))
    scores, _, said = example_scores(runs, "test/cider")
    assert scores["dot", 1].tolist() == [0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5]
    scores, _, _ = example_scores(runs, "test/exact_match")
    assert scores["dot", 1].tolist() == [0, 1] * 4
    assert example_scores(runs, "test/accuracy")[0] == {}, "teacher-forced, of words"
    assert said == []


def test_an_offline_run_holds_the_pictures(
    make_captions: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WANDB_MODE", raising=False)
    run = log_comparison(make_captions(tmp_path / "demo", seeds=1))
    assert run is not None
    pages = sorted(run.glob("files/media/html/captions/picture 1*.html"))
    assert len(pages) == 2
    text = pages[0].read_text(encoding="utf-8")
    assert [text.count(f">{label}, epoch 2<") for label in ("fixed", "additive", "dot")] == [1, 1, 1]
    assert text.count("<image") == 1 + 2 * (1 + len(WORDS))
    assert text.count('fill-opacity="0.800"') == 2 * len(WORDS)
    assert "<title>50 % of the attention in the box</title>" in text
    assert f">{' '.join(WORDS)}<" in text
