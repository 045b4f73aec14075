"""Word vectors that stand still for the first epochs."""

from __future__ import annotations

from lightning.pytorch import Callback, LightningModule, Trainer


class ThawEmbedding(Callback):
    """Tells the model's embedding which epoch it is, so that one frozen for n epochs learns from epoch n on."""

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        pl_module.model.embedding.set_epoch(trainer.current_epoch)  # type: ignore[union-attr,operator]
