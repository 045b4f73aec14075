"""Where a run's numbers go: its record and CSV always, W&B or TensorBoard beside them.

What W&B and TensorBoard hold of a run that is done is read from its record: both say what the reports say.
"""

from __future__ import annotations

import csv
import io
import math
from argparse import Namespace
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import Logger, TensorBoardLogger
from lightning.pytorch.utilities import rank_zero_only

from lightning_seq.errors import UserError, install, near
from lightning_seq.experiment.config import Config
from lightning_seq.files import write_text
from lightning_seq.record import Record, read_done

Point = list[float | None]

KINDS = ("none", "tensorboard", "wandb")
WANDB_MODES = ("disabled", "offline", "online")
"""Each does more than the one before."""


def finite(value: float) -> float | None:
    """JSON has no NaN: what is not finite is written as nothing."""
    return float(value) if math.isfinite(value) else None


class CurveLogger(Logger):
    """Collects every logged number as `[step, epoch, seconds, value]` (epochs from 1) and writes `metrics.csv`.

    directory: of the run.
    seconds:   tells how long the run has trained so far.
    changed:   called after new validation numbers, so that the record on disk follows the run.
    """

    def __init__(self, directory: Path, seconds: Callable[[], float], changed: Callable[[], None]) -> None:
        super().__init__()
        self.directory, self.seconds, self.changed = directory, seconds, changed
        self.curves: dict[str, list[Point]] = {}
        self._open = True

    @property
    def name(self) -> str:
        return "record"

    @property
    def version(self) -> str:
        return ""

    @rank_zero_only
    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any) -> None:
        """The record holds the whole configuration already."""

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        if not self._open:
            return
        epoch = None if metrics.get("epoch") is None else int(metrics["epoch"])
        for name, value in metrics.items():
            if name != "epoch":
                self.curves.setdefault(name, []).append([step, epoch, round(self.seconds(), 3), finite(value)])
        if any(name.startswith("val/") for name in metrics):
            self.save()
            self.changed()

    def close(self) -> None:
        """Training is over: what is logged from here on belongs to no curve."""
        self._open = False

    def at(self, step: int, prefix: str) -> dict[str, float | None]:
        """The values logged at a step, of the metrics whose names begin with `prefix`."""
        return {
            name: points[-1][3]
            for name, curve in self.curves.items()
            if name.startswith(prefix) and (points := [point for point in curve if point[0] == step])
        }

    @rank_zero_only
    def save(self) -> None:
        """Write `metrics.csv`: a line per step at which anything was logged, a column per metric."""
        rows: dict[tuple[Any, ...], dict[str, Any]] = {}
        for name, points in self.curves.items():
            for step, epoch, seconds, value in points:
                row = rows.setdefault((step, epoch), {"step": step, "epoch": epoch, "seconds": seconds})
                row[name] = value
        text = io.StringIO()
        writer = csv.DictWriter(text, ["step", "epoch", "seconds", *self.curves], lineterminator="\n")
        writer.writeheader()
        writer.writerows(sorted(rows.values(), key=lambda row: (row["step"] or 0, row["seconds"])))
        write_text(self.directory / "metrics.csv", text.getvalue())


class TensorBoardRun(TensorBoardLogger):
    """Event files whose HPARAMS tab compares the runs of a comparison: `tensorboard --logdir <runs>/<name>`.

    There each run has its settings and what they made of it (a *session*). TensorBoard finds the columns from all runs:
    the description of an experiment, which Lightning writes beside them, would keep those of the first run alone, and
    architectures have settings of their own.

    directory: of the run.
    """

    def __init__(self, directory: Path) -> None:
        super().__init__(str(directory), name="tensorboard", version="", default_hp_metric=False)
        self.directory, self._told = directory, False
        self.continue_after(-1)

    def continue_after(self, step: int) -> None:
        """Let TensorBoard drop what an earlier attempt logged after this optimiser step; -1: all of it.

        Has an effect before the first number is logged.
        """
        self._kwargs["purge_step"] = step + 1

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
                self.experiment._get_file_writer().add_summary(summary)
        super().finalize(status)


def final_numbers(record: Record) -> dict[str, float | None]:
    """Its metrics at the selected checkpoint, parameters, speed."""
    return {
        **record.metrics,
        **{f"parameters/{part}": float(count) for part, count in record.parameters.items()},
        **record.throughput,
    }


_COMPARED = ("model", "cell", "attention", "init", "optimizer", "task", "embedding")
_COMPARED_ALONE = ("data.batch_size", "trainer.max_epochs", "trainer.gradient_clip_val")


def hyperparameters(record: Record) -> dict[str, str | float | bool]:
    """The settings that runs of a comparison may differ in, flat; what is not set is left out."""
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


def check_logger(config: Config) -> None:
    """Raises UserError for a kind of logger, or a mode of W&B, that there is not, and for a project or entity without a
    name."""
    settings = config["logger"]
    if settings["kind"] not in KINDS:
        raise UserError(f"logger.kind is {settings['kind']!r}: {near(str(settings['kind']), KINDS)}")
    if settings["kind"] != "wandb":
        return
    if settings["mode"] not in WANDB_MODES:
        raise UserError(f"logger.mode is {settings['mode']!r}: {near(str(settings['mode']), WANDB_MODES)}")
    project = settings["project"]
    if project is None or not str(project).strip():
        raise UserError(
            f"logger.project is {'null' if project is None else repr(project)}, expected the name of a W&B project: "
            "leave it out for lightning_seq, or give logger=none to do without W&B"
        )
    entity, tags = settings["entity"], settings["tags"]
    if entity is not None and not str(entity).strip():
        raise UserError(f"logger.entity is {entity!r}, expected a W&B user or team: leave it out for your own")
    wrong = [tag for tag in tags if not isinstance(tag, str | int | float) or not 1 <= len(str(tag)) <= 64]
    if wrong:
        raise UserError(
            f"logger.tags holds {wrong[0]!r}, expected words of 1 to 64 characters: logger.tags=[draft,small]"
        )


class Tolerant(Logger):
    """Another logger, which is left out from the first moment at which it fails: no run ends because of it.

    tell: hears why, once. What a logger missed is in the record and in `metrics.csv`.
    """

    def __init__(self, logger: Logger, tell: Callable[[str], None]) -> None:
        super().__init__()
        self.logger, self.tell = logger, tell
        self._works = True

    @property
    def name(self) -> str | None:
        return self.logger.name

    @property
    def version(self) -> int | str | None:
        return self.logger.version

    def continue_after(self, step: int) -> None:
        """The run resumes after this optimiser step: what was logged later will be logged again."""
        if isinstance(self.logger, TensorBoardRun):
            self.logger.continue_after(step)

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        self._try(lambda: self.logger.log_metrics(metrics, step))

    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any) -> None:
        self._try(lambda: self.logger.log_hyperparams(params, *args, **kwargs))

    def save(self) -> None:
        self._try(self.logger.save)

    def finalize(self, status: str) -> None:
        self._try(lambda: self.logger.finalize(status))

    def close(self) -> None:
        """The record says how the run ended."""
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
        except Exception as error:  # of somebody else's logger, anything: the record has the numbers
            self._works = False
            self.tell(f"{type(self.logger).__name__} failed and is told of no more ({error}); metrics.csv has it all")


def build_loggers(config: Config, directory: Path, label: str, tell: Callable[[str], None]) -> list[Tolerant]:
    """The loggers beside the record, as `logger=…` asks. `tell` hears of one that does not work.

    Raises UserError for TensorBoard when it is not installed.
    """
    kind = config["logger"]["kind"]
    if kind == "none":
        return []
    if kind == "tensorboard":
        try:
            return [Tolerant(TensorBoardRun(directory), tell)]
        except ModuleNotFoundError:
            raise UserError(f"logger=tensorboard needs a package: {install('tensorboard')}") from None
    from lightning_seq.experiment.wandb_run import start_run

    try:
        started = start_run(config, directory, label, tell)
        return [] if started is None else [Tolerant(started, tell)]
    except Exception as error:  # no service, no room, no key: the record has the numbers
        tell(f"W&B does not start ({error}): the run goes on without it; metrics.csv has it all")
        return []
