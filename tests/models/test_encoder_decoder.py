"""Encoder-decoders: step by step as all at once, alone as in a batch, and against loops written from the papers."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor

from lightning_seq.attention.additive import AdditiveScorer
from lightning_seq.attention.bilinear import BilinearScorer
from lightning_seq.attention.concat import ConcatScorer
from lightning_seq.attention.cosine import CosineScorer
from lightning_seq.attention.dot import DotScorer
from lightning_seq.attention.location import LocationScorer
from lightning_seq.attention.multihead import MultiHeadScorer
from lightning_seq.attention.scaled_dot import ScaledDotScorer
from lightning_seq.cells.elman import ElmanCell
from lightning_seq.cells.gru import GRUCell
from lightning_seq.cells.jordan import JordanCell
from lightning_seq.cells.layer_norm_lstm import LayerNormLSTMCell
from lightning_seq.cells.lstm import LSTMCell
from lightning_seq.cells.projected_lstm import ProjectedLSTMCell
from lightning_seq.embeddings.layer import Embedding
from lightning_seq.errors import UserError
from lightning_seq.models.encoder_decoder import EncoderDecoder, coverage_penalty
from lightning_seq.models.search import BeamSearchConfig, beam_search, greedy, max_target_lengths, score_targets
from lightning_seq.models.softmax import Softmax
from lightning_seq.models.translator import Translator
from lightning_seq.text.vocabulary import BOS, EOS

SCORERS = {
    "additive": AdditiveScorer,
    "bilinear": BilinearScorer,
    "dot": DotScorer,
    "scaled_dot": ScaledDotScorer,
    "cosine": CosineScorer,
    "concat": ConcatScorer,
    "location": partial(LocationScorer, max_length=12),
    "multihead": partial(MultiHeadScorer, heads=2),
}
KINDS: dict[str, dict[str, Any]] = {
    "fixed": {},
    "fixed, one direction, reversed": {"bidirectional": False, "reverse_source": True, "bridge": "copy"},
    "every step": {"context": "final"},
    "mean at every step": {"context": "mean"},
    "context and sentence": {"context": "both"},
    "bahdanau": {"attention": AdditiveScorer},
    "bahdanau and sentence": {"attention": AdditiveScorer, "context": "final"},
    "luong": {"attention": BilinearScorer, "style": "luong"},
    "input feeding": {"attention": BilinearScorer, "style": "luong", "input_feeding": True},
    "feeding and sentence": {"attention": DotScorer, "style": "luong", "input_feeding": True, "context": "both"},
    "local monotonic": {"attention": DotScorer, "style": "luong", "local": "monotonic", "window": 2},
    "local predictive": {"attention": BilinearScorer, "style": "luong", "local": "predictive", "window": 2},
    "coverage": {"attention": AdditiveScorer, "coverage": True},
    "coverage after the step": {"attention": BilinearScorer, "style": "luong", "coverage": True},
    "two layers": {"attention": AdditiveScorer, "num_layers": 2},
    "depths differ": {"num_layers": 2, "decoder_layers": 1},
    "reversed under attention": {"attention": AdditiveScorer, "reverse_source": True},
    **{f"{name} before": {"attention": make} for name, make in SCORERS.items()},
    **{f"{name} after": {"attention": make, "style": "luong"} for name, make in SCORERS.items()},
}
CELLS = {
    "elman": ElmanCell,
    "gru": GRUCell,
    "lstm": LSTMCell,
    "layer norm": LayerNormLSTMCell,
    "projected": partial(ProjectedLSTMCell, proj_size=5),
    "jordan": partial(JordanCell, output_size=4),
}
B, S, T, V, E, H = 5, 7, 6, 11, 4, 6
LENGTHS, TARGETS = torch.tensor([7, 3, 5, 1, 6]), torch.tensor([6, 2, 4, 5, 1])


def made(kind: str, cell: Any = GRUCell, seed: int = 1, **more: Any) -> EncoderDecoder:
    torch.manual_seed(seed)
    settings = {"hidden_size": H, "cell": cell, **KINDS[kind], **more}
    return EncoderDecoder(Embedding(V, E), Embedding(V, E), V, **settings).double().eval()


def batch() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(3)
    mask = torch.arange(S) < LENGTHS[:, None]
    target_mask = torch.arange(T) < TARGETS[:, None]
    inputs = torch.randint(4, V, (B, S), generator=generator).masked_fill(~mask, 0)
    targets = torch.randint(4, V, (B, T), generator=generator)
    targets[torch.arange(B), TARGETS - 1] = EOS
    return inputs, mask, targets.masked_fill(~target_mask, 0), target_mask


@pytest.mark.parametrize("kind", KINDS)
def test_step_by_step_is_teacher_forcing(kind: str) -> None:
    model, (inputs, mask, targets, target_mask) = made(kind), batch()
    with torch.no_grad():
        written = model(inputs, mask, targets, target_mask)
        scores = model.softmax.log_probabilities(written.hidden.flatten(0, 1)).view(B, T, V)
    own = scores.gather(2, targets[..., None])[..., 0]
    found, weights = score_targets(Translator.of(model, inputs, mask), targets)
    torch.testing.assert_close(found[target_mask], own[target_mask], atol=1e-10, rtol=0)
    if written.weights is not None:
        assert weights is not None
        torch.testing.assert_close(weights[target_mask], written.weights[target_mask], atol=1e-10, rtol=0)
        assert float(written.weights[target_mask].masked_select(~mask.repeat_interleave(TARGETS, 0)).abs().sum()) == 0


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize(
    "kind", ["fixed", "every step", "bahdanau", "luong", "input feeding", "two layers", "local predictive"]
)
def test_every_cell_steps_as_it_runs(kind: str, cell: str) -> None:
    model, (inputs, mask, targets, target_mask) = made(kind, CELLS[cell]), batch()
    with torch.no_grad():
        written = model(inputs, mask, targets, target_mask)
        scores = model.softmax.log_probabilities(written.hidden.flatten(0, 1)).view(B, T, V)
    found, _ = score_targets(Translator.of(model, inputs, mask), targets)
    own = scores.gather(2, targets[..., None])[..., 0]
    torch.testing.assert_close(found[target_mask], own[target_mask], atol=1e-10, rtol=0)


@pytest.mark.parametrize("kind", KINDS)
def test_alone_and_in_a_batch(kind: str) -> None:
    """The same translations, greedy and by beam, whatever stands beside a sentence and behind its end."""
    model, (inputs, mask, _, _) = made(kind, seed=4), batch()
    spoilt = inputs.masked_fill(~mask, 9)
    limits = max_target_lengths(LENGTHS)
    together = beam_search(Translator.of(model, inputs, mask), limits, BeamSearchConfig(3, n_best=3))
    first = greedy(Translator.of(model, spoilt, mask), limits)
    for row, length in enumerate(LENGTHS.tolist()):
        one = Translator.of(model, inputs[row : row + 1, :length], mask[row : row + 1, :length])
        (alone,) = beam_search(one, limits[row : row + 1], BeamSearchConfig(3, n_best=3))
        assert [each.tokens for each in alone] == [each.tokens for each in together[row]]
        assert [each.score for each in alone] == pytest.approx([each.score for each in together[row]], abs=1e-9)
        assert greedy(one, limits[row : row + 1])[0].tokens == first[row].tokens


@pytest.mark.parametrize("kind", KINDS)
def test_every_parameter_has_a_gradient(kind: str) -> None:
    model, (inputs, mask, targets, target_mask) = made(kind).train(), batch()
    written = model(inputs, mask, targets, target_mask)
    model.softmax.loss_sum(written.hidden[target_mask], targets[target_mask]).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert bool(torch.isfinite(parameter.grad).all()), name
        assert float(parameter.grad.abs().sum()) > 0, name


def test_bahdanau_by_the_paper() -> None:
    """Equations of the paper in a plain loop, nothing hoisted."""
    model, (inputs, mask, targets, target_mask) = made("bahdanau"), batch()
    decoder = model.decoder
    scorer, cell = decoder.attention.scorer, decoder.cells[0]  # type: ignore[union-attr]
    with torch.no_grad():
        expected = model(inputs, mask, targets, target_mask).hidden
        for row in range(B):
            source = model.encode(inputs[row : row + 1, : LENGTHS[row]], mask[row : row + 1, : LENGTHS[row]])
            h = source.memory.values[0]  # type: ignore[union-attr]
            state, previous = source.start.layers[0], BOS
            for t in range(int(TARGETS[row])):
                y = model.target.weight[previous]  # type: ignore[union-attr, index]
                energy = torch.stack([scorer.v @ torch.tanh(scorer.W @ state[0][0] + scorer.U @ place) for place in h])
                c = (energy.exp() / energy.exp().sum()) @ h
                step = cell.step(cell.project(torch.cat([y, c])[None]), state)
                state = step.state
                r = torch.tanh(decoder.readout(torch.cat([step.output[0], c, y])))  # type: ignore[misc]
                torch.testing.assert_close(expected[row, t], r, atol=1e-12, rtol=0)
                previous = int(targets[row, t])


@pytest.mark.parametrize("feeding", [False, True])
def test_luong_by_the_paper(feeding: bool) -> None:
    model, (inputs, mask, targets, target_mask) = made("luong", input_feeding=feeding), batch()
    decoder = model.decoder
    scorer, cell = decoder.attention.scorer, decoder.cells[0]  # type: ignore[union-attr]
    with torch.no_grad():
        expected = model(inputs, mask, targets, target_mask).hidden
        for row in range(B):
            encoded = model.encoder(
                model.source(inputs[row : row + 1, : LENGTHS[row]]), mask[row : row + 1, : LENGTHS[row]]
            )
            h, state, fed, previous = encoded.outputs[0], model.bridge(encoded.state)[0], torch.zeros(H).double(), BOS
            for t in range(int(TARGETS[row])):
                y = model.target.weight[previous]  # type: ignore[union-attr, index]
                step = cell.step(cell.project(torch.cat([y, fed] if feeding else [y])[None]), state)
                state, h_t = step.state, step.output[0]
                energy = torch.stack([h_t @ scorer.W @ place for place in h])
                c = (energy.exp() / energy.exp().sum()) @ h
                fed = torch.tanh(decoder.readout(torch.cat([h_t, c])))  # type: ignore[misc]
                torch.testing.assert_close(expected[row, t], fed, atol=1e-12, rtol=0)
                previous = int(targets[row, t])


def test_which_decoders_are_one_call() -> None:
    whole = {kind for kind in KINDS if made(kind).decoder.is_parallel}
    assert {"fixed", "every step", "luong", "local monotonic", "local predictive", "dot after"} <= whole
    assert not {"bahdanau", "input feeding", "coverage", "coverage after the step"} & whole
    assert made("bahdanau").engines()[-1] == "step"
    assert made("luong").engines()[-1] != "step"


@pytest.mark.parametrize("pair", [(GRUCell, LSTMCell), (LSTMCell, GRUCell), (ElmanCell, LSTMCell)])
@pytest.mark.parametrize("bridge", ["linear", "copy", "sum", "zeros"])
def test_cells_of_two_kinds(pair: tuple[Any, Any], bridge: str) -> None:
    wide = {"decoder_hidden_size": 2 * H} if bridge == "copy" else {}
    model = made("every step", pair[0], decoder_cell=pair[1], bridge=bridge, **wide)
    inputs, mask, targets, target_mask = batch()
    assert bool(torch.isfinite(model(inputs, mask, targets, target_mask).hidden).all())
    start = model.encode(inputs, mask).start.layers[0]
    final = model.encoder(model.source(inputs), mask).state[0]
    if bridge == "copy":
        torch.testing.assert_close(start[0], torch.cat([final[0][0], final[1][0]], 1))
    if bridge == "sum":
        torch.testing.assert_close(start[0], final[0][0] + final[1][0])
    if bridge in ("copy", "sum") and len(start) > len(final[0]):
        assert float(start[1].abs().sum()) == 0
    if bridge == "zeros":
        assert all(float(tensor.abs().sum()) == 0 for tensor in start)


def test_a_reversed_source() -> None:
    """As if the sentence had been given from its end; attention still sees places where they stand."""
    inputs, mask, targets, target_mask = batch()
    turned = inputs.clone()
    for row, length in enumerate(LENGTHS.tolist()):
        turned[row, :length] = inputs[row, :length].flip(0)
    for kind in ("fixed", "bahdanau"):
        plain, backwards = made(kind), made(kind, reverse_source=True)
        expected = plain(turned, mask, targets, target_mask)
        found = backwards(inputs, mask, targets, target_mask)
        torch.testing.assert_close(found.hidden[target_mask], expected.hidden[target_mask])
        if found.weights is not None:
            for row, length in enumerate(LENGTHS.tolist()):
                torch.testing.assert_close(found.weights[row, :, :length], expected.weights[row, :, :length].flip(1))


def test_scheduled_sampling() -> None:
    model, (inputs, mask, targets, target_mask) = made("bahdanau"), batch()
    torch.manual_seed(1)
    forced_inputs = model(inputs, mask, targets, target_mask, 0.0).inputs
    assert forced_inputs.tolist() == torch.cat([torch.full((B, 1), BOS), targets[:, :-1]], 1).tolist()
    own, again = (model(inputs, mask, targets, target_mask, 1.0) for _ in [torch.manual_seed(2), None])
    assert own.inputs[:, 0].tolist() == [BOS] * B
    assert (own.inputs[:, 1:] != forced_inputs[:, 1:]).float().mean() > 0.5
    torch.manual_seed(2)
    repeated = model(inputs, mask, targets, target_mask, 1.0)
    assert own.inputs.tolist() == repeated.inputs.tolist() != again.inputs.tolist()
    half = torch.cat([model(inputs, mask, targets, target_mask, 0.5).inputs[:, 1:] for _ in range(40)])
    kept = (half == forced_inputs[:, 1:].repeat(40, 1)).double().mean()
    assert 0.5 <= float(kept) <= 0.65  # half are given, and the model's own are right now and then
    # What it was given explains what it read: a run over the drawn symbols is the same.
    moved = torch.cat([own.inputs[:, 1:], targets[:, -1:]], 1)
    whole = model(inputs, mask, moved, torch.ones_like(target_mask))
    torch.testing.assert_close(whole.hidden, own.hidden)


@pytest.mark.parametrize("tied", ["decoder", "all"])
def test_tied_matrices(tied: str) -> None:
    model = made("bahdanau", tied=tied)
    assert isinstance(model.softmax, Softmax)
    assert model.softmax.weight is model.target.weight
    assert (model.source.weight is model.target.weight) == (tied == "all")
    assert sum(p.numel() for p in model.parameters()) < sum(p.numel() for p in made("bahdanau").parameters())


def test_coverage_penalty_by_hand() -> None:
    weights = torch.tensor([[[0.5, 0.5], [0.9, 0.1], [0.2, 0.8]]])
    mask = torch.tensor([[True, True, True]])
    expected = 0.0 + (0.5 + 0.1) + (0.2 + 0.6)
    assert float(coverage_penalty(weights, mask)) == pytest.approx(expected)
    assert float(coverage_penalty(weights, torch.tensor([[True, True, False]]))) == pytest.approx(0.6)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"context": "some"}, "model.context"),
        ({"bridge": "copied"}, "model.bridge"),
        ({"bridge": "copy"}, "brings 12 numbers to a decoder of 6"),
        ({"bridge": "zeros"}, "no input from the source"),
        ({"style": "loung", "attention": DotScorer}, "luong"),
        ({"coverage": True}, "encoder_decoder_attention"),
        ({"input_feeding": True}, "model.style=luong"),
        ({"tied": "both"}, "task.tied"),
        ({"decoder_layers": 0}, "model.decoder_layers is 0"),
    ],
)
def test_wrong_settings(wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(UserError, match=says):
        made("fixed", **wrong)
