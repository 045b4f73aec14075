"""A run as a run of Weights & Biases.

It is always recorded offline, so nothing that happens to a network or a server reaches the run. `logger.mode=online`
starts a second process (`training/loggers/wandb_upload.py`) that uploads the run while it is recorded; `wandb sync`
uploads the rest later.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from lightning.pytorch.loggers import WandbLogger
from lightning.pytorch.utilities import rank_zero_only

from lightning_seq.config.logger import WANDB_MODES
from lightning_seq.config.tree import Config
from lightning_seq.errors import UserError, near
from lightning_seq.records.record import read_done
from lightning_seq.training.loggers.final import final_numbers

SERVICE = "WANDB_SERVICE"
"""Tells children of this process about its W&B service, which ends with it."""
SENT = "sync.log"
"""The log of the process that uploads, next to the directories of W&B's runs."""
MOST_EXAMPLES, MOST_CLASSES = 200, 40
"""Rows of the table of predictions; classes of a confusion matrix."""


class WandbRun(WandbLogger):
    """A W&B run that ends with what its record holds: its metrics at the selected checkpoint, parameters, speed, the
    first test predictions, the confusion matrix.

    directory: of the run.
    keep_best: also log `best.ckpt`, as an artifact of the type `model`.
    """

    def __init__(self, directory: Path, experiment: Any, keep_best: bool = False) -> None:
        super().__init__(experiment=experiment)
        self.directory, self.keep_best = directory, keep_best

    @rank_zero_only
    def finalize(self, status: str) -> None:
        super().finalize(status)
        record = read_done(self.directory)
        if record is not None:
            self.experiment.summary.update(final_numbers(record))
            if "predictions" in record.artifacts:
                classes = record.task in ("classification", "tagging")
                _log_predictions(self.experiment, self.directory / record.artifacts["predictions"]["path"], classes)
            if self.keep_best and "best" in record.artifacts:
                _log_checkpoint(self.experiment, self.directory / record.artifacts["best"]["path"])


def _log_predictions(run: Any, path: Path, classes: bool) -> None:
    """The first rows of `predictions.parquet` as a table; where targets are classes, the confusion matrix."""
    import wandb
    from pyarrow import parquet

    found = parquet.read_table(path)
    first = found.slice(0, MOST_EXAMPLES).to_pydict()
    rows = [list(row) for row in zip(*first.values(), strict=True)]
    run.log({"test/predictions": wandb.Table(columns=list(first), data=rows, allow_mixed_types=True)})
    if not classes:
        return
    pairs = found.select(["target", "prediction"]).drop_null()
    sides = pairs["target"].to_pylist(), pairs["prediction"].to_pylist()
    place = {name: number for number, name in enumerate(sorted({*sides[0], *sides[1]}))}
    if 0 < len(place) <= MOST_CLASSES:
        target, prediction = ([place[name] for name in side] for side in sides)
        chart = wandb.plot.confusion_matrix(y_true=target, preds=prediction, class_names=list(place))
        run.log({"test/confusion": chart})


def _log_checkpoint(run: Any, path: Path) -> None:
    import wandb

    artifact = wandb.Artifact(f"{run.id}-best", type="model")
    artifact.add_file(str(path))
    run.log_artifact(artifact, aliases=["best"])


def wandb_mode(wanted: str) -> tuple[str, str | None]:
    """The mode W&B can run in, and a line that says why it is not the one asked for.

    W&B's own variable WANDB_MODE may ask for less: `disabled` or `offline`.
    Online needs a key and a server that answers; both are checked first, within about three seconds, because W&B itself
    would wait for minutes and then end the run.

    Raises UserError for a mode that W&B does not have.
    """
    if wanted not in WANDB_MODES:
        raise UserError(f"logger.mode is {wanted!r}: {near(wanted, WANDB_MODES)}")
    variable = os.environ.get("WANDB_MODE", "").strip().lower()
    if variable in WANDB_MODES and WANDB_MODES.index(variable) < WANDB_MODES.index(wanted):
        return variable, f"W&B: WANDB_MODE={variable} is set, so logger.mode is {variable}, not {wanted}"
    if wanted != "online":
        return wanted, None
    endings = "the run continues offline; upload it later with `wandb sync`"
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


def wandb_id(directory: Path) -> str | None:
    """The id of the W&B run to resume: the last one in the run's directory, which is emptied when a run starts anew.

    Offline, each part is a directory of its own, and `wandb sync` sends those of one id as one run, in their order.
    """
    parts = sorted(directory.glob("wandb/*run-*-*"), key=lambda part: part.name.removeprefix("offline-"))
    return parts[-1].name.rpartition("-")[2] if parts else None


def start_run(config: Config, directory: Path, label: str, notify: Callable[[str], None]) -> WandbRun | None:
    """A W&B run of this run, or the one that an earlier part of it began; None where W&B is disabled.

    notify: called with the reason why the mode is not the one asked for. Raises what `wandb.init` raises.
    """
    settings = config["logger"]
    mode, reason = wandb_mode(settings["mode"])
    if reason:
        notify(reason)
    if mode == "disabled":
        return None
    import wandb

    os.environ["WANDB_SILENT"] = "true"
    (directory / "wandb").mkdir(exist_ok=True)
    run = wandb.init(
        id=wandb_id(directory),
        project=str(settings["project"]),
        entity=settings["entity"],
        name=f"{label}-seed{config['seed']}",
        group=config["name"],
        job_type="train",
        tags=[str(tag)[:64] for tag in (f"arch:{label}", f"data:{config['choices']['data']}", *settings["tags"])],
        notes=settings["notes"],
        dir=str(directory),
        mode="offline",
        config={**config, "label": label},
        reinit="finish_previous",
        settings=wandb.Settings(silent=True, console="wrap", disable_git=True, disable_code=True),
    )
    run.define_metric("trainer/global_step")
    run.define_metric("*", step_metric="trainer/global_step", step_sync=True)
    if mode == "online":
        send(Path(run.dir).parent)
    return WandbRun(directory, run, settings["log_model"])


def send(recorded: Path) -> None:
    """Start a process that sends what is recorded there, and outlives this one until that is done.

    recorded: directory of one W&B run, under `wandb/`.
    """
    words = [sys.executable, "-m", "lightning_seq.training.loggers.wandb_upload", str(recorded), str(os.getpid())]
    own = {name: value for name, value in os.environ.items() if name != SERVICE}
    with (recorded.parent / SENT).open("a", encoding="utf-8") as log:
        subprocess.Popen(words, env=own, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
