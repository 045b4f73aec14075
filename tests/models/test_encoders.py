"""What every encoder promises, whatever it is made of: recurrent encoders are compared with these."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from lightning_seq.builders.build import build_model
from lightning_seq.cells.cell import Cell
from lightning_seq.cells.gru import GRUCell
from lightning_seq.cells.init import Initialisation
from lightning_seq.cells.lstm import LSTMCell
from lightning_seq.cli.main import main
from lightning_seq.config.compose import compose
from lightning_seq.errors import UserError
from lightning_seq.models.bag_of_embeddings import BagOfEmbeddings
from lightning_seq.models.classifier import Classifier
from lightning_seq.models.convolution import Convolution
from lightning_seq.models.convolution_recurrent import ConvolutionRecurrent
from lightning_seq.models.encoder import Encoder
from lightning_seq.models.pooling import Last, Max, Mean, pooling
from lightning_seq.models.recurrent import RecurrentEncoder
from lightning_seq.models.transformer import Transformer
from lightning_seq.models.window_mlp import WindowMLP
from lightning_seq.records.record import read
from lightning_seq.spec import Class, DataSpec, Tokens
from tests.runs import sentences, write_csv

from ..conftest import fastest

V = 7
T = 9
ENCODERS = {
    "window_mlp": partial(WindowMLP, window=3, hidden_size=6, num_layers=2),
    "window_linear": partial(WindowMLP, window=4, hidden_size=6, activation="identity"),
    "cnn": partial(Convolution, widths=[2, 4], channels=3, activation="tanh"),
    "cnn_two_layers": partial(Convolution, widths=[1, 3], channels=3, activation="logistic", num_layers=2),
    "cnn_causal": partial(Convolution, widths=[3, 2], channels=3, activation="tanh", causal=True, num_layers=2),
    "cnn_bilstm": partial(ConvolutionRecurrent, cell=LSTMCell, channels=4, hidden_size=3),
    "cnn_gru_causal": partial(
        ConvolutionRecurrent, cell=GRUCell, widths=[2, 3], channels=2, causal=True, bidirectional=False, hidden_size=3
    ),
    "transformer": partial(Transformer, model_size=8, heads=2, feedforward_size=10, dropout=0.0),
    "transformer_causal": partial(Transformer, model_size=6, heads=3, feedforward_size=5, dropout=0.0, causal=True),
}
PRESETS = ("window_mlp", "window_linear", "cnn", "cnn_causal", "cnn_bilstm", "transformer", "transformer_causal")

every = pytest.mark.parametrize("name", ENCODERS)


def made(name: str) -> Encoder:
    """An encoder with random parameters, all of them away from where they start."""
    torch.manual_seed(3)
    encoder = ENCODERS[name](V)
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter.normal_(std=0.5)
    return encoder


def batch() -> tuple[Tensor, Tensor]:
    """Five rows, one full, one of a single place, one empty."""
    mask = torch.arange(T) < torch.tensor([T, 4, 0, 1, 6])[:, None]
    return torch.randn(5, T, V), mask


def gradients(encoder: Encoder, x: Tensor, mask: Tensor) -> tuple[Tensor, list[Tensor]]:
    """The outputs, and the gradient of a sum of their squares."""
    outputs = encoder(x, mask).outputs
    sought = [*encoder.parameters(), *([x] if x.requires_grad else [])]
    return outputs, list(torch.autograd.grad(outputs.square().sum(), sought))


@every
@pytest.mark.parametrize("training", [True, False])
def test_a_sequence_is_answered_the_same_alone_and_in_any_batch(name: str, training: bool) -> None:
    encoder = made(name).train(training)
    x, mask = batch()
    with torch.set_grad_enabled(training):
        outputs = encoder(x, mask).outputs
        assert outputs.shape == (5, T, encoder.output_size)
        assert not outputs[~mask].any()
        for row, length in enumerate(mask.sum(1).tolist()):
            if length:
                alone = encoder(x[row : row + 1, :length], mask[row : row + 1, :length]).outputs[0]
                torch.testing.assert_close(alone, outputs[row, :length])
                assert alone.any()


@every
def test_whatever_the_padding_holds_changes_no_value_and_no_gradient(name: str) -> None:
    encoder = made(name)
    x, mask = batch()
    clean = torch.where(mask[..., None], x, 0.0).requires_grad_()
    dirty = torch.where(mask[..., None], x, torch.nan).requires_grad_()
    expected, wanted = gradients(encoder, clean, mask)
    outputs, found = gradients(encoder, dirty, mask)
    assert torch.equal(outputs, expected)
    assert all(torch.equal(one, other) for one, other in zip(found, wanted, strict=True))
    assert not found[-1][~mask].any()
    assert found[-1][mask].any(-1).all()
    with torch.no_grad():
        torch.testing.assert_close(encoder.eval()(dirty, mask).outputs, expected)


@every
def test_ids_are_answered_like_their_one_hot_vectors(name: str) -> None:
    encoder = made(name)
    mask = batch()[1]
    ids = torch.randint(0, V, mask.shape)
    expected, wanted = gradients(encoder, functional.one_hot(ids, V).float(), mask)
    outputs, found = gradients(encoder, torch.where(mask, ids, 999), mask)
    torch.testing.assert_close(outputs, expected)
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


@every
def test_every_parameter_learns(name: str) -> None:
    encoder = made(name)
    _, found = gradients(encoder, *batch())
    for (key, _), gradient in zip(encoder.named_parameters(), found, strict=True):
        assert gradient.any(), key


def sees(encoder: Encoder, x: Tensor) -> Tensor:
    """`[T, T]`: whether the output at a place (row) depends on the input at a place (column)."""
    mask = torch.ones(1, x.shape[1], dtype=torch.bool)
    weights = torch.randn(encoder.output_size, dtype=x.dtype)
    slopes = torch.autograd.functional.jacobian(lambda x: encoder(x, mask).outputs[0] @ weights, x)
    return slopes[:, 0].abs().amax(2) > 0  # [T, 1, T, D] to [T, T]


@pytest.mark.parametrize(
    ("name", "left", "right"),
    [
        ("window_mlp", 2, 0),
        ("window_linear", 3, 0),
        ("cnn", 2, 1),
        ("cnn_two_layers", 2, 2),
        ("cnn_causal", 4, 0),
        ("cnn_bilstm", T, T),
        ("cnn_gru_causal", T, 0),
        ("transformer", T, T),
        ("transformer_causal", T, 0),
    ],
)
def test_a_place_sees_exactly_so_far(name: str, left: int, right: int) -> None:
    t = torch.arange(T)
    distance = t - t[:, None]
    expected = (distance >= -left) & (distance <= right)
    assert sees(made(name), torch.randn(1, T, V)).tolist() == expected.tolist()


@every
def test_the_initialisation_fills_every_parameter_from_its_seed(name: str) -> None:
    encoders = [made(name) for _ in range(3)]
    for encoder, seed in zip(encoders, (1, 1, 2), strict=True):
        with torch.no_grad():
            for parameter in encoder.parameters():
                parameter.fill_(torch.nan)
        Initialisation()(encoder, seed)
    x, mask = batch()
    one, again, other = (encoder(x, mask).outputs for encoder in encoders)
    assert all(parameter.isfinite().all() for parameter in encoders[0].parameters())
    assert torch.equal(one, again)
    assert not torch.equal(one, other)


@pytest.mark.parametrize(
    ("encoder", "kind"),
    [
        (partial(BagOfEmbeddings, V), Mean),
        (partial(RecurrentEncoder, V, GRUCell, 3), Max),
        *[(partial(made, name), Mean if name.startswith("transformer") else Max) for name in ENCODERS],
    ],
)
def test_auto_takes_the_pooling_that_suits_the_encoder(encoder: partial[Encoder], kind: type) -> None:
    assert type(pooling("auto", encoder())) is kind


@every
def test_last_is_for_encoders_with_a_state(name: str) -> None:
    encoder = made(name)
    if encoder.final_size is None:
        assert encoder(*batch()).state == ()
        with pytest.raises(UserError, match=f"{type(encoder).__name__} has no final state"):
            pooling("last", encoder)
    else:
        assert isinstance(pooling("last", encoder), Last)


def built(*words: str) -> Classifier:
    """The model that the configuration describes, for ten words."""
    torch.manual_seed(0)
    spec = DataSpec(Tokens(tuple("abcdefghij")), Class(("no", "yes")))
    return build_model(compose(["data=csv", "data.train=none.csv", *words]), spec, width=10).eval()


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_builds_and_is_what_its_name_says(name: str) -> None:
    encoder = built(f"model={name}").encoder
    x = torch.randn(1, T, 10)
    seen = sees(encoder, x)
    causal = name.startswith("window") or name.endswith("causal")
    assert bool(seen.triu(1).any()) != causal
    mask = torch.ones(1, T, dtype=torch.bool)
    once, twice, none = (encoder(factor * x, mask).outputs for factor in (1, 2, 0))
    assert torch.allclose(twice - none, 2 * (once - none), atol=1e-5) == (name == "window_linear")
    cells = [type(module) for module in encoder.modules() if isinstance(module, Cell)]
    assert cells == ([LSTMCell] * 2 if name == "cnn_bilstm" else [])
    size = sum(parameter.numel() for parameter in encoder.parameters())
    lstm = sum(parameter.numel() for parameter in built("model=lstm").encoder.parameters())
    assert lstm / 12 < size < 4 * lstm


def test_a_comparison_of_encoders_that_are_not_recurrent(tmp_path: Path) -> None:
    names = ("window_mlp", "cnn", "cnn_bilstm", "transformer")
    file = write_csv(tmp_path / "train.csv", sentences(160))
    words = [
        "data=csv", f"data.train={file}", f"runs={tmp_path / 'runs'}", f"cache={tmp_path / 'cache'}", "seeds=1",
        "embedding.size=8", "trainer.max_epochs=4", "trainer.progress=false", "trainer.threads=1",
        "data.batch_size=16", "logger=none", "launcher=inline", "optimizer.lr=0.01",
    ]  # fmt: skip
    assert main(["compare", f"model={','.join(names)}", "embedding=random", *words]) == 0
    for name in names:
        record = read(tmp_path / "runs" / "csv" / f"{name}-seed1")
        assert (record.status, record.model) == ("done", name)
        assert record.engine == (fastest(lstm=True) if name == "cnn_bilstm" else None)
        assert record.metrics["test/accuracy"] > 0.9


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_reads_one_hot_inputs(name: str) -> None:
    model = built(f"model={name}", "embedding=onehot")
    ids = torch.tensor([[3, 1, 4, 0], [3, 1, 5, 9]])
    mask = torch.tensor([[True, True, True, False], [True] * 4])
    scores = model(ids, mask)
    torch.testing.assert_close(model(ids[:1, :3], mask[:1, :3])[0], scores[0])
    assert not torch.allclose(scores[0], scores[1])
