from __future__ import annotations

import itertools

import pytest
import torch

from lightning_seq.attention.additive import AdditiveScorer
from lightning_seq.attention.hard import HardAttention
from lightning_seq.cells.gru import GRUCell
from lightning_seq.cells.init import Initialisation
from lightning_seq.cells.lstm import LSTMCell
from lightning_seq.embeddings.layer import Embedding
from lightning_seq.errors import UserError
from lightning_seq.models.captioner import INJECT, Captioner, doubly_stochastic
from lightning_seq.models.picture.cnn import ConvolutionalEncoder
from lightning_seq.models.picture.encoder import PictureEncoder
from lightning_seq.models.picture.patches import PatchEncoder
from lightning_seq.models.picture.resnet import ResidualEncoder

B, T, V, E, H = 3, 5, 11, 6, 8
PICTURES = torch.randint(0, 256, (B, 3, 16, 16), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
MASK = torch.ones(B, 1, dtype=torch.bool)
TARGETS = torch.randint(4, V, (B, T), generator=torch.Generator().manual_seed(2))
COUNTED = torch.arange(T) < torch.tensor([[5], [3], [4]])


def encoder(kind: str) -> PictureEncoder:
    if kind == "cnn":
        return ConvolutionalEncoder(3, (16, 16), (4, 8))
    return ResidualEncoder(3, (16, 16), (4, 8), 1) if kind == "resnet" else PatchEncoder(3, (16, 16), 8, 7)


def captioner(inject: str = "init", attends: bool = True, kind: str = "cnn", cell=LSTMCell, **more) -> Captioner:  # type: ignore[no-untyped-def]
    attention = (lambda query, value: AdditiveScorer(query, value, 5)) if attends else None
    model = Captioner(Embedding(V, E), V, cell, encoder(kind), attention, inject, H, **more)
    Initialisation()(model, 1)
    return model.eval()


@pytest.mark.parametrize(
    ("kind", "inject", "attends"), list(itertools.product(("cnn", "resnet", "patches"), INJECT, (False, True)))
)
def test_a_whole_caption_and_single_steps_agree(kind: str, inject: str, attends: bool) -> None:
    model = captioner(inject, attends, kind, GRUCell, num_layers=2, gated=attends)
    output = model(PICTURES, MASK, TARGETS, COUNTED)
    source = model.encode(PICTURES, MASK)
    state, steps = source.start, []
    for tokens in output.inputs.unbind(1):
        scores, state, weights = model.step(tokens, source, state)
        steps.append(scores)
        assert (weights is None) is not attends
    whole = model.softmax.log_probabilities(output.hidden)
    torch.testing.assert_close(torch.stack(steps, 1)[COUNTED], whole[COUNTED])


@pytest.mark.parametrize("inject", [name for name in INJECT if name != "none"])
def test_every_way_in_lets_the_picture_change_the_first_word(inject: str) -> None:
    hidden = captioner(inject, attends=False)(PICTURES, MASK, TARGETS, COUNTED).hidden
    assert not torch.allclose(hidden[0, 0], hidden[1, 0])


def test_the_blind_captioner_sees_no_picture() -> None:
    model = captioner("none", attends=False)
    other = 255 - PICTURES
    same = torch.equal(model(PICTURES, MASK, TARGETS, COUNTED).hidden, model(other, MASK, TARGETS, COUNTED).hidden)
    assert same


def test_merge_keeps_the_picture_out_of_the_recurrence() -> None:
    model = captioner("merge", attends=False)
    assert model.decoder.cells[0].input_shape == (E,)
    assert captioner("par", attends=False).decoder.cells[0].input_shape == (E + 8,)
    sources = [model.encode(pictures, MASK) for pictures in (PICTURES, 255 - PICTURES)]
    states = [model.step(TARGETS[:, 0], source, source.start)[1] for source in sources]
    torch.testing.assert_close(states[0].layers, states[1].layers)


def test_output_depends_on_no_other_picture() -> None:
    model = captioner(read_places=True)
    alone = model(PICTURES[1:2], MASK[:1], TARGETS[1:2], COUNTED[1:2]).hidden
    torch.testing.assert_close(alone[0], model(PICTURES, MASK, TARGETS, COUNTED).hidden[1])


def test_places_start_with_vectors_of_their_own() -> None:
    vectors = encoder("cnn").places.vectors
    assert vectors.shape == (64, 8)
    assert torch.pdist(vectors).min() > 1e-3


def test_too_small_pictures_are_refused() -> None:
    with pytest.raises(UserError, match="too small"):
        PatchEncoder(3, (4, 4), 8, 7)


def test_gate_scales_the_context() -> None:
    model = captioner(gated=True)
    assert model.decoder.gate is not None
    torch.nn.init.zeros_(model.decoder.gate.weight)
    torch.nn.init.constant_(model.decoder.gate.bias, -50.0)
    closed = model(PICTURES, MASK, TARGETS, COUNTED).hidden[:, 0]
    plain = captioner(gated=True)
    assert not torch.allclose(closed, plain(PICTURES, MASK, TARGETS, COUNTED).hidden[:, 0])


def test_hard_attention_takes_one_place() -> None:
    attention = HardAttention(AdditiveScorer(4, 3, 5))
    Initialisation()(attention, 1)
    values, mask = torch.randn(2, 6, 3), torch.arange(6) < torch.tensor([[6], [4]])
    query = torch.randn(2, 1, 4)
    memory = attention.eval().prepare(values, mask)
    found = attention.draw(query, memory)
    best = found.weights[:, 0, 0].argmax(-1)
    torch.testing.assert_close(found.context[:, 0], values[torch.arange(2), best])
    assert found.chosen is None
    attention.train()
    torch.manual_seed(1)
    seen = [attention.draw(query, attention.prepare(values, mask)) for _ in range(200)]
    soft = (found.weights[:, 0] @ memory.values)[:, 0]
    means = torch.stack([torch.isclose(one.context[:, 0], soft).all(-1) for one in seen]).float().mean(0)
    assert ((means > 0.35) & (means < 0.65)).all()
    for one in seen:
        drawn = one.chosen[:, 0] != 0  # type: ignore[index]
        for row in drawn.nonzero()[:, 0].tolist():
            place = int((values[row] - one.context[row, 0]).abs().sum(-1).argmin())
            assert mask[row, place]
            torch.testing.assert_close(one.chosen[row, 0], one.weights[row, 0, 0, place].log())  # type: ignore[index]


def test_doubly_stochastic_penalty() -> None:
    weights = torch.tensor([[[1.0, 0.0], [0.5, 0.5], [0.3, 0.7]]])
    mask = torch.tensor([[True, True, False]])
    assert doubly_stochastic(weights, mask) == pytest.approx(0.5**2 + 0.5**2)


def test_keys_of_attention_need_attention() -> None:
    with pytest.raises(UserError, match="captioner_attention"):
        captioner(attends=False, hard=True)
