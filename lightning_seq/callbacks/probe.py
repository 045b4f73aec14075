"""The probe of the diagnostics: a few validation samples, the same for every architecture; and the cost of looking."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from time import perf_counter
from typing import Any

import torch
from torch import Tensor, nn

from lightning_seq.spec import Batch


def probe_batch(data: Any, rows: int) -> Batch:
    """Up to `rows` samples of the batch in the middle of the validation split (batches go by length: a usual length).

    They depend on the data alone, never on a seed or a model. `count` is the targets of these rows.
    """
    batches = data.val_dataloader()
    middle = len(batches) // 2
    batch: Batch = next(batch for place, batch in enumerate(batches) if place == middle)
    kept = {
        item.name: getattr(batch, item.name)[:rows] for item in fields(batch) if item.name not in ("count", "extra")
    }
    extra = {
        name: tensor[:rows] if tensor.shape[:1] == batch.ids.shape else tensor for name, tensor in batch.extra.items()
    }
    return replace(batch, **kept, extra=extra, count=int(kept["target_mask"].sum()))


class Cost:
    """Seconds and calls of looking, over all resumes."""

    def __init__(self) -> None:
        self.seconds, self.calls = 0.0, 0

    @contextmanager
    def counted(self) -> Iterator[None]:
        begun = perf_counter()
        try:
            yield
        finally:
            self.seconds += perf_counter() - begun
            self.calls += 1

    def plain(self) -> dict[str, float]:
        return {"seconds": round(self.seconds, 4), "calls": self.calls}

    def restore(self, plain: dict[str, float]) -> None:
        self.seconds, self.calls = float(plain["seconds"]), int(plain["calls"])


@contextmanager
def looking(model: nn.Module) -> Iterator[None]:
    """The model in evaluation, with gradients, and left as it was: its mode, its gradients and the random streams."""
    was_training = model.training
    gradients: list[tuple[nn.Parameter, Tensor | None]] = [(weight, weight.grad) for weight in model.parameters()]
    for weight in model.parameters():
        weight.grad = None
    model.eval()
    try:
        with torch.random.fork_rng(), torch.inference_mode(False), torch.enable_grad():
            yield
    finally:
        model.train(was_training)
        for weight, gradient in gradients:
            weight.grad = gradient
