"""Where a run's numbers go: its record and CSV always, W&B or TensorBoard beside them."""

from __future__ import annotations

import csv
import io
import math
import os
import socket
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities import rank_zero_only

from lightning_seq.errors import UserError, near
from lightning_seq.experiment.config import Config
from lightning_seq.files import write_text

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


def build_loggers(config: Config, directory: Path, label: str, tell: Callable[[str], None]) -> list[Logger]:
    """The loggers beside the record, as `logger=…` asks.

    Raises UserError for TensorBoard when it is not installed.
    """
    settings = config["logger"]
    kind, group, seed = settings["kind"], config["name"], config["seed"]
    if kind == "none":
        return []
    if kind == "tensorboard":
        from lightning.pytorch.loggers import TensorBoardLogger

        try:
            return [TensorBoardLogger(str(directory), name="tensorboard", version="")]
        except ModuleNotFoundError:
            raise UserError("logger=tensorboard needs a package: pip install 'lightning-seq[tensorboard]'") from None
    mode, reason = wandb_mode(settings["mode"])
    if reason:
        tell(reason)
    import wandb
    from lightning.pytorch.loggers import WandbLogger

    os.environ["WANDB_SILENT"] = "true"
    (directory / "wandb").mkdir(exist_ok=True)
    run = wandb.init(
        project=settings["project"],
        entity=settings["entity"],
        name=f"{label}-seed{seed}",
        group=group,
        job_type="train",
        tags=[f"arch:{label}"[:64], f"data:{config['choices']['data']}"[:64]],
        dir=str(directory),
        mode=mode,  # type: ignore[arg-type]
        config=config,
        reinit="finish_previous",
        settings=wandb.Settings(
            silent=True, console="off", x_disable_stats=True, x_disable_meta=True, disable_git=True, disable_code=True
        ),
    )
    run.define_metric("trainer/global_step")
    run.define_metric("*", step_metric="trainer/global_step", step_sync=True)
    return [WandbLogger(experiment=run)]
