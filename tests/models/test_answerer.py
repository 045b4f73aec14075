from __future__ import annotations

import pytest
import torch
from torch import nn

from lightning_seq.cells.gru import GRUCell
from lightning_seq.cells.init import Initialisation
from lightning_seq.embeddings.layer import Embedding
from lightning_seq.errors import UserError
from lightning_seq.models.answerer import FUSIONS, Answerer, Fusion
from lightning_seq.models.parameters import count_parameters
from lightning_seq.models.picture.cnn import ConvolutionalEncoder
from lightning_seq.models.recurrent import RecurrentEncoder

B, T, V, E, H, W, D, A = 3, 5, 11, 6, 7, 10, 8, 4
DRAW = torch.Generator().manual_seed(1)
PICTURES = torch.randint(0, 256, (B, 3, 12, 16), dtype=torch.uint8, generator=DRAW)
INPUTS = torch.randint(2, V, (B, T), generator=DRAW)
MASK = torch.arange(T) < torch.tensor([[5], [2], [4]])


def answerer(fusion: str, **more: object) -> Answerer:
    picture = ConvolutionalEncoder(3, (12, 16), (4, D))
    model = Answerer(Embedding(V, E), RecurrentEncoder(E, GRUCell, H), A, picture, fusion, W, **more)  # type: ignore[arg-type]
    Initialisation()(model, 1)
    return model.eval()


@pytest.mark.parametrize("fusion", FUSIONS)
def test_the_answer_depends_on_what_the_fusion_reads(fusion: str) -> None:
    model = answerer(fusion)
    scores = model(INPUTS, MASK, PICTURES)
    assert scores.shape == (B, A)
    other_picture, other_question = model(INPUTS, MASK, 255 - PICTURES), model(INPUTS.flip(1), MASK, PICTURES)
    assert torch.allclose(scores, other_picture) is (fusion == "question")
    assert torch.allclose(scores, other_question) is (fusion == "picture")


@pytest.mark.parametrize("fusion", FUSIONS)
def test_the_answer_depends_on_no_other_example_and_on_no_padding(fusion: str) -> None:
    model = answerer(fusion)
    together = model(INPUTS, MASK, PICTURES)
    for row in range(B):
        length = int(MASK[row].sum())
        alone = model(INPUTS[row : row + 1, :length], MASK[row : row + 1, :length], PICTURES[row : row + 1])
        torch.testing.assert_close(alone[0], together[row])
    changed = torch.where(MASK, INPUTS, 1)
    torch.testing.assert_close(model(changed, MASK, PICTURES), together)


@pytest.mark.parametrize(("fusion", "looks"), [("attention", 1), ("stacked_attention", 3)])
def test_attention_is_a_distribution_over_places(fusion: str, looks: int) -> None:
    model = answerer(fusion, hops=3)
    joined, weights = model.joined(INPUTS, MASK, PICTURES)
    assert weights is not None
    assert weights.shape == (B, looks, 6 * 8)
    assert joined.shape == (B, H + W if fusion == "attention" else W)
    torch.testing.assert_close(weights.sum(-1), torch.ones(B, looks))
    assert (weights > 0).all()
    assert not torch.allclose(weights, model.joined(INPUTS.flip(1), MASK, PICTURES)[1])  # type: ignore[arg-type]


@pytest.mark.parametrize("fusion", [name for name in FUSIONS if "attention" not in name])
def test_other_fusions_have_no_attention(fusion: str) -> None:
    assert answerer(fusion).joined(INPUTS, MASK, PICTURES)[1] is None


def made(kind: str, hops: int = 2) -> tuple[Fusion, torch.Tensor, torch.Tensor]:
    torch.manual_seed(3)
    picture = ConvolutionalEncoder(3, (12, 16), (4, D))
    return Fusion(kind, H, picture, W, hops), torch.randn(B, H), torch.randn(B, 48, D)


def of(layer: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """W x + b, written with the parameters of a linear layer."""
    return torch.einsum("oi,...i->...o", layer.weight, x) + (0 if layer.bias is None else layer.bias)


def test_concat_multiply_and_bilinear_are_their_equations() -> None:
    fusion, q, v = made("concat")
    torch.testing.assert_close(fusion(q, v)[0], torch.cat([q, v.mean(1)], 1))
    fusion, q, v = made("multiply")
    a, b = torch.tanh(of(fusion.of_question, q)), torch.tanh(of(fusion.of_places, v.mean(1)))  # type: ignore[arg-type]
    torch.testing.assert_close(fusion(q, v)[0], a * b)
    fusion, q, v = made("bilinear")
    a, b = torch.tanh(of(fusion.of_question, q)), torch.tanh(of(fusion.of_places, v.mean(1)))  # type: ignore[arg-type]
    expected = torch.einsum("bi,mij,bj->bm", a, fusion.bilinear.weight, b) + fusion.bilinear.bias  # type: ignore[union-attr]
    torch.testing.assert_close(fusion(q, v)[0], expected)


@pytest.mark.parametrize("kind", ["attention", "stacked_attention"])
def test_attention_is_its_equations(kind: str) -> None:
    fusion, q, v = made(kind)
    u, places = of(fusion.of_question, q), of(fusion.of_places, v)  # type: ignore[arg-type]
    for look in fusion.glimpses:
        query, rows = of(look.of_query, u), []  # type: ignore[arg-type]
        for row in range(B):
            hidden = torch.tanh(of(look.of_places, places[row]) + query[row])  # type: ignore[arg-type]
            p = torch.exp(of(look.score, hidden)[:, 0])  # type: ignore[arg-type]
            rows.append((p / p.sum()) @ places[row])
        u = u + torch.stack(rows) if kind == "stacked_attention" else torch.cat([q, torch.stack(rows)], 1)
    torch.testing.assert_close(fusion(q, v)[0], u)


def test_film_is_its_equation_and_keeps_places_in_their_rows() -> None:
    fusion, q, v = made("film")
    x = of(fusion.of_places, v).transpose(1, 2).reshape(B, W, 6, 8)  # type: ignore[arg-type]
    for modulation, convolution in zip(fusion.modulations, fusion.convolutions, strict=True):
        both = of(modulation, q)
        gamma, beta = both[:, :W, None, None], both[:, W:, None, None]
        x = x + torch.relu((1 + gamma) * convolution(x) + beta)
    torch.testing.assert_close(fusion(q, v)[0], x.amax((2, 3)))


@pytest.mark.parametrize("fusion", FUSIONS)
def test_every_parameter_that_is_counted_learns(fusion: str) -> None:
    model = answerer(fusion).train()
    nn.functional.cross_entropy(model(INPUTS, MASK, PICTURES), torch.tensor([0, 1, 2])).backward()
    without = {name for name, weight in model.named_parameters() if weight.grad is None}
    assert without == {name for name in without if fusion == "picture" and name.startswith(("embedding.", "encoder."))}
    counts = count_parameters(model)
    assert counts["total"] == sum(weight.numel() for weight in model.parameters())
    assert counts["recurrent"] == 3 * H * (E + H + 1) + H  # the new state has a bias on both sides


def test_the_blind_model_has_no_encoder_of_pictures() -> None:
    assert answerer("question").picture is None
    with_one = count_parameters(answerer("concat"))["embedding"]
    assert count_parameters(answerer("question"))["embedding"] == V * E < with_one


@pytest.mark.parametrize(
    ("words", "message"),
    [({"fusion": "concate"}, r"task.fusion.*concat"), ({"fusion": "film", "hops": 0}, r"task.hops 0: expected at")],
)
def test_wrong_values(words: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        answerer(**words)  # type: ignore[arg-type]
