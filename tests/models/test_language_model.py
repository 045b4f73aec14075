"""Language models: causal encoders, shared matrices, and both softmaxes."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn import functional

from lightning_seq import GRUCell
from lightning_seq.embeddings.layer import Embedding, OneHot, Vectors
from lightning_seq.errors import UserError
from lightning_seq.models.convolution import Convolution
from lightning_seq.models.encoder import Encoder
from lightning_seq.models.language_model import LanguageModel
from lightning_seq.models.parameters import count_parameters
from lightning_seq.models.recurrent import RecurrentEncoder
from lightning_seq.models.set_model import SetModel
from lightning_seq.models.softmax import Softmax, token_scores
from lightning_seq.models.transformer import Transformer
from lightning_seq.models.window_mlp import WindowMLP

V, E, H = 11, 6, 5
CAUSAL: dict[str, Any] = {
    "recurrent": lambda: RecurrentEncoder(E, GRUCell, [H, H]),
    "window": lambda: WindowMLP(E, 3, H),
    "convolution": lambda: Convolution(E, (2, 3), 4, causal=True),
    "transformer": lambda: Transformer(E, 8, 2, 1, 8, causal=True),
}
BOTH_WAYS: dict[str, Any] = {
    "bidirectional": lambda: RecurrentEncoder(E, GRUCell, H, bidirectional=True),
    "convolution": lambda: Convolution(E, (3,), 4),
    "transformer": lambda: Transformer(E, 8, 2, 1, 8),
}


def model_of(encoder: Encoder | None = None, **given: Any) -> LanguageModel:
    torch.manual_seed(0)
    return LanguageModel(Embedding(V, E), encoder or RecurrentEncoder(E, GRUCell, H), V, **given).eval()


@pytest.mark.parametrize("name", CAUSAL)
def test_nothing_that_follows_changes_a_prediction(name: str) -> None:
    model = model_of(CAUSAL[name]())
    ids = torch.randint(1, V, (2, 6))
    other = ids.clone()
    other[:, 4:] = torch.randint(1, V, (2, 2))
    mask = torch.ones_like(ids, dtype=torch.bool)
    torch.testing.assert_close(model(ids, mask)[0][:, :4], model(other, mask)[0][:, :4])


@pytest.mark.parametrize("name", BOTH_WAYS)
@pytest.mark.parametrize("make", [model_of, lambda encoder: SetModel(Vectors(E), encoder, E)])
def test_an_encoder_that_reads_both_ways_is_refused(name: str, make: Any) -> None:
    with pytest.raises(UserError, match="it would see the answer"):
        make(BOTH_WAYS[name]())


def test_a_shared_matrix_is_one_parameter_and_learns_from_both_sides() -> None:
    model = model_of(tied=True)
    assert model.softmax.weight is model.embedding.weight
    counts = count_parameters(model)
    assert counts["embedding"] == V * E
    assert counts["head"] == V + H * E  # the bias, and the matrix that brings H to E
    assert counts["total"] == sum(parameter.numel() for parameter in model.parameters())
    same_width = model_of(RecurrentEncoder(E, GRUCell, E), tied=True)
    assert count_parameters(same_width)["head"] == V
    scores, _ = model(torch.tensor([[3]]), torch.ones(1, 1, dtype=torch.bool))
    (-scores[0, 0, 4]).backward()
    assert model.embedding.weight.grad[3].any()  # read
    assert model.embedding.weight.grad[7].any()  # in the softmax alone


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"tied": True, "adaptive": [3]}, "give one of them"),
        ({"adaptive": [3, 7]}, "has none"),
        ({"adaptive": [0]}, "adaptive_softmax"),
        ({"adaptive": 5}, "expected rising whole numbers"),
        ({"adaptive": ["a"]}, "expected rising whole numbers"),
        ({"adaptive": [V]}, "adaptive_softmax"),
        ({"dropout": 1.0}, "task.dropout"),
    ],
)
def test_wrong_settings(given: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        model_of(**given)


def test_one_hot_and_frozen_inputs_share_nothing() -> None:
    for embedding in (OneHot(V), Embedding(V, E, frozen=True)):
        with pytest.raises(UserError, match="tied=true"):
            LanguageModel(embedding, RecurrentEncoder(V, GRUCell, H), V, tied=True)


@pytest.mark.parametrize("adaptive", [None, [3]])
def test_the_loss_is_what_the_probabilities_say(adaptive: list[int] | None) -> None:
    model = model_of(adaptive=adaptive).double()
    ids = torch.randint(0, V, (3, 7))
    mask = torch.ones(3, 6, dtype=torch.bool)
    read = model.read(ids[:, :-1], mask)
    scores = model(ids[:, :-1], mask)[0]
    torch.testing.assert_close(scores.exp().sum(-1), torch.ones(3, 6, dtype=torch.float64))
    hidden, targets = read.hidden.flatten(0, 1), ids[:, 1:].flatten()
    expected = functional.nll_loss(scores.flatten(0, 1), targets, reduction="none")
    torch.testing.assert_close(model.softmax.loss_sum(hidden, targets), expected.sum())
    losses, hits = token_scores(model.softmax, hidden, targets, V)
    torch.testing.assert_close(losses, expected)
    assert torch.equal(hits, scores.flatten(0, 1).argmax(-1) == targets)
    assert float(model.softmax.loss_sum(hidden[:0], targets[:0])) == 0


def test_adaptive_softmax_under_mixed_precision() -> None:
    model = model_of(adaptive=[3])
    hidden, targets = torch.randn(6, H), torch.randint(0, V, (6,))
    expected = model.softmax.loss_sum(hidden, targets)
    with torch.autocast("cpu", torch.bfloat16):
        found = model.softmax.loss_sum(hidden.bfloat16(), targets)
        assert model.softmax.log_probabilities(hidden).dtype == torch.float32
    torch.testing.assert_close(found, expected, rtol=0.02, atol=0.02)


def test_evaluation_in_parts_is_evaluation(monkeypatch: pytest.MonkeyPatch) -> None:
    layer, hidden, targets = Softmax(H, V), torch.randn(9, H), torch.randint(0, V, (9,))
    whole = token_scores(layer, hidden, targets, V)
    monkeypatch.setattr("lightning_seq.models.softmax.SCORES", 2 * V)
    for part, expected in zip(token_scores(layer, hidden, targets, V), whole, strict=True):
        torch.testing.assert_close(part, expected)
