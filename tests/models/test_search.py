"""Search against exhaustive search, over a model whose every probability is known."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor

from lightning_seq.errors import UserError
from lightning_seq.models.search import (
    BeamSearchConfig,
    _scored,
    beam_search,
    greedy,
    max_target_lengths,
    sample,
    score_targets,
    select,
)

FIRST, LAST = 0, 1


@dataclass(frozen=True)
class Table:
    """P(next | last two symbols), a table for each sentence; the state is a nest of tuples, and remembers."""

    table: Tensor  # [B, V, V, V] log-probabilities
    attends: bool = False

    @classmethod
    def drawn(cls, sentences: int, size: int, seed: int = 1, attends: bool = False) -> Table:
        generator = torch.Generator().manual_seed(seed)
        scores = 2 * torch.randn(sentences, size, size, size, generator=generator, dtype=torch.float64)
        return cls(scores.log_softmax(-1), attends)

    def start(self) -> Any:
        count = len(self.table)
        return (torch.zeros(count, dtype=torch.int64), (torch.zeros(count, 2), None))

    def step(self, tokens: Tensor, state: Any) -> tuple[Tensor, Any, Tensor | None]:
        before, (moved, nothing) = state
        scores = self.table[torch.arange(len(tokens)), before, tokens]
        weights = scores[:, :3].softmax(-1) if self.attends else None
        return scores, (tokens, (moved + 1, nothing)), weights

    def select(self, rows: Tensor) -> Table:
        return Table(self.table[rows], self.attends)


def probability(model: Table, sentence: int, tokens: tuple[int, ...]) -> float:
    total, before, last = 0.0, 0, FIRST
    for token in tokens:
        total += float(model.table[sentence, before, last, token])
        before, last = last, token
    return total


def exhaustive(
    model: Table, sentence: int, limit: int, beam: BeamSearchConfig, size: int
) -> list[tuple[float, tuple[int, ...]]]:
    """Every whole sequence with its score, the best first."""
    found = []
    for length in range(1, limit + 1):
        for inner in itertools.product([token for token in range(size) if token != LAST], repeat=length - 1):
            tokens = (*inner, LAST)
            found.append((probability(model, sentence, tokens) / beam.length_penalty(length), tokens))
    return sorted(found, reverse=True)


@pytest.mark.parametrize("length", [0.0, 0.6, 1.0, 2.0])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_wide_beam_is_an_exhaustive_search(length: float, seed: int) -> None:
    size, limits = 4, torch.tensor([4, 1, 3, 4])
    model = Table.drawn(4, size, seed)
    beam = BeamSearchConfig(size=3**4, length=length, n_best=3)
    found = beam_search(model, limits, beam, FIRST, LAST, suppressed_tokens=())
    for sentence, each in enumerate(found):
        hypotheses = [hypothesis for hypothesis in each if hypothesis.tokens[-1] == LAST]  # the others were cut
        expected = exhaustive(model, sentence, int(limits[sentence]), beam, size)[:3]
        assert [tuple(one.tokens) for one in hypotheses] == [tokens for _, tokens in expected]
        assert [one.score for one in hypotheses] == pytest.approx([score for score, _ in expected], abs=1e-12)


def test_a_narrow_beam_is_not() -> None:
    """So that the test above can fail: a beam of one misses the best of some sentence."""
    model, limits = Table.drawn(40, 4, seed=5), torch.full((40,), 4)
    one = beam_search(model, limits, BeamSearchConfig(1, length=0.0), FIRST, LAST, suppressed_tokens=())
    wide = beam_search(model, limits, BeamSearchConfig(81, length=0.0), FIRST, LAST, suppressed_tokens=())
    better = [w[0].score > n[0].score + 1e-9 for w, n in zip(wide, one, strict=True)]
    assert any(better)
    assert all(w[0].score >= n[0].score - 1e-9 for w, n in zip(wide, one, strict=True) if n[0].tokens[-1] == LAST)


def test_a_beam_of_one_is_greedy() -> None:
    model, limits = Table.drawn(30, 5), torch.full((30,), 50)
    single = beam_search(model, limits, BeamSearchConfig(1, length=0.0), FIRST, LAST, suppressed_tokens=())
    assert [each[0].tokens for each in single] == [each.tokens for each in greedy(model, limits, FIRST, LAST, ())]


def test_a_sentence_alone_and_in_a_batch() -> None:
    model, limits = Table.drawn(6, 5, attends=True), torch.tensor([3, 9, 1, 20, 5, 7])
    beam = BeamSearchConfig(4, coverage=0.3, n_best=4)
    together = beam_search(model, limits, beam, FIRST, LAST, suppressed_tokens=())
    for row in range(6):
        own = torch.tensor([row])
        (alone,) = beam_search(model.select(own), limits[own], beam, FIRST, LAST, suppressed_tokens=())
        assert alone == together[row]
        for one, other in zip(alone, together[row], strict=True):
            torch.testing.assert_close(one.weights, other.weights)
            assert one.weights is not None
            assert len(one.weights) == len(one.tokens)


def test_what_a_hypothesis_says_of_itself() -> None:
    model, limits = Table.drawn(5, 6, attends=True), torch.full((5,), 12)
    beam = BeamSearchConfig(5, length=0.8, coverage=0.5, n_best=5)
    for sentence, hypotheses in enumerate(beam_search(model, limits, beam, FIRST, LAST, suppressed_tokens=())):
        assert len({tuple(each.tokens) for each in hypotheses}) == len(hypotheses)
        assert [each.score for each in hypotheses] == sorted((each.score for each in hypotheses), reverse=True)
        for each in hypotheses:
            assert each.log_probability == pytest.approx(probability(model, sentence, tuple(each.tokens)), abs=1e-10)
            assert each.weights is not None
            seen = each.weights.sum(0).clamp(1e-6, 1.0).log().sum()
            assert each.score == pytest.approx(
                each.log_probability / beam.length_penalty(len(each.tokens)) + 0.5 * float(seen)
            )


def test_the_length_penalty_is_that_of_wu_et_al() -> None:
    assert [BeamSearchConfig(length=alpha).length_penalty(7) for alpha in (0.0, 1.0, 2.0)] == [1.0, 2.0, 4.0]


def test_early_stopping_gives_as_many_and_none_better() -> None:
    model, limits = Table.drawn(20, 6), torch.full((20,), 30)
    patient = beam_search(model, limits, BeamSearchConfig(4, n_best=2), FIRST, LAST, suppressed_tokens=())
    early = beam_search(model, limits, BeamSearchConfig(4, n_best=2, early=True), FIRST, LAST, suppressed_tokens=())
    assert all(len(each) == 2 for each in early)
    assert all(late[0].score >= soon[0].score - 1e-12 for late, soon in zip(patient, early, strict=True))


def test_forced_decoding_is_the_chain_rule() -> None:
    model = Table.drawn(3, 5, attends=True)
    targets = torch.tensor([[2, 3, 1], [4, 4, 1], [0, 2, 1]])
    scores, weights = score_targets(model, targets, FIRST)
    for row, tokens in enumerate(targets.tolist()):
        assert float(scores[row].sum()) == pytest.approx(probability(model, row, tuple(tokens)), abs=1e-12)
    assert weights is not None
    assert weights.shape == (3, 3, 3)


def test_sampling_follows_the_model() -> None:
    """How often each first symbol is drawn, against its probability."""
    model = Table.drawn(1, 4, seed=8)
    many, limits = model.select(torch.zeros(20_000, dtype=torch.int64)), torch.ones(20_000, dtype=torch.int64)
    drawn = sample(
        many, limits, generator=torch.Generator().manual_seed(1), first=FIRST, last=LAST, suppressed_tokens=()
    )
    counts = torch.bincount(torch.tensor([each.tokens[0] for each in drawn]), minlength=4) / 20_000
    torch.testing.assert_close(counts.double(), model.table[0, 0, FIRST].exp(), atol=0.015, rtol=0)
    limits = torch.full((1,), 20)
    assert sample(model, limits, top_k=1, first=FIRST, last=LAST, suppressed_tokens=()) == greedy(
        model, limits, FIRST, LAST, ()
    )
    one, other = (
        sample(model, limits, generator=torch.Generator().manual_seed(7), first=FIRST, last=LAST, suppressed_tokens=())
        for _ in range(2)
    )
    assert one == other


def test_what_is_never_written() -> None:
    model, limits = Table.drawn(10, 5), torch.full((10,), 8)
    for each in [
        *greedy(model, limits, FIRST, LAST, (2, 3)),
        *sample(model, limits, first=FIRST, last=LAST, suppressed_tokens=(2, 3)),
    ]:
        assert not {2, 3} & set(each.tokens)
    for hypotheses in beam_search(model, limits, BeamSearchConfig(3), FIRST, LAST, (2, 3)):
        assert not {2, 3} & set(hypotheses[0].tokens)


def test_limits() -> None:
    model = Table.drawn(2, 4)
    never_ends = Table(model.table.index_fill(-1, torch.tensor([LAST]), -math.inf))
    for each in greedy(never_ends, torch.tensor([3, 5]), FIRST, LAST, ()):
        assert LAST not in each.tokens
    found = beam_search(never_ends, torch.tensor([3, 5]), BeamSearchConfig(2), FIRST, LAST, ())
    assert [len(each[0].tokens) for each in found] == [3, 5]
    assert max_target_lengths(torch.tensor([1, 10]), 1.5, 2).tolist() == [3, 17]


def test_places_that_were_never_looked_at_cost_most() -> None:
    looked = [torch.tensor([[1.0, 0.0, 0.0]]), torch.tensor([[1.0, 1e-3, 1e-3]]), torch.tensor([[0.4, 0.3, 0.3]])]
    scores = [_scored([LAST], -1.0, weights, BeamSearchConfig(1, coverage=1.0)).score for weights in looked]
    assert scores == sorted(scores)
    assert scores[0] < scores[1] < scores[2]


def test_a_model_that_says_nothing() -> None:
    nothing = Table(torch.full_like(Table.drawn(2, 4).table, math.nan))
    for (only,) in beam_search(nothing, torch.tensor([3, 5]), BeamSearchConfig(2), FIRST, LAST, ()):
        assert only.tokens == [LAST]
        assert math.isnan(only.score)


def test_selecting_keeps_the_nest() -> None:
    state = Table.drawn(3, 4).start()
    picked = select(state, torch.tensor([2, 2, 0, 1]))
    assert picked[0].shape == (4,)
    assert picked[1][0].shape == (4, 2)
    assert picked[1][1] is None


@pytest.mark.parametrize(
    ("wrong", "says"),
    [({"size": 0}, "beam is 0"), ({"size": 2, "n_best": 3}, "n_best is 3"), ({"length": -1.0}, "length_penalty")],
)
def test_wrong_settings(wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(UserError, match=says):
        BeamSearchConfig(**wrong)
