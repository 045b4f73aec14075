"""What language models wrote and expected, as the dashboard shows it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from lightning_seq.records.record import runs_in
from lightning_seq.records.samples import LONGEST_TEXT, MOST_STEPS, MOST_TEXTS, Samples
from lightning_seq.report.dashboard.dashboard import dashboard
from lightning_seq.report.dashboard.page import Page
from lightning_seq.report.dashboard.samples import samples, visible
from lightning_seq.report.summary import summarise
from tests.report.made_run import rewrite

Make = Callable[..., Path]


def save(path: Path, **plain: object) -> Path:
    path.write_text(json.dumps(plain), encoding="utf-8")
    return path


def section(directory: Path) -> str:
    return samples(Page(), runs_in(directory), summarise(directory))


def test_a_file_is_read_whole(tmp_path: Path) -> None:
    path = save(
        tmp_path / "samples.json",
        prompt="he",
        samples=[{"epoch": 1, "text": "hehe"}, {"epoch": 2, "text": "hello"}],
        steps=[
            {"symbol": "h", "next": [{"symbol": "e", "probability": 0.9}, {"symbol": "l", "probability": 0.1}]},
            {"symbol": "e", "next": []},
        ],
    )
    samples = Samples.read(path)
    assert (samples.prompt, samples.texts) == ("he", ((1, "hehe"), (2, "hello")))
    assert [(step.symbol, step.following) for step in samples.steps] == [
        ("h", (("e", 0.9), ("l", 0.1))),
        ("e", ()),
    ]


def test_long_files_are_thinned_to_what_a_page_can_hold(tmp_path: Path) -> None:
    samples = Samples.read(
        save(
            tmp_path / "samples.json",
            samples=[{"epoch": epoch, "text": "x" * 10_000} for epoch in range(1, 501)],
            steps=[{"symbol": str(step), "next": []} for step in range(500)],
        )
    )
    assert (samples.texts[0][0], samples.texts[-1][0], len(samples.texts)) == (1, 500, MOST_TEXTS)
    assert {len(text) for _, text in samples.texts} == {LONGEST_TEXT + 1}
    assert [step.symbol for step in samples.steps] == [str(step) for step in range(500 - MOST_STEPS, 500)]


def test_probabilities_stay_between_nothing_and_all(tmp_path: Path) -> None:
    likely = [{"symbol": "a", "probability": value} for value in (-3, 7, None, "x", float("nan"))]
    samples = Samples.read(save(tmp_path / "samples.json", steps=[{"symbol": "a", "next": likely}]))
    assert [probability for _, probability in samples.steps[0].following] == [0, 1, 0, 0, 0]


def test_each_run_has_its_epochs_the_last_first(make_language: Make, tmp_path: Path) -> None:
    text = section(make_language(tmp_path / "demo", epochs=3))
    titles = re.findall(r"<summary>.*?<span>([^<>]+)</span></span></summary>", text)
    assert sorted(titles) == ["gru, seed 1", "gru, seed 2", "rnn, seed 1", "rnn, seed 2"]
    assert re.findall(r"<b>(epoch \d)</b>", text) == ["epoch 3", "epoch 2", "epoch 1"] * 4
    assert text.count("<details open>") == 1
    assert "<b>in the</b> the beginning</div>" in text


def test_white_space_is_kept_and_seen_where_it_is_a_prompt(make_language: Make, tmp_path: Path) -> None:
    directory = make_language(tmp_path / "demo", labels=("rnn",), seeds=1)
    plain = {"prompt": "\n a", "samples": [{"epoch": 1, "text": "\n a  b\n\tc <i>d"}]}
    rewrite(directory, "rnn-seed1", "samples", json.dumps(plain))
    text = section(directory)
    assert '<div class="text"><b>⏎␣a</b>  b\n\tc &lt;i&gt;d</div>' in text
    assert "Prompt: <code class=text>⏎␣a</code>" in text
    assert "white-space: pre-wrap" in re.search(r"\.text \{.*\}", dashboard(directory)).group()


def test_the_picture_has_a_bar_for_each_likely_symbol_and_marks_what_follows(
    make_language: Make, tmp_path: Path
) -> None:
    directory = make_language(
        tmp_path / "demo", labels=("rnn",), seeds=1, level="character", prompt="hel", words=("e", "l", "\n")
    )
    pictures = re.findall(r"<svg class=\"step\".*?</svg>", section(directory))
    assert len(pictures) == 3
    assert [float(width) for width in re.findall(r'class="bar"[^>]*width="([\d.]+)"', pictures[0])] == pytest.approx(
        [62 * share for share in (0.6, 0.3, 0.15)], abs=0.06
    )
    assert 'aria-label="after h: e 60.0 %, l 30.0 %, ⏎ 15.0 %"' in pictures[0]
    assert [re.findall(r"▸ ([^<]+)<", picture) for picture in pictures] == [["e"], ["l"], []]


def test_symbols_that_cannot_be_seen_have_a_name() -> None:
    assert visible("a b\n\t\x07<eos>") == "a␣b⏎⇥U+0007<eos>"
    assert visible("\u202e") == "U+202E"


@pytest.mark.parametrize(
    "broken",
    ["", "[]", "null", '{"samples": 3}', '{"samples": [{"epoch": 1}]}', '{"steps": [{"symbol": "a", "next": 4}]}'],
)
def test_broken_samples_are_a_note_and_the_others_are_shown(make_language: Make, tmp_path: Path, broken: str) -> None:
    directory = make_language(tmp_path / "demo", labels=("rnn", "gru"), seeds=1)
    rewrite(directory, "rnn-seed1", "samples", broken)
    text = section(directory)
    assert "rnn, seed 1: samples.json cannot be used" in text
    assert text.count('<div class="written">') == 3


def test_without_samples_there_is_no_section(make_language: Make, tmp_path: Path) -> None:
    directory = make_language(tmp_path / "none", artifacts={})
    assert section(directory) == ""
    directory = make_language(tmp_path / "gone", labels=("rnn",), seeds=1)
    (directory / "rnn-seed1" / "samples.json").unlink()
    assert "rnn, seed 1: samples.json is missing" in section(directory)
    directory = make_language(tmp_path / "empty", labels=("rnn",), seeds=1)
    rewrite(directory, "rnn-seed1", "samples", "{}")
    assert section(directory) == ""


def test_samples_of_forty_runs_fit_on_a_page(make_language: Make, tmp_path: Path) -> None:
    labels = tuple(f"cell{index}" for index in range(20))
    words = tuple(f"word{index}" for index in range(300))
    directory = make_language(tmp_path / "demo", labels=labels, epochs=200, words=words[:8])
    for path in directory.glob("*/samples.json"):
        plain = json.loads(path.read_text())
        plain["samples"] = [{"epoch": epoch, "text": " ".join(words)} for epoch in range(1, 201)]
        rewrite(directory, path.parent.name, "samples", json.dumps(plain))
    assert len(section(directory).encode()) < 2_000_000
