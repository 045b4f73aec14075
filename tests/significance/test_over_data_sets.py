"""Statistics over data sets against other libraries, exact counts, and the symmetries of the problem."""

from __future__ import annotations

from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from lightning_seq.significance.over_data_sets import (
    bootstrap,
    compare_pairs,
    fewest_data_sets,
    friedman,
    improvement,
    interquartile_mean,
    normalised,
    profile,
    ranks,
    signed_ranks,
)
from lightning_seq.significance.sign_flip import sign_flip

SCORES = np.array([
    [0.6, 0.71, 0.713], [0.511, 0.635, 0.641], [0.606, 0.814, 0.691], [0.538, 0.729, 0.776], [0.611, 0.587, 0.737],
    [0.67, 0.546, 0.694], [0.41, 0.551, 0.556], [0.576, 0.553, 0.767], [0.616, 0.661, 0.488],
])  # fmt: skip
"""Three labels on nine data sets."""
X = [np.array(each) for each in ([0.7, 0.44, 0.3, 0.83], [0.24, 0.45, 0.48, 0.52], [0.54, 0.48, 0.41, 0.46])]
Y = [np.array(each) for each in ([0.52, 0.51, 0.65, 0.7], [0.48, 0.6, 0.53, 0.6], [0.44, 0.53, 0.55, 0.5])]
"""Four runs of two labels on three data sets."""


def test_mean_ranks_and_friedmans_test() -> None:
    ranked = ranks(SCORES)
    np.testing.assert_allclose(ranked, stats.rankdata(-SCORES, axis=1))
    np.testing.assert_allclose(ranked.mean(0), [23 / 9, 19 / 9, 12 / 9])  # autorank 1.3.0
    assert stats.friedmanchisquare(*SCORES.T).pvalue == pytest.approx(0.0319, abs=1e-4)
    assert friedman(ranked) == pytest.approx(0.0306, abs=0.003)  # the exact p; chi-square only resembles it


@pytest.mark.parametrize(("S", "L"), [(2, 3), (3, 3), (2, 4)])
def test_friedmans_p_of_one_order_on_all_data_sets_is_counted_exactly(S: int, L: int) -> None:
    orders = 1
    for label in range(2, L + 1):
        orders *= label
    exact = orders ** (1 - S)  # all data sets have the order of the first
    found = friedman(ranks(np.tile(np.arange(float(L)), (S, 1))))
    assert found == pytest.approx(exact, abs=4 * (exact / 20_000) ** 0.5 + 1e-4)


def test_pairs_are_those_of_scikit_posthocs() -> None:
    """posthoc_wilcoxon(…, p_adjust="holm") of scikit-posthocs 0.17.1."""
    assert compare_pairs(SCORES) == [
        (-1, pytest.approx(0.2109375)), (-1, pytest.approx(0.1171875)), (-1, pytest.approx(0.30078125)),
    ]  # fmt: skip


@pytest.mark.parametrize("seed", range(3))
def test_the_signed_rank_test_is_scipys(seed: int) -> None:
    differences = np.random.default_rng(seed).normal(0.5, 1, 8)
    exact = stats.wilcoxon(differences, method="exact").pvalue
    assert sign_flip(signed_ranks(differences)) == pytest.approx(exact)


@pytest.mark.parametrize(
    ("differences", "p"), [([1, 1, -1, 2, 3, 0, 4, -2], 0.265625), ([0.5, 0.5, 0.5, 0.5, -0.5, 1, 1], 0.09375)]
)
def test_it_is_exact_with_ties_and_zeros(differences: list[float], p: float) -> None:
    """scipy 1.17.1: wilcoxon(…, zero_method="pratt", method=PermutationMethod(10**7)), which enumerates all signs."""
    assert sign_flip(signed_ranks(np.array(differences, float))) == pytest.approx(p)


@pytest.mark.parametrize(("labels", "count"), [(2, 6), (3, 7), (4, 8), (20, 13)])
def test_the_fewest_data_sets_can_decide_a_pair_and_one_fewer_cannot(labels: int, count: int) -> None:
    assert fewest_data_sets(labels) == count
    for S, decides in ((count, True), (count - 1, False)):
        scores = np.arange(float(labels)) + np.random.default_rng(0).random((S, 1))
        scores[:, 1:] = scores[:, 1:2]  # the first label is worse than the others, which are equal
        assert (compare_pairs(scores)[0][1] < 0.05) is decides


def test_statistics_over_runs_are_those_of_rliable() -> None:
    """rliable 1.2.0: aggregate_iqm, probability_of_improvement, run_score_distribution."""
    assert interquartile_mean(X) == pytest.approx(0.47166667)
    assert interquartile_mean(X) == pytest.approx(stats.trim_mean(np.concatenate(X), 0.25))
    assert interquartile_mean(Y) == pytest.approx(0.54)
    assert improvement(Y, X) == pytest.approx(0.70833333)
    thresholds = np.array([0.3, 0.4, 0.5, 0.6, 0.7])
    np.testing.assert_allclose(profile(X, thresholds), np.array([10, 10, 4, 2, 1]) / 12)


def test_intervals_are_those_of_rliable_if_as_many_seeds_are_drawn_as_there_are() -> None:
    """rliable 1.2.0: get_interval_estimates with 20,000 draws."""
    assert bootstrap(interquartile_mean, X, fewer=0)[1:] == pytest.approx((0.40833, 0.53333), abs=0.01)
    assert bootstrap(interquartile_mean, Y, fewer=0)[1:] == pytest.approx((0.50833, 0.58), abs=0.01)
    assert bootstrap(improvement, Y, X, fewer=0)[1:] == pytest.approx((0.47917, 0.91667), abs=0.021)


def test_an_interval_covers_all_draws_of_one_seed_fewer() -> None:
    """Two seeds on two data sets: one of each is drawn, so that there are four equal chances."""
    runs = [np.array([0.0, 0.4]), np.array([1.0, 1.2])]
    means = sorted(interquartile_mean([np.array([a]), np.array([b])]) for a, b in product(*runs))
    value, low, high = bootstrap(interquartile_mean, runs)
    assert (low, high) == (means[0], means[-1]) == (pytest.approx(0.5), pytest.approx(0.8))
    assert value == pytest.approx((0.4 + 1.0) / 2)


def test_the_interval_of_a_mean_has_the_width_of_its_standard_error() -> None:
    runs = list(np.random.default_rng(2).normal(0, 1, (20, 3)))
    error = np.sqrt(np.var(runs, axis=1, ddof=1).mean() / 60)
    _, low, high = bootstrap(lambda each: np.mean([values.mean(-1) for values in each], 0), runs)
    assert high - low == pytest.approx(2 * 1.96 * error, rel=0.08)  # with as many seeds as there are, 18 % less


def test_one_seed_has_no_interval() -> None:
    value, low, high = bootstrap(interquartile_mean, [np.array([0.5]), np.array([0.7])])
    assert value == pytest.approx(0.6)
    assert np.isnan(low)
    assert np.isnan(high)


def test_data_sets_with_unequal_numbers_of_seeds_have_the_same_weight() -> None:
    few, many = [np.array([0.0]), np.array([1.0])], [np.zeros(4), np.ones(1)]
    assert interquartile_mean(few) == interquartile_mean(many) == pytest.approx(0.5)
    assert profile(many, np.array([0.5]))[0] == 0.5
    assert improvement(many, [np.array([-1.0]), np.array([2.0])]) == 0.5


def test_scores_are_measured_from_the_baseline_to_the_best_value() -> None:
    np.testing.assert_allclose(normalised(np.array([0.75, 0.875, 1.0, 0.5]), 0.75, 1.0), [0, 0.5, 1, -1])
    np.testing.assert_allclose(normalised(np.log([300.0, 1.0]), np.log(300.0), 0.0), [0, 1])
    with pytest.raises(ValueError, match="expected a worse one"):
        normalised(np.array([0.5]), 1.0, 1.0)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_the_order_of_labels_and_of_data_sets_does_not_matter(data: st.DataObject) -> None:
    S, L = data.draw(st.integers(2, 7)), data.draw(st.integers(2, 5))
    # whole numbers: ties occur
    cells = st.lists(st.lists(st.integers(0, 6), min_size=L, max_size=L), min_size=S, max_size=S)
    scores = np.array(data.draw(cells), float)
    labels, sets = data.draw(st.permutations(range(L))), data.draw(st.permutations(range(S)))
    ranked = ranks(scores)
    np.testing.assert_allclose(ranked.sum(1), L * (L + 1) / 2)
    moved = scores[sets][:, labels]
    np.testing.assert_array_equal(ranks(moved), ranked[sets][:, labels])
    assert friedman(ranks(moved), 500) == friedman(ranked, 500)
    pairs = list(combinations(range(L), 2))
    before = dict(zip(pairs, compare_pairs(scores), strict=True))
    for (a, b), (sign, p) in zip(pairs, compare_pairs(moved), strict=True):
        a, b = labels[a], labels[b]
        expected = before[min(a, b), max(a, b)]
        assert (sign if a < b else -sign, p) == (expected[0], pytest.approx(expected[1]))
    first, second = ([scores[place, [label]] for place in range(S)] for label in (0, 1))
    assert improvement(first, second) + improvement(second, first) == pytest.approx(1)


def test_labels_that_do_not_differ_are_seldom_told_apart() -> None:
    """At most 5 % of comparisons have any false alarm, whatever the scores of single data sets spread."""
    random = np.random.default_rng(4)
    alarms = 0
    for number in range(600):
        scores = random.standard_t(3, (8 + number % 3, 3)) * random.lognormal(0, 1, (8 + number % 3, 1))
        alarms += any(p < 0.05 for _, p in compare_pairs(scores))
    assert alarms / 600 <= 0.05 + 2 * (0.05 * 0.95 / 600) ** 0.5


def test_friedmans_test_holds_its_level() -> None:
    random = np.random.default_rng(5)
    alarms = sum(friedman(ranks(random.normal(size=(4, 3))), 1000) < 0.05 for _ in range(600))
    assert alarms / 600 <= 0.05 + 2 * (0.05 * 0.95 / 600) ** 0.5
