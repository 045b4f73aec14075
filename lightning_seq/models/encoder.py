"""What every encoder has in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from torch import Tensor, nn

from lightning_seq.spec import Encoded


class Encoder(nn.Module, ABC):
    """From `[B, T, D]` and its mask to a place per input.

    output_size: width of `Encoded.outputs`.
    final_size:  width of `Encoded.last`; None for an encoder without a last step.
    pooling:     the pooling that `task.pooling=auto` takes for this encoder.
    causal:      whether the output at a place depends on what stands there and before it alone.
    stateful:    whether a state carries on from one chunk of a sequence to the next.
    """

    output_size: int
    final_size: int | None = None
    pooling: str = "max"
    causal: bool = False
    stateful: bool = False

    @abstractmethod
    def forward(self, x: Tensor, mask: Tensor, state: Any = None) -> Encoded:
        """`x` `[B, T, D]` (or token ids `[B, T]` for one-hot inputs), mask `[B, T]`.

        state: of the chunk before, as its `Encoded.state` has it; an encoder without a state has no use for it.
        """

    def engines(self, x: Tensor) -> list[str]:
        """Which engine each recurrent layer runs on for inputs like `x`, from the input up."""
        return []
