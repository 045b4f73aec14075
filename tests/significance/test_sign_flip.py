"""The sign-flip test, counted, exact on a lattice, and by the saddlepoint."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from scipy import stats

from lightning_seq.significance import sign_flip as module
from lightning_seq.significance.sign_flip import sign_flip


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
        monkeypatch.setattr(module, "_ENUMERATED", 1)
        assert sign_flip(differences) == pytest.approx(counted, rel=0.06, abs=2 / 2**13)
        monkeypatch.undo()
    assert sign_flip(np.zeros(40)) == 1.0
    assert sign_flip(np.ones(40)) == pytest.approx(2.0**-39)
    assert sign_flip(np.tile([1.0, -1.0], 20)) == pytest.approx(1.0)
    many = random.normal(0.05, 1, 3000)
    normal = 2 * stats.norm.sf(abs(many.sum()) / math.sqrt(np.square(many).sum()))
    assert sign_flip(many) == pytest.approx(normal, rel=0.05)


@pytest.mark.parametrize(("wins", "losses"), [(12, 3), (32, 18), (20, 9), (60, 40), (15, 0), (400, 330)])
def test_right_and_wrong_answers_have_the_exact_p_of_mcnemar(wins: int, losses: int) -> None:
    """0.035, 0.065 and 0.061 in the first three, where the saddlepoint gives 0.018, 0.047 and 0.041."""
    differences = np.array([1.0] * wins + [-1.0] * losses + [0.0] * 50)
    exact = stats.binomtest(wins, wins + losses).pvalue
    assert sign_flip(differences) == pytest.approx(exact, rel=1e-6)
    assert sign_flip(differences / 7) == pytest.approx(exact, rel=1e-6)


def test_thirds_of_answers_are_counted_exactly() -> None:
    """Means over three seeds are thirds: against a count of all 2^16 flips."""
    thirds = np.random.default_rng(3).integers(-2, 4, 16) / 3
    sizes = np.abs(thirds[thirds != 0])
    signs = np.array(list(product((1.0, -1.0), repeat=len(sizes))))
    counted = np.mean(np.abs(signs @ sizes) >= abs(thirds.sum()) - 1e-9)
    assert sign_flip(thirds) == pytest.approx(counted, rel=1e-9)
