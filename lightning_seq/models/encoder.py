"""What every encoder has in common."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn

from lightning_seq.spec import Encoded


class Encoder(nn.Module, ABC):
    """From `[B, T, D]` and its mask to a place per input.

    output_size: width of `Encoded.outputs`.
    final_size:  width of the final state of the top layer, directions side by side; None where there is no state.
    pooling:     the pooling that `task.pooling=auto` takes for this encoder.
    """

    output_size: int
    final_size: int | None = None
    pooling: str = "max"

    @abstractmethod
    def forward(self, x: Tensor, mask: Tensor) -> Encoded:
        """`x` `[B, T, D]` (or token ids `[B, T]` for one-hot inputs), mask `[B, T]`."""

    def engines(self, x: Tensor) -> list[str]:
        """Which engine each recurrent layer runs on for inputs like `x`, from the input up."""
        return []
