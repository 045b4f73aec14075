"""Numbers for a whole sequence."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from lightning_seq.layers.dropout import check_rate
from lightning_seq.models.classifier import PooledModel
from lightning_seq.models.encoder import Encoder, EncoderModel
from lightning_seq.models.head import head


class Regressor(PooledModel):
    """W numbers `[B, W]` from vectors `[B, T, D]`, without dropout on the inputs. mean, scale: see `Units`.

    ŷ = V s + c,  s = h_T with `pooling=last`
    """

    def __init__(
        self,
        embedding: nn.Module,
        encoder: Encoder,
        values: int,
        pooling: str = "last",
        head_sizes: Sequence[int] = (),
        dropout: float = 0.0,
        mean: Sequence[float] = (),
        scale: Sequence[float] = (),
    ) -> None:
        super().__init__(embedding, encoder, values, pooling, head_sizes, dropout)
        self.units = Units(mean, scale)

    def forward(self, inputs: Tensor, mask: Tensor) -> Tensor:
        return self.units(super().forward(inputs, mask))


class StepRegressor(EncoderModel):
    """W numbers of each step, `[B, T, W]`, from vectors `[B, T, D]`.

    ŷ_t = V h_t + c
    """

    head_modules = ("head",)

    def __init__(
        self,
        embedding: nn.Module,
        encoder: Encoder,
        values: int,
        head_sizes: Sequence[int] = (),
        dropout: float = 0.0,
        mean: Sequence[float] = (),
        scale: Sequence[float] = (),
    ) -> None:
        super().__init__()
        self.embedding, self.encoder = embedding, encoder
        self.head = head(encoder.output_size, head_sizes, values, check_rate("task.dropout", dropout))
        self.units = Units(mean, scale)

    def forward(self, inputs: Tensor, mask: Tensor) -> Tensor:
        return self.units(self.head(self.encoder(self.embedding(inputs), mask).outputs))


class Units(nn.Module):
    """From the values that a model learns to those of the data: `x * scale + mean`; nothing without a mean."""

    mean: Tensor | None
    scale: Tensor | None

    def __init__(self, mean: Sequence[float] = (), scale: Sequence[float] = ()) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor([*mean]) if mean else None, persistent=False)
        self.register_buffer("scale", torch.tensor([*scale]) if scale else None, persistent=False)

    def forward(self, values: Tensor) -> Tensor:
        if self.mean is None or self.scale is None:
            return values
        return values.float() * self.scale + self.mean
