"""The n best paths of a conditional random field against all paths counted one by one."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lightning_seq.models.crf import LinearChainCRF

from .counted_paths import NAMES, batch, paths, random_crf


def ranked(every: dict[tuple[int, ...], float], n_best: int) -> list[tuple[tuple[int, ...], float]]:
    return sorted(every.items(), key=lambda pair: -pair[1])[:n_best]


@given(
    st.lists(st.integers(0, 4), min_size=1, max_size=4),
    st.integers(1, 4),
    st.sampled_from([1, 2, 3, 7, 40, 10_000]),
    st.integers(0, 99),
)
@settings(max_examples=80, deadline=None)
def test_the_n_best_of_all_paths(lengths: list[int], C: int, n_best: int, seed: int) -> None:
    """Against every path counted one by one; where there are fewer, zeros and -∞ are behind them."""
    crf = random_crf(C, seed)
    scores, _, mask = batch(lengths, C)
    found, values = crf.decode(scores, mask, n_best)
    K = min(n_best, C ** mask.shape[1])
    assert found.shape == (len(lengths), K, mask.shape[1])
    assert torch.equal(found[:, 0], crf.viterbi(scores, mask)[0])
    torch.testing.assert_close(values[:, 0], crf.viterbi(scores, mask)[1])
    for row, length in enumerate(lengths):
        wanted = ranked(paths(crf, scores[row, :length]), K)
        count = len(wanted)
        assert [tuple(path[:length].tolist()) for path in found[row, :count]] == [path for path, _ in wanted]
        torch.testing.assert_close(values[row, :count].tolist(), [value for _, value in wanted])
        assert not found[row, count:].any()
        assert bool((values[row, count:] == -torch.inf).all())
        assert not found[row, :, length:].any()


def test_the_n_best_leave_out_what_the_constraints_forbid() -> None:
    crf = random_crf(5, 3, constraints=NAMES)
    scores, _, mask = batch([4, 2, 1, 0], 5)
    found, values = crf.decode(scores, mask, 1000)
    assert found.shape == (4, 5**4, 4)
    for row, length in enumerate([4, 2, 1, 0]):
        wanted = ranked(paths(crf, scores[row, :length], only_legal=True), 1000)
        assert len(wanted) == [153, 11, 3, 1][row]
        assert [tuple(path[:length].tolist()) for path in found[row, : len(wanted)]] == [path for path, _ in wanted]
        assert bool((values[row, len(wanted) :] == -torch.inf).all())
    log_Z = crf.log_partition(scores, mask, constrained=True)
    torch.testing.assert_close(torch.logsumexp(values, 1), log_Z)
    assert bool((log_Z[:3] < crf.log_partition(scores, mask)[:3]).all())


@pytest.mark.parametrize("n_best", [2, 5, 27, 100])
def test_paths_of_one_score_come_once_each(n_best: int) -> None:
    """Scores that are whole numbers, so that sums are exact and many paths tie."""
    torch.manual_seed(0)
    crf = LinearChainCRF(3).double()
    with torch.no_grad():
        for parameter in crf.parameters():
            parameter.copy_(torch.randint(0, 2, parameter.shape))
    scores, mask = torch.randint(0, 2, (6, 3, 3)).double(), torch.ones(6, 3, dtype=torch.bool)
    found, values = crf.decode(scores, mask, n_best)
    again = crf.decode(scores, mask, n_best)
    assert torch.equal(found, again[0])
    assert torch.equal(found[:, 0], crf.viterbi(scores, mask)[0])
    for row in range(6):
        every = paths(crf, scores[row])
        kept = [tuple(path) for path in found[row].tolist()]
        assert len(set(kept)) == len(kept) == min(n_best, 27)
        assert values[row].tolist() == [every[path] for path in kept]
        assert values[row].tolist() == [value for _, value in ranked(every, n_best)]


def test_the_n_best_of_a_sentence_are_the_same_alone_and_in_any_batch() -> None:
    crf = random_crf(5, constraints=NAMES).float()
    scores, _, mask = batch([6, 2, 4, 0], 5, torch.float32)
    together = crf.decode(scores, mask, 9)
    for row, length in enumerate([6, 2, 4]):
        found, values = crf.decode(scores[row : row + 1, :length], mask[row : row + 1, :length], 9)
        assert torch.equal(found[0], together[0][row, :, :length])
        torch.testing.assert_close(values[0], together[1][row])


def test_the_n_best_of_long_sentences_in_single_precision() -> None:
    """No path comes twice, no score rises, each is that of its path."""
    crf = random_crf(6).float()
    scores, mask = 3 * torch.randn(2, 400, 6), torch.ones(2, 400, dtype=torch.bool)
    found, values = crf.decode(scores, mask, 50)
    assert torch.equal(found[:, 0], crf.viterbi(scores, mask)[0])
    assert bool((values[:, 1:] <= values[:, :-1]).all())
    for row in range(2):
        assert len(found[row].unique(dim=0)) == 50
        own = crf.score(scores[row].expand(50, -1, -1), found[row], mask[row].expand(50, -1))
        torch.testing.assert_close(own, values[row], rtol=1e-5, atol=0)


def test_the_first_of_the_n_best_is_that_of_viterbi_where_sums_are_rounded_to_a_tie() -> None:
    crf = LinearChainCRF(2)
    with torch.no_grad():
        for parameter in crf.parameters():
            parameter.zero_()
    scores = torch.tensor([[[1.0, 1.0 + 2e-7], [1e6, 0.0]]])
    mask = torch.ones(1, 2, dtype=torch.bool)
    found, values = crf.decode(scores, mask, 4)
    assert crf.viterbi(scores, mask)[0].tolist() == [[1, 0]]
    assert found[0].tolist() == [[1, 0], [0, 0], [1, 1], [0, 1]]
    assert bool((values[0, 1:] <= values[0, :-1]).all())
