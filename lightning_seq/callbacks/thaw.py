"""Word vectors that are frozen for the first epochs."""

from __future__ import annotations

from lightning.pytorch import Callback, LightningModule, Trainer

from lightning_seq.embeddings.layer import Embedding


class ThawEmbedding(Callback):
    """Gives the model's embeddings the number of the epoch; one that is frozen for n epochs learns from epoch n on."""

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        for module in pl_module.modules():
            if isinstance(module, Embedding):
                module.set_epoch(trainer.current_epoch)
