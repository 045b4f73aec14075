"""Vectors of spellings."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from lightning_seq.cells.elman import ElmanCell
from lightning_seq.cells.gru import GRUCell
from lightning_seq.cells.init import Initialisation
from lightning_seq.cells.lstm import LSTMCell
from lightning_seq.errors import UserError
from lightning_seq.models.characters import CharacterCNN, CharacterRecurrent

V = 9
MODELS = {
    "cnn": partial(CharacterCNN, V, 4, 6),
    "wide_cnn": partial(CharacterCNN, V, 4, 6, width=4),
    "lstm": partial(CharacterRecurrent, V, LSTMCell, 4, 3),
    "gru": partial(CharacterRecurrent, V, GRUCell, 4, 3),
    "elman": partial(CharacterRecurrent, V, ElmanCell, 4, 3, engine="loop"),
}
every = pytest.mark.parametrize("name", MODELS)


def made(name: str) -> nn.Module:
    torch.manual_seed(len(name))
    return MODELS[name]().eval()


def spellings(lengths: tuple[int, ...] = (5, 1, 3, 5)) -> Tensor:
    torch.manual_seed(0)
    ids = torch.randint(1, V, (len(lengths), max(lengths)))
    return ids.masked_fill(torch.arange(max(lengths)) >= torch.tensor(lengths)[:, None], 0)


@every
def test_a_spelling_gets_the_same_vector_alone_and_in_any_batch(name: str) -> None:
    model, characters = made(name), spellings()
    together = model(characters)
    assert together.shape == (4, model.output_size) == (4, 6)
    for row, ids in enumerate(characters):
        torch.testing.assert_close(model(ids[ids != 0][None])[0], together[row])
    torch.testing.assert_close(model(functional.pad(characters, (0, 7))), together)
    assert (together[0] - together[3]).abs().max() > 1e-3


@every
def test_padding_has_no_gradient_and_every_parameter_one(name: str) -> None:
    model, characters = made(name), spellings()
    characters[characters == 8] = 1
    torch.randn(4, 6).mul(model(characters)).sum().backward()
    rows = model.embedding.weight.grad.abs().sum(1) > 0
    seen = torch.bincount(characters.flatten(), minlength=V) > 0
    assert not rows[0]
    assert not rows[8]
    assert rows[seen & (torch.arange(V) > 0)].any()
    assert all(parameter.grad.any() for parameter in model.parameters())


@every
def test_a_spelling_of_no_characters_is_zero(name: str) -> None:
    model = made(name)
    vectors = model(functional.pad(spellings(), (0, 0, 0, 1)))
    assert not vectors[-1].any()
    assert vectors[:-1].any(1).all()
    vectors.sum().backward()
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters())


@pytest.mark.parametrize(("name", "around"), [("cnn", (1, 1)), ("wide_cnn", (2, 1))])
def test_it_is_torchs_convolution_and_its_maximum(name: str, around: tuple[int, int]) -> None:
    model, characters = made(name).double(), spellings()
    W = model.filters.weight.view(6, -1, 4).transpose(1, 2)  # [F, k E] to [F, E, k]
    expected = []
    for ids in characters:
        word = model.embedding.weight[ids[ids != 0]].t()
        expected.append(functional.conv1d(functional.pad(word, around), W, model.filters.bias).amax(1))
    weight = torch.randn(4, 6).double()
    values = model(characters), torch.stack(expected)
    torch.testing.assert_close(*values)
    found, wanted = (torch.autograd.grad((weight * value).sum(), list(model.parameters())) for value in values)
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other)


def test_it_is_the_final_state_of_both_directions() -> None:
    model, ids = made("lstm"), spellings()[2, :3][None]
    twin = nn.LSTM(4, 3, batch_first=True, bidirectional=True)
    with torch.no_grad():
        for suffix, layer in (("", model.recurrent.forwards), ("_reverse", model.recurrent.backwards)):
            for name, value in (("weight_ih", layer.cell.W), ("weight_hh", layer.cell.U), ("bias_ih", layer.cell.b)):
                getattr(twin, f"{name}_l0{suffix}").copy_(value)
            getattr(twin, f"bias_hh_l0{suffix}").zero_()
    _, (h, _) = twin(model.embedding(ids))
    torch.testing.assert_close(model(ids), torch.cat([h[0], h[1]], 1))


@every
def test_order_counts_and_dropout_acts_in_training_alone(name: str) -> None:
    model, characters = made(name), spellings((5, 5))
    assert (model(characters) - model(characters.flip(1))).abs().max() > 1e-3
    torch.testing.assert_close(model(characters), model(characters))
    model.dropout.rate = 0.5
    torch.testing.assert_close(model(characters), made(name)(characters))
    model.train()
    assert not torch.allclose(model(characters), model(characters))


@every
def test_the_initialisation_fills_every_parameter(name: str) -> None:
    model = made(name)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(torch.nan)
    Initialisation()(model, 1)
    assert all(parameter.isfinite().all() for parameter in model.parameters())
    assert not model.embedding.weight[0].any()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (partial(CharacterCNN, 0), "vocabulary_size of characters is 0"),
        (partial(CharacterCNN, V, channels=0), "channels of characters is 0"),
        (partial(CharacterCNN, V, width=2.5), "width of characters is 2.5"),
        (partial(CharacterCNN, V, dropout=1.0), "the dropout of characters is 1.0, expected at least 0"),
        (partial(CharacterRecurrent, V, LSTMCell, 0), "embedding_size of characters is 0"),
        (partial(CharacterRecurrent, V, LSTMCell, hidden_size=-1), "hidden_size of characters is -1"),
    ],
)
def test_a_wrong_argument_is_named(make: partial[nn.Module], message: str) -> None:
    with pytest.raises(UserError, match=message):
        make()


def test_padding_amid_a_word_is_refused() -> None:
    with pytest.raises(ValueError, match="prefix"):
        made("lstm")(torch.tensor([[1, 0, 2]]))
