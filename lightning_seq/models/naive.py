"""Forecasts without weights: the last value, the last season, the drift (Hyndman & Athanasopoulos 2021, ch. 5.2)."""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor

from lightning_seq.models.encoder import Encoder
from lightning_seq.spec import Encoded, State
from lightning_seq.value_types import Size


class NaiveRule(Encoder):
    """A rule in the place of an encoder.

    input_size: not used.
    """

    output_size = 1
    causal = True

    def __init__(self, input_size: int) -> None:
        super().__init__()

    def forward(self, x: Tensor, mask: Tensor, state: State | None = None) -> Encoded:
        """The first feature, a step of a series."""
        return Encoded(x[..., :1] * mask[..., None], mask)

    @abstractmethod
    def forecast(self, values: Tensor, there: Tensor, mask: Tensor, horizon: int, season: int) -> Tensor:
        """Values `[B, T]`, which of them are there, and the mask of the steps, to the next values `[B, horizon]`."""


def last_values(values: Tensor, there: Tensor) -> Tensor:
    """`[B]`, of each row the last value that is there."""
    return values.gather(1, _last(there)[:, None])[:, 0]


def _last(there: Tensor) -> Tensor:
    steps = torch.arange(there.shape[1], device=there.device)
    return torch.where(there, steps, -1).amax(1).clamp(min=0)


class Naive(NaiveRule):
    """ŷ_{t+k} = y_t."""

    def forecast(self, values: Tensor, there: Tensor, mask: Tensor, horizon: int, season: int) -> Tensor:
        return last_values(values, there)[:, None].expand(-1, horizon)


class SeasonalNaive(NaiveRule):
    """ŷ_{t+k} = y_{t+k-m⌈k/m⌉}; the last value where that of the season is not there.

    season: m; None: of the data.
    """

    def __init__(self, input_size: int, season: Size | None = None) -> None:
        super().__init__(input_size)
        self.season = season

    def forecast(self, values: Tensor, there: Tensor, mask: Tensor, horizon: int, season: int) -> Tensor:
        m = self.season or season
        steps = torch.arange(horizon, device=values.device)
        places = mask.sum(1, keepdim=True) - m + steps % m
        inside = places >= 0
        places = places.clamp(min=0)
        usable = inside & there.gather(1, places)
        return torch.where(usable, values.gather(1, places), last_values(values, there)[:, None])


class Drift(NaiveRule):
    """ŷ_{t+k} = y_t + k (y_t - y_1) / (t - 1)."""

    def forecast(self, values: Tensor, there: Tensor, mask: Tensor, horizon: int, season: int) -> Tensor:
        first, last = there.int().argmax(1), _last(there)
        start, end = (values.gather(1, place[:, None]) for place in (first, last))
        slope = (end - start) / (last - first).clamp(min=1)[:, None]
        return end + slope * torch.arange(1, horizon + 1, device=values.device)
