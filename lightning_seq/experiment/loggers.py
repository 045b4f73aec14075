"""Where a run's numbers go: its record and CSV always, W&B or TensorBoard beside them.

What W&B and TensorBoard hold of a run that is done is read from its record: both say what the reports say.
"""

from __future__ import annotations

import csv
import io
import math
import os
import socket
from argparse import Namespace
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from lightning.pytorch.loggers import Logger, TensorBoardLogger, WandbLogger
from lightning.pytorch.utilities import rank_zero_only

from lightning_seq.errors import UserError, near
from lightning_seq.experiment.config import Config
from lightning_seq.files import write_text
from lightning_seq.record import FILE, Record, read

Point = list[float | None]

KINDS = ("none", "tensorboard", "wandb")
WANDB_MODES = ("offline", "online", "disabled")


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
        epoch = None if metrics.get("epoch") is None else int(metrics["epoch"]) + 1
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


class WandbRun(WandbLogger):
    """A W&B run that ends with what its record holds: its metrics at the selected checkpoint, parameters, speed.

    directory: of the run.
    """

    def __init__(self, directory: Path, experiment: Any) -> None:
        super().__init__(experiment=experiment)
        self.directory = directory

    @rank_zero_only
    def finalize(self, status: str) -> None:
        super().finalize(status)
        record = _done(self.directory)
        if record is not None:
            self.experiment.summary.update(_final(record))


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

    @rank_zero_only
    def finalize(self, status: str) -> None:
        record = None if self._told else _done(self.directory)
        if record is not None:
            from torch.utils.tensorboard.summary import hparams

            self._told = True
            final = {name: value for name, value in _final(record).items() if value is not None}
            self.log_metrics({f"final/{name}": value for name, value in final.items()})
            _, *session = hparams(hyperparameters(record), {})
            for summary in session:
                self.experiment._get_file_writer().add_summary(summary)
        super().finalize(status)


def _done(directory: Path) -> Record | None:
    """The record of a run, once it is done."""
    record = read(directory) if (directory / FILE).is_file() else None
    return record if record is not None and record.status == "done" else None


def _final(record: Record) -> dict[str, float | None]:
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


def wandb_mode(wanted: str) -> tuple[str, str | None]:
    """The mode W&B can run in, and a line that says why it is not the one asked for.

    Online needs a key and a server that answers; both are checked first, within about three seconds, because W&B itself
    would wait for minutes and then end the run.

    Raises UserError for a mode that W&B does not have.
    """
    if wanted not in WANDB_MODES:
        raise UserError(f"logger.mode is {wanted!r}: {near(wanted, WANDB_MODES)}")
    if wanted != "online":
        return wanted, None
    endings = "the run goes on offline; send it later with `wandb sync`"
    if not os.environ.get("WANDB_API_KEY") and not _has_netrc_key():
        return "offline", f"W&B: no key (WANDB_API_KEY, or `wandb login`): {endings}"
    url = urlsplit(os.environ.get("WANDB_BASE_URL") or "https://api.wandb.ai")
    address = (url.hostname or "", url.port or (443 if url.scheme == "https" else 80))
    try:
        socket.create_connection(address, timeout=3).close()
    except OSError as error:
        return "offline", f"W&B: {address[0]} does not answer ({error}): {endings}"
    return "online", None


def _has_netrc_key() -> bool:
    import netrc

    try:
        return (
            netrc.netrc().authenticators(
                urlsplit(os.environ.get("WANDB_BASE_URL") or "https://api.wandb.ai").hostname or ""
            )
            is not None
        )
    except (OSError, netrc.NetrcParseError):
        return False


def check_logger(config: Config) -> None:
    """Raises UserError for a kind of logger, or a mode of W&B, that there is not."""
    settings = config["logger"]
    if settings["kind"] not in KINDS:
        raise UserError(f"logger.kind is {settings['kind']!r}: {near(str(settings['kind']), KINDS)}")
    if settings["kind"] == "wandb" and settings["mode"] not in WANDB_MODES:
        raise UserError(f"logger.mode is {settings['mode']!r}: {near(str(settings['mode']), WANDB_MODES)}")


def _wandb_id(directory: Path) -> str | None:
    """That of the W&B run to go on with: what was left in a run's directory is there because the run goes on.

    Offline, each part is a directory of its own, and `wandb sync` sends those of one id as one run, in their order.
    """
    parts = sorted(directory.glob("wandb/*run-*-*"), key=lambda part: part.name.removeprefix("offline-"))
    return parts[-1].name.rpartition("-")[2] if parts else None


def build_loggers(config: Config, directory: Path, label: str, tell: Callable[[str], None]) -> list[Logger]:
    """The loggers beside the record, as `logger=…` asks.

    Raises UserError for TensorBoard when it is not installed.
    """
    settings = config["logger"]
    kind, group, seed = settings["kind"], config["name"], config["seed"]
    if kind == "none":
        return []
    if kind == "tensorboard":
        try:
            return [TensorBoardRun(directory)]
        except ModuleNotFoundError:
            raise UserError("logger=tensorboard needs a package: pip install 'lightning-seq[tensorboard]'") from None
    mode, reason = wandb_mode(settings["mode"])
    if reason:
        tell(reason)
    import wandb

    os.environ["WANDB_SILENT"] = "true"
    (directory / "wandb").mkdir(exist_ok=True)
    known = _wandb_id(directory)
    run = wandb.init(
        id=known,
        resume="allow" if known and mode == "online" else None,
        project=settings["project"],
        entity=settings["entity"],
        name=f"{label}-seed{seed}",
        group=group,
        job_type="train",
        tags=[f"arch:{label}"[:64], f"data:{config['choices']['data']}"[:64]],
        dir=str(directory),
        mode=mode,  # type: ignore[arg-type]
        config={**config, "label": label},
        reinit="finish_previous",
        settings=wandb.Settings(
            silent=True, console="off", x_disable_stats=True, x_disable_meta=True, disable_git=True, disable_code=True
        ),
    )
    run.define_metric("trainer/global_step")
    run.define_metric("*", step_metric="trainer/global_step", step_sync=True)
    return [WandbRun(directory, run)]
