"""Logging to TensorBoard."""

from __future__ import annotations

from pathlib import Path

from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.utilities import rank_zero_only

from lightning_seq.config.tree import paths
from lightning_seq.identity import STRUCTURE, Role, role_of, value_at
from lightning_seq.lightning_internals import purge_after, write_summary
from lightning_seq.records.record import Record, read_done
from lightning_seq.training.run_record import final_numbers


class TensorBoardRun(TensorBoardLogger):
    """Event files whose HPARAMS tab compares the runs of a comparison: `tensorboard --logdir <runs>/<name>`.

    Each run is a session of that tab, with its settings and final metrics. Lightning's description of the experiment is
    not written: it would fix the columns to the settings of the first run.

    directory: of the run.
    """

    def __init__(self, directory: Path) -> None:
        super().__init__(str(directory), name="tensorboard", version="", default_hp_metric=False)
        self.directory, self._final = directory, False
        self.continue_after(-1)

    def continue_after(self, step: int) -> None:
        """Let TensorBoard drop the values of an earlier attempt after this optimiser step (-1: all of them). Call it
        before the first value is logged."""
        purge_after(self, step)

    @rank_zero_only
    def finalize(self, status: str) -> None:
        record = None if self._final else read_done(self.directory)
        if record is not None:
            from torch.utils.tensorboard.summary import hparams

            self._final = True
            final = {name: value for name, value in final_numbers(record).items() if value is not None}
            self.log_metrics({f"final/{name}": value for name, value in final.items()})
            _, *session = hparams(hyperparameters(record), {})
            for summary in session:
                write_summary(self, summary)
        super().finalize(status)


_COMPARED = (*STRUCTURE, "optimizer", "task", "embedding")


def hyperparameters(record: Record) -> dict[str, str | float | bool]:
    """The settings in which runs of a comparison may differ, by dotted key, without those that are null."""
    settings = {name: getattr(record, name) for name in ("label", "model", "cell", "data", "seed", "engine")}
    groups = tuple(f"{group}." for group in _COMPARED)
    for key in paths(record.config):
        value = value_at(record.config, key)
        of_architecture = key.startswith(groups) and not key.endswith("_target_")
        if not isinstance(value, dict) and (of_architecture or role_of(key) is Role.HYPERPARAMETER):
            settings[key] = value
    return {
        key: value if isinstance(value, str | bool | int | float) else str(value)
        for key, value in settings.items()
        if value is not None
    }
