"""Forecasters: rules by hand, distributions against SciPy, and the same forecast alone and in a batch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor, nn

from lightning_seq.attention.additive import AdditiveScorer
from lightning_seq.cells.gru import GRUCell
from lightning_seq.embeddings.layer import Vectors
from lightning_seq.errors import UserError
from lightning_seq.models.encoder import Encoder
from lightning_seq.models.forecast_output import Quantiles, check_levels, make_output, pinball
from lightning_seq.models.forecaster import STRATEGIES, Forecaster, NaiveForecaster
from lightning_seq.models.naive import Drift, Naive, NaiveRule, SeasonalNaive
from lightning_seq.models.recurrent import RecurrentEncoder
from lightning_seq.models.window_mlp import WindowMLP
from lightning_seq.spec import Future

LEVELS = (0.1, 0.5, 0.9)


def forecaster(strategy: str, output: str = "gaussian", encoder: Encoder | None = None, **more: object) -> Forecaster:
    torch.manual_seed(0)
    future = Future(3, season=2, known=2)
    options = {"norm": "standard", "decoder": GRUCell, **more}
    encoder = encoder or RecurrentEncoder(4, GRUCell, hidden_size=5)
    made = Forecaster(Vectors(4), encoder, future, make_output(output, "mae", LEVELS), strategy, **options)  # type: ignore[arg-type]
    return made.double()


def inputs(rows: int = 3, steps: int = 6) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    draw = torch.Generator().manual_seed(1)
    lengths = torch.tensor([steps, steps - 2, 2])[:rows]
    mask = torch.arange(steps) < lengths[:, None]
    x = torch.randn(rows, steps, 4, generator=draw, dtype=torch.float64)
    ahead, targets = (torch.randn(rows, 3, *more, generator=draw, dtype=torch.float64) for more in ((2,), ()))
    return x, mask, ahead, targets, torch.tensor([[5.0, 2.0, 1.0]] * rows, dtype=torch.float64)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (Naive(1), [[4, 4, 4], [8, 8, 8]]),
        (SeasonalNaive(1), [[3, 4, 3], [5, 8, 5]]),
        (SeasonalNaive(1, season=4), [[1, 2, 3], [8, 5, 8]]),
        (Drift(1), [[5, 6, 7], [11, 14, 17]]),
    ],
)
def test_rules_by_hand(rule: NaiveRule, expected: list[list[float]]) -> None:
    values = torch.tensor([[1.0, 2, 3, 4], [5, 8, 0, 0]])
    mask = torch.tensor([[True] * 4, [True, True, False, False]])
    made = NaiveForecaster(Vectors(1), rule, Future(3, season=2))
    found = made(values[..., None], mask)
    if rule.__class__ is SeasonalNaive and rule.season == 4:  # type: ignore[attr-defined]
        expected = [[1, 2, 3], [8, 8, 5]]
    assert found.tolist() == expected


def test_a_missing_value_is_not_repeated() -> None:
    x = torch.tensor([[[1.0, 1], [2, 1], [0, 0]]])
    mask = torch.ones(1, 3, dtype=torch.bool)
    future = Future(2, season=2, gaps=True)
    assert NaiveForecaster(Vectors(2), Naive(2), future)(x, mask).tolist() == [[2, 2]]
    assert NaiveForecaster(Vectors(2), SeasonalNaive(2), future)(x, mask).tolist() == [[2, 2]]


def test_the_spread_of_a_rule_is_a_laplace_distribution() -> None:
    made = NaiveForecaster(Vectors(1), Naive(1), Future(2))
    nn.init.constant_(made.spread, np.log(3) / NaiveForecaster.RATE)
    x, mask = torch.ones(1, 4, 1), torch.ones(1, 4, dtype=torch.bool)
    found = made.predict(x, mask, torch.zeros(1, 2, 0), torch.ones(1, 3), LEVELS)
    assert found.quantiles is not None
    assert found.quantiles[0, 0].tolist() == pytest.approx(stats.laplace(1, 3).ppf(LEVELS), rel=1e-5)
    loss = made.losses(x, mask, torch.zeros(1, 2, 0), torch.full((1, 2), 5.0), torch.ones(1, 3))
    assert loss[0, 0].item() == pytest.approx(-stats.laplace(1, 3).logpdf(5) - np.log(2), rel=1e-5)


def test_distributions_are_those_of_scipy() -> None:
    raw = torch.tensor([[0.3, 0.4, 0.5]], dtype=torch.float64)
    target, scale = torch.tensor([3.0], dtype=torch.float64), torch.tensor([2.0], dtype=torch.float64)
    level = torch.tensor([0.9], dtype=torch.float64)

    def soft(value: float) -> float:
        return float(np.log1p(np.exp(value)))

    cases = {
        "gaussian": stats.norm(0.3, soft(0.4) + 1e-4),
        "student_t": stats.t(2 + soft(0.5), 0.3, soft(0.4) + 1e-4),
    }
    for name, known in cases.items():
        made = make_output(name, "mae", LEVELS)
        own = raw[:, : made.parameters]
        assert made.loss(own, target, scale).item() == pytest.approx(-known.logpdf(3.0))
        assert made.quantile(own, level, scale).item() == pytest.approx(known.ppf(0.9))
    mean, spread = 2 * soft(0.3) + 1e-4, soft(0.4) + 1e-4
    known = stats.nbinom(1 / spread, 1 / (1 + spread * mean))
    made = make_output("negative_binomial", "mae", LEVELS)
    assert made.loss(raw[:, :2], target, scale).item() == pytest.approx(-known.logpmf(6))
    assert made.quantile(raw[:, :2], level, scale).item() == pytest.approx(known.ppf(0.9) / 2)


def test_quantiles_lie_between_their_levels() -> None:
    raw = torch.tensor([[3.0, 1.0, 2.0]])  # they cross
    made = Quantiles(LEVELS)
    for level, expected in ((0.1, 1), (0.3, 1.5), (0.5, 2), (0.9, 3), (0.99, 3), (0.01, 1)):
        assert made.quantile(raw, torch.tensor([level]), torch.ones(1)).item() == pytest.approx(expected)
    losses = pinball(torch.tensor([[1.0, 2.0]]), torch.tensor([4.0]), torch.tensor([0.1, 0.9]))
    assert losses[0].tolist() == pytest.approx([0.3, 1.8])
    for wrong in ([0.1, 0.9], [0.5, 0.1], [0.0, 0.5], []):
        with pytest.raises(UserError, match=r"task.quantiles"):
            check_levels(wrong)


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("output", ["point", "quantiles", "gaussian", "student_t"])
def test_a_window_has_the_same_forecast_alone_and_in_a_batch(strategy: str, output: str) -> None:
    made = forecaster(strategy, output, samples=7).eval()
    x, mask, ahead, targets, scales = inputs()
    whole = made.predict(x, mask, ahead, scales, LEVELS)
    losses = made.losses(x, mask, ahead, targets, scales)
    noisy = x.clone()
    noisy[~mask] = 1e3
    for row in range(3):
        one = slice(row, row + 1)
        alone = made.predict(noisy[one], mask[one], ahead[one], scales[one], LEVELS)
        assert torch.allclose(alone.point, whole.point[one])
        if whole.quantiles is not None and alone.quantiles is not None:
            assert torch.allclose(alone.quantiles, whole.quantiles[one])
        assert torch.allclose(made.losses(noisy[one], mask[one], ahead[one], targets[one], scales[one]), losses[one])


@pytest.mark.parametrize("encoder", ["stateful", "window"])
def test_teacher_forcing_with_its_own_middles_is_the_recursion(encoder: str) -> None:
    other = None if encoder == "stateful" else WindowMLP(4, window=3, hidden_size=5)
    made = forecaster("recursive", "point", other, norm="none")
    x, mask, ahead, _, _ = inputs()
    free = made(x, mask, ahead)
    assert torch.allclose(made(x, mask, ahead, free[..., 0]), free)
    assert not torch.allclose(made(x, mask, ahead, free[..., 0] + 1)[:, 1:], free[:, 1:])


def test_recursion_reads_the_known_covariates_of_each_next_step() -> None:
    made = forecaster("recursive", "point", norm="none")
    x, mask, ahead, _, _ = inputs()
    before = made(x, mask, ahead)
    ahead[:, 1] += 1
    after = made(x, mask, ahead)
    assert torch.allclose(before[:, 0], after[:, 0])
    assert not torch.isclose(before[:, 1], after[:, 1]).any()


@pytest.mark.parametrize("norm", ["mean", "last", "standard"])
def test_a_normalised_window_moves_with_its_level(norm: str) -> None:
    made = forecaster("direct", "point", norm=norm)
    x, mask, ahead, _, scales = inputs()
    moved = x.clone()
    shift, factor = (0.0, 3.0) if norm == "mean" else (7.0, 1.0 if norm == "last" else 3.0)
    moved[..., 0] = shift + factor * x[..., 0]
    one, other = (made.predict(part, mask, ahead, scales, LEVELS).point for part in (x, moved))
    assert torch.allclose(other, shift + factor * one)


@pytest.mark.parametrize("strategy", ["direct", "seq2seq"])
def test_the_loss_mase_is_the_error_over_that_of_seasonal_naive(strategy: str) -> None:
    made = forecaster(strategy, "point")
    made.output = make_output("point", "mase", LEVELS)
    x, mask, ahead, targets, scales = inputs()
    scales[:, 2] = torch.tensor([4.0, 1.0, 0.5])
    point = made.predict(x, mask, ahead, scales, LEVELS).point
    expected = 2 * (targets - point).abs() / scales[:, 2:]
    assert torch.allclose(made.losses(x, mask, ahead, targets, scales), expected)


@pytest.mark.parametrize("output", ["point", "quantiles", "student_t"])
@pytest.mark.parametrize("strategy", ["direct", "seq2seq"])
def test_a_residual_is_added_to_seasonal_naive(strategy: str, output: str) -> None:
    made, plain = (forecaster(strategy, output, residual=residual) for residual in (True, False))
    x, mask, ahead, targets, scales = inputs()
    shift, _ = plain.window_scale(x, mask)
    rule = SeasonalNaive(1).forecast(x[..., 0], mask, mask, 3, 2)
    one, other = (model.predict(x, mask, ahead, scales, LEVELS) for model in (made, plain))
    assert torch.allclose(one.point - rule, other.point - shift)
    if one.quantiles is not None and other.quantiles is not None:
        assert torch.allclose(one.quantiles - rule[..., None], other.quantiles - shift[..., None])
    moved = targets - shift + rule
    assert torch.allclose(made.losses(x, mask, ahead, moved, scales), plain.losses(x, mask, ahead, targets, scales))


def test_a_decoder_attends_to_the_past() -> None:
    made = forecaster("seq2seq", "point", attention=lambda query, value: AdditiveScorer(query, value, 4))
    x, mask, ahead, _, _ = inputs()
    assert made(x, mask, ahead).shape == (3, 3, 1)
    assert {name.partition(".")[0] for name, _ in made.decoding.named_parameters()} == {"starts", "cell", "attention"}
    assert set(made.parts()) == {"embedding", "recurrent", "head"}


def test_what_does_not_fit_is_refused() -> None:
    both = RecurrentEncoder(4, GRUCell, hidden_size=4, bidirectional=True)
    with pytest.raises(UserError, match="reads from the end too"):
        forecaster("recursive", encoder=both)
    with pytest.raises(UserError, match="of outputs that may be negative"):
        forecaster("recursive", residual=True)
    with pytest.raises(UserError, match="is of counts"):
        forecaster("direct", "negative_binomial")
    output = make_output("negative_binomial", "mae", LEVELS)
    with pytest.raises(UserError, match="divided alone"):
        Forecaster(Vectors(4), RecurrentEncoder(4, GRUCell, 4), Future(3, counts=True), output, norm="standard")
    with pytest.raises(UserError, match="past covariates are not known"):
        Forecaster(
            Vectors(4), RecurrentEncoder(4, GRUCell, 4), Future(3, past=1), make_output("point", "mae", LEVELS),
            "recursive",
        )  # fmt: skip
