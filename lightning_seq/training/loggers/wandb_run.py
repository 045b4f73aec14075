"""A run as a run of Weights & Biases.

It is always recorded offline, so no failure of a network or server reaches the run. `logger.mode=online` starts another
process (`training/loggers/wandb_upload.py`) that uploads the run while it is recorded; `wandb sync` uploads the rest.
"""

from __future__ import annotations

import netrc
import os
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import wandb
from lightning.pytorch.loggers import WandbLogger
from lightning.pytorch.utilities import rank_zero_only

from lightning_seq.config.settings import WANDB_MODES
from lightning_seq.config.tree import Config
from lightning_seq.files import open_inside
from lightning_seq.own_modules import python
from lightning_seq.records.record import read_done
from lightning_seq.training.run_record import final_numbers

SERVICE = "WANDB_SERVICE"
"""The variable for this process's W&B service, which ends with it."""
SENT = "sync.log"
"""The log of the upload, next to the directories of W&B's runs."""
MOST_EXAMPLES, MOST_CLASSES = 200, 40
"""The most rows of the table of predictions and classes of a confusion matrix."""


class WandbRun(WandbLogger):
    """A W&B run that ends with the final numbers of its record, the first test predictions and the confusion matrix.

    directory: of the run.
    keep_best: also log `best.ckpt`, as an artifact of the type `model`.
    """

    def __init__(self, directory: Path, experiment: wandb.Run, keep_best: bool = False) -> None:
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


def _log_predictions(run: wandb.Run, path: Path, classes: bool) -> None:
    """The first rows of `predictions.parquet` as a table; where targets are classes, the confusion matrix."""
    from pyarrow import parquet  # starts a thread, which must not exist before a run is forked

    table = parquet.read_table(path)
    first = table.slice(0, MOST_EXAMPLES).to_pydict()
    rows = [list(row) for row in zip(*first.values(), strict=True)]
    run.log({"test/predictions": wandb.Table(columns=list(first), data=rows, allow_mixed_types=True)})
    if not classes:
        return
    pairs = table.select(["target", "prediction"]).drop_null()
    sides = pairs["target"].to_pylist(), pairs["prediction"].to_pylist()
    classes_of = {name: number for number, name in enumerate(sorted({*sides[0], *sides[1]}))}
    if 0 < len(classes_of) <= MOST_CLASSES:
        target, prediction = ([classes_of[name] for name in side] for side in sides)
        chart = wandb.plot.confusion_matrix(y_true=target, preds=prediction, class_names=list(classes_of))
        run.log({"test/confusion": chart})


def _log_checkpoint(run: wandb.Run, path: Path) -> None:
    artifact = wandb.Artifact(f"{run.id}-best", type="model")
    artifact.add_file(str(path))
    run.log_artifact(artifact, aliases=["best"])


def wandb_mode(wanted: str) -> tuple[str, str | None]:
    """The mode in which W&B can run, and the reason if it is not the wanted one.

    W&B's variable WANDB_MODE may set a lower mode: `disabled` or `offline`. Online needs a key and a server; both are
    checked within about three seconds, because W&B would wait for minutes and then end the run.
    """
    variable = os.environ.get("WANDB_MODE", "").strip().lower()
    if variable in WANDB_MODES and WANDB_MODES.index(variable) < WANDB_MODES.index(wanted):
        return variable, f"W&B: WANDB_MODE={variable} is set, so logger.mode is {variable}, not {wanted}"
    if wanted != "online":
        return wanted, None
    endings = "the run continues offline; upload it later with `wandb sync`"
    url = urlsplit(os.environ.get("WANDB_BASE_URL") or "https://api.wandb.ai")
    address = (url.hostname or "", url.port or (443 if url.scheme == "https" else 80))
    if not os.environ.get("WANDB_API_KEY") and not _has_netrc_key(address[0]):
        return "offline", f"W&B: no key (WANDB_API_KEY, or `wandb login`): {endings}"
    try:
        socket.create_connection(address, timeout=3).close()
    except OSError as error:
        return "offline", f"W&B: {address[0]} does not answer ({error}): {endings}"
    return "online", None


def _has_netrc_key(host: str) -> bool:
    try:
        return netrc.netrc().authenticators(host) is not None
    except (OSError, netrc.NetrcParseError):
        return False


def wandb_id(directory: Path) -> str | None:
    """The id of the W&B run to resume: the last one in the run's directory, which is emptied when a run starts again.

    Offline, each part has a directory, and `wandb sync` sends those with the same id as one run, in their order.
    """
    parts = sorted(directory.glob("wandb/*run-*-*"), key=lambda part: part.name.removeprefix("offline-"))
    return parts[-1].name.rpartition("-")[2] if parts else None


def start_run(config: Config, directory: Path, label: str, notify: Callable[[str], None]) -> WandbRun | None:
    """A new W&B run, or the one that an earlier part of this run began; None if W&B is disabled.

    notify: called with the reason if the mode is not the wanted one. Raises the errors of `wandb.init`.
    """
    settings = config["logger"]
    mode, reason = wandb_mode(settings["mode"])
    if reason:
        notify(reason)
    if mode == "disabled":
        return None
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
    """Start a process that uploads a W&B run and may outlive this one. recorded: its directory, under `wandb/`."""
    words = python("-m", "lightning_seq.training.loggers.wandb_upload", str(recorded.absolute()), str(os.getpid()))
    names = {name: value for name, value in os.environ.items() if name != SERVICE}
    with open(recorded.parent / SENT, "ab", opener=open_inside) as log:
        subprocess.Popen(
            words,
            env=names,
            cwd="/",  # W&B reads a file `wandb/settings` there, which may name another server
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
