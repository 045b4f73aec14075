"""The transformer against the paper's equations."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from lightning_seq.errors import UserError
from lightning_seq.models.transformer import Transformer, TransformerLayer, sinusoids

D = 5


def random_transformer(**arguments: int | float | bool) -> Transformer:
    torch.manual_seed(6)
    encoder = Transformer(D, **{"model_size": 12, "heads": 3, "feedforward_size": 7, "dropout": 0.0} | arguments)
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter.normal_(std=0.4)
    return encoder


def norm(x: Tensor, layer: torch.nn.LayerNorm) -> Tensor:
    centred = x - x.mean(-1, keepdim=True)
    return layer.weight * centred / (centred.square().mean(-1, keepdim=True) + layer.eps).sqrt() + layer.bias


def attention(x: Tensor, layer: TransformerLayer, causal: bool) -> Tensor:
    """Vaswani et al. 2017, sec. 3.2, one head and one query after the other, for one sequence `[T, M]`."""
    own = layer.self_attn
    M, heads = x.shape[1], own.num_heads
    size = M // heads
    joined = torch.zeros_like(x)
    for head in range(heads):
        rows = [slice(part * M + head * size, part * M + (head + 1) * size) for part in range(3)]
        Q, K, V = (x @ own.in_proj_weight[row].T + own.in_proj_bias[row] for row in rows)
        for t in range(len(x)):
            end = t + 1 if causal else len(x)
            weights = torch.softmax(K[:end] @ Q[t] / math.sqrt(size), 0)
            joined[t, head * size : (head + 1) * size] = weights @ V[:end]
    return joined @ own.out_proj.weight.T + own.out_proj.bias


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("gradient", [False, True])  # without one, torch has another path
def test_it_is_the_papers_encoder(causal: bool, gradient: bool) -> None:
    encoder = random_transformer(causal=causal, num_layers=3).eval()
    x, lengths = torch.randn(2, 6, D), (6, 4)
    mask = torch.arange(6) < torch.tensor(lengths)[:, None]
    with torch.set_grad_enabled(gradient):
        outputs = encoder(x, mask).outputs
    for row, length in enumerate(lengths):
        z = functional.linear(x[row, :length], encoder.projection.W[:, :, 0], encoder.projection.b)
        z = math.sqrt(12) * z + sinusoids(length, 12)
        for layer in encoder.layers:
            z = z + attention(norm(z, layer.norm1), layer, causal)
            inner = (norm(z, layer.norm2) @ layer.linear1.weight.T + layer.linear1.bias).relu()
            z = z + inner @ layer.linear2.weight.T + layer.linear2.bias
        torch.testing.assert_close(outputs[row, :length], norm(z, encoder.norm), rtol=1e-4, atol=1e-4)


def test_positions_are_the_papers_sinusoids() -> None:
    expected = np.zeros((400, 6))
    for t in range(400):
        for i in range(3):
            expected[t, 2 * i] = math.sin(t / 10000 ** (2 * i / 6))
            expected[t, 2 * i + 1] = math.cos(t / 10000 ** (2 * i / 6))
    np.testing.assert_allclose(sinusoids(400, 6).numpy(), expected, atol=1e-4)


def test_order_matters_and_comes_in_through_the_positions_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = random_transformer()
    x, mask = torch.randn(1, 6, D), torch.ones(1, 6, dtype=torch.bool)
    forth, back = encoder(x, mask).outputs, encoder(x.flip(1), mask).outputs.flip(1)
    assert (forth - back).abs().max() > 0.01
    monkeypatch.setattr("lightning_seq.models.transformer.sinusoids", lambda T, size, device: torch.zeros(T, size))
    forth, back = encoder(x, mask).outputs, encoder(x.flip(1), mask).outputs.flip(1)
    torch.testing.assert_close(forth, back, rtol=1e-4, atol=1e-4)


def test_dropout_acts_in_training_alone() -> None:
    encoder = random_transformer(dropout=0.5)
    x, mask = torch.randn(2, 6, D), torch.ones(2, 6, dtype=torch.bool)
    seen: list[Tensor] = []
    encoder.layers[0].register_forward_pre_hook(lambda _, arguments: seen.append(arguments[0]))
    assert not torch.equal(encoder(x, mask).outputs, encoder(x, mask).outputs)
    quiet = encoder.eval()(x, mask).outputs
    assert torch.equal(quiet, encoder(x, mask).outputs)
    assert [0.3 < (z == 0).float().mean().item() < 0.7 for z in seen] == [True, True, False, False]
    rates = {module.p for module in encoder.modules() if isinstance(module, torch.nn.Dropout)}
    assert rates | {layer.self_attn.dropout for layer in encoder.layers} == {0.5}


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("gradient", [False, True])
def test_an_empty_row_is_finite_all_the_way_up(causal: bool, gradient: bool) -> None:
    encoder = random_transformer(model_size=8, heads=2, causal=causal).eval()
    seen: list[Tensor] = []
    encoder.norm.register_forward_pre_hook(lambda _, arguments: seen.append(arguments[0]))
    with torch.set_grad_enabled(gradient):
        outputs = encoder(torch.randn(2, 3, D), torch.tensor([[False] * 3, [True, False, False]])).outputs
    assert seen[0][0].isfinite().all()
    assert not outputs[0].any()


def test_a_mask_with_a_hole_is_refused() -> None:
    with pytest.raises(ValueError, match="prefix"):
        random_transformer()(torch.randn(1, 3, D), torch.tensor([[False, True, True]]))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"heads": 0}, "model.heads=0: expected a whole number of at least 1"),
        ({"model_size": 10, "heads": 4}, "model.model_size=10: .* model.heads=4 divides, the nearest above is 12"),
        ({"model_size": 15, "heads": 5}, "even number .* the nearest above is 20"),
        ({"num_layers": 0}, "model.num_layers=0"),
        ({"feedforward_size": -1}, "model.feedforward_size=-1"),
        ({"dropout": -0.1}, "model.dropout is -0.1"),
    ],
)
def test_a_wrong_argument_is_named(arguments: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        Transformer(D, **arguments)
