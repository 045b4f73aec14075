"""Learning curves in letters."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from lightning_seq.report.summary import runs_of, summarise
from lightning_seq.report.terminal_chart import MARKS, chart, learning_curves

Make = Callable[..., Path]


def drawn(directory: Path, width: int = 80, unicode: bool = True) -> list[str]:
    return learning_curves(runs_of(directory), summarise(directory), width, unicode)


def test_marks_stand_at_the_points_and_dots_between_them() -> None:
    lines = chart({"up": [(1, 0.0), (5, 1.0)], "flat": [(1, 0.5), (3, 0.5), (5, 0.5)]}, 30, unicode=False, height=5)
    assert lines == [
        "1.000 |                    ..o",
        "      |              ......",
        "0.500 |x..........x..........x",
        "      |   ......",
        "0.000 |o..",
        "      +-----------------------",
        "       1                     5",
        "       o up   x flat",
    ]


def test_where_two_curves_meet_the_first_is_seen() -> None:
    lines = chart({"one": [(1, 0.5), (2, 0.7)], "other": [(1, 0.5), (2, 0.6)]}, 40)
    assert f"│{MARKS[0]}" in "".join(lines)
    assert f"│{MARKS[1]}" not in "".join(lines)


def test_a_single_point_and_none() -> None:
    lines = chart({"only": [(3.0, 0.25)]}, 40)
    assert sum(line.count(MARKS[0]) for line in lines[:-1]) == 1
    assert chart({}, 40) == []
    assert chart({"empty": []}, 40) == []


def test_the_means_of_a_comparison_best_first(make_comparison: Make, tmp_path: Path) -> None:
    lines = drawn(make_comparison(tmp_path / "demo"))
    assert lines[:2] == ["", "val/accuracy by epoch, mean over seeds"]
    assert lines[-1].split() == ["●", "gru", "▲", "lstm", "■", "birnn", "◆", "rnn"]
    assert all(len(line) <= 80 for line in lines)
    assert any(len(line) == 80 for line in lines)
    assert max(map(len, drawn(tmp_path / "demo", width=44))) == 44


def test_a_terminal_without_unicode_gets_ascii(make_comparison: Make, tmp_path: Path) -> None:
    directory = make_comparison(tmp_path / "demo", labels=("größe\x1b[31m", "gru"), seeds=2)
    text = "\n".join(drawn(directory, unicode=False))
    assert text.isascii()
    assert "\x1b" not in text
    assert "gr??e" in text
    assert "\x1b" not in "\n".join(drawn(directory))


def test_more_labels_than_marks_keep_the_best(make_comparison: Make, tmp_path: Path) -> None:
    labels = tuple(f"cell{number}" for number in range(10))
    lines = drawn(make_comparison(tmp_path / "demo", labels=labels, seeds=1, epochs=3))
    assert lines[1] == "val/accuracy by epoch"
    assert lines[-1] == "8 of 10 labels are drawn, the dashboard has all."
    key = " ".join(lines[-4:])
    assert "cell9" in key
    assert "cell0" not in key


def test_each_data_set_has_its_chart_and_without_curves_there_is_none(
    make_comparison: Make, make_music: Make, tmp_path: Path
) -> None:
    directory = make_music(make_comparison(tmp_path / "demo", labels=("rnn",), seeds=1), seeds=1)
    titles = [line for line in drawn(directory) if " by epoch" in line]
    assert titles == [
        "verses_genre (classification): val/accuracy by epoch",
        "jsb_chorales (sequences_of_sets): val/nll by epoch",
    ]
    assert drawn(make_comparison(tmp_path / "other", curves={})) == []
