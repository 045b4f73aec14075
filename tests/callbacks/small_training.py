"""A classifier that is trained for two epochs, with whatever looks on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, Trainer, seed_everything

from lightning_seq.callbacks.probe import probe_batch
from lightning_seq.cells.gru import GRUCell
from lightning_seq.data.classification.module import ClassificationData
from lightning_seq.embeddings.layer import Embedding
from lightning_seq.models.classifier import Classifier
from lightning_seq.models.recurrent import RecurrentEncoder
from lightning_seq.spec import Batch
from lightning_seq.tasks.classification import SequenceClassification
from tests.data.from_keys import made

Look = Callable[[ClassificationData, Batch], Callback]


def word_order(cache: Path) -> ClassificationData:
    return made(ClassificationData, "word_order", cache, batch_size=16)


def classifier(
    data: ClassificationData, cell: Callable[[int, int], torch.nn.Module] = GRUCell, **settings: Any
) -> Classifier:
    torch.manual_seed(3)
    settings = {"bidirectional": True, "recurrent_dropout": 0.2, **settings}
    encoder = RecurrentEncoder(5, cell, 6, **settings)  # type: ignore[arg-type]
    return Classifier(Embedding(len(data.vocabulary), 5), encoder, 2, pooling="last", dropout=0.3)


def trained(
    cache: Path,
    looks: Sequence[Look] = (),
    cell: Callable[[int, int], torch.nn.Module] = GRUCell,
    **settings: Any,
) -> tuple[SequenceClassification, list[Callback]]:
    """The task after two epochs, and the callbacks that were made."""
    data = word_order(cache)
    made = [look(data, probe_batch(data, 6)) for look in looks]
    task = SequenceClassification(classifier(data, cell, **settings), 2, partial(torch.optim.Adam, lr=0.01))
    seed_everything(5, verbose=False)
    trainer = Trainer(
        max_epochs=2,
        limit_train_batches=4,
        limit_val_batches=1,
        accelerator="cpu",
        logger=False,
        callbacks=made,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )
    trainer.fit(task, datamodule=data)
    return task, made


def weights(task: SequenceClassification) -> list[torch.Tensor]:
    return list(task.model.state_dict().values())
