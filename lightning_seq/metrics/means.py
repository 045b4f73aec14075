"""Means over all values, exact over any number of ranks."""

from __future__ import annotations

from torch import Tensor, nn
from torchmetrics import MeanMetric


class Means(nn.Module):
    """One mean for each of `names`."""

    def __init__(self, *names: str) -> None:
        super().__init__()
        self._means = {name: MeanMetric(nan_strategy="disable") for name in names}
        for name, mean in self._means.items():
            self.add_module(name, mean)

    def __contains__(self, name: str) -> bool:
        return name in self._means

    def update(self, **values: Tensor) -> None:
        for name, tensor in values.items():
            self._means[name].update(tensor)

    def compute(self) -> dict[str, Tensor]:
        return {name: mean.compute() for name, mean in self._means.items()}

    def reset(self) -> None:
        for mean in self._means.values():
            mean.reset()
