"""Differences that exist are found, others are not, and no decision contradicts its interval."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import stats

from lightning_seq.significance import simultaneous
from lightning_seq.significance.compare import Comparison, Decision, compare, holm
from lightning_seq.significance.simultaneous import _critical_runs, example_variances, infer, variances

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
    for (label, seed), cells in examples.items():
        scores.setdefault(label, {})[seed] = float(cells.mean())
    return scores, examples


def alone(*values: list[float]) -> Comparison:
    return compare({chr(97 + index): dict(enumerate(runs)) for index, runs in enumerate(values)})


def alarms(kind: str, comparisons: int, **given: float) -> float:
    """The share of comparisons without any difference in which any two labels are told apart."""
    random = np.random.default_rng(11)
    count = 0
    for number in range(comparisons):
        scores, examples = simulate(random, kind, seeds=3 + number % 3, **given)
        count += any(pair.told_apart for pair in compare(scores, {} if kind == "seeds alone" else examples).pairs)
    return count / comparisons


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        ("normal", {}),
        ("bernoulli", {}),
        ("bernoulli", {"own": 0.0, "luck": 0.0}),
        ("normal", {"own": 0.0, "luck": 0.5}),
        ("normal", {"own": 1.0, "luck": 0.0}),
        ("seeds alone", {"own": 0.0}),
    ],
)
def test_false_alarms_are_not_more_than_nominal(kind: str, given: dict[str, float]) -> None:
    assert alarms(kind, 300, **given) <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 300)


def test_clustered_examples_raise_false_alarms_only_where_clusters_are_ignored() -> None:
    """12 chapters of 10 verses: labels differ by chapter."""
    random = np.random.default_rng(0)
    clusters = np.repeat(np.arange(12), 10)
    ignored = known = 0
    for _ in range(200):
        scores, examples = simulate(random, labels=2, N=120, own=0.0, luck=0.02)
        for label in scores:
            effect = random.normal(0, 0.5, 12)[clusters]
            for seed in scores[label]:
                examples[label, seed] = examples[label, seed] + effect
                scores[label][seed] = float(examples[label, seed].mean())
        ignored += any(pair.told_apart for pair in compare(scores, examples).pairs)
        known += any(pair.told_apart for pair in compare(scores, examples, clusters).pairs)
    assert ignored > 30
    assert known <= 200 * (0.05 + 3 * math.sqrt(0.05 * 0.95 / 200))


def test_a_wide_label_among_twenty_raises_no_false_alarms() -> None:
    """In a variance pooled over all labels, one of four times the spread hides: 24 % false alarms."""
    random = np.random.default_rng(5)
    values = random.normal(size=(400, 20, 3))
    values[:, 0] *= 4
    found = pooled = 0
    for runs in values:
        squares = variances(list(runs))
        found += bool((infer(runs.mean(1), squares, [3] * 20).p < 0.05).any())
        pooled += bool((infer(runs.mean(1), np.full(20, squares.mean()), [3] * 20).p < 0.05).any())
    assert found <= 400 * (0.06 + 3 * math.sqrt(0.06 * 0.94 / 400))
    assert pooled > 40


@pytest.mark.parametrize("seeds", [3, 10])
def test_runs_that_fail_by_chance_raise_no_false_alarms(seeds: int) -> None:
    random = np.random.default_rng(1)
    count = 0
    for _ in range(200):
        humps = (random.random((5, seeds)) < 0.5) * 0.98 + 0.002 * random.random((5, seeds))
        count += any(pair.told_apart for pair in alone(*humps.tolist()).pairs)
    assert count <= 200 * (0.05 + 3 * math.sqrt(0.05 * 0.95 / 200))


@pytest.mark.parametrize(("seeds", "better", "least"), [(2, 8.0, 0.8), (3, 4.0, 0.74), (5, 2.0, 0.5)])
def test_large_differences_are_decided_with_few_seeds(seeds: int, better: float, least: float) -> None:
    """Four labels; 87, 82 and 60 % of the true pairs in 20,000 simulations."""
    random = np.random.default_rng(2)
    decided = 0
    for _ in range(150):
        values = random.normal(size=(4, seeds))
        values[0] += better
        decided += sum(pair.told_apart and pair.better == "a" for pair in alone(*values.tolist()).pairs)
    assert decided / 450 >= least


def test_simultaneous_intervals_hold_all_true_differences() -> None:
    random = np.random.default_rng(3)
    held = 0
    for _ in range(200):
        scores, examples = simulate(random, labels=4, better=0.4)
        held += all(
            pair.low <= (0.4 if pair.better == "label0" else -0.4 if pair.other == "label0" else 0.0) <= pair.high
            for pair in compare(scores, examples).pairs
        )
    assert held >= 200 * (0.95 - 3 * math.sqrt(0.05 * 0.95 / 200))


values_of_runs = st.lists(st.lists(st.floats(0, 1, width=32), min_size=2, max_size=5), min_size=2, max_size=6)


@pytest.fixture
def few_draws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Critical values from 500 draws: what holds of every critical value needs no exact ones."""
    monkeypatch.setattr(simultaneous, "DRAWS", 500)
    caches = simultaneous._critical_sorted, simultaneous._critical_examples
    for cache in caches:
        cache.cache_clear()
    yield
    for cache in caches:
        cache.cache_clear()


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values_of_runs, st.sampled_from([0.0, 0.005, 0.1]), st.booleans())
def test_no_decision_contradicts_its_interval(
    few_draws: None, values: list[list[float]], rope: float, lower: bool
) -> None:
    scores = {chr(97 + index): dict(enumerate(runs)) for index, runs in enumerate(values)}
    comparison = compare(scores, lower_is_better=lower, limits=(0.0, 1.0), rope=rope)
    assert len(comparison.pairs) == len(values) * (len(values) - 1) // 2
    for pair in comparison.pairs:
        assert pair.difference >= 0
        if math.isnan(pair.low):
            assert pair.decision is Decision.OPEN
            continue
        assert -1 <= pair.low <= pair.difference + 1e-12
        assert pair.difference <= pair.high + 1e-12 <= 1 + 2e-12
        inside = -rope < pair.low and pair.high < rope
        assert (pair.decision is Decision.EQUAL) == inside
        if not inside:
            assert (pair.decision is Decision.BEATS) == (pair.low > 0) == (pair.p < 0.05)


def test_equivalence_is_said_of_labels_whose_interval_is_inside_the_region() -> None:
    runs = [0.800, 0.801, 0.7995], [0.8005, 0.7998, 0.8002], [0.9, 0.901, 0.9005]
    scores = {chr(97 + index): dict(enumerate(values)) for index, values in enumerate(runs)}
    decisions = {frozenset((pair.better, pair.other)): pair.decision for pair in compare(scores, rope=0.005).pairs}
    assert decisions == {
        frozenset("ab"): Decision.EQUAL,
        frozenset("ac"): Decision.BEATS,
        frozenset("bc"): Decision.BEATS,
    }


@pytest.mark.parametrize(("count", "margin", "decision"), [(4, 0.5271, Decision.OPEN), (1000, 0.0030, Decision.EQUAL)])
def test_few_examples_that_all_runs_answer_alike_do_not_make_labels_equal(
    count: int, margin: float, decision: Decision
) -> None:
    examples = {(label, seed): np.arange(count) % 2.0 for label in "ab" for seed in (1, 2)}
    scores = {label: {1: 0.5, 2: 0.5} for label in "ab"}
    (pair,) = compare(scores, examples, limits=(0.0, 1.0), rope=0.005).pairs
    assert (pair.difference, pair.p, pair.decision) == (0.0, 1.0, decision)
    assert (-pair.low, pair.high) == pytest.approx((margin, margin), abs=1e-4)
    (alone,) = compare(scores, limits=(0.0, 1.0), rope=0.005).pairs
    assert (alone.low, alone.high) == (0.0, 0.0)


def test_results_depend_on_no_order_and_no_name() -> None:
    scores, examples = simulate(np.random.default_rng(1), labels=4, seeds=4, better=0.3)
    turned = {label: dict(reversed(by_seed.items())) for label, by_seed in reversed(scores.items())}
    first = compare(scores, examples)
    assert first == compare(scores, examples) == compare(turned, dict(reversed(examples.items())))
    assert len(first.pairs) == 6
    names = dict(zip(scores, "zamk", strict=True))
    renamed = compare(
        {names[label]: by_seed for label, by_seed in scores.items()},
        {(names[label], seed): cells for (label, seed), cells in examples.items()},
    )
    found = {(pair.better, pair.other): pair for pair in renamed.pairs}
    for pair in first.pairs:
        mine = found[names[pair.better], names[pair.other]]
        assert (mine.difference, mine.p, mine.low) == pytest.approx((pair.difference, pair.p, pair.low))


def test_a_loss_is_judged_as_its_negative() -> None:
    scores, examples = simulate(np.random.default_rng(1), seeds=4, better=0.3)
    negated = {label: {seed: -value for seed, value in by_seed.items()} for label, by_seed in scores.items()}
    losses = compare(negated, {run: -cells for run, cells in examples.items()}, lower_is_better=True)
    assert losses.pairs == compare(scores, examples).pairs
    turned = compare(scores, examples, lower_is_better=True).pairs
    assert [(pair.better, pair.other) for pair in turned] == [(pair.other, pair.better) for pair in losses.pairs]


def test_equal_spreads_have_the_critical_values_of_tukeys_range() -> None:
    """With the variance of all labels pooled; ours is larger for its two safeguards, and no further off than a half."""
    for labels, seeds in ((3, 5), (4, 10), (8, 5)):
        tukey = stats.studentized_range.ppf(0.95, labels, labels * (seeds - 1)) / math.sqrt(2)
        runs = [np.array([0.0, 1.0] * (seeds // 2) + [0.5] * (seeds % 2))] * labels
        squares = variances(runs)
        margin = infer(np.zeros(labels), squares, [seeds] * labels).margins[0]
        assert 0.85 * tukey < margin / math.sqrt(2 * squares[0] / seeds) < 1.5 * tukey


@pytest.mark.parametrize(
    ("sizes", "value"), [((2,) * 4, 4.80), ((3,) * 4, 3.29), ((5,) * 4, 2.65), ((3,) * 20, 3.92), ((10, 2), 4.78)]
)
def test_critical_values_are_those_of_another_simulation(sizes: tuple[int, ...], value: float) -> None:
    """Of whole runs, 20,000 times: the 95 % quantile with equal spreads, or the 94 % one with a wide label."""
    level = simultaneous._LEVELS.searchsorted(simultaneous.ALPHA)
    assert _critical_runs(sizes, False)[level] == pytest.approx(value, rel=0.025)


def test_critical_values_are_monotone_and_do_not_depend_on_the_order_of_sizes() -> None:
    values = _critical_runs((3, 5, 3), False)
    assert (np.diff(values) <= 1e-12).all()
    assert (_critical_runs((5, 3, 3), False) == values).all()


def test_blocks_take_out_what_a_seed_does_to_all_labels() -> None:
    """A seed that draws the split moves all labels: only blocks find the difference."""
    random = np.random.default_rng(0)
    luck = random.normal(0, 0.1, 5)
    scores = {
        label: dict(enumerate((0.7 + shift + luck + random.normal(0, 0.002, 5)).tolist()))
        for label, shift in (("a", 0.0), ("b", 0.02), ("c", 0.04))
    }
    assert not any(pair.told_apart for pair in compare(scores).pairs)
    assert all(pair.told_apart for pair in compare(scores, blocked=True).pairs)
    values = [np.array(list(runs.values())) for runs in scores.values()]
    table = np.stack(values)
    rest = table - table.mean(1, keepdims=True) - table.mean(0) + table.mean()
    assert variances(values, True).mean() == pytest.approx(np.square(rest).sum() / (2 * 4))


def test_the_variance_over_examples_is_that_of_the_two_way_layout() -> None:
    random = np.random.default_rng(4)
    K, N = 4, 30
    scores = [random.normal(0, 2, (1, N)) + random.normal(0, 0.5, (K, N)) for _ in range(2)]
    D = scores[0].mean(0) - scores[1].mean(0)
    rests = [runs - runs.mean(1, keepdims=True) - runs.mean(0) + runs.mean() for runs in scores]
    noise = sum(np.square(rest).sum() / ((K - 1) * (N - 1)) for rest in rests) / (K * N)
    (found,), clusters = example_variances(scores)
    assert clusters == N
    assert found == pytest.approx(D.var(ddof=1) / N - noise)
    pairs = np.repeat(np.arange(N // 2), 2)
    (found,), clusters = example_variances(scores, pairs)
    sums = (D - D.mean()).reshape(-1, 2).sum(1)
    noise = sum(np.square(rest.reshape(K, -1, 2).sum(2)).sum() for rest in rests) / (K * (K - 1))
    assert clusters == 15
    assert found == pytest.approx((np.square(sums).sum() - noise) * 15 / 14 / N**2)


def test_seeds_that_would_decide_have_the_promised_power() -> None:
    (pair,) = alone([0.0, 1.0, 2.0], [2.0, 3.0, 4.0]).pairs
    assert pair.decision is Decision.OPEN
    assert pair.needed is not None
    random = np.random.default_rng(0)
    decided = sum(
        alone(random.normal(0, 1, pair.needed).tolist(), random.normal(2, 1, pair.needed).tolist()).pairs[0].told_apart
        for _ in range(300)
    )
    assert 0.65 < decided / 300 < 0.97


def test_no_number_of_seeds_decides_what_few_examples_leave_open() -> None:
    scores, examples = simulate(np.random.default_rng(1), labels=2, seeds=5, N=20, own=2.0)
    (pair,) = compare(scores, examples).pairs
    assert (pair.decision, pair.needed) == (Decision.OPEN, None)


def test_labels_need_two_runs_and_unequal_numbers_of_runs_are_compared() -> None:
    scores = {"a": {1: 0.5, 2: 0.6}, "b": {2: 0.7, 3: 0.8, 4: 0.75}, "c": {1: 0.1}}
    assert [(pair.better, pair.other, pair.seeds) for pair in compare(scores).pairs] == [("b", "a", (3, 2))]
    assert compare({"a": {1: 0.5}, "b": {1: 0.6}}) == Comparison()
    assert compare({"a": {1: 0.5, 2: 0.6}, "b": {3: 0.6, 4: 0.7}}, blocked=True) == Comparison()


def test_a_run_without_examples_leaves_the_comparison_to_the_seeds() -> None:
    scores, examples = simulate(np.random.default_rng(1), seeds=4)
    assert compare(scores, examples).examples == 200
    del examples["label2", 3]
    assert compare(scores, examples).examples == 0


def test_seeds_that_do_not_spread_have_no_interval() -> None:
    (pair,) = alone([0.5] * 3, [0.7] * 3).pairs
    assert (pair.better, pair.p, pair.decision) == ("b", 0.25, Decision.OPEN)
    assert math.isnan(pair.low)
    assert pair.needed is None
    (same,) = alone([0.5] * 3, [0.5] * 3).pairs
    assert (same.difference, same.p, same.effect, same.low, same.high) == (0.0, 1.0, 0.0, 0.0, 0.0)
    (decided,) = alone([0.5] * 8, [0.7] * 8).pairs
    assert (decided.decision, decided.p) == (Decision.BEATS, 2.0**-7)
    assert decided.low == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("scores", "given"),
    [
        ({"a": {1: math.nan, 2: 0.6}, "b": {1: 0.7, 2: 0.8}}, {}),
        ({"a": {1: 0.5, 2: 0.6}, "b": {1: 0.7, 2: 0.8}}, {"rope": -1.0}),
        ({"a": {1: 0.5, 2: 0.6}, "b": {1: 0.7, 2: 0.8}}, {"rope": math.nan}),
        ({"a": {1: 0.5, 2: 0.6}, "b": {1: 0.7, 2: 0.8}}, {"level": 0.0}),
        ({"a": {1: 0.5, 2: 0.6}, "b": {1: 0.7, 2: 0.8}}, {"level": 2.0}),
    ],
)
def test_wrong_arguments_are_refused(scores: dict[str, dict[int, float]], given: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="expected"):
        compare(scores, **given)  # type: ignore[arg-type]


def test_few_discordant_answers_do_not_decide() -> None:
    """20 against 9 of 3,000 answers in three equal seeds: p is 0.061, not 0.041."""
    answers = np.zeros(3000)
    first, second = answers.copy(), answers.copy()
    first[:20] = 1.0
    second[20:29] = 1.0
    examples = {(label, seed): cells for label, cells in (("a", first), ("b", second)) for seed in (1, 2, 3)}
    scores = {label: {seed: float(examples[label, seed].mean()) for seed in (1, 2, 3)} for label in "ab"}
    (pair,) = compare(scores, examples).pairs
    assert pair.p == pytest.approx(stats.binomtest(20, 29).pvalue, rel=1e-6)
    assert (pair.decision, pair.low) == (Decision.OPEN, pytest.approx(0.0, abs=1e-15))


def test_examples_of_other_numbers_are_refused() -> None:
    scores = {"a": {1: 0.5, 2: 0.5}, "b": {1: 0.5, 2: 0.5}}
    examples = {(label, seed): np.zeros(2 + seed) for label in "ab" for seed in (1, 2)}
    with pytest.raises(ValueError, match="the same examples"):
        compare(scores, examples)


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.7]) == [1.0, 1.0]
    assert holm([0.02]) == [0.02]
    assert holm([]) == []


def test_a_cluster_for_each_example_is_needed() -> None:
    scores = {"a": {1: 0.5, 2: 0.6}, "b": {1: 0.7, 2: 0.8}}
    examples = {(label, seed): np.arange(6) * scores[label][seed] for label in scores for seed in (1, 2)}
    assert compare(scores, examples, np.array([0, 0, 1, 1, 2, 2])).clusters == 3
    for wrong in (4, 8):
        with pytest.raises(ValueError, match=f"{wrong} clusters came for 6 examples: expected one for each"):
            compare(scores, examples, np.arange(wrong))
