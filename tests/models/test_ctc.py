from __future__ import annotations

import math
from itertools import groupby, product

import pytest
import torch

from lightning_seq.errors import UserError
from lightning_seq.models.ctc import Fusion, aligned, best_path, minimal_frames, prefix_beam_search, spikes
from lightning_seq.models.prefix_scorers import WordNgram
from lightning_seq.models.transcriber import Emissions, ctc_losses
from lightning_seq.text.vocabulary import BOS, EOS

T, V = 5, 7  # ids 4, 5 and 6 are symbols, 0 is the blank
SYMBOLS = (0, 4, 5, 6)


def emitted(seed: int, sharp: float = 1.0) -> torch.Tensor:
    torch.manual_seed(seed)
    scores = torch.full((1, T, V), -1e4)
    scores[..., list(SYMBOLS)] = sharp * torch.randn(1, T, len(SYMBOLS))
    return torch.log_softmax(scores, 2)


def collapsed(path: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(symbol for place, symbol in enumerate(path) if symbol and (not place or path[place - 1] != symbol))


def by_force(scores: torch.Tensor) -> dict[tuple[int, ...], float]:
    """The probability of every transcript, from all paths."""
    found: dict[tuple[int, ...], float] = {}
    for path in product(SYMBOLS, repeat=T):
        value = math.exp(sum(float(scores[0, t, symbol].double()) for t, symbol in enumerate(path)))
        found[collapsed(path)] = found.get(collapsed(path), 0.0) + value
    return found


@pytest.mark.parametrize("seed", range(4))
def test_a_wide_beam_has_the_exact_probabilities(seed: int) -> None:
    scores = emitted(seed)
    expected = by_force(scores)
    assert abs(sum(expected.values()) - 1) < 1e-6
    found = prefix_beam_search(scores, torch.tensor([T]), 1000, 40)[0]
    ranked = sorted(expected.items(), key=lambda item: -item[1])[:40]
    assert [tuple(one.tokens[:-1]) for one in found] == [tokens for tokens, _ in ranked]
    for one, (_, value) in zip(found, ranked, strict=True):
        assert one.tokens[-1] == EOS
        assert one.log_probability == pytest.approx(math.log(value), abs=1e-5)


def test_the_likeliest_path_is_not_the_likeliest_transcript() -> None:
    likely = torch.tensor([[0.6, 0.4], [0.6, 0.4]]).log()
    scores = torch.full((1, 2, V), -1e4)
    scores[0, :, 0], scores[0, :, 4] = likely[:, 0], likely[:, 1]
    assert best_path(scores, torch.tensor([2]))[0].tokens == [EOS]  # 0.36
    best = prefix_beam_search(scores, torch.tensor([2]), 4)[0][0]
    assert best.tokens == [4, EOS]
    assert best.log_probability == pytest.approx(math.log(0.64), abs=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_a_language_model_ranks_as_brute_force_does(seed: int) -> None:
    words = ("<pad>", "<unk>", "<bos>", "<eos>", "a", "b", "c")
    ngram = WordNgram(words, False, [["a", "b"], ["a", "b", "c"], ["c"]], order=2)
    scores, fusion = emitted(seed), Fusion(ngram, weight=0.7, bonus=0.3)

    def fused(tokens: tuple[int, ...], value: float) -> float:
        state, total = ngram.start(), math.log(value)
        for token in (*tokens, EOS):
            state, gained = ngram.extend(state, token)
            total += 0.7 * gained + 0.3 * (token != EOS)
        return total

    expected = {tokens: fused(tokens, value) for tokens, value in by_force(scores).items()}
    best = prefix_beam_search(scores, torch.tensor([T]), 1000, 5, fusion)[0]
    ranked = sorted(expected.items(), key=lambda item: -item[1])[:5]
    assert [(tuple(one.tokens[:-1]), round(one.score, 4)) for one in best] == [(t, round(s, 4)) for t, s in ranked]


def test_a_search_ends_at_the_length_of_each_utterance() -> None:
    both = torch.cat([emitted(1), emitted(2)])
    found = prefix_beam_search(both, torch.tensor([T, 2]), 8)
    assert found[0] == prefix_beam_search(both[:1], torch.tensor([T]), 8)[0]
    assert found[1] == prefix_beam_search(both[1:, :2], torch.tensor([2]), 8)[0]
    paths = best_path(both, torch.tensor([T, 2]))
    assert paths[1] == best_path(both[1:, :2], torch.tensor([2]))[0]


def test_spikes_are_where_a_symbol_is_likeliest() -> None:
    path = torch.full((6, V), -9.0)
    for t, (symbol, score) in enumerate([(0, -0.1), (4, -0.5), (4, -0.1), (0, -0.1), (4, -0.3), (5, -0.2)]):
        path[t, symbol] = score
    assert spikes(path) == [(4, 2), (4, 4), (5, 5)]


def test_a_transcript_is_aligned_by_its_own_likeliest_path() -> None:
    scores = emitted(3)[0].double()
    for tokens in ((4, 4), (4, 5, 4), (5,)):
        paths = (path for path in product(SYMBOLS, repeat=T) if collapsed(path) == tokens)
        best = max(paths, key=lambda path: sum(float(scores[t, symbol]) for t, symbol in enumerate(path)))
        expected, at = [], 0
        for symbol, group in groupby(best):
            frames = range(at, at := at + len([*group]))
            if symbol:
                expected.append((symbol, max(frames, key=lambda t, symbol=symbol: float(scores[t, symbol]))))
        assert aligned(scores, tokens) == expected
    assert aligned(scores, ()) == []
    assert aligned(scores[:2], (4, 4)) == []  # it needs a blank between the two
    assert aligned(scores[:0], (4,)) == []


def test_losses_are_those_of_all_paths() -> None:
    scores = emitted(3)
    expected = by_force(scores)
    targets = torch.tensor([[4, 4, EOS, 0], [5, EOS, 0, 0], [4, 4, 4, EOS], [0, 0, 0, 0]])
    mask = torch.tensor([[True, True, True, False], [True, True, False, False], [True] * 4, [False] * 4])
    lengths = torch.tensor([T, T, 4, T])
    losses = ctc_losses(scores.expand(4, -1, -1), lengths, targets, mask)
    torch.testing.assert_close(losses[0], torch.tensor(-math.log(expected[4, 4])), atol=1e-4, rtol=0)
    torch.testing.assert_close(losses[1], torch.tensor(-math.log(expected[5,])), atol=1e-4, rtol=0)
    assert losses[2:].tolist() == [0.0, 0.0]  # three equal symbols need five frames; the last row has no target
    assert minimal_frames([4, 4, 4]) == 5
    assert minimal_frames([4, 5]) == 2
    assert minimal_frames([]) == 0


def test_gradients_are_finite_and_no_path_has_a_special() -> None:
    torch.manual_seed(1)
    layer, hidden = Emissions(3, V), torch.randn(2, T, 3, requires_grad=True)
    scores = layer(hidden)
    assert (scores[..., [BOS, EOS]] < -1000).all()
    targets, mask = torch.tensor([[4, 4, 4, 4, EOS], [5, EOS, 0, 0, 0]]), torch.ones(2, 5, dtype=torch.bool)
    mask[1, 2:] = False
    ctc_losses(scores, torch.tensor([T, T]), targets, mask).sum().backward()
    assert torch.isfinite(hidden.grad).all()
    assert hidden.grad[1].abs().sum() > 0
    assert torch.isfinite(layer.head.weight.grad).all()


def test_the_blank_bias_is_added_to_the_blank() -> None:
    torch.manual_seed(1)
    plain, biased = Emissions(3, V), Emissions(3, V, -2.0)
    biased.load_state_dict(plain.state_dict())
    hidden = torch.randn(1, 1, 3)
    gap = plain(hidden) - biased(hidden)
    torch.testing.assert_close(gap[0, 0, 0] - gap[0, 0, 4], torch.tensor(2.0))


def test_a_beam_is_at_least_one() -> None:
    with pytest.raises(UserError, match="beam is 0"):
        prefix_beam_search(emitted(1), torch.tensor([T]), 0)
    with pytest.raises(UserError, match="weight"):
        Fusion(WordNgram(("a",), False, [["a"]]), weight=-1.0)
