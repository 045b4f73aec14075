"""Noise around and inside recurrences: what it does, when, and that it can be repeated."""

from __future__ import annotations

import pytest
import torch

from lightning_seq import (
    CBRNN,
    Bidirectional,
    ElmanCell,
    GRUCell,
    LockedDropout,
    LSTMCell,
    PeepholeLSTMCell,
    Recurrent,
    Regularisation,
)
from lightning_seq.conformance.layers import close, example, randomise
from lightning_seq.errors import UserError
from lightning_seq.layers.dropout import Dropout, dropout_mask
from lightning_seq.models.recurrent import RecurrentEncoder

D, H = 3, 8


def layer(kind: type = LSTMCell, engine: str = "auto", **rates: object) -> Recurrent:
    cell = kind(D, H)
    randomise(cell)
    return Recurrent(cell, engine=engine, regularisation=Regularisation(**rates))  # type: ignore[arg-type]


def twice(made: torch.nn.Module, *given: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    results = []
    for _ in range(2):
        torch.manual_seed(7)
        results.append(made(*given)[0])
    return results[0], results[1]


RATES = [{"recurrent": 0.5}, {"zoneout": 0.3}, {"zoneout": (0.2, 0.0)}, {"weight_drop": 0.5}]


@pytest.mark.parametrize("rates", RATES, ids=str)
def test_noise_is_repeatable_from_a_seed_and_new_at_each_call(rates: dict[str, object]) -> None:
    noisy = layer(**rates)
    x, mask, _ = example(noisy.cell, [5, 2])
    one, other = twice(noisy, x, mask)
    assert torch.equal(one, other)
    assert not torch.equal(noisy(x, mask)[0], one)
    assert not torch.equal(layer()(x, mask)[0], one)


@pytest.mark.parametrize("rates", [{"recurrent": 0.5}, {"weight_drop": 0.5}], ids=str)
def test_dropout_acts_in_training_alone(rates: dict[str, object]) -> None:
    noisy = layer(**rates).eval()
    x, mask, _ = example(noisy.cell, [5, 2])
    close(noisy(x, mask)[0], layer()(x, mask)[0])


@pytest.mark.parametrize("kind", [ElmanCell, LSTMCell, GRUCell])
def test_weight_drop_runs_on_every_engine_alike(kind: type) -> None:
    native, loop = layer(kind, "native", weight_drop=0.5), layer(kind, "loop", weight_drop=0.5)
    x, mask, state = example(native.cell, [5, 2])
    torch.manual_seed(3)
    found = native(x, mask, state)
    torch.manual_seed(3)
    expected = loop(x, mask, state)
    for one, other in zip((found[0], *found[1]), (expected[0], *expected[1]), strict=True):
        close(one, other)
    with pytest.raises(UserError, match="dropout inside the recurrence"):
        layer(kind, "native", recurrent=0.5)(x, mask)


def test_weight_drop_reaches_every_recurrent_matrix_and_its_gradient() -> None:
    cell = PeepholeLSTMCell(D, H, peephole="full")
    noisy = Recurrent(cell, regularisation=Regularisation(weight_drop=0.5))
    x = torch.randn(2, 4, D)
    torch.manual_seed(5)
    noisy(x)[0].sum().backward()
    for name in ("U", "p"):
        share = (cell.get_parameter(name).grad == 0).float().mean()
        assert 0.4 < share < 0.6, name


def test_zoneout_holds_single_units_at_single_steps() -> None:
    noisy = layer(ElmanCell, zoneout=0.5)
    x, mask, state = example(noisy.cell, [20] * 4)
    torch.manual_seed(1)
    run = noisy.run(x, mask, state, trace=True)
    before = torch.cat([state[0][:, None], run.outputs[:, :-1]], 1)
    held = run.outputs == before
    assert 0.4 < held.double().mean() < 0.6
    assert 0 < held[:, :, 0].double().mean() < 1  # no unit is held or freed for good
    fresh = torch.tanh(noisy.cell.project(x) + before @ noisy.cell.get_parameter("U").T)
    close(run.outputs, torch.where(held, before, fresh))


def test_zoneout_in_evaluation_keeps_the_expected_share() -> None:
    noisy = layer(ElmanCell, zoneout=0.25).eval()
    x, mask, (h,) = example(noisy.cell, [6] * 2)
    outputs = noisy(x, mask, (h,))[0]
    for t in range(6):
        h = 0.25 * h + 0.75 * torch.tanh(noisy.cell.project(x[:, t]) + h @ noisy.cell.get_parameter("U").T)
        close(outputs[:, t], h)


def test_recurrent_dropout_has_one_mask_for_all_steps() -> None:
    """With x, b and all but U at zero, a unit that is dropped stays unseen at every step."""
    cell = ElmanCell(D, H, activation="identity", bias=False).double()
    cell.U.data.copy_(torch.eye(H))
    noisy = Recurrent(cell, regularisation=Regularisation(recurrent=0.5))
    outputs = noisy(torch.zeros(1, 6, D).double(), None, (torch.ones(1, H).double(),))[0][0]
    dropped = outputs[0] == 0
    assert 0 < dropped.sum() < H
    close(outputs[:, ~dropped], 2.0 ** torch.arange(1, 7).double()[:, None].expand(-1, int((~dropped).sum())))


def test_locked_dropout_has_one_mask_for_all_steps_of_a_sequence() -> None:
    locked = LockedDropout(0.5)
    out = locked(torch.ones(3, 6, 40))
    assert torch.equal(out, out[:, :1].expand_as(out))
    assert set(out.unique().tolist()) == {0.0, 2.0}
    assert not torch.equal(out[0], out[1])
    assert torch.equal(locked.eval()(out), out)


@pytest.mark.parametrize("locked", [False, True])
def test_dropout_before_between_and_after_the_layers(locked: bool) -> None:
    def encoder(**rates: object) -> RecurrentEncoder:
        torch.manual_seed(0)
        return RecurrentEncoder(D, GRUCell, H, num_layers=2, locked=locked, **rates)  # type: ignore[arg-type]

    x, mask = torch.randn(4, 5, D), torch.ones(4, 5, dtype=torch.bool)
    plain = encoder().eval()(x, mask).outputs
    for rate in ("input_dropout", "dropout", "output_dropout"):
        noisy = encoder(**{rate: 0.5})
        assert not torch.equal(noisy(x, mask).outputs, plain), rate
        torch.testing.assert_close(noisy.eval()(x, mask).outputs, plain)
    dropped = encoder(output_dropout=0.5)(x, mask).outputs == 0
    assert torch.equal(dropped, dropped[:, :1].expand_as(dropped)) == locked


@pytest.mark.parametrize("make", [Bidirectional, CBRNN])
def test_two_directions_draw_their_own_noise(make: type) -> None:
    noise = Regularisation(recurrent=0.5)
    cell = GRUCell(D, H)
    both = make(cell, cell, regularisation=noise)
    x = torch.randn(2, 5, D)
    one, other = twice(both, x)
    assert torch.equal(one, other)
    forwards = both.forwards(x)[0]
    assert not torch.equal(forwards, both.forwards(x)[0])


@pytest.mark.parametrize(
    ("rates", "message"),
    [
        ({"recurrent": 1.0}, "recurrent_dropout is 1.0"),
        ({"weight_drop": -0.1}, "weight_drop is -0.1"),
        ({"zoneout": 1.5}, "from 0 to 1"),
    ],
)
def test_rates_out_of_range_are_refused(rates: dict[str, float], message: str) -> None:
    with pytest.raises(UserError, match=message):
        Regularisation(**rates)


def test_zoneout_needs_as_many_rates_as_the_state_has_tensors() -> None:
    with pytest.raises(UserError, match="zoneout has 2 values, expected 1"):
        layer(GRUCell, zoneout=(0.1, 0.2))(torch.randn(1, 2, D).double())


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_mask_drops_as_often_as_it_says_and_keeps_the_mean(rate: float, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    mask = dropout_mask(torch.empty(101, 1009, dtype=dtype), rate)
    assert abs(float((mask == 0).double().mean()) - rate) < 0.005
    assert mask.unique().tolist() == pytest.approx([0.0, 1 / (1 - rate)], rel=1e-3)
    assert abs(float(mask.double().mean()) - 1) < 0.02
    for lag in (1, 2, 3, 4, 5):  # four numbers come of one draw: they are no more alike than others
        flat = (mask == 0).double().flatten()
        together = (flat[lag:] * flat[:-lag]).mean()
        assert abs(float(together) - rate**2) < 0.01, lag


def test_dropout_scales_values_and_gradients_alike() -> None:
    x = torch.randn(5, 7, requires_grad=True)
    layer = Dropout(0.4)
    torch.manual_seed(2)
    out = layer(x)
    out.backward(torch.ones_like(out))
    kept = out != 0
    assert torch.equal(x.grad != 0, kept)
    torch.testing.assert_close(out[kept], (x * x.grad)[kept])
    assert layer.eval()(x) is x
    assert Dropout(0.0)(x) is x
    with pytest.raises(UserError, match="dropout is 1"):
        Dropout(1.0)
