"""The advice of a verdict and the forest plot next to it."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightning_seq.records.record import read, write
from lightning_seq.report.advice import advice
from lightning_seq.report.dashboard.dashboard import dashboard
from lightning_seq.report.dashboard.result import forest, ties
from lightning_seq.report.scale import SUCCESSES, scale
from lightning_seq.report.summary import Group, summarise
from lightning_seq.report.verdict import ONE_SEED, Evaluation, Verdict, judge
from lightning_seq.significance.compare import Decision, Pair
from tests.report.page import Page

Make = Callable[..., Path]

BEATS, EQUAL, OPEN = Decision.BEATS, Decision.EQUAL, Decision.OPEN


def pair(better: str, other: str, difference: float, decision: Decision, needed: int | None = None) -> Pair:
    return Pair(better, other, (3, 3), difference, 0.0, 0.1, 0.5, 1.0, decision, needed)


def of(*pairs: Pair, metric: str = "test/accuracy", **more: Any) -> Verdict:
    return Verdict(sentences=("in full",), pairs=pairs, scale=scale(metric), **more)


def test_a_single_winner_is_to_be_taken() -> None:
    assert advice(of(pair("birnn", "rnn", 0.03, BEATS))) == "Take birnn: it beats rnn by 3.0 points."
    all_three = [pair("a", "b", 0.021, BEATS), pair("a", "c", 0.072, BEATS), pair("b", "c", 0.051, OPEN, 9)]
    assert advice(of(*all_three)) == "Take a: it beats b and c by 2.1 to 7.2 points."


def test_labels_that_equal_the_best_are_alternatives() -> None:
    pairs = [
        pair("gru", "lstm", 0.001, EQUAL),
        pair("gru", "birnn", 0.03, BEATS),
        pair("gru", "rnn", 0.031, OPEN, 7),
        pair("lstm", "birnn", 0.029, BEATS),
        pair("lstm", "rnn", 0.03, OPEN, 8),
        pair("birnn", "rnn", 0.001, OPEN),
    ]
    assert advice(of(*pairs)) == (
        "Take gru or lstm: equal within 0.5 points; birnn is behind gru by 3.0 points. "
        "For rnn, 4 more seeds would decide."
    )
    without = [each if each.needed is None else pair(each.better, each.other, 0.03, OPEN) for each in pairs]
    assert advice(of(*without)).endswith("by 3.0 points. More seeds alone would not decide rnn.")


def test_equality_with_the_best_is_not_said_of_the_others() -> None:
    pairs = [pair("a", "b", 0.002, EQUAL), pair("a", "c", 0.004, EQUAL), pair("b", "c", 0.002, OPEN, 20)]
    assert advice(of(*pairs)) == "Take a, b or c: each equal to a within 0.5 points."
    assert advice(of(*pairs[:2], pair("b", "c", 0.002, EQUAL))) == "Take a, b or c: equal within 0.5 points."


def test_nothing_is_taken_where_nothing_is_decided() -> None:
    assert (
        advice(of(pair("a", "b", 0.01, OPEN, 4)))
        == "a has the best mean, but is not told apart from b. 1 more seed would decide."
    )
    assert (
        advice(of(pair("a", "b", 0.0, OPEN))) == "a and b have the best mean, but are not told apart from each other."
    )
    three = [pair("a", "b", 0.01, OPEN, 13), pair("a", "c", 0.02, OPEN, 5), pair("b", "c", 0.01, OPEN)]
    assert (
        advice(of(*three))
        == "a has the best mean, but is not told apart from b and c. For b and c, 2 to 10 more seeds would decide."
    )


def test_many_labels_are_counted() -> None:
    names = [f"m{number}" for number in range(7)]
    behind = [pair(a, b, 0.01 * int(b[1:]), BEATS) for a, b in combinations(names, 2)]
    assert advice(of(*behind)) == "Take m0: it beats 6 other labels by 1.0 to 6.0 points."
    equal = [pair(a, b, 0.001, EQUAL) for a, b in combinations(names, 2)]
    assert advice(of(*equal)) == "Take m0 or one of 6 others: equal within 0.5 points."


def test_lower_is_better_in_the_unit_of_the_metric() -> None:
    lower = {"gru": {1: 80.0, 2: 80.1, 3: 79.9}, "rnn": {1: 96.0, 2: 96.1, 3: 95.9}}
    assert advice(judge("test/perplexity", Evaluation(lower), {})) == "Take gru: it beats rnn by 20.0 %."
    nll = judge("test/nll", Evaluation(lower), {})
    assert advice(nll) == "Take gru: it beats rnn by 16.00 in nll."


def test_one_seed_or_one_label_is_no_reason_to_take_anything(make_comparison: Make, tmp_path: Path) -> None:
    assert advice(judge("test/accuracy", Evaluation({"a": {1: 0.5}, "b": {1: 0.6}}), {})) == ONE_SEED
    assert advice(Verdict()) == ""
    text = Page(dashboard(make_comparison(tmp_path / "demo", labels=("rnn",), seeds=2))).text
    assert "rnn: test/accuracy 0.6" in text
    assert "from 2 seeds." in text


def test_each_test_set_has_advice_of_its_own() -> None:
    parts = (
        of(pair("lstm-4", "rnn-4", 0.1, BEATS), test_set="length 4"),
        of(pair("lstm-12", "rnn-12", 0.1, OPEN), test_set="length 12"),
    )
    both = of(*(each for part in parts for each in part.pairs), parts=parts)
    assert advice(both) == (
        "length 4: Take lstm-4: it beats rnn-4 by 10.0 points. "
        "length 12: lstm-12 has the best mean, but is not told apart from rnn-12."
    )
    assert advice(of(*both.pairs, parts=parts * 3)) == "6 test sets: the verdict has sentences for each."


def told(labels: str, apart: set[str]) -> list[Pair]:
    return [pair(a, b, 0.1, BEATS if a + b in apart else OPEN) for a, b in combinations(labels, 2)]


def test_bars_join_what_is_not_told_apart() -> None:
    assert ties("abc", told("abc", set())) == [("a", "b", "c")]
    assert ties("abc", told("abc", {"ac"})) == [("a", "b"), ("b", "c")]
    assert ties("abc", told("abc", {"ab", "bc"})) == [("a", "c")]  # b is between them and not among them
    assert ties("abc", told("abc", {"ab", "ac", "bc"})) == []


@settings(max_examples=100, deadline=None)
@given(st.sets(st.sampled_from([a + b for a, b in combinations("abcdefg", 2)])))
def test_bars_hold_exactly_the_pairs_that_are_not_told_apart(apart: set[str]) -> None:
    joined = {a + b for group in ties("abcdefg", told("abcdefg", apart)) for a, b in combinations(group, 2)}
    assert joined == {a + b for a, b in combinations("abcdefg", 2)} - apart


def drawn(group: Group, verdict: Verdict | None = None) -> dict[str, list[Any]]:
    marks = forest(group, verdict or group.verdict)
    return {kind: [mark for mark in marks if mark.kind == kind] for kind in dict.fromkeys(mark.kind for mark in marks)}


def test_a_line_misses_the_best_mean_where_the_label_is_told_apart(make_comparison: Make, tmp_path: Path) -> None:
    (group,) = summarise(make_comparison(tmp_path / "demo")).groups
    marks = drawn(group)
    names = [group.labels[mark.label] for mark in marks["mean"]]
    assert names == ["gru", "lstm", "birnn", "rnn"]
    (best,) = marks["best"]
    assert best.value == group.best()[0].metric("test/accuracy").mean
    assert (marks["mean"][0].low, marks["mean"][0].text) == (None, "the best mean")
    by_other = {each.other: each for each in group.verdict.pairs if each.better == "gru"}
    for name, mark in zip(names[1:], marks["mean"][1:], strict=True):
        each = by_other[name]
        assert (mark.low, mark.high) == pytest.approx((best.value - each.high, best.value - each.low))
        assert (mark.high < best.value) == each.told_apart
        assert mark.low < mark.value < mark.high
    assert len(marks["seed"]) == 12


def test_perplexities_are_drawn_where_their_logarithms_were_compared(make_language: Make, tmp_path: Path) -> None:
    (group,) = summarise(make_language(tmp_path / "demo", seeds=3), "test/perplexity").groups
    marks = drawn(group)
    (best,) = marks["best"]
    assert marks["mean"][0].value == min(mark.value for mark in marks["mean"])
    for mark in marks["mean"][1:]:
        told_apart = group.labels[mark.label] in group.verdict.beaten(group.labels[best.label])
        assert (mark.low > best.value) == told_apart
        assert mark.low * mark.high == pytest.approx(mark.value**2)  # as far on both sides, in logarithms


def test_successes_have_no_interval(make_comparison: Make, tmp_path: Path) -> None:
    (group,) = summarise(make_comparison(tmp_path / "demo", labels=("rnn", "gru"))).groups
    verdict = Verdict(pairs=group.verdict.pairs, scale=SUCCESSES)
    marks = drawn(group, verdict)
    assert all(mark.low is None for mark in marks["mean"])
    assert "best" not in marks


def test_one_seed_is_one_dot_without_interval(make_comparison: Make, tmp_path: Path) -> None:
    (group,) = summarise(make_comparison(tmp_path / "demo", seeds=1)).groups
    marks = drawn(group)
    assert set(marks) == {"mean"}
    assert [mark.low for mark in marks["mean"]] == [None] * 4


def test_of_many_labels_the_best_are_drawn(make_comparison: Make, tmp_path: Path) -> None:
    directory = make_comparison(
        tmp_path / "demo", labels=tuple(f"m{number}" for number in range(26)), seeds=2, epochs=2
    )
    page = Page(dashboard(directory))
    assert "Of 26 labels, the 24 best are drawn." in page.text
    (chart,) = [chart for chart in page.data["charts"].values() if chart.get("table", "").startswith("forest")]
    assert sum(row[0] == "mean" for row in page.data["tables"][chart["table"]]["rows"]) == 24


def test_settings_of_a_label_have_a_line_each(make_comparison: Make, tmp_path: Path) -> None:
    labels = tuple(f"model=recurrent,cell=variant{number},num_layers=2" for number in range(2))
    page = Page(dashboard(make_comparison(tmp_path / "demo", labels=labels, seeds=2, epochs=2)))
    (chart,) = [chart for chart in page.data["charts"].values() if chart.get("table", "").startswith("forest")]
    assert chart["spec"]["height"] == 2 * (3 * 13 + 6)
    assert "measured from the broken line at the best label" in page.text


def test_two_test_sets_have_two_plots(make_comparison: Make, tmp_path: Path) -> None:
    directory = make_comparison(tmp_path / "demo")
    for label, length in (("rnn", 4), ("lstm", 4), ("gru", 12), ("birnn", 12)):
        for run in directory.glob(f"{label}-seed*"):
            record = read(run)
            source = {"source": {"_target_": "Adding", "length": length}}
            write(run, record.with_(config={**record.config, "data": source}))
    (group,) = summarise(directory).groups
    assert group.verdict.sentences[0].startswith("Conditions: sizes differ")
    page = Page(dashboard(directory))
    assert "length 4: Take lstm: it beats rnn by 6.2 points. length 12: Take gru: it beats birnn by" in page.text
    charts = [chart for chart in page.data["charts"].values() if chart.get("table", "").startswith("forest")]
    assert [chart["title"] for chart in charts] == [f"length {length}: test/accuracy by label" for length in (4, 12)]
    for chart, labels in zip(charts, ({0, 1}, {2, 3}), strict=True):
        assert {row[1] for row in page.data["tables"][chart["table"]]["rows"]} == labels
