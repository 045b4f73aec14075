"""What was seen inside models, on the page: gates, states, deciding words, of one run of each label."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lightning_seq.records.deciding_words import Decided
from lightning_seq.records.gates import Opened
from lightning_seq.records.record import runs_in
from lightning_seq.records.sentences import MOST_LABELS
from lightning_seq.records.states import Travelled
from lightning_seq.report.dashboard.deciding_words import deciding_words
from lightning_seq.report.dashboard.gates import gates
from lightning_seq.report.dashboard.page import Page
from lightning_seq.report.dashboard.states import states
from lightning_seq.report.summary import summarise
from tests.report.made_run import rewrite, run_name

Make = Callable[..., Path]
ODD = "</script><img src=x onerror=alert(1)>"
SENTENCES = [
    {"id": 3, "words": ["the", ODD, "sea"], "cut": False},
    {"id": 8, "words": ["old", " ", "salt"], "cut": True},
]


def of_gates(open_share: float = 0.4, gate: str = "z") -> dict[str, Any]:
    def entry(name: str, keeps: bool) -> dict[str, Any]:
        counts = [0] * 18 + [2, 2]
        return {"gate": name, "keeps": keeps, "counts": counts, "shut": 0.0, "open": open_share, "mean": 0.9}

    both = [{"layer": 1, "direction": "forward", "gates": [entry("r", False), entry(gate, True)]}]
    return {
        "epochs": [{"epoch": epoch, "recurrences": both} for epoch in (1, 2)],
        "sentences": SENTENCES,
        "strips": [{"layer": 1, "direction": "forward", "kept": [[0.1, 0.25, 1.0], [0.5, 0.6, 0.7]]}],
        "epoch": 2,
    }


def of_states() -> dict[str, Any]:
    places = [[[0.0, 0.5], [1.0, -0.5], [0.2, 0.1]], [[0.3, 0.3], [0.1, 0.0], [2.0, 0.0]]]
    return {
        "epoch": 2,
        "sentences": SENTENCES,
        "paths": [{"layer": 1, "direction": way, "share": 0.83, "places": places} for way in ("forward", "backward")],
    }


def of_words(prediction: str = "law") -> dict[str, Any]:
    said = {"class": "law", "prediction": prediction, "prefixes": [0.2, 0.6, 0.9], "gradients": [0.01, -0.5, 1.0]}
    return {
        "epoch": 2,
        "says": "probability",
        "threshold": 0.57,
        "sentences": [sentence | said for sentence in SENTENCES],
        "patterns": [{"class": "law", "words": ["the", ODD], "rise": 0.4, "sentences": 2}],
    }


def leave(directory: Path, run: str, name: str, plain: Any) -> None:
    rewrite(directory, run, name, plain if isinstance(plain, str) else json.dumps(plain))


def drawn(make: Callable[..., str], directory: Path) -> tuple[str, Page]:
    summary = summarise(directory)
    page = Page([label for group in summary.groups for label in group.labels])
    return make(page, runs_in(directory), summary), page


CASES = [(gates, "gates", of_gates), (states, "states", of_states), (deciding_words, "deciding_words", of_words)]


@pytest.mark.parametrize(("make", "name", "plain"), CASES)
def test_sections_escape_and_compile(
    make: Callable[..., str], name: str, plain: Callable[[], Any], make_comparison: Make, tmp_path: Path
) -> None:
    import vl_convert

    directory = make_comparison(tmp_path / "demo", labels=("lstm", "gru"), seeds=2)
    assert drawn(make, directory)[0] == ""
    for run in ("lstm-seed1", "gru-seed1", "gru-seed2"):
        leave(directory, run, name, plain())
    text, page = drawn(make, directory)
    assert "<img" not in text
    assert "<script" not in text
    assert "</script" not in page.json()
    assert "onerror" in text or name == "states"
    for chart in page.charts.values():
        spec = chart["spec"] | ({} if "facet" in chart["spec"] else {"width": 400})
        table = page.tables[chart["table"]]
        rows = [dict(zip(table["columns"], row, strict=True)) for row in table["rows"]]
        for row in rows:
            row |= {key: names[row[key]] for key, names in table["names"].items()}
        for focus in ("", "gru"):
            params = [param | ({"value": focus} if param["name"] == "focus" else {}) for param in spec["params"]]
            whole = spec | {"datasets": {chart["table"]: rows}, "params": params}
            svg = vl_convert.vegalite_to_svg(whole)
            assert svg.count("<path") > 4
    assert text.count("lstm") >= 1
    assert text.count("gru") >= 1


@pytest.mark.parametrize(("make", "name", "plain"), CASES)
@pytest.mark.parametrize("broken", ["{", "[]", '{"sentences": 3}', '{"sentences": [], "epochs": []}'])
def test_a_broken_file_is_a_note(
    make: Callable[..., str],
    name: str,
    plain: Callable[[], Any],
    broken: str,
    make_comparison: Make,
    tmp_path: Path,
) -> None:
    directory = make_comparison(tmp_path / "demo", labels=("lstm", "gru"), seeds=1)
    leave(directory, "lstm-seed1", name, broken)
    leave(directory, "gru-seed1", name, plain())
    text, _ = drawn(make, directory)
    assert f"lstm, seed 1: {name}.json cannot be used" in text
    assert text.count('class="note warn"') == 1


def test_gates_show_the_last_epoch_and_what_is_kept(make_comparison: Make, tmp_path: Path) -> None:
    directory = make_comparison(tmp_path / "demo", labels=("lstm", "gru", "rnn"), seeds=1)
    leave(directory, "lstm-seed1", "gates", of_gates(0.625, "1 - f"))
    leave(directory, "gru-seed1", "gates", of_gates(0.125))
    text, page = drawn(gates, directory)
    assert "1 - f: 0 % shut · 62 % open" in text
    assert "z: 0 % shut · 12 % open" in text
    assert text.index(">kept<") < text.index(">r<")
    assert '<span class="token heat" style="--w:5%">the<small>10</small></span>' in text
    assert '<span class="token heat" style="--w:48%">sea<small>100</small></span>' in text
    assert "No gates were recorded of rnn." in text
    (table,) = page.tables.values()
    assert table["rows"] == [[0, 1, 0.625, 0.0], [0, 2, 0.625, 0.0], [1, 1, 0.125, 0.0], [1, 2, 0.125, 0.0]]


def test_paths_run_in_the_order_of_reading(make_comparison: Make, tmp_path: Path) -> None:
    directory = make_comparison(tmp_path / "demo", labels=("lstm",), seeds=1)
    leave(directory, "lstm-seed1", "states", of_states())
    _, page = drawn(states, directory)
    first = next(iter(page.tables.values()))
    assert first["rows"] == [
        [0, 0, "forward", 1, 0, 1, 0.0, 0.5],
        [0, 0, "forward", 2, 1, 1, 1.0, -0.5],
        [0, 0, "forward", 3, 2, 1, 0.2, 0.1],
        [0, 0, "backward", 3, 0, 0, 0.0, 0.5],
        [0, 0, "backward", 2, 1, 0, 1.0, -0.5],
        [0, 0, "backward", 1, 2, 0, 0.2, 0.1],
    ]
    assert first["names"]["word"] == ["the", ODD, "sea"]


def test_labels_have_panels_with_the_same_words(make_comparison: Make, tmp_path: Path) -> None:
    directory = make_comparison(tmp_path / "demo", labels=("lstm", "gru", "rnn"), seeds=1)
    words = [f"word{number}" for number in range(30)]
    walked = of_states()
    walked["sentences"] = [{"id": 1, "words": words, "cut": False}]
    for path in walked["paths"]:
        path["places"] = [[[0.1 * number, number % 2] for number in range(30)]]
    for run in ("lstm-seed1", "rnn-seed1"):
        leave(directory, run, "states", walked)
    text, page = drawn(states, directory)
    (chart,) = page.charts.values()
    assert (chart["spec"]["facet"]["field"], chart["spec"]["columns"]) == ("label", 2)
    (table,) = page.tables.values()
    named = {label: [row[4] for row in table["rows"] if row[0] == label and row[5]] for label in (0, 2)}
    assert named[0] == named[2]
    assert named[0][0] == 0
    assert 4 <= len(named[0]) <= 8
    assert all(
        after - before >= 4 for before, after in zip(named[0], named[0][1:], strict=False) if (after - before) % 2 == 0
    )
    assert text.count("<figure") == 1


def test_words_that_speak_against_and_wrong_answers(make_comparison: Make, tmp_path: Path) -> None:
    directory = make_comparison(tmp_path / "demo", labels=("lstm", "gru"), seeds=1)
    leave(directory, "lstm-seed1", "deciding_words", of_words())
    leave(directory, "gru-seed1", "deciding_words", of_words("acts"))
    text, page = drawn(deciding_words, directory)
    assert 'below" style="--w:24%">&lt;/script&gt;&lt;img src=x onerror=alert(1)&gt;<small>-0.50</small>' in text
    assert 'heat" style="--w:48%">sea<small>+1.00</small>' in text
    assert "says law; gradient × input<" in text
    assert "says acts, not law; gradient × input<" in text
    assert "integrated gradients:" not in text
    assert "reached 0.57" in text
    assert "+0.40 × 2" in text
    first = next(iter(page.tables.values()))
    assert first["rows"] == [[0, 0, 0.2], [0, 1, 0.6], [0, 2, 0.9], [1, 0, 0.2], [1, 1, 0.6], [1, 2, 0.9]]
    assert len(set(first["names"]["word"])) == 3


def test_integrated_gradients_are_shown_with_their_error(make_comparison: Make, tmp_path: Path) -> None:
    directory = make_comparison(tmp_path / "demo", labels=("lstm",), seeds=1)
    plain = of_words()
    for sentence in plain["sentences"]:
        sentence["integrated"] = {"words": [0.25, -1.0, 2.0], "total": 1.9, "rise": 2.0, "steps": 128}
    leave(directory, "lstm-seed1", "deciding_words", plain)
    text, _ = drawn(deciding_words, directory)
    assert "says law; integrated gradients add up to +1.90 of +2.00 (error 5.0 %, 128 steps)" in text
    assert 'heat" style="--w:6%">the<small>+0.25</small>' in text
    assert (
        text.index("integrated gradients add")
        < text.index("<summary>Gradient × input")
        < text.index("; gradient × input<")
    )


def test_readers_refuse_what_does_not_fit(tmp_path: Path) -> None:
    def refused(read: Callable[[Path], Any], plain: dict[str, Any]) -> None:
        path = tmp_path / "file.json"
        path.write_text(json.dumps(plain))
        with pytest.raises((ValueError, KeyError, TypeError)):
            read(path)

    short = of_gates()
    short["strips"][0]["kept"][0] = [0.1]
    refused(Opened.read, short)
    lost = of_states()
    lost["paths"][0]["places"][0].pop()
    refused(Travelled.read, lost)
    words = of_words()
    words["sentences"][0]["prefixes"] = [0.1, "x", 0.2]
    refused(Decided.read, words)


def test_many_labels_are_a_few_hundred_kilobytes(make_comparison: Make, tmp_path: Path) -> None:
    labels = tuple(f"label-{number}" for number in range(40))
    directory = make_comparison(tmp_path / "demo", labels=labels, seeds=1)
    words = [f"word{number}" for number in range(30)]
    long = [{"id": number, "words": words, "cut": True} for number in range(4)]
    opened, walked, decided = of_gates(), of_states(), of_words()
    for plain in (opened, walked, decided):
        plain["sentences"] = long
    opened["strips"] *= 2
    for strip in opened["strips"]:
        strip["kept"] = [[0.1234] * 30] * 4
    for path in walked["paths"]:
        path["places"] = [[[0.123, -1.234]] * 30] * 4
    decided["sentences"] = [
        each | {"class": "law", "prediction": "law", "prefixes": [0.1234] * 30, "gradients": [0.1234] * 30}
        for each in long
    ]
    for label in labels:
        for name, plain in (("gates", opened), ("states", walked), ("deciding_words", decided)):
            leave(directory, run_name(label, 1), name, plain)
    size = 0
    for make in (gates, states, deciding_words):
        text, page = drawn(make, directory)
        assert f"{40 - MOST_LABELS} more labels are left out." in text
        size += len(text.encode()) + len(page.json().encode())
    assert size < 1_500_000
