"""The sentences of a verdict: every pair, sizes, units, seeds that would decide, and failed runs."""

from __future__ import annotations

import re
from itertools import combinations, product
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightning_seq.report import verdict
from lightning_seq.report.scale import scale
from lightning_seq.report.verdict import NO_BLOCK, NO_PAIR, ONE_SEED, Evaluation, Verdict, clauses, judge
from lightning_seq.significance.compare import Comparison, Decision, Pair


def pair(better: str, other: str, points: float, decision: Decision, seeds: int = 5) -> Pair:
    low = 0.5 * points if decision is Decision.BEATS else -0.004
    high = 0.004 if decision is Decision.EQUAL else 2 * points - low
    return Pair(better, other, (seeds, seeds), points, low, high, 0.004, 1.0, decision)


def said(
    monkeypatch: pytest.MonkeyPatch,
    means: dict[str, float],
    tied: set[frozenset[str]],
    equal: set[frozenset[str]] | None = None,
    **given: Any,
) -> tuple[str, Verdict]:
    """The sentence on labels with these mean accuracies: some pairs are not decided, some equal, all others differ."""

    def decision(labels: frozenset[str]) -> Decision:
        return Decision.OPEN if labels in tied else Decision.EQUAL if labels in (equal or ()) else Decision.BEATS

    pairs = tuple(
        pair(*sorted((a, b), key=lambda label: -means[label]), abs(means[a] - means[b]), decision(frozenset((a, b))))
        for a, b in combinations(means, 2)
    )
    monkeypatch.setattr(verdict, "compare", lambda *_: Comparison(pairs))
    scores = {label: dict.fromkeys(range(1, 6), mean) for label, mean in means.items()}
    result = judge("test/accuracy", Evaluation(scores), given.pop("parameters", {}), **given)
    return result.sentences[0], result


def both(*labels: str) -> set[frozenset[str]]:
    return {frozenset(two) for two in combinations(labels, 2)}


MATCH = {"kind": "parameters", "count": "all", "target": 200_000, "mismatch": 0.001}


def test_two_that_are_tied_and_one_that_beats_both(monkeypatch: pytest.MonkeyPatch) -> None:
    means = {"LSTM": 0.750, "GRU": 0.753, "BiLSTM": 0.774}
    sentence, result = said(monkeypatch, means, both("LSTM", "GRU"), matches=dict.fromkeys(means, MATCH))
    assert sentence == (
        "At 200k parameters and 5 seeds, BiLSTM beats GRU and LSTM by 2.1 to 2.4 points (95 % CIs from 1.1 to 3.6); "
        "not decided: GRU against LSTM (0.3 points, 95 % CI -0.4 to 1.0)."
    )
    assert result.best == "BiLSTM"
    assert result.beaten("BiLSTM") == ["GRU", "LSTM"]


def test_none_of_three_is_decided(monkeypatch: pytest.MonkeyPatch) -> None:
    sentence, result = said(monkeypatch, {"a": 0.75, "b": 0.751, "c": 0.756}, both("a", "b", "c"))
    assert sentence == ("With 5 seeds, not decided: among c, b and a (0.1 to 0.6 points, 95 % CIs from -0.4 to 1.6).")
    assert result.best is None


def test_equal_labels_are_equal_within_half_a_point(monkeypatch: pytest.MonkeyPatch) -> None:
    means = {"gru": 0.731, "lstm": 0.730, "rnn": 0.60}
    sentence, _ = said(monkeypatch, means, set(), both("gru", "lstm"))
    assert sentence == (
        "With 5 seeds, gru and lstm beat rnn by 13.0 to 13.1 points (95 % CIs from 6.5 to 19.7); "
        "gru equals lstm within 0.5 points."
    )


def test_a_pair_across_the_ranking_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tagging demo: birnn beats gru and lstm, and is not told apart from rnn, which is further behind."""
    means = {"birnn": 0.912, "gru": 0.847, "lstm": 0.844, "rnn": 0.841}
    sentence, _ = said(monkeypatch, means, both("gru", "lstm", "rnn") | both("birnn", "rnn"))
    assert "birnn beats gru and lstm by 6.5 to 6.8 points" in sentence
    assert "among gru, lstm and rnn" in sentence
    assert "birnn against rnn (7.1 points" in sentence


@settings(max_examples=200, deadline=None)
@given(st.integers(2, 20), st.randoms(use_true_random=False))
def test_the_clauses_name_every_pair_once_up_to_twenty_labels(labels: int, random: Random) -> None:
    names = [f"m{number}" for number in range(labels)]
    pairs = [pair(a, b, 0.01, random.choice(list(Decision))) for a, b in combinations(names, 2)]
    named = []
    for clause in clauses(names, pairs):
        two = combinations(clause.first, 2) if not clause.second else product(clause.first, clause.second)
        of_clause = [frozenset(labels) for labels in two]
        assert {frozenset((one.better, one.other)) for one in clause.pairs} == set(of_clause)
        assert {one.decision for one in clause.pairs} == {clause.decision}
        named += of_clause
    assert len(named) == len(set(named)) == len(pairs)
    text = verdict._sentence(names, Verdict(pairs=tuple(pairs), scale=scale("test/accuracy")))
    assert all(re.search(rf"\b{name}\b", text) for name in names) or "all others" in text


def test_more_than_twenty_labels_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    means = {f"m{number}": 0.5 + 0.01 * number for number in range(21)}
    sentence, _ = said(monkeypatch, means, both("m20", "m19"))
    assert sentence == (
        "With 5 seeds, m20 has the best mean and beats 19 of 20 others; of all 210 pairs, 209 are told apart, 0 are "
        "equal and 1 are not decided."
    )


@pytest.mark.parametrize(
    ("match", "parameters", "size"),
    [
        ({**MATCH, "count": "recurrent"}, {}, "At 200k recurrent parameters and"),
        ({**MATCH, "kind": "state", "target": 1024}, {}, "At 1.02k bytes of state and"),
        ({**MATCH, "mismatch": 0.3}, {}, "With"),
        ({}, {"total": 1_300_000, "embedding": 1_200_000, "recurrent": 90_000}, "At 90k recurrent parameters and"),
        ({}, {"total": 1_300_000, "embedding": 1_200_000}, "At 100k parameters without the embedding and"),
        ({}, {}, "With"),
    ],
)
def test_sizes_are_said_where_they_are_equal(
    monkeypatch: pytest.MonkeyPatch, match: dict[str, Any], parameters: dict[str, int], size: str
) -> None:
    means = {"a": 0.7, "b": 0.8}
    given = {"matches": dict.fromkeys(means, match), "parameters": dict.fromkeys(means, parameters)}
    assert said(monkeypatch, means, set(), **given)[0].startswith(f"{size} 5 seeds, b beats a by 10.0 points")
    if size != "With":
        given = {
            "matches": {"a": match, "b": {**match, "target": 5} if match else {}},
            "parameters": {"a": parameters, "b": {name: 2 * count for name, count in parameters.items()}},
        }
        assert said(monkeypatch, means, set(), **given)[0].startswith("With 5 seeds, ")


def test_differences_are_said_in_the_metrics_own_unit() -> None:
    assert scale("test/accuracy").shown(0.0123, -0.004) == ["1.2", "-0.4"]
    assert scale("test/accuracy").shown(0.0123, -0.0004) == ["1.23", "-0.04"]
    assert scale("test/bleu").shown(1.26, 0.34) == ["1.3", "0.3"]
    assert scale("test/nll").shown(0.1234, 0.0) == ["0.123", "0.000"]
    assert scale("test/nll").shown(12.346, 1.0) == ["12.35", "1.00"]
    assert scale("test/accuracy").shown(-0.0) == ["0.0"]
    assert scale("test/perplexity").shown(np.log(1.1)) == ["10.0"]
    assert scale("test/accuracy").size(0.01, 0.02) == "1.0 to 2.0 points"
    assert scale("test/accuracy").equal() == "0.5 points"
    assert scale("test/perplexity").equal() == "1 %"
    assert scale("test/accuracy", rope=0.02).equal() == "2 points"


def test_one_blow_up_of_a_perplexity_does_not_hide_a_difference() -> None:
    """The logarithm of a perplexity is compared."""
    scores = {"a": {1: 100.0, 2: 101.0, 3: 2000.0}, "b": {1: 50.0, 2: 50.5, 3: 50.2}, "c": {1: 70.0, 2: 70.4, 3: 70.1}}
    result = judge("test/perplexity", Evaluation(scores), {})
    between = {(one.better, one.other): one for one in result.pairs}
    assert between["b", "a"].difference == pytest.approx(
        np.mean(np.log([100, 101, 2000])) - np.mean(np.log([50, 50.5, 50.2]))
    )
    assert "the logarithm of test/perplexity" in result.how[0]
    without = {label: {seed: value for seed, value in runs.items() if seed < 3} for label, runs in scores.items()}
    assert (
        judge("test/perplexity", Evaluation(without), {})
        .sentences[0]
        .startswith("With 2 seeds, b beats c and a by 39.7 to 100.0 %")
    )


def test_perplexities_that_diverged_are_written_without_forty_digits() -> None:
    scores = {"a": {1: 120.0, 2: 3e38, 3: 150.0}, "b": {1: 110.0, 2: 105.0, 3: 130.0}}
    assert "over 1000000 %" in judge("test/perplexity", Evaluation(scores), {}).sentences[0]
    scores["a"][3] = 0.0
    scores["a"][2] = -1.0
    assert judge("test/perplexity", Evaluation(scores), {}).sentences == (NO_PAIR,)


def test_a_label_that_failed_in_every_seed_is_in_the_second_reading() -> None:
    scores = {"a": {1: 0.90, 2: 0.91, 3: 0.90}, "b": {1: 0.80, 2: 0.81, 3: 0.80}, "c": {}}
    *_, second = judge("test/accuracy", Evaluation(scores, failed={"c": frozenset({1, 2, 3})}), {}).sentences
    assert second.startswith("If the 3 failed runs count as the worst of all: a beats c")


def test_one_seed_and_one_label_conclude_nothing() -> None:
    assert judge("test/accuracy", Evaluation({"a": {1: 0.5}, "b": {1: 0.6}}), {}).sentences == (ONE_SEED,)
    assert judge("test/accuracy", Evaluation({"a": {1: 0.5, 2: 0.5}, "b": {3: 0.6}}), {}).sentences == (NO_PAIR,)
    assert judge("test/accuracy", Evaluation({"a": {1: 0.5, 2: 0.5}}), {}) == Verdict()
    assert judge(None, Evaluation({"a": {}, "b": {}}), {}) == Verdict()


def test_seeds_that_no_two_labels_share_conclude_nothing_where_a_seed_draws_the_split() -> None:
    scores = {"a": {1: 0.5, 2: 0.5}, "b": {2: 0.6, 3: 0.6}}
    assert judge("test/accuracy", Evaluation(scores, drawn=("test",)), {}).sentences == (NO_BLOCK,)
    assert judge("test/accuracy", Evaluation(scores), {}).pairs


def test_a_label_without_any_result_is_said_to_be_without_a_verdict() -> None:
    scores = {"a": {1: 0.5, 2: 0.51}, "b": {1: 0.7, 2: 0.72}, "c": {}}
    assert "Without a verdict, for fewer than two seeds: c." in judge("test/accuracy", Evaluation(scores), {}).how


def test_what_is_left_out_and_how_it_is_judged_is_said() -> None:
    scores = {"a": {1: 0.5, 2: 0.51}, "b": {1: 0.7, 2: 0.72}, "c": {3: 0.7}}
    result = judge("test/accuracy", Evaluation(scores), {}, notes=["Something."])
    how = " ".join(result.how)
    assert "Without a verdict, for fewer than two seeds: c." in how
    assert "training runs (seeds) alone" in how
    assert "Equal: the whole interval is inside ± 0.5 points, also where it excludes zero." in how
    assert how.endswith("Something.")


def test_seeds_that_would_decide_are_named() -> None:
    scores = {"a": {1: 0.70, 2: 0.72, 3: 0.71}, "b": {1: 0.73, 2: 0.72, 3: 0.745}, "c": {1: 0.2, 2: 0.21, 3: 0.19}}
    result = judge("test/accuracy", Evaluation(scores), {})
    needed = next(one.needed for one in result.pairs if {one.better, one.other} == {"a", "b"})
    assert needed is not None
    assert needed > 3
    assert result.sentences[1] == (
        f"If the differences are as large as they look: seeds={needed} decides b against a (2.2 points) (power 80 %)."
    )
    scores["c"] = {1: 0.74, 2: 0.70, 3: 0.78}
    result = judge("test/accuracy", Evaluation(scores), {})
    many = [one.needed for one in result.pairs if one.needed is not None]
    assert len(many) == 2
    assert f", and seeds={max(many)} decides 2 of the 3 open pairs; the other pairs need" in result.sentences[1]


def test_failed_seeds_count_as_the_worst_in_a_second_reading() -> None:
    scores = {"a": {1: 0.90, 2: 0.91, 3: 0.90, 4: 0.91}, "b": {1: 0.80, 2: 0.81, 3: 0.80, 4: 0.81}}
    (sentence, *_) = judge("test/accuracy", Evaluation(scores), {}).sentences
    assert "a beats b by 10.0 points" in sentence
    failed = {"a": frozenset({5, 6}), "b": frozenset[int]()}
    *_, second = judge("test/accuracy", Evaluation(scores, failed=failed), {}).sentences
    assert second == "If the 2 failed runs count as the worst of all: a against b is not decided."
    *_, same = judge("test/accuracy", Evaluation(scores, failed={"b": frozenset({5})}), {}).sentences
    assert same == "Nothing changes if the failed run counts as worst."


def test_runs_that_succeed_or_fail_are_compared_by_their_successes() -> None:
    scores = {
        "a": dict(enumerate([0.99] * 9 + [0.1])),
        "b": dict(enumerate([0.98] + [0.11] * 9)),
    }
    result = judge("test/success", Evaluation(scores), {})
    assert result.sentences[0].startswith("With 10 seeds, a beats b by 80.0 points of runs that succeed (95 % CI ")
    assert "clearly above or below 0.545" in result.how[0]
