"""Differences that are there are found, those that are not are not, and the formulas are those of the papers."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from scipy import stats

from lightning_seq import significance
from lightning_seq.significance import (
    Pair,
    almost_stochastic_order,
    cliffs_delta,
    compare,
    holm,
    sign_flip,
    spread,
)

Runs = tuple[dict[str, dict[int, float]], dict[tuple[str, int], np.ndarray]]


def simulate(
    random: np.random.Generator,
    kind: str = "normal",
    labels: int = 3,
    seeds: int = 3,
    N: int = 200,
    better: float = 0.0,
    own: float = 0.5,
    luck: float = 0.1,
) -> Runs:
    """Runs on examples of shared difficulty; the first label is better by `better`, none of the others is.

    own:  how far a label finds some examples easier than others do. luck: how far runs of one label differ.
    """
    latent = random.normal(0.5, 1, N) + random.normal(0, own, (labels, 1, N))
    latent = latent + random.normal(0, luck, (labels, seeds, 1)) + random.normal(0, 0.7, (labels, seeds, N))
    latent[0] += better
    values = (latent > 0).astype(float) if kind == "bernoulli" else latent
    examples = {(f"label{label}", seed + 1): values[label, seed] for label in range(labels) for seed in range(seeds)}
    scores: dict[str, dict[int, float]] = {}
    for (label, seed), each in examples.items():
        scores.setdefault(label, {})[seed] = float(each.mean())
    return scores, examples


def alarms(kind: str, comparisons: int, **settings: float) -> float:
    """The share of comparisons without any difference in which any two labels are told apart."""
    random = np.random.default_rng(11)
    found = 0
    for number in range(comparisons):
        scores, examples = simulate(random, kind, seeds=3 + number % 3, **settings)
        used = {} if kind == "seeds alone" else examples
        found += any(pair.told_apart for pair in compare(scores, used, resamples=200))
    return found / comparisons


def most(comparisons: int) -> float:
    """Three binomial standard errors above the nominal rate."""
    return 0.05 + 3 * math.sqrt(0.05 * 0.95 / comparisons)


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("normal", {}),
        ("bernoulli", {}),
        ("bernoulli", {"own": 0.0, "luck": 0.0}),
        ("normal", {"own": 0.0, "luck": 0.5}),
        ("normal", {"own": 1.0, "luck": 0.0}),
        ("seeds alone", {"own": 0.0}),
    ],
)
def test_false_alarms_are_not_more_than_nominal(kind: str, settings: dict[str, float]) -> None:
    assert alarms(kind, 200, **settings) <= most(200)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["normal", "bernoulli", "seeds alone"])
@pytest.mark.parametrize("luck", [0.0, 0.1, 0.5])
def test_false_alarms_over_a_thousand_comparisons(kind: str, luck: float) -> None:
    own = 0.0 if kind == "seeds alone" else 0.5
    assert alarms(kind, 1000, labels=5, N=300, own=own, luck=luck) <= most(1000)


def test_cells_taken_for_independent_would_raise_many_false_alarms() -> None:
    """The simulation can tell: a t test over all cells fails where ours does not."""
    random = np.random.default_rng(5)
    wrong = 0
    for _ in range(100):
        _, examples = simulate(random, labels=2, luck=0.3)
        cells = np.concatenate([examples["label0", seed] - examples["label1", seed] for seed in (1, 2, 3)])
        wrong += stats.ttest_1samp(cells, 0).pvalue < 0.05
    assert wrong > 30


@pytest.mark.parametrize("kind", ["normal", "bernoulli"])
def test_a_real_difference_is_found(kind: str) -> None:
    random = np.random.default_rng(2)
    found = 0
    for _ in range(40):
        pairs = compare(*simulate(random, kind, seeds=5, N=500, better=0.5), resamples=500)
        apart = [(pair.better, pair.other) for pair in pairs if pair.told_apart]
        found += {("label0", "label1"), ("label0", "label2")} <= set(apart)
    assert found >= 36


def test_where_there_is_none_the_interval_holds_it() -> None:
    """Coverage, of the true difference and of one that is not zero."""
    random = np.random.default_rng(3)
    held = []
    for number in range(150):
        scores, examples = simulate(random, labels=2, seeds=3 + number % 3, better=0.4)
        (pair,) = compare(scores, examples, resamples=400)
        sign = 1 if pair.better == "label0" else -1
        held.append(pair.low <= sign * 0.4 <= pair.high)
    assert np.mean(held) >= 0.95 - 3 * math.sqrt(0.05 * 0.95 / 150)


def test_results_are_the_same_every_time_and_whatever_the_order_of_labels_and_seeds() -> None:
    scores, examples = simulate(np.random.default_rng(1), labels=4, seeds=4, better=0.3)
    turned = {label: dict(reversed(by_seed.items())) for label, by_seed in reversed(scores.items())}
    first, again, other = (
        compare(scores, examples),
        compare(scores, examples),
        compare(turned, dict(reversed(examples.items()))),
    )
    assert first == again == other
    assert len(first) == 6


def test_names_do_not_matter() -> None:
    scores, examples = simulate(np.random.default_rng(1), seeds=4, better=0.3)
    names = {"label0": "z", "label1": "a", "label2": "m"}
    renamed = compare(
        {names[label]: by_seed for label, by_seed in scores.items()},
        {(names[label], seed): each for (label, seed), each in examples.items()},
    )
    inverse = {name: label for label, name in names.items()}
    found = {(inverse[pair.better], inverse[pair.other]): pair for pair in renamed}
    for pair in compare(scores, examples):
        mine = found[pair.better, pair.other]
        assert (mine.difference, mine.adjusted, mine.low) == pytest.approx((pair.difference, pair.adjusted, pair.low))


def test_lower_is_better_turns_it_round() -> None:
    scores, examples = simulate(np.random.default_rng(1), seeds=4, better=0.3)
    higher, lower = compare(scores, examples), compare(scores, examples, lower_is_better=True)
    assert [(pair.better, pair.other) for pair in higher] == [(pair.other, pair.better) for pair in lower]
    for one, two in zip(higher, lower, strict=True):
        assert one.difference > 0
        assert (two.difference, two.p, two.effect) == pytest.approx((one.difference, one.p, one.effect))


def negated(runs: Runs) -> Runs:
    scores, examples = runs
    return (
        {label: {seed: -value for seed, value in by_seed.items()} for label, by_seed in scores.items()},
        {run: -each for run, each in examples.items()},
    )


def test_a_loss_is_judged_as_its_negative() -> None:
    runs = simulate(np.random.default_rng(1), seeds=4, better=0.3)
    for one, two in zip(compare(*runs), compare(*negated(runs), lower_is_better=True), strict=True):
        assert (one.better, one.other) == (two.better, two.other)
        assert (one.difference, one.low, one.high, one.p, one.effect) == pytest.approx(
            (two.difference, two.low, two.high, two.p, two.effect)
        )


def test_seeds_alone_are_scipys_paired_t_test() -> None:
    first, second = [0.71, 0.74, 0.72, 0.76, 0.73], [0.70, 0.71, 0.715, 0.73, 0.70]
    scores = {"a": dict(enumerate(first, 1)), "b": dict(enumerate(second, 1))}
    (pair,) = compare(scores)
    assert pair.p == pytest.approx(stats.ttest_rel(first, second).pvalue, rel=1e-6)
    interval = stats.ttest_rel(first, second).confidence_interval()
    assert pair.examples == 0
    assert (pair.low, pair.high) == pytest.approx((interval.low, interval.high), abs=0.1 * (interval.high - pair.low))
    assert pair.low + pair.high == pytest.approx(2 * pair.difference)


def test_the_parts_of_the_variance_are_those_of_the_two_way_layout() -> None:
    random = np.random.default_rng(4)
    K, N = 4, 30
    D = random.normal(0, 1, (K, 1)) + random.normal(0, 2, (1, N)) + random.normal(0, 0.5, (K, N))
    rest = D - D.mean(1, keepdims=True) - D.mean(0, keepdims=True) + D.mean()
    of_rest = np.square(rest).sum() / ((K - 1) * (N - 1))
    found = spread(D)
    assert found.runs == pytest.approx(N * D.mean(1).var(ddof=1) / (K * N))
    assert found.examples == pytest.approx((K * D.mean(0).var(ddof=1) - of_rest) / (K * N))


def test_the_margin_of_one_part_is_students_and_p_is_its_inverse() -> None:
    D = np.array([[0.3], [0.5], [0.1]])
    found = spread(D)
    assert found.margin(0.05) == pytest.approx(stats.t.ppf(0.975, 2) * D.std(ddof=1) / math.sqrt(3))
    both = spread(np.random.default_rng(0).normal(0, 1, (4, 50)) + np.random.default_rng(1).normal(0, 2, 50))
    assert both.examples > 0
    for p in (0.5, 0.05, 1e-6):
        assert both.p(both.margin(p)) == pytest.approx(p, rel=1e-6)
    assert both.p(0.0) == pytest.approx(1.0)


def test_sign_flips_are_counted_one_by_one_where_they_are_few() -> None:
    differences = np.array([0.3, -0.1, 0.4, 0.0, 0.2, 0.25])
    sizes = np.abs(differences)
    sums = [abs(np.dot(signs, sizes)) for signs in product((1, -1), repeat=len(sizes))]
    assert sign_flip(differences) == pytest.approx(np.mean([total >= 1.05 - 1e-12 for total in sums]))
    result = stats.permutation_test(
        (differences, np.zeros(6)), lambda a, b: np.mean(a - b), permutation_type="samples", n_resamples=np.inf
    )
    assert sign_flip(differences) == pytest.approx(result.pvalue)


@pytest.mark.parametrize(("n", "least"), [(2, 0.5), (3, 0.25), (5, 0.0625)])
def test_few_seeds_have_no_smaller_p(n: int, least: float) -> None:
    assert sign_flip(np.full(n, 0.7)) == least
    assert sign_flip(np.arange(1.0, n + 1)) == least


def test_the_saddlepoint_is_what_counting_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    for centre in (0.0, 0.2, 0.5, 0.9):
        differences = random.normal(centre, 1, 14)
        counted = sign_flip(differences)
        monkeypatch.setattr(significance, "_EXACT", 1)
        assert sign_flip(differences) == pytest.approx(counted, rel=0.06, abs=2 / 2**13)
        monkeypatch.undo()
    assert sign_flip(np.zeros(40)) == 1.0
    assert sign_flip(np.ones(40)) == pytest.approx(2.0**-39)
    assert sign_flip(np.tile([1.0, -1.0], 20)) == pytest.approx(1.0)
    many = random.normal(0.05, 1, 3000)
    normal = 2 * stats.norm.sf(abs(many.sum()) / math.sqrt(np.square(many).sum()))
    assert sign_flip(many) == pytest.approx(normal, rel=0.05)


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.7]) == [1.0, 1.0]
    assert holm([0.02]) == [0.02]
    assert holm([]) == []


def test_cliffs_delta_by_hand() -> None:
    assert cliffs_delta([3, 4], [1, 2]) == 1.0
    assert cliffs_delta([1, 2], [3, 4]) == -1.0
    assert cliffs_delta([1, 3], [2, 3]) == pytest.approx((1 - 2) / 4)


def test_almost_stochastic_order_knows_its_ends_and_is_smaller_for_the_better() -> None:
    random = np.random.default_rng(0)
    good, bad = random.normal(0.8, 0.02, 20), random.normal(0.7, 0.02, 20)
    assert almost_stochastic_order(good, bad) == 0.0
    assert almost_stochastic_order(bad, good) == 1.0
    close = random.normal(0.81, 0.02, 20), random.normal(0.8, 0.02, 20)
    assert 0 < almost_stochastic_order(*close) < almost_stochastic_order(*close[::-1]) <= 1.0
    assert almost_stochastic_order(good, good) == pytest.approx(0.5, abs=0.5)
    (pair,) = compare({"a": dict(enumerate(good)), "b": dict(enumerate(bad))}, stochastic_order=True)
    assert pair.order == 0.0


def test_almost_stochastic_order_by_hand() -> None:
    """F^-1 - G^-1 is 2 on the first half, -1 on the second: a fifth of the square distance is on the wrong side."""
    without_bound = almost_stochastic_order([3.0, 4.0], [1.0, 5.0], resamples=1)
    assert without_bound == pytest.approx(1 / 5)


def test_pairs_need_two_seeds_in_common_and_the_others_are_left_out() -> None:
    scores = {"a": {1: 0.5, 2: 0.6}, "b": {2: 0.7, 3: 0.8}, "c": {1: 0.1, 2: 0.15, 3: 0.2}}
    assert [(pair.better, pair.other, pair.seeds) for pair in compare(scores)] == [
        ("a", "c", (1, 2)),
        ("b", "c", (2, 3)),
    ]
    assert compare({"a": {1: 0.5}, "b": {1: 0.6}}) == []


def test_a_run_without_examples_leaves_its_pairs_to_the_seeds() -> None:
    scores, examples = simulate(np.random.default_rng(1), seeds=4)
    del examples["label2", 3]
    assert [pair.examples for pair in compare(scores, examples)] == [200, 0, 0]


def test_seeds_that_do_not_spread_have_no_interval_and_the_p_of_flips() -> None:
    (pair,) = compare({"a": dict.fromkeys(range(3), 0.5), "b": dict.fromkeys(range(3), 0.7)})
    assert (pair.better, pair.p, pair.told_apart) == ("b", 0.25, False)
    assert math.isnan(pair.low)
    (same,) = compare({"a": dict.fromkeys(range(3), 0.5), "b": dict.fromkeys(range(3), 0.5)})
    assert (same.difference, same.p, same.effect) == (0.0, 1.0, 0.0)


def test_examples_of_other_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="expected scores of the same examples"):
        compare({"a": {1: 0.5, 2: 0.5}}, {("a", 1): np.zeros(3), ("a", 2): np.zeros(4)})


def test_told_apart_needs_the_correction_and_the_interval() -> None:
    pair = Pair("a", "b", (1, 2, 3), 0, 1.0, 0.2, 1.8, 0.01, 0.03, 1.0)
    assert pair.told_apart
    assert not Pair("a", "b", (1, 2, 3), 0, 1.0, -0.2, 1.8, 0.01, 0.03, 1.0).told_apart
    assert not Pair("a", "b", (1, 2, 3), 0, 1.0, 0.2, 1.8, 0.01, 0.06, 1.0).told_apart
