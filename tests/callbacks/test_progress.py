"""What is shown of a run that trains: the loss, epochs from 1, no version number."""

from __future__ import annotations

import io
import logging
import re
from functools import partial
from pathlib import Path

import pytest
import torch
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.loggers import CSVLogger

from lightning_seq.callbacks import progress
from lightning_seq.callbacks.progress import EpochLines, ProgressBar
from lightning_seq.tasks.classification import SequenceClassification

from .small_training import classifier, word_order


class Losses(Callback):
    """The losses of all batches, by epoch."""

    def __init__(self) -> None:
        self.seen: dict[int, list[float]] = {}

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx) -> None:  # type: ignore[no-untyped-def]
        self.seen.setdefault(trainer.current_epoch + 1, []).append(float(outputs["loss"]))


def fit(cache: Path, *callbacks: Callback, log_every: int = 3, **settings: object) -> None:
    data = word_order(cache)
    task = SequenceClassification(classifier(data), 2, partial(torch.optim.Adam, lr=0.01), log_every=log_every)
    Trainer(
        max_epochs=2, limit_train_batches=4, limit_val_batches=1, accelerator="cpu", callbacks=list(callbacks),
        enable_checkpointing=False, enable_model_summary=False, num_sanity_val_steps=0, **settings,  # type: ignore[arg-type]
    ).fit(task, datamodule=data)  # fmt: skip


@pytest.mark.parametrize("log_every", [1, 3, 20])
def test_a_line_has_the_mean_training_loss_of_its_epoch(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, log_every: int
) -> None:
    """However often the loss is logged."""
    losses = Losses()
    with caplog.at_level(logging.INFO, logger="lightning_seq"):
        fit(tmp_path, losses, EpochLines(), log_every=log_every, logger=False, enable_progress_bar=False)
    lines = [line for line in caplog.messages if line.startswith("epoch")]
    assert [line.split("  ")[:2] for line in lines] == [["epoch 1/2", "step 4"], ["epoch 2/2", "step 8"]]
    for epoch, line in enumerate(lines, 1):
        found = re.search(r"train/loss (\S+)  val/", line)
        assert found is not None
        assert len(losses.seen[epoch]) == 4
        assert float(found[1]) == pytest.approx(sum(losses.seen[epoch]) / 4, abs=1e-4)


def test_the_bar_has_the_loss_and_counts_epochs_from_1(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = io.StringIO()
    monkeypatch.setattr("sys.stderr", shown)
    monkeypatch.setattr("sys.stdout", shown)
    fit(tmp_path, ProgressBar(refresh_rate=1), logger=CSVLogger(tmp_path))
    said = shown.getvalue()
    assert "v_num" not in said
    assert re.search(r"epoch 1/2: .* 4/4 .*loss=0\.\d{4}", said)
    assert "epoch 2/2" in said
    assert "Epoch" not in said
    assert "epoch 0" not in said


def test_without_a_limit_an_epoch_has_no_total() -> None:
    class Endless:
        current_epoch, max_epochs = 4, -1

    assert progress.epoch_of(Endless()) == "epoch 5"  # type: ignore[arg-type]
