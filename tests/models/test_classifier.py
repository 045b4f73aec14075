"""Encoders, pooling and the classifier made of them."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from torch import Tensor, nn

from lightning_seq.cells.elman import ElmanCell
from lightning_seq.cells.gru import GRUCell
from lightning_seq.cells.lstm import LSTMCell
from lightning_seq.engines.choice import choose
from lightning_seq.errors import UserError
from lightning_seq.models.bag_of_embeddings import BagOfEmbeddings
from lightning_seq.models.classifier import Classifier
from lightning_seq.models.parameters import count_parameters
from lightning_seq.models.pooling import POOLINGS, pooling
from lightning_seq.models.recurrent import RecurrentEncoder
from lightning_seq.spec import Encoded

E, C, V = 5, 3, 11


class Table(nn.Module):
    """A plain embedding."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(V, E))

    def forward(self, ids: Tensor) -> Tensor:
        return self.weight[ids]


def batch() -> tuple[Tensor, Tensor]:
    mask = torch.arange(6) < torch.tensor([6, 2, 4])[:, None]
    return torch.where(mask, torch.randint(1, V, (3, 6)), 0), mask


ENCODERS = {
    "rnn": partial(RecurrentEncoder, cell=ElmanCell, hidden_size=4),
    "birnn": partial(RecurrentEncoder, cell=ElmanCell, hidden_size=4, bidirectional=True),
    "shared_sum": partial(RecurrentEncoder, cell=GRUCell, hidden_size=4, bidirectional=True, shared=True, merge="sum"),
    "stacked": partial(RecurrentEncoder, cell=LSTMCell, hidden_size=[4, 3], bidirectional=True, activation="tanh"),
    "bag": BagOfEmbeddings,
}


@pytest.mark.parametrize("name", ENCODERS)
@pytest.mark.parametrize("how", [*POOLINGS, "auto"])
def test_a_text_gets_the_same_scores_alone_and_in_any_batch(name: str, how: str) -> None:
    encoder = ENCODERS[name](E)
    if name == "bag" and how == "last":
        with pytest.raises(UserError, match="no final state"):
            pooling(how, encoder)
        return
    model = Classifier(Table(), encoder, C, pooling=how, head_sizes=[7]).eval()
    ids, mask = batch()
    together = model(ids, mask)
    assert together.shape == (3, C)
    for row in range(3):
        length = int(mask[row].sum())
        torch.testing.assert_close(model(ids[row : row + 1, :length], mask[row : row + 1, :length])[0], together[row])
    together.sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_last_is_the_state_of_the_top_layer_in_both_directions() -> None:
    encoder = ENCODERS["stacked"](E)
    x, mask = torch.randn(3, 6, E), batch()[1]
    encoded = encoder(x, mask)
    pooled = pooling("last", encoder)(encoded)
    assert pooled.shape == (3, 6)
    torch.testing.assert_close(pooled[1, :3], encoded.outputs[1, 1, :3])
    torch.testing.assert_close(pooled[1, 3:], encoded.outputs[1, 0, 3:])


def test_poolings_by_hand() -> None:
    encoder = BagOfEmbeddings(2)
    outputs = torch.tensor([[[1.0, -4.0], [3.0, -2.0], [0.0, 0.0]], [[0.0, 0.0]] * 3])
    encoded = Encoded(outputs, torch.tensor([[True, True, False], [False] * 3]))
    assert pooling("mean", encoder)(encoded).tolist() == [[2.0, -3.0], [0.0, 0.0]]
    assert pooling("max", encoder)(encoded).tolist() == [[3.0, -2.0], [0.0, 0.0]]
    attention = pooling("attention", encoder)
    nn.init.zeros_(attention.score.weight)
    assert attention(encoded).tolist() == [[2.0, -3.0], [0.0, 0.0]]


def test_the_bag_is_blind_to_order_and_the_rnn_is_not() -> None:
    ids = torch.tensor([[1, 2, 3], [3, 1, 2]])
    mask = torch.ones(2, 3, dtype=torch.bool)
    bag, rnn = (Classifier(Table(), ENCODERS[name](E), C).eval()(ids, mask) for name in ("bag", "rnn"))
    torch.testing.assert_close(bag[0], bag[1])
    assert (rnn[0] - rnn[1]).abs().max() > 1e-4


def test_parameters_are_counted_by_part() -> None:
    model = Classifier(Table(), ENCODERS["birnn"](E), C, head_sizes=[7])
    counts = count_parameters(model)
    assert counts["embedding"] == V * E
    assert counts["recurrent"] == 2 * 4 * (E + 4 + 1)
    assert counts["head"] == (8 * 7 + 7) + (7 * C + C)
    assert counts["total"] == sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"hidden_size": 0}, "at least one unit"),
        ({"num_layers": 0}, "at least one layer"),
        ({"hidden_size": [3, 4], "num_layers": 3}, "one or the other"),
        ({"shared": True}, "bidirectional=true"),
        ({"bidirectional": True, "merge": "conct"}, "did you mean concat"),
    ],
)
def test_a_wrong_encoder_says_what_is_wrong(arguments: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        RecurrentEncoder(E, ElmanCell, **{"hidden_size": 4, **arguments})


def test_engines_are_told_layer_by_layer() -> None:
    x, ids = torch.zeros(1, 1, E), torch.zeros(1, 1, dtype=torch.int64)
    assert ENCODERS["stacked"](E).engines(x) == [choose("auto", LSTMCell(E, 4), x).name] * 4
    assert ENCODERS["stacked"](E).engines(ids) == [
        *[choose("auto", LSTMCell(E, 4), ids).name] * 2,
        *[choose("auto", LSTMCell(E, 4), x).name] * 2,
    ]
    assert RecurrentEncoder(E, partial(ElmanCell, activation="identity"), 4, engine="loop").engines(x) == ["loop"]
    assert ENCODERS["bag"](E).engines(x) == []
