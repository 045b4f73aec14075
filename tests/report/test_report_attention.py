"""How attention is shown: maps over epochs, with a slider, and as pictures that stand alone."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from lightning_seq.records import attention as maps
from lightning_seq.records.attention import LEVELS, Attended, Step, fitted, read_attention
from lightning_seq.records.record import runs_in
from lightning_seq.report.dashboard.attention import first_maps
from lightning_seq.report.dashboard.dashboard import dashboard
from lightning_seq.report.wandb.summary import log_comparison, picture
from tests.report.browser import CHROMIUM, look
from tests.report.made_run import rewrite
from tests.report.page import Page

Make = Callable[..., Path]


def attended(S: int, T: int, epochs: int, number: int = 1) -> dict[str, object]:
    weights = [[1.0 if s == t else 0.0 for s in range(S)] for t in range(T)]
    target = [f"t{t}" for t in range(T)]
    each = [{"epoch": epoch, "target": target, "weights": weights} for epoch in range(1, epochs + 1)]
    return {"id": number, "source": [f"s{s}" for s in range(S)], "maps": each}


def test_a_weight_survives_its_level() -> None:
    assert len(set(LEVELS)) == len(LEVELS) > 80
    assert not set('<>&"\\') & set(LEVELS)
    weights = [0.0, 0.0004, 0.01, 0.2, 0.5, 0.93, 1.0]
    step = Step(1, ("x",), (maps._levels(weights),))
    found = [step.weight(0, place) for place in range(len(weights))]
    assert found == pytest.approx(weights, abs=0.012)
    assert (found[0], found[-1]) == (0, 1)
    assert maps._levels([math.nan, -1, 7, None]) == LEVELS[0] * 2 + LEVELS[-1] + LEVELS[0]


def test_maps_are_read_thinned_and_cut(tmp_path: Path) -> None:
    path = tmp_path / "attention.json"
    long = attended(maps.MOST_TOKENS + 5, maps.MOST_TOKENS + 9, 1, number=7)
    path.write_text(json.dumps({"sentences": [attended(3, 2, 40), long, *[attended(2, 2, 1)] * 9]}))
    first, second, *rest = read_attention(path)
    assert [step.epoch for step in first.steps][:: maps.MOST_EPOCHS - 1] == [1, 40]
    assert (len(first.steps), first.cut) == (maps.MOST_EPOCHS, False)
    assert (first.source, first.steps[0].target) == (("s0", "s1", "s2"), ("t0", "t1"))
    assert [first.steps[0].weight(t, s) for t in range(2) for s in range(3)] == [1, 0, 0, 0, 1, 0]
    assert (second.number, second.cut) == (7, True)
    assert {len(second.source), len(second.steps[0].rows), len(second.steps[0].rows[5])} == {maps.MOST_TOKENS}
    assert len(rest) == maps.MOST_SENTENCES - 2


def test_of_too_many_weights_epochs_go_first_and_sentences_then() -> None:
    def sentence(number: int, epochs: int) -> Attended:
        return Attended(
            number, ("a",) * 10, tuple(Step(e, ("b",) * 10, ("!" * 10,) * 10) for e in range(epochs)), False
        )

    runs = [[sentence(number, 8) for number in range(3)] for _ in range(2)]
    assert fitted(runs, most=4800) == runs
    kept = fitted(runs, most=3000)
    assert [[step.epoch for step in each.steps] for each in kept[0]] == [[0, 2, 4, 5, 7]] * 3
    kept = fitted(runs, most=600)
    assert [[step.epoch for step in each.steps] for each in kept[1]] == [[7]] * 3
    kept = fitted(runs, most=400)
    assert [[each.number for each in run] for run in kept] == [[0, 1], [0, 1]]


def test_maps_of_the_first_seed_of_each_label_that_attends(make_translation: Make, tmp_path: Path) -> None:
    directory = make_translation(tmp_path / "demo", epochs=4)
    found, notes = first_maps(runs_in(directory))
    assert notes == []
    assert [(record.label, record.seed) for record, _ in found] == [("gru-additive", 1), ("gru-dot", 1)]
    page = Page(dashboard(directory))
    (held,) = page.data["maps"].values()
    assert held["epochs"] == [1, 2, 3, 4]
    assert [sentence["source"][-1] for sentence in held["sentences"]] == ["heaven0", "heaven1"]
    for sentence in held["sentences"]:
        assert [each["label"] for each in sentence["maps"]] == ["gru-additive", "gru-dot"]
        for each in sentence["maps"]:
            assert [(epoch, len(target), len(code)) for epoch, target, code in each["steps"]] == [
                (epoch, 6, 36) for epoch in range(1, 5)
            ]
    assert "No attention maps were recorded of gru-fixed." in page.text
    figures = [attributes for tag, attributes in page.elements if attributes.get("class") == "map"]
    assert [(each["data-sentence"], each["data-index"]) for each in figures] == [
        ("0", "0"),
        ("0", "1"),
        ("1", "0"),
        ("1", "1"),
    ]
    (slider,) = [attributes for tag, attributes in page.elements if tag == "input" and "data-map" in attributes]
    assert (slider["min"], slider["max"], slider["value"]) == ("0", "3", "3")


def test_heads_go_before_sentences_do_and_after_epochs() -> None:
    steps = tuple(Step(e, ("b",) * 10, ("!" * 10,) * 10, (("!" * 10,) * 10,) * 3 * (e == 7)) for e in range(8))
    runs = [[Attended(1, ("a",) * 10, steps, False)]]
    assert [len(step.heads) for step in fitted(runs, most=500)[0][0].steps] == [0, 3]
    assert [(step.epoch, len(step.heads)) for step in fitted(runs, most=400)[0][0].steps] == [(7, 3)]
    assert [(step.epoch, len(step.heads)) for step in fitted(runs, most=399)[0][0].steps] == [(7, 0)]


def test_each_head_has_a_map_after_the_last_epoch(make_translation: Make, tmp_path: Path) -> None:
    directory = make_translation(tmp_path / "demo", labels=("gru-dot", "gru-heads"), seeds=1, sentences=1)
    rows = {"first": [[1.0, 0.0]], "mean": [[0.5, 0.5]], "second": [[0.0, 1.0]]}
    each = [{"epoch": epoch, "target": ["la"], "weights": rows["mean"]} for epoch in (1, 2)]
    sentence = {"id": 1, "source": ["the", "sea"], "maps": each}
    rewrite(directory, "gru-dot-seed1", "attention", json.dumps({"sentences": [sentence]}))
    each = [each[0], each[1] | {"heads": [rows["first"], rows["second"]]}]
    rewrite(directory, "gru-heads-seed1", "attention", json.dumps({"sentences": [sentence | {"maps": each}]}))
    page = Page(dashboard(directory))
    (held,) = page.data["maps"].values()
    maps = held["sentences"][0]["maps"]
    assert [one["label"] for one in maps] == ["gru-dot", "gru-heads", "gru-heads, head 1", "gru-heads, head 2"]
    assert [one["steps"] for one in maps[2:]] == [
        [[2, ["la"], LEVELS[-1] + LEVELS[0]]],
        [[2, ["la"], LEVELS[0] + LEVELS[-1]]],
    ]
    figures = [attributes["data-index"] for tag, attributes in page.elements if attributes.get("class") == "map"]
    assert figures == ["0", "1", "2", "3"]
    assert page.text.count("Heads of gru-heads") == 1


@pytest.mark.parametrize("heads", [[[[1.0]]], [[[0.5, 0.5], [1.0, 0.0]]], 3])
def test_heads_of_another_shape_are_refused(heads: object, tmp_path: Path) -> None:
    path = tmp_path / "attention.json"
    plain = attended(2, 1, 1)
    plain["maps"][0]["heads"] = heads  # type: ignore[index]
    path.write_text(json.dumps({"sentences": [plain]}))
    with pytest.raises((ValueError, TypeError)):
        read_attention(path)


def test_one_epoch_needs_no_slider(make_translation: Make, tmp_path: Path) -> None:
    page = Page(dashboard(make_translation(tmp_path / "demo", epochs=1)))
    assert "input" not in {tag for tag, attributes in page.elements if "data-map" in attributes}
    assert "After epoch 1" in page.text


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on PATH")
def test_the_slider_and_the_arrow_keys_say_what_the_file_says(make_translation: Make, tmp_path: Path) -> None:
    directory = make_translation(tmp_path / "demo", labels=("gru-dot",), seeds=1, sentences=1)
    weights = [[[0.75, 0.25], [0.0, 1.0]], [[1.0, 0.0], [0.5, 0.5]]]
    each = [{"epoch": 3 * n + 1, "target": ["la", "mer"], "weights": rows} for n, rows in enumerate(weights)]
    plain = {"sentences": [{"id": 1, "source": ["the", "sea"], "maps": each}]}
    rewrite(directory, "gru-dot-seed1", "attention", json.dumps(plain))
    script = """
      const said = [], map = () => document.querySelector("figure.map svg[role=img]");
      const press = (key) => map().dispatchEvent(new KeyboardEvent("keydown", { key, cancelable: true }));
      const tip = () => document.querySelector(".tip").textContent.replace(/ +/g, " ");
      said.push(map().getAttribute("aria-label"));
      press("ArrowDown"); said.push(tip()); press("ArrowDown"); said.push(tip()); press("ArrowRight"); said.push(tip());
      press("ArrowRight"); said.push(tip());
      const slider = document.querySelector("input[data-map]");
      slider.value = "0"; slider.dispatchEvent(new Event("input"));
      said.push(map().getAttribute("aria-label"), slider.getAttribute("aria-valuetext"));
      document.body.dataset.said = JSON.stringify(said);"""
    page = tmp_path / "page.html"
    page.write_text(dashboard(directory), encoding="utf-8")
    drawn = Page(look(page, script))
    (body,) = [attributes for tag, attributes in drawn.elements if tag == "body"]
    assert json.loads(str(body["data-said"])) == [
        "Attention of gru-dot after epoch 4, strongest: la ← the 100 %; mer ← the 50 %",
        "la ← the 100 %",
        "mer ← the 50 %",
        "mer ← sea 50 %",
        "mer ← sea 50 %",
        "Attention of gru-dot after epoch 1, strongest: la ← the 75 %; mer ← sea 100 %",
        "1",
    ]


def test_a_picture_stands_alone() -> None:
    step = Step(3, ("la", "<mer>"), (LEVELS[-1] + LEVELS[0], LEVELS[0] + LEVELS[-1]))
    text = picture("gru & dot", ("the", "sea"), step)
    assert re.findall(r'fill-opacity="([\d.]+)"', text) == ["1.000", "0.000", "0.000", "1.000"]
    assert re.findall(r"<title>(.*?)</title>", text)[1] == "la ← sea 0 %"
    assert ">gru &amp; dot, epoch 3<" in text
    assert "<mer>" not in text
    assert text.count("<text") == 1 + 2 + 2


def test_an_offline_run_holds_the_maps(make_translation: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WANDB_MODE", raising=False)
    run = log_comparison(make_translation(tmp_path / "demo", seeds=1))
    assert run is not None
    pages = sorted(run.glob("files/media/html/attention/sentence 4*.html"))
    assert len(pages) == 2
    text = pages[0].read_text(encoding="utf-8")
    assert [text.count(f">{label}, epoch 3<") for label in ("gru-fixed", "gru-additive", "gru-dot")] == [0, 1, 1]
