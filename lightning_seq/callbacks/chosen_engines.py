"""The engines of the recurrent layers of a run."""

from __future__ import annotations

from collections.abc import Callable

import torch
from lightning.pytorch import Callback, LightningModule, Trainer


class ChosenEngines(Callback):
    """Reports the engine of each layer of the model in training: on its device, under autocast.

    report: receives the names, from the input up, and Lightning's precision; called once, before training begins.
    """

    def __init__(self, report: Callable[[list[str], str], None]) -> None:
        self.report = report

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        device = pl_module.device
        drawn = [device] if device.type == "cuda" else []
        # `engines` may draw dropout; the random numbers of training must stay the same.
        with torch.random.fork_rng(drawn), torch.device(device), trainer.precision_plugin.forward_context():
            names = pl_module.model.engines()  # type: ignore[operator, union-attr]
        self.report(names, str(trainer.precision))
