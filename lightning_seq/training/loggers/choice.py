"""The loggers of a run: W&B or TensorBoard. Both take the final numbers from the record, as reports do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from lightning_seq.config.tree import Config
from lightning_seq.errors import UserError, install
from lightning_seq.training.loggers.fail_safe import FailSafeLogger
from lightning_seq.training.loggers.tensorboard_run import TensorBoardRun


def build_loggers(config: Config, directory: Path, label: str, notify: Callable[[str], None]) -> list[FailSafeLogger]:
    """The loggers of `logger=…`. `notify` is called with a message for one that does not work.

    Raises UserError for TensorBoard when it is not installed.
    """
    kind = config["logger"]["kind"]
    if kind == "none":
        return []
    if kind == "tensorboard":
        try:
            return [FailSafeLogger(TensorBoardRun(directory), notify)]
        except ModuleNotFoundError:
            raise UserError(f"logger=tensorboard needs a package: {install('tensorboard')}") from None
    try:
        from lightning_seq.training.loggers.wandb_run import start_run

        started = start_run(config, directory, label, notify)
        return [] if started is None else [FailSafeLogger(started, notify)]
    except Exception as error:  # no service, no space on the disk, no key
        notify(f"W&B does not start ({error}): the run continues without it; all metrics are in metrics.csv")
        return []
