"""What a forecaster predicts of each step: a number, quantiles, or the parameters of a distribution."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from lightning_seq.errors import UserError, one_of

LEAST = 1e-4
"""Of the scale of a distribution, in units of the normalised series."""
POINT_LOSSES: dict[str, Callable[[Tensor], Tensor]] = {
    "mae": Tensor.abs,
    "mase": Tensor.abs,
    "mse": Tensor.square,
    "huber": lambda error: functional.huber_loss(error, torch.zeros_like(error), reduction="none"),
}


class Output(ABC):
    """`P` raw numbers per step to a loss and to quantiles, on the scale of the model's normalised series."""

    parameters: int = 1
    is_distribution = True
    needs_counts = False
    over_naive_error = False
    """Whether losses are of errors over the denominator of MASE, instead of on the normalised scale."""

    @abstractmethod
    def loss(self, raw: Tensor, target: Tensor, scale: Tensor) -> Tensor:
        """`[…, P]` and targets `[…]` to losses `[…]`. scale: `[…]`, from normalised to original values."""

    @abstractmethod
    def quantile(self, raw: Tensor, level: Tensor, scale: Tensor) -> Tensor:
        """`[…, P]` and levels that broadcast to `[…]` to `[…]`."""

    def location(self, raw: Tensor) -> Tensor:
        """`[…]`, the middle of the prediction, with a gradient: what a decoder reads as the value of the step."""
        return raw[..., 0]


class Point(Output):
    """A number. error: the loss of `POINT_LOSSES`."""

    is_distribution = False

    def __init__(self, error: str) -> None:
        self.error = POINT_LOSSES[one_of("task.loss", error, POINT_LOSSES)]
        self.over_naive_error = error == "mase"

    def loss(self, raw: Tensor, target: Tensor, scale: Tensor) -> Tensor:
        return self.error(raw[..., 0] - target)

    def quantile(self, raw: Tensor, level: Tensor, scale: Tensor) -> Tensor:
        return raw[..., 0].expand(torch.broadcast_shapes(raw.shape[:-1], level.shape))


class Quantiles(Output):
    """The quantiles of these levels, by pinball loss (Koenker & Bassett 1978); sorted where they cross."""

    def __init__(self, levels: Sequence[float]) -> None:
        self.levels, self.parameters = tuple(levels), len(levels)

    def location(self, raw: Tensor) -> Tensor:
        return raw[..., self.levels.index(0.5)]

    def loss(self, raw: Tensor, target: Tensor, scale: Tensor) -> Tensor:
        return 2 * pinball(raw, target, raw.new_tensor(self.levels)).mean(-1)

    def quantile(self, raw: Tensor, level: Tensor, scale: Tensor) -> Tensor:
        """Linear between the levels, constant outside."""
        ordered, levels = raw.sort(-1).values, raw.new_tensor(self.levels)
        shape = torch.broadcast_shapes(raw.shape[:-1], level.shape)
        wanted, ordered = level.expand(shape).contiguous(), ordered.expand(*shape, len(levels))
        above = torch.searchsorted(levels, wanted).clamp(1, max(len(levels) - 1, 1))
        if len(levels) == 1:
            return ordered[..., 0]
        low, high = levels[above - 1], levels[above]
        share = ((wanted - low) / (high - low)).clamp(0, 1)
        one, other = (ordered.gather(-1, place[..., None])[..., 0] for place in (above - 1, above))
        return one + share * (other - one)


class Gaussian(Output):
    """μ, and σ = softplus."""

    parameters = 2

    def loss(self, raw: Tensor, target: Tensor, scale: Tensor) -> Tensor:
        spread = functional.softplus(raw[..., 1]) + LEAST
        return 0.5 * ((target - raw[..., 0]) / spread).square() + spread.log() + 0.5 * math.log(2 * math.pi)

    def quantile(self, raw: Tensor, level: Tensor, scale: Tensor) -> Tensor:
        spread = functional.softplus(raw[..., 1]) + LEAST
        return raw[..., 0] + spread * torch.special.ndtri(level)


class StudentT(Output):
    """μ, σ = softplus, and degrees of freedom ν = 2 + softplus."""

    parameters = 3

    def _parts(self, raw: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return raw[..., 0], functional.softplus(raw[..., 1]) + LEAST, 2 + functional.softplus(raw[..., 2])

    def loss(self, raw: Tensor, target: Tensor, scale: Tensor) -> Tensor:
        middle, spread, freedom = self._parts(raw)
        return -torch.distributions.StudentT(freedom, middle, spread, validate_args=False).log_prob(target)

    def quantile(self, raw: Tensor, level: Tensor, scale: Tensor) -> Tensor:
        from scipy.special import stdtrit

        middle, spread, freedom = self._parts(raw)
        return middle + spread * _by_numpy(stdtrit, freedom, level)


class NegativeBinomial(Output):
    """Counts with mean m = s softplus(o₁) and variance m + α m², α = softplus(o₂); s is the scale of the series
    (Salinas et al. 2020, eq. 3)."""

    parameters = 2
    needs_counts = True

    def _parts(self, raw: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
        return scale * functional.softplus(raw[..., 0]) + LEAST, functional.softplus(raw[..., 1]) + LEAST

    def location(self, raw: Tensor) -> Tensor:
        return functional.softplus(raw[..., 0])

    def loss(self, raw: Tensor, target: Tensor, scale: Tensor) -> Tensor:
        mean, spread = self._parts(raw, scale)
        r, count = 1 / spread, (target * scale).round().clamp(min=0)
        return -(
            torch.lgamma(count + r) - torch.lgamma(r) - torch.lgamma(count + 1)
            + r * torch.log(r / (r + mean)) + count * torch.log(mean / (r + mean))
        )  # fmt: skip

    def quantile(self, raw: Tensor, level: Tensor, scale: Tensor) -> Tensor:
        from scipy.stats import nbinom

        mean, spread = self._parts(raw, scale)
        r = 1 / spread
        counts = _by_numpy(lambda q, n, p: nbinom.ppf(q, n, p), level, r, r / (r + mean))
        return counts / scale


OUTPUTS = ("point", "quantiles", "gaussian", "student_t", "negative_binomial")


def make_output(name: str, error: str, levels: Sequence[float]) -> Output:
    one_of("task.output", name, OUTPUTS)
    if name == "point":
        return Point(error)
    if name == "quantiles":
        return Quantiles(levels)
    distributions: dict[str, Callable[[], Output]] = {
        "gaussian": Gaussian,
        "student_t": StudentT,
        "negative_binomial": NegativeBinomial,
    }
    return distributions[name]()


def pinball(quantiles: Tensor, target: Tensor, levels: Tensor) -> Tensor:
    """`[…, Q]` of targets `[…]`."""
    error = target[..., None] - quantiles
    return torch.maximum(levels * error, (levels - 1) * error)


def check_levels(levels: Sequence[float]) -> tuple[float, ...]:
    """Raises UserError unless the levels rise from above 0 to below 1 and have the median among them."""
    values = tuple(map(float, levels))
    if not values or list(values) != sorted(set(values)) or not 0 < values[0] <= values[-1] < 1 or 0.5 not in values:
        raise UserError(
            f"task.quantiles is {list(levels)}, expected rising levels between 0 and 1 with 0.5 among them, such as "
            "[0.1, 0.5, 0.9]"
        )
    return values


def _by_numpy(function: Callable[..., np.ndarray], *tensors: Tensor) -> Tensor:
    arrays = [tensor.detach().double().cpu().numpy() for tensor in tensors]
    like = max(tensors, key=lambda tensor: tensor.dim())
    return torch.as_tensor(np.asarray(function(*arrays)), dtype=like.dtype, device=like.device)
