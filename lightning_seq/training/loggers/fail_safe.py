"""The loggers of a run, W&B or TensorBoard, which may fail without ending it."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

from lightning.pytorch.loggers import Logger

from lightning_seq.config.tree import Config
from lightning_seq.errors import UserError, install
from lightning_seq.files import Plain
from lightning_seq.training.loggers.tensorboard_run import TensorBoardRun


class FailSafeLogger(Logger):
    """Wraps another logger and disables it at its first error: no run ends because of a logger.

    notify: called once, with the error.
    """

    def __init__(self, logger: Logger, notify: Callable[[str], None]) -> None:
        super().__init__()
        self.logger, self.notify = logger, notify
        self._works = True

    @property
    def name(self) -> str | None:
        return self.logger.name

    @property
    def version(self) -> int | str | None:
        return self.logger.version

    def continue_after(self, step: int) -> None:
        """Drop all values after this optimiser step, at which the run resumes."""
        if isinstance(self.logger, TensorBoardRun):
            self.logger.continue_after(step)

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        self._try(lambda: self.logger.log_metrics(metrics, step))

    def log_hyperparams(self, params: dict[str, Plain] | Namespace, *args: object, **kwargs: object) -> None:
        self._try(lambda: self.logger.log_hyperparams(params, *args, **kwargs))

    def save(self) -> None:
        self._try(self.logger.save)

    def finalize(self, status: str) -> None:
        self._try(lambda: self.logger.finalize(status))

    def close(self) -> None:
        """Log the final numbers, and end the logger. The record must be final."""
        self.finalize("success")
        self._try(self._finish)

    def _finish(self) -> None:
        finish = getattr(getattr(self.logger, "experiment", None), "finish", None)
        if finish is not None:
            finish()

    def _try(self, act: Callable[[], object]) -> None:
        if not self._works:
            return
        try:
            act()
        except Exception as error:  # an external logger may raise anything
            self._works = False
            name = type(self.logger).__name__
            self.notify(f"{name} failed and is now disabled ({error}); all metrics are in metrics.csv")


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
