"""The tagger: what its places see, what its losses sum, what it decodes."""

from __future__ import annotations

from functools import partial
from itertools import pairwise, product
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from lightning_seq.cells.elman import ElmanCell
from lightning_seq.cells.gru import GRUCell
from lightning_seq.cells.init import Initialisation
from lightning_seq.cells.lstm import LSTMCell
from lightning_seq.embeddings.layer import Embedding, OneHot
from lightning_seq.errors import UserError
from lightning_seq.models.bag_of_embeddings import BagOfEmbeddings
from lightning_seq.models.characters import CharacterCNN, CharacterRecurrent
from lightning_seq.models.crf import LinearChainCRF
from lightning_seq.models.parameters import count_parameters
from lightning_seq.models.recurrent import RecurrentEncoder
from lightning_seq.models.tagger import Tagger

V, E, H, ALPHABET, I = 11, 5, 4, 7, 3  # noqa: E741
NAMES = ("O", "B-X", "I-X", "B-Y")
C = len(NAMES)
encoder = partial(RecurrentEncoder, cell=ElmanCell, hidden_size=H)
both_ways = partial(RecurrentEncoder, cell=GRUCell, hidden_size=H, bidirectional=True)

PARTS: dict[str, Any] = {
    "words": {},
    "case": {"case": 2},
    "cnn": {"characters": lambda: CharacterCNN(ALPHABET, 3, 6)},
    "lstm": {"characters": lambda: CharacterRecurrent(ALPHABET, LSTMCell, 3, 2), "case": 3},
    "crf": {"crf": lambda: LinearChainCRF(C, NAMES), "intents": I, "locked": True, "dropout": 0.4},
}


def made(name: str, encoder: Any = both_ways) -> Tagger:
    torch.manual_seed(3)
    given = {key: part() if callable(part) else part for key, part in PARTS[name].items()}
    model = Tagger(Embedding(V, E), encoder, E, C, **given)
    Initialisation()(model, 1)
    for module in model.modules():  # of the CRF's own ±0.1 little would be seen
        if isinstance(module, LinearChainCRF):
            torch.nn.init.normal_(module.transitions)
    return model.eval()


def batch(lengths: tuple[int, ...] = (6, 2, 4)) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
    torch.manual_seed(5)
    mask = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
    spellings = torch.randint(1, ALPHABET, (9, 5)).masked_fill(torch.arange(5) >= torch.randint(1, 6, (9, 1)), 0)
    numbers = torch.where(mask, torch.randint(9, mask.shape), 0)
    extra = {
        "characters": spellings,
        "spelling": numbers,
        "case": torch.where(mask, torch.randint(6, mask.shape), 0),
    }
    return torch.where(mask, torch.randint(1, V, mask.shape), 0), mask, extra


def row_of(extra: dict[str, Tensor], row: int, length: int) -> dict[str, Tensor]:
    """What a batch of that sentence alone holds: its own spellings, numbered anew."""
    used, numbers = extra["spelling"][row, :length].unique(return_inverse=True)
    found = extra["characters"][used]
    width = int((found != 0).sum(1).max())
    return {
        "characters": found[:, :width],
        "spelling": numbers[None],
        "case": extra["case"][row : row + 1, :length],
    }


@pytest.mark.parametrize("name", PARTS)
def test_a_sentence_gets_the_same_scores_alone_and_in_any_batch(name: str) -> None:
    model = made(name)
    ids, mask, extra = batch()
    together, intents = model(ids, mask, extra)
    assert together.shape == (3, 6, C)
    assert (intents is None) == ("intents" not in PARTS[name])
    for row in range(3):
        length = int(mask[row].sum())
        one = ids[row : row + 1, :length], mask[row : row + 1, :length]
        alone, of_it = model(*one, row_of(extra, row, length))
        torch.testing.assert_close(alone[0], together[row, :length])
        assert model.decode(alone, one[1])[0].tolist() == model.decode(together, mask)[row, :length].tolist()
        if of_it is not None:
            torch.testing.assert_close(of_it[0], intents[row])
    assert not model.decode(together, mask)[~mask].any()
    assert not model.probabilities(together, mask)[~mask].any()


@pytest.mark.parametrize("name", PARTS)
def test_every_parameter_learns(name: str) -> None:
    model = made(name).train()
    ids, mask, extra = batch()
    scores, intents = model(ids, mask, extra)
    loss = model.loss_sum(scores, torch.randint(C, mask.shape), mask, mask)
    if intents is not None:
        loss = loss + intents.logsumexp(-1).sum()
    loss.backward()
    for parameter_name, parameter in model.named_parameters():
        assert parameter.grad is not None, parameter_name
        assert parameter.grad.any(), parameter_name


def test_unknown_words_are_told_apart_by_their_spelling_and_case() -> None:
    ids, mask, extra = batch()
    ids = torch.where(mask, 1, 0)
    other_case = {**extra, "case": torch.where(mask, (extra["case"] + 1) % 6, 0)}
    other_spelling = {**extra, "spelling": torch.where(mask, (extra["spelling"] + 1) % 9, 0)}
    differs = {
        (name, what): bool((made(name)(ids, mask, extra)[0] - made(name)(ids, mask, given)[0])[mask].abs().max() > 1e-3)
        for name in ("words", "case", "cnn")
        for what, given in (("case", other_case), ("spelling", other_spelling))
    }
    assert [pair for pair, found in differs.items() if found] == [("case", "case"), ("cnn", "spelling")]


def test_one_direction_does_not_see_ahead_and_two_do() -> None:
    ids, mask, extra = batch((6,))
    later = ids.clone()
    later[0, 4] = ids[0, 4] % (V - 1) + 1
    for kind, seen in ((encoder, False), (both_ways, True)):
        model = made("cnn", kind)
        change = (model(ids, mask, extra)[0] - model(later, mask, extra)[0]).abs()[0].amax(-1)
        assert bool(change[:4].max() > 1e-6) == seen
        assert change[4] > 1e-6


def paths(length: int) -> list[tuple[int, ...]]:
    return list(product(range(C), repeat=length))


def score_of(model: Tagger, scores: Tensor, path: tuple[int, ...]) -> float:
    crf = model.crf
    assert crf is not None
    total = float(crf.start[path[0]] + crf.end[path[-1]])
    total += sum(float(scores[step, tag]) for step, tag in enumerate(path))
    return total + sum(float(crf.transitions[one, other]) for one, other in pairwise(path))


def is_bio(path: tuple[int, ...]) -> bool:
    return all(tag != 2 or (step and path[step - 1] in (1, 2)) for step, tag in enumerate(path))


@torch.no_grad()
def test_the_crfs_loss_leaves_tags_that_do_not_count_open() -> None:
    model = made("crf")
    lengths = (4, 2, 3, 1)
    ids, mask, extra = batch(lengths)
    scores = 3 * model(ids, mask, extra)[0]
    targets = torch.tensor([[1, 0, 3, 1], [1, 2, 0, 0], [0, 3, 2, 0], [3, 0, 0, 0]])
    # A hole within a sentence, one at its beginning, none, and a stand-in of which nothing counts.
    counts = torch.tensor([[1, 0, 1, 1], [0, 1, 0, 0], [1, 1, 1, 0], [0, 0, 0, 0]]).bool()
    expected = []
    for row, length in enumerate(lengths):
        every = paths(length)
        values = torch.tensor([score_of(model, scores[row], path) for path in every], dtype=torch.float64)
        agree = torch.tensor(
            [all(not counts[row, t] or path[t] == targets[row, t] for t in range(length)) for path in every]
        )
        expected.append(float(values.logsumexp(0) - values[agree].logsumexp(0)))
        best = max((path for path in every if is_bio(path)), key=lambda path: score_of(model, scores[row], path))
        assert model.decode(scores, mask)[row, :length].tolist() == list(best)
    assert expected[3] == 0 < min(expected[:3])
    found = [
        float(model.loss_sum(*(part[row : row + 1] for part in (scores, targets, mask, counts)))) for row in range(4)
    ]
    assert found == pytest.approx(expected, abs=1e-4)
    assert float(model.loss_sum(scores, targets, mask, counts)) == pytest.approx(sum(expected), abs=1e-4)


def test_tags_that_do_not_count_have_no_gradient_of_their_own() -> None:
    ids, mask, extra = batch()
    counts = mask.clone()
    counts[1] = False
    for name in ("words", "crf"):
        model = made(name)
        scores = model(ids, mask, extra)[0].detach().requires_grad_()
        (gradient,) = torch.autograd.grad(model.loss_sum(scores, torch.ones_like(ids), mask, counts), scores)
        assert gradient[1].abs().max() < 1e-6
        assert gradient[0].abs().max() > 1e-3
        assert not gradient[~mask].any()


@torch.no_grad()
def test_the_softmax_is_one_for_each_place() -> None:
    model = made("words")
    ids, mask, extra = batch()
    scores = model(ids, mask, extra)[0]
    targets = torch.randint(C, mask.shape)
    expected = functional.cross_entropy(scores[mask], targets[mask], reduction="sum")
    torch.testing.assert_close(model.loss_sum(scores, targets, mask, mask), expected)
    p = model.probabilities(scores, mask)
    torch.testing.assert_close(p[mask].gather(1, targets[mask][:, None]).log().sum(), -expected)
    assert torch.equal(model.decode(scores, mask)[mask], p[mask].argmax(-1))


@torch.no_grad()
def test_the_crfs_probabilities_are_sums_over_paths() -> None:
    model = made("crf")
    ids, mask, extra = batch((4, 2))
    scores = model(ids, mask, extra)[0]
    found = model.probabilities(scores, mask)
    for row, length in enumerate((4, 2)):
        allowed = [path for path in paths(length) if is_bio(path)]
        shares = torch.tensor([score_of(model, scores[row], path) for path in allowed]).softmax(0)
        for step, tag in product(range(length), range(C)):
            share = sum(float(p) for p, path in zip(shares, allowed, strict=True) if path[step] == tag)
            assert float(found[row, step, tag]) == pytest.approx(share, abs=1e-5)


def test_locked_dropout_is_the_same_at_every_place() -> None:
    ids, mask, extra = batch((6, 6))
    seen: list[Tensor] = []
    for locked in (True, False):
        model = Tagger(Embedding(V, E), BagOfEmbeddings, E, C, dropout=0.5, locked=locked).train()
        with torch.no_grad():
            model.embedding.weight.fill_(1.0)
        model.encoder.register_forward_hook(lambda module, given, out: seen.append(given[0]))
        model(ids, mask, extra)
    dropped = [(x == 0) for x in seen]
    assert all(x.any() for x in dropped)
    assert torch.equal(dropped[0], dropped[0][:, :1].expand_as(dropped[0]))
    assert not torch.equal(dropped[1], dropped[1][:, :1].expand_as(dropped[1]))


def test_parameters_are_counted_by_part() -> None:
    counts = count_parameters(made("lstm"))
    characters = ALPHABET * 3 + 2 * 4 * 2 * (3 + 2 + 1)
    assert counts["embedding"] == V * E + characters + 6 * 3
    assert counts["recurrent"] == 2 * 3 * H * (E + 4 + 3 + H + 1) + 2 * H
    assert counts["head"] == 2 * H * C + C
    assert count_parameters(made("crf"))["head"] == 2 * H * C + C + C * C + 2 * C + 2 * H * I + I
    assert counts["total"] == sum(parameter.numel() for parameter in made("lstm").parameters())


def test_one_hot_inputs_stand_alone() -> None:
    model = Tagger(OneHot(V), encoder, V, C).eval()
    ids, mask, extra = batch()
    dense = functional.one_hot(ids, V).float()
    torch.testing.assert_close(
        model(ids, mask, extra)[0][mask], model.head(model.encoder(dense, mask).outputs)[mask], rtol=1e-4, atol=1e-5
    )
    assert len(model.engines()) == 1
    for given, key in (({"case": 2}, "task.case"), ({"characters": CharacterCNN(ALPHABET)}, "task.characters")):
        with pytest.raises(UserError, match=f"{key} adds to the vectors.*use embedding=word2vec or embedding=random"):
            Tagger(OneHot(V), encoder, V, C, **given)


@pytest.mark.parametrize(
    ("given", "message"),
    [({"case": -1}, "task.case is -1"), ({"case": True}, "task.case is True"), ({"dropout": 1.0}, "task.dropout is 1")],
)
def test_a_wrong_size_says_what_is_wrong(given: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        Tagger(Embedding(V, E), encoder, E, C, **given)
