"""The conditional random field against all paths counted one by one, and against pytorch-crf."""

from __future__ import annotations

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torchcrf import CRF

from lightning_seq.cells.init import Initialisation
from lightning_seq.errors import UserError
from lightning_seq.models.crf import LinearChainCRF, log_partition_in_logs
from lightning_seq.text.bio_tags import READ, malformed

from .counted_paths import NAMES, batch, paths, random_crf


def log_sum(values: list[float]) -> Tensor:
    return torch.logsumexp(torch.tensor(values, dtype=torch.float64), 0)


@given(st.lists(st.integers(0, 4), min_size=1, max_size=4), st.integers(1, 4), st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_all_paths_counted_one_by_one(lengths: list[int], C: int, seed: int) -> None:
    crf = random_crf(C, seed)
    scores, tags, mask = batch(lengths, C)
    log_Z, score = crf.log_partition(scores, mask), crf.score(scores, tags, mask)
    loss = crf.negative_log_likelihood(scores, tags, mask)
    decoded, best = crf.viterbi(scores, mask)
    p = crf.marginals(scores, mask)
    assert decoded.shape == tags.shape
    for row, length in enumerate(lengths):
        every = paths(crf, scores[row, :length])
        torch.testing.assert_close(log_Z[row], log_sum(list(every.values())))
        torch.testing.assert_close(float(score[row].detach()), every[tuple(tags[row, :length].tolist())])
        torch.testing.assert_close(loss[row], log_Z[row] - score[row])
        highest = max(every, key=every.__getitem__)
        assert decoded[row].tolist() == [*highest, *[0] * (len(mask[row]) - length)]
        torch.testing.assert_close(float(best[row]), every[highest])
        for t in range(len(mask[row])):
            for c in range(C):
                through = [value for y, value in every.items() if t < length and y[t] == c]
                expected = (log_sum(through) - log_Z[row]).exp() if through else torch.zeros(()).double()
                torch.testing.assert_close(p[row, t, c], expected.detach())


def test_gradients_are_those_of_the_sums_in_logs() -> None:
    crf = random_crf(5)
    scores, _, mask = batch([7, 1, 0, 4], 5)
    weight = torch.randn(4).double()
    dirty, clean = scores.clone().requires_grad_(), scores.nan_to_num(0.0).requires_grad_()
    found = torch.autograd.grad((weight * crf.log_partition(dirty, mask)).sum(), [dirty, *crf.parameters()])
    log_Z = log_partition_in_logs(clean, crf.transitions, crf.start, crf.end, mask.sum(1))
    rows = mask.any(1)
    expected = torch.autograd.grad((weight * log_Z)[rows].sum(), [clean, *crf.parameters()])
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other)
    assert not found[0][~mask].any()
    torch.autograd.gradcheck(lambda x: crf.log_partition(x, mask), torch.randn(4, 7, 5).double().requires_grad_())


@pytest.mark.parametrize("seed", range(3))
def test_pytorch_crf_gives_the_same(seed: int) -> None:
    crf = random_crf(6, seed).float()
    twin = CRF(6, batch_first=True)
    own = {"transitions": crf.transitions, "start_transitions": crf.start, "end_transitions": crf.end}
    twin.load_state_dict(own)
    scores, tags, mask = batch([9, 3, 1, 9, 5], 6, torch.float32)
    scores, tags = scores.nan_to_num(0.0).requires_grad_(), tags.masked_fill(~mask, 0)
    loss, expected = crf.negative_log_likelihood(scores, tags, mask), -twin(scores, tags, mask, reduction="none")
    torch.testing.assert_close(loss, expected)
    found = torch.autograd.grad(loss.sum(), [scores, *crf.parameters()])
    wanted = torch.autograd.grad(expected.sum(), [scores, *(twin.get_parameter(name) for name in own)])
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
    decoded = crf.viterbi(scores, mask)[0]
    assert [row[keep].tolist() for row, keep in zip(decoded, mask, strict=True)] == twin.decode(scores, mask)


def test_a_sentence_gets_the_same_alone_and_in_any_batch() -> None:
    crf = random_crf(5, constraints=NAMES)
    scores, tags, mask = batch([6, 2, 4, 0], 5)
    together = (crf.negative_log_likelihood(scores, tags, mask), *crf.viterbi(scores, mask))
    for row, length in enumerate([6, 2, 4]):
        alone = scores[row : row + 1, :length], tags[row : row + 1, :length], mask[row : row + 1, :length]
        torch.testing.assert_close(crf.negative_log_likelihood(*alone)[0], together[0][row])
        path, score = crf.viterbi(alone[0], alone[2])
        assert path[0].tolist() == together[1][row, :length].tolist()
        torch.testing.assert_close(score[0], together[2][row])


@pytest.mark.parametrize("constrain", [False, True])
def test_constraints_leave_the_paths_of_the_scheme(constrain: bool) -> None:
    crf = random_crf(5, 3, constraints=NAMES, constrain_training=constrain)
    scores, _, mask = batch([4, 2, 0], 5)
    decoded, best = crf.viterbi(scores, mask)
    log_Z, p = crf.log_partition(scores, mask), crf.marginals(scores, mask)
    broke = 0
    for row, length in enumerate([4, 2, 0]):
        free, allowed = (paths(crf, scores[row, :length], only) for only in (False, True))
        highest = max(allowed, key=allowed.__getitem__)
        broke += highest != max(free, key=free.__getitem__)
        assert tuple(decoded[row, :length].tolist()) == highest
        torch.testing.assert_close(float(best[row]), allowed[highest])
        torch.testing.assert_close(log_Z[row], log_sum(list((allowed if constrain else free).values())))
        if length:
            inside = log_sum([value for y, value in allowed.items() if y[-1] == 2])
            torch.testing.assert_close(p[row, length - 1, 2], (inside - log_sum(list(allowed.values()))).exp())
    assert broke  # without constraints another path would have won
    assert not p[:, 0, 2:4].any()
    gradient = torch.autograd.grad(log_Z.sum(), [crf.transitions, crf.start])
    assert bool(gradient[0][0, 2] == 0) == bool(gradient[1][2] == 0) == constrain
    assert all(value.isfinite().all() for value in gradient)


def test_training_finds_the_tags_of_a_rule() -> None:
    """A tag that depends on the tag before alone: only transitions can learn it."""
    torch.manual_seed(0)
    crf = LinearChainCRF(3)
    tags = (torch.arange(8) + torch.arange(3)[:, None]) % 3
    scores, mask = torch.zeros(3, 8, 3), torch.ones(3, 8, dtype=torch.bool)
    scores[torch.arange(3), 0, torch.arange(3)] = 1.0
    optimizer = torch.optim.Adam(crf.parameters(), 0.1)
    for _ in range(60):
        optimizer.zero_grad()
        crf.negative_log_likelihood(scores, tags, mask).sum().backward()
        optimizer.step()
    assert torch.equal(crf.viterbi(scores, mask)[0], tags)


@pytest.mark.parametrize("spread", [10.0, 300.0, 1e5])
def test_single_precision_stands_scores_however_far_apart(spread: float) -> None:
    crf = random_crf(5, constraints=NAMES, constrain_training=True)
    scores = spread * torch.randn(3, 50, 5).double()
    # From O there is no way to I-X, however much its score asks for it: all that is left is very unlikely.
    scores[0, 24:26] = torch.tensor([[1.0, 0, 0, 0, 0], [0, 0, 1, 0, 0]]).double() * 20 * spread
    mask = torch.arange(50) < torch.tensor([50, 17, 50])[:, None]
    tags = crf.viterbi(scores, mask)[0]

    def results(kind: torch.dtype) -> list[Tensor]:
        made, given = crf.to(kind), scores.to(kind).requires_grad_()
        loss = made.negative_log_likelihood(given, tags, mask)
        return [loss, *torch.autograd.grad(made.log_partition(given, mask).sum(), [given, *made.parameters()])]

    A, b, _ = crf._weights(True)
    exact = log_partition_in_logs(scores * mask[..., None], A, b, crf.end, mask.sum(1))
    torch.testing.assert_close(crf.log_partition(scores, mask), exact, rtol=1e-12, atol=1e-9)
    expected, found = results(torch.float64), results(torch.float32)
    assert all(value.isfinite().all() for value in found)
    torch.testing.assert_close(found[0].double(), expected[0], rtol=1e-4, atol=1e-6 * spread * 50)
    if spread == 10:
        for one, other in zip(found[1:], expected[1:], strict=True):
            torch.testing.assert_close(one.double(), other, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("depth", [600.0, 743.5, 800.0])
def test_a_path_that_was_all_but_lost_and_then_wins(depth: float) -> None:
    """B-X is next to impossible, and what follows can be nothing but I-X."""
    crf = random_crf(5, constraints=NAMES, constrain_training=True)
    scores = torch.zeros(1, 3, 5).double()
    scores[0, 0, 1], scores[0, 1, 2], scores[0, 2, 2] = -depth, 2000, 2000
    scores.requires_grad_()
    A, b, _ = crf._weights(True)
    mask = torch.ones(1, 3, dtype=torch.bool)
    log_Z, exact = crf.log_partition(scores, mask), log_partition_in_logs(scores, A, b, crf.end, mask.sum(1))
    torch.testing.assert_close(log_Z, exact, rtol=0, atol=1e-9)
    found, expected = (torch.autograd.grad(value.sum(), scores)[0] for value in (log_Z, exact))
    torch.testing.assert_close(found, expected)
    assert crf.viterbi(scores, mask)[0].tolist() == [[1, 2, 2]]


def test_long_sentences_in_single_precision() -> None:
    crf = random_crf(4)
    scores, mask = torch.randn(2, 3000, 4).double(), torch.ones(2, 3000, dtype=torch.bool)
    expected = log_partition_in_logs(scores, crf.transitions, crf.start, crf.end, mask.sum(1))
    torch.testing.assert_close(crf.float().log_partition(scores.float(), mask), expected.float(), rtol=1e-6, atol=0)


def test_marginals_under_inference_mode() -> None:
    crf = random_crf(4)
    scores, _, mask = batch([5, 2], 4)
    expected = crf.marginals(scores, mask)
    with torch.inference_mode():
        found = crf.marginals(scores.clone(), mask.clone())
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(found.sum(2), mask.double())
    assert all(parameter.grad is None for parameter in crf.parameters())


def test_the_initialisation_fills_it_and_constraints_are_not_saved() -> None:
    crf = LinearChainCRF(5, NAMES)
    with torch.no_grad():
        for parameter in crf.parameters():
            parameter.fill_(torch.nan)
    Initialisation()(crf, 1)
    assert all((parameter.abs() <= 0.1).all() and parameter.any() for parameter in crf.parameters())
    assert sorted(crf.state_dict()) == ["end", "start", "transitions"]
    assert sum(parameter.numel() for parameter in crf.parameters()) == 5 * 5 + 2 * 5


def test_second_derivatives_are_refused() -> None:
    scores, _, mask = batch([3], 4)
    scores.requires_grad_()
    with pytest.raises(UserError, match="no second derivatives"):
        torch.autograd.grad(random_crf(4).log_partition(scores, mask).sum(), scores, create_graph=True)


@pytest.mark.parametrize(
    ("tags", "message"),
    [
        ([[0, 2, 0]], "tag 2 of a sentence is I-X after O, which the constraints forbid"),
        ([[1, 3, 0]], "I-Y after B-X"),
        ([[1, 0, 0], [2, 2, 0]], "tag 1 of a sentence is I-X at its beginning"),
    ],
)
def test_tags_that_break_the_scheme_are_named_where_training_is_constrained(tags: list, message: str) -> None:
    given = torch.tensor(tags)
    scores, mask = torch.zeros(*given.shape, 5).double(), torch.ones(given.shape, dtype=torch.bool)
    with pytest.raises(UserError, match=message):
        random_crf(5, constraints=NAMES, constrain_training=True).negative_log_likelihood(scores, given, mask)
    assert random_crf(5, constraints=NAMES).negative_log_likelihood(scores, given, mask).isfinite().all()
    behind = torch.tensor([[1, 2, 2]]).masked_fill(torch.tensor([[False, False, True]]), 3)
    mask = torch.tensor([[True, True, False]])
    crf = random_crf(5, constraints=NAMES, constrain_training=True)
    assert crf.negative_log_likelihood(scores[:1], behind, mask).isfinite().all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"tags": 0}, "a CRF over 0 tags"),
        ({"tags": 4, "constraints": NAMES}, "constraints name 5 tags, expected 4"),
        ({"tags": 2, "constraints": ["NOUN", "VERB"]}, "'NOUN' came: use a CRF without"),
        ({"tags": 1, "constraints": ["I-X"]}, "no sentence can begin"),
        ({"tags": 2, "constrain_training": True}, "give the tags' names"),
    ],
)
def test_a_wrong_argument_is_named(arguments: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        LinearChainCRF(**arguments)


def test_a_mask_with_a_hole_is_refused() -> None:
    crf = random_crf(3)
    with pytest.raises(ValueError, match="prefix"):
        crf.log_partition(torch.zeros(1, 3, 3).double(), torch.tensor([[True, False, True]]))


def test_half_precision_scores_are_summed_in_the_parameters_precision() -> None:
    crf = random_crf(4).float()
    scores, tags, mask = batch([9, 2], 4, torch.float32)
    half = scores.bfloat16()
    loss = crf.negative_log_likelihood(half, tags, mask)
    torch.testing.assert_close(loss, crf.negative_log_likelihood(half.float(), tags, mask))


@pytest.mark.parametrize("scheme", ["bio", "ioe1", "ioe2", "iobes", "bilou"])
def test_the_paths_that_have_a_probability_are_those_that_are_well_formed(scheme: str) -> None:
    """Every sequence of up to three tags of two kinds; what is decoded is the best of the well-formed ones."""
    names = ["O", *(f"{letter}-{kind}" for letter in READ[scheme].letters for kind in "XY")]
    torch.manual_seed(0)
    model = LinearChainCRF(len(names), names, constrain_training=True, scheme=scheme).double()
    for length in (1, 2, 3):
        scores, mask = torch.randn(1, length, len(names), dtype=torch.float64), torch.ones(1, length, dtype=torch.bool)
        total, best = 0.0, (-float("inf"), ())
        for path in itertools.product(range(len(names)), repeat=length):
            tags = torch.tensor([path])
            if malformed([names[tag] for tag in path], scheme) is not None:
                with pytest.raises(UserError, match="the constraints forbid"):
                    model.negative_log_likelihood(scores, tags, mask)
                continue
            total += float((-model.negative_log_likelihood(scores, tags, mask)).exp())
            best = max(best, (float(model.score(scores, tags, mask)), path))
        assert total == pytest.approx(1, abs=1e-9)
        found, score = model.viterbi(scores, mask)
        assert (tuple(found[0].tolist()), float(score)) == (best[1], pytest.approx(best[0]))


def test_tags_that_no_sentence_can_end_with_are_refused() -> None:
    with pytest.raises(UserError, match=r"alone no sentence can end: expected O or E-X or S-X among them"):
        LinearChainCRF(2, ["B-X", "I-X"], scheme="iobes")
