"""Dropout around and inside a recurrence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from lightning_seq.cells.cell import Cell, Noise
from lightning_seq.errors import UserError
from lightning_seq.tensors import FLOATING, check_tensor


def check_rate(name: str, rate: float) -> float:
    """Raises UserError unless `rate` is a probability below 1."""
    if not isinstance(rate, int | float) or not 0 <= rate < 1:
        raise UserError(f"{name} is {rate}, expected at least 0 and less than 1")
    return float(rate)


def dropout_mask(like: Tensor, rate: float) -> Tensor:
    """0 with probability `rate`, else 1/(1 - rate), in the shape and type of `like`.

    On CPU from sixteen random bits a number, several times as fast as torch's draw; there the rate (and the scale) is
    rounded to a multiple of 1/65536.
    """
    if like.device.type != "cpu" or like.numel() == 0:
        return functional.dropout(torch.ones_like(like), rate)
    threshold = min(round(rate * 65536), 65535)
    words = torch.empty((like.numel() + 3) // 4, dtype=torch.int64).random_(-(2**63), None)
    bits = words.view(torch.int16)[: like.numel()].view(like.shape)
    return (bits >= threshold - 32768).to(like.dtype).mul_(65536 / (65536 - threshold))


class Dropout(nn.Module):
    """Dropout (Srivastava et al. 2014), drawn for each number. rate: the probability to drop it."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = check_rate("dropout", rate)

    def forward(self, x: Float[Tensor, "*size"]) -> Float[Tensor, "*size"]:
        check_tensor("Dropout", "input", x, ("…",), None, FLOATING)
        return x * dropout_mask(x.detach(), self.rate) if self.training and self.rate else x

    def extra_repr(self) -> str:
        return f"{self.rate}"


class LockedDropout(Dropout):
    """Variational dropout (Gal & Ghahramani 2016): one mask for all steps of a sequence."""

    def forward(self, x: Float[Tensor, "B T *size"]) -> Float[Tensor, "B T *size"]:
        check_tensor("LockedDropout", "input", x, ("…", "B", "T"), None, FLOATING)
        if not self.training or not self.rate:
            return x
        return x * dropout_mask(x.new_empty(x.shape[0], 1, *x.shape[2:]), self.rate)


def dropout(rate: float, locked: bool = False) -> Dropout:
    """Dropout with a mask for each step, or for each sequence."""
    return LockedDropout(rate) if locked else Dropout(rate)


@dataclass(frozen=True)
class Regularisation:
    """Noise inside a recurrence, drawn from torch's random stream before the first step.

    recurrent:   variational dropout on h_{t-1} in its product with U, one mask per sequence (Gal & Ghahramani 2016).
    zoneout:     the probability that a unit keeps its old value at a step, one number or one for each tensor of the
                 state (Krueger et al. 2017); in evaluation each unit keeps that share. One number does not apply to
                 integer and boolean tensors (step counters).
    weight_drop: the probability to drop an entry of the recurrent matrices, for a whole batch (Wan et al. 2013;
                 Merity et al. 2018).

    Raises UserError for a rate outside its range.
    """

    recurrent: float = 0.0
    zoneout: float | Sequence[float] = 0.0
    weight_drop: float = 0.0

    def __post_init__(self) -> None:
        check_rate("recurrent_dropout", self.recurrent)
        check_rate("weight_drop", self.weight_drop)
        for rate in self._zoneouts():
            if not 0 <= rate <= 1:
                raise UserError(f"zoneout is {self.zoneout}, expected probabilities from 0 to 1")

    def __bool__(self) -> bool:
        return bool(self.recurrent or any(self._zoneouts()) or self.weight_drop)

    def _zoneouts(self) -> tuple[float, ...]:
        return (self.zoneout,) if isinstance(self.zoneout, int | float) else tuple(self.zoneout)

    def draw(self, cell: Cell, x: Tensor, training: bool) -> Noise | None:
        """For a batch like `x` `[B, T, …]`; None if there is nothing to draw.

        Raises UserError if `zoneout` has not one value for each tensor of the state, or one for a tensor without real
        numbers.
        """
        recurrent, weights = None, {}
        like = next(cell.parameters())
        if training and self.recurrent:
            recurrent = dropout_mask(like.new_empty(x.shape[0], *cell.state_shapes[0]), self.recurrent)
        if training and self.weight_drop:
            weights = {
                name: U * dropout_mask(U.detach(), self.weight_drop) for name, U in cell.recurrent_weights().items()
            }
        zoneout = self._kept(cell, x, training, like) if any(self._zoneouts()) else None
        return None if recurrent is None and zoneout is None and not weights else Noise(recurrent, zoneout, weights)

    def _kept(self, cell: Cell, x: Tensor, training: bool, like: Tensor) -> tuple[Tensor | None, ...]:
        rates, counters = self._zoneouts(), cell.counters()
        if len(rates) == 1:
            rates = tuple(0.0 if index in counters else rates[0] for index in range(len(cell.state_shapes)))
        if len(rates) != len(cell.state_shapes):
            raise UserError(
                f"zoneout has {len(rates)} values, expected {len(cell.state_shapes)}: one for each tensor of the state"
            )
        for index in counters:
            if rates[index]:
                raise UserError(
                    f"zoneout is {rates[index]} for tensor {index + 1} of the state, which holds no real numbers: "
                    "give it 0"
                )
        kept: list[Tensor | None] = []
        for rate, shape in zip(rates, cell.state_shapes, strict=True):
            share = like.new_full((x.shape[0], x.shape[1], *shape), float(rate))
            kept.append(None if not rate else torch.bernoulli(share) if training else share)
        return tuple(kept)
