"""Logging to TensorBoard."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.utilities import rank_zero_only

from lightning_seq.lightning_internals import purge_after, write_summary
from lightning_seq.records.record import Record, read_done
from lightning_seq.training.loggers.final import final_numbers


class TensorBoardRun(TensorBoardLogger):
    """Event files whose HPARAMS tab compares the runs of a comparison: `tensorboard --logdir <runs>/<name>`.

    Each run is a session of that tab, with its settings and final metrics. No description of the experiment is written,
    as Lightning would: it would fix the columns to the settings of the first run.

    directory: of the run.
    """

    def __init__(self, directory: Path) -> None:
        super().__init__(str(directory), name="tensorboard", version="", default_hp_metric=False)
        self.directory, self._told = directory, False
        self.continue_after(-1)

    def continue_after(self, step: int) -> None:
        """Let TensorBoard drop what an earlier attempt logged after this optimiser step (-1: everything).

        To be called before the first number is logged.
        """
        purge_after(self, step)

    @rank_zero_only
    def finalize(self, status: str) -> None:
        record = None if self._told else read_done(self.directory)
        if record is not None:
            from torch.utils.tensorboard.summary import hparams

            self._told = True
            final = {name: value for name, value in final_numbers(record).items() if value is not None}
            self.log_metrics({f"final/{name}": value for name, value in final.items()})
            _, *session = hparams(hyperparameters(record), {})
            for summary in session:
                write_summary(self, summary)
        super().finalize(status)


_COMPARED = ("model", "cell", "attention", "init", "optimizer", "task", "embedding")

_COMPARED_ALONE = ("data.batch_size", "trainer.max_epochs", "trainer.gradient_clip_val")


def hyperparameters(record: Record) -> dict[str, str | float | bool]:
    """The settings in which runs of a comparison may differ, by dotted key, without those that are null."""
    flat = dict(_leaves(record.config, ""))
    chosen = {
        key: value
        for key, value in flat.items()
        if (key.startswith(tuple(f"{group}." for group in _COMPARED)) and not key.endswith("_target_"))
        or key in _COMPARED_ALONE
    }
    names = {"label": record.label, "model": record.model, "cell": record.cell, "data": record.data}
    told = {**names, "seed": record.seed, "engine": record.engine, **chosen}
    return {
        key: value if isinstance(value, str | bool | int | float) else str(value)
        for key, value in told.items()
        if value is not None
    }


def _leaves(value: Any, key: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _leaves(item, f"{key}.{name}" if key else str(name))
    else:
        yield key, value
