"""A logger that may fail without ending the run."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable

from lightning.pytorch.loggers import Logger

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
