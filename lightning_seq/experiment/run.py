"""One run, from its written configuration to its record."""

from __future__ import annotations

import logging
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lightning_seq.errors import UserError
from lightning_seq.experiment.config import Config
from lightning_seq.experiment.instruments import INSTRUMENTS
from lightning_seq.experiment.match import is_matched, residual
from lightning_seq.experiment.run_directory import CHECKPOINTS, CONFIG, LOG, TESTIMONY, held, read_config
from lightning_seq.experiment.signals import Interrupted, end_at_once, heed, listening
from lightning_seq.files import fingerprint, sha256, write_json, write_text
from lightning_seq.printable import PrintableFormatter
from lightning_seq.record import Record, write

NEUTRAL = (
    "runs", "name", "cache", "jobs", "launcher", "logger", "seeds", "entries", "dry_run", "evaluate", "output", "tune",
    "resume", "label", "show",
)  # fmt: skip
"""Keys that do not change what a run computes."""
NEUTRAL_IN = {
    "trainer": ("progress", "threads", "timeout"),
    "callbacks": (
        "checkpoint_every_n_steps", "checkpoint_every_minutes", "keep_optimizer", "finite_guard", "probe_rows",
        *INSTRUMENTS,
    ),
    "data": ("num_workers", "id_column"),
    "task": ("predictions",),
    "choices": ("logger", "launcher", "experiment", "match", "callbacks"),
}  # fmt: skip
"""Such keys of groups. `finite_guard` acts where a run has gone astray, instruments look on."""

log = logging.getLogger("lightning_seq")


def essential(config: Config) -> Config:
    """The configuration without the keys that do not change what a run computes."""
    kept = {key: value for key, value in config.items() if key not in NEUTRAL and key != "match"}
    if is_matched(config):
        kept["match"] = config["match"]
    for group, neutral in NEUTRAL_IN.items():
        kept[group] = {key: value for key, value in config[group].items() if key not in neutral}
    kept["allow"] = []  # what is admitted is in the class that was named
    return kept


def is_trial(config: Config) -> bool:
    """Whether this is a trial of `experiment/tune.py`, which leaves the test split alone."""
    return config.get("tune", {}).get("trial") is not None


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def rank() -> int:
    return int(os.environ.get("RANK", "0"))


def world_size() -> int:
    return int(os.environ.get("WORLD_SIZE", "1"))


def started_record(config: Config, label: str, overrides: list[str], jobs: int, started: str | None = None) -> Record:
    """The record of a run that has just begun, or at `started`."""
    from lightning_seq.experiment.build import takes_a_cell

    choices = config["choices"]
    return Record(
        status="running",
        name=config["name"],
        label=label,
        seed=config["seed"],
        overrides=overrides,
        task=choices["task"],
        model=choices["model"],
        cell=choices["cell"] if takes_a_cell(config) else None,
        data=choices["data"],
        jobs=jobs,
        fingerprints={"config": fingerprint(essential(config))},
        config=config,
        started=started or now(),
    )


@dataclass
class Journal:
    """The record as it grows, written by rank 0 alone."""

    directory: Path
    record: Record

    def update(self, **changes: Any) -> None:
        record = self.record.with_(**changes)
        if rank() == 0:
            write(self.directory, record)
        self.record = record  # only what could be written: the next update builds on it


def execute(directory: Path, label: str, overrides: list[str], jobs: int = 1, started: str | None = None) -> Record:
    """Train, select, test, and write everything a run leaves behind; return its record.

    started: when the run was launched; reports list the labels in that order.

    Whatever ends the run is in its record. Raises what ended it: UserError, `Interrupted`, or the error itself.
    """
    with _log_to(directory / LOG), _reporting(directory):
        config = read_config(directory)
        journal = Journal(directory, started_record(config, label, overrides, jobs, started))
        with held(directory) if rank() == 0 else nullcontext():
            try:
                with listening():
                    journal.update()
                    _train(config, journal)
            except BaseException as error:
                if journal.record.status != "done":  # else the run is whole, and what came after it is told
                    status = "interrupted" if isinstance(error, Interrupted) else "failed"
                    journal.update(status=status, error=_cause(error), finished=now())
                raise
    return journal.record


def _cause(error: BaseException) -> str:
    return str(error) if isinstance(error, UserError | Interrupted) else f"{type(error).__name__}: {error}"


@contextmanager
def _reporting(directory: Path) -> Iterator[None]:
    """What ends the run is said in its log, and by a rank other than 0 to the launcher too."""
    try:
        yield
    except Interrupted as interrupted:
        log.warning("%s", interrupted)
        raise
    except UserError as error:
        log.error("%s", error, extra={"told": True})
        _testify(directory, _cause(error))
        raise
    except BaseException as error:
        log.error("%s", "".join(traceback.format_exception(error)))
        _testify(directory, _cause(error))
        raise


def _testify(directory: Path, cause: str) -> None:
    """What ended a rank other than 0, for the launcher: torchrun then ends rank 0, which knows only of the signal."""
    if rank() != 0:
        write_text(directory / TESTIMONY.format(rank()), cause)


@contextmanager
def _log_to(path: Path) -> Iterator[None]:
    """What our loggers say also goes to the run's own log."""
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(PrintableFormatter("%(asctime)s %(message)s", "%H:%M:%S"))
    handler.setLevel(logging.INFO)
    log.addHandler(handler)
    try:
        yield
    finally:
        log.removeHandler(handler)
        handler.close()


def _train(config: Config, journal: Journal) -> None:
    import random

    import numpy as np
    import torch

    from lightning_seq.callbacks.batch_fingerprint import BatchFingerprint
    from lightning_seq.callbacks.chosen_engines import ChosenEngines
    from lightning_seq.callbacks.clock import TrainingClock
    from lightning_seq.callbacks.constant_metric import ConstantMetric
    from lightning_seq.callbacks.finite_guard import NotFiniteError
    from lightning_seq.callbacks.watchdog import Watchdog
    from lightning_seq.experiment.build import (
        build_data,
        build_inputs,
        build_model,
        build_task,
        describe_embedding,
        initialise,
    )
    from lightning_seq.experiment.checkpoints import good_checkpoints, read_checkpoint, remove_before
    from lightning_seq.experiment.data_files import data_files
    from lightning_seq.experiment.environment import environment, peak_memory_bytes, prepare_process, several_processes
    from lightning_seq.experiment.instruments import costs, instruments, written
    from lightning_seq.experiment.kinds.kind import kind_of
    from lightning_seq.experiment.loggers import CurveLogger, build_loggers, finite
    from lightning_seq.experiment.resume import ResumePoints, mark_of
    from lightning_seq.experiment.seeds import Stream, stream_seed
    from lightning_seq.experiment.trainer import build_trainer
    from lightning_seq.models.parameters import count_parameters

    directory, label = journal.directory, journal.record.label
    prepare_process(config)
    if rank() == 0:
        journal.update(files=data_files(config))  # before they are read: what changes meanwhile is not taken for equal
    data = build_data(config)
    mark = mark_of(essential(config), data, world_size())
    inputs = build_inputs(config, data)
    config = {**config, "embedding": {**config["embedding"], "size": inputs.width}}
    model = build_model(config, data.spec, inputs.width)
    initialise(model, config, inputs)
    task = build_task(config, data, model)
    task.about = about(config, data)
    parameters = count_parameters(model)
    journal.update(
        parameters=parameters,
        match=residual(config, data.spec, inputs.width),
        fingerprints={
            **journal.record.fingerprints,
            "data": data.fingerprints["data"],
            "split": data.fingerprints["split"],
            "embedding": inputs.mark,
        },
        embedding=describe_embedding(inputs),
        environment=environment(config),
    )

    def tell_engines(names: list[str], precision: str) -> None:
        engine = "+".join(dict.fromkeys(names)) or None
        journal.update(engine=engine, environment={**journal.record.environment, "precision": precision})
        if rank() == 0:
            log.info("%s: %s parameters, engine %s", label, f"{parameters['total']:,}", engine)

    clock, batches = TrainingClock(), BatchFingerprint()
    curves = CurveLogger(directory, lambda: clock.seconds, lambda: journal.update(curves=curves.curves))
    beside = build_loggers(config, directory, label, log.warning) if rank() == 0 else []
    inside = instruments(config, directory, data)
    of_kind = kind_of(data.spec).callbacks(config, directory, data)
    watchers = [ChosenEngines(tell_engines), clock, batches, ConstantMetric(), *of_kind, *inside.values()]
    if several_processes(config):
        said = directory / TESTIMONY.format(rank())
        watchers.append(Watchdog(config["trainer"]["timeout"], lambda cause: write_text(said, cause)))
    kept = directory / CHECKPOINTS

    def restore_curves(found: Any) -> None:
        curves.curves = found
        for logger in beside:
            logger.continue_after(points.resumed[-1])

    settings = config["callbacks"]
    points = ResumePoints(
        kept if settings["checkpoint"] else None,
        mark,
        lambda: curves.curves,
        restore_curves,
        settings["checkpoint_every_n_steps"],
        settings["checkpoint_every_minutes"],
    )
    trainer = build_trainer(config, directory, task, [curves, *beside], watchers, points)
    drawn = stream_seed(config["seed"], Stream.DROPOUT, rank())
    torch.manual_seed(drawn)
    random.seed(drawn)
    np.random.seed(drawn % (1 << 32))
    start = None if config["resume"] == "never" else next(good_checkpoints(kept), None)
    diverged = False
    try:
        trainer.fit(task, datamodule=data, ckpt_path=start, weights_only=True)
    except NotFiniteError as error:
        if not is_trial(config):
            raise
        diverged = True  # of a trial that is an outcome as good as any
        log.warning("%s", error)

    tokens, digest, epochs = clock.tokens_of_all_ranks(trainer), batches.digest(trainer), batches.by_epoch(trainer)
    who = f"rank {rank()}" if world_size() > 1 else label
    spell = "1 epoch" if batches.epochs == 1 else f"{batches.epochs} epochs"
    log.info("%s was trained on %d samples in %s", who, batches.seen, spell)
    curves.close()
    best = kept / "best.ckpt"
    if best.is_file():
        checkpoint = read_checkpoint(best)
        task.load_state_dict(checkpoint["state_dict"])
        chosen = curves.at(checkpoint["global_step"], "val/")
    elif diverged:
        chosen = {task.monitor: None}
    elif trainer.global_step:  # no checkpoints: the last weights are the result, validated at the last step
        chosen = curves.at(trainer.global_step, "val/")
    else:  # no step was asked for
        if settings["checkpoint"]:
            trainer.save_checkpoint(best)
        trainer.validate(task, datamodule=data, verbose=False)
        found = trainer.callback_metrics
        chosen = {name: finite(float(value)) for name, value in found.items() if name.startswith("val/")}
    if not is_trial(config):
        trainer.test(task, datamodule=data, verbose=False)
    if rank() != 0:
        return
    final = trainer.callback_metrics
    tested = {name: finite(float(value)) for name, value in final.items() if name.startswith("test/")}
    curves.save()
    remove_before(kept)
    artifacts = _write_artifacts(
        directory, data, inputs, None if is_trial(config) else task, written(directory, inside)
    )
    heed()
    journal.update(
        status="done",
        metrics={**chosen, **tested},
        curves=curves.curves,
        throughput={"tokens_per_second": round(tokens / clock.seconds, 1)} if clock.seconds else {},
        peak_memory_bytes=peak_memory_bytes(),
        fingerprints={**journal.record.fingerprints, "batches": digest, "epochs": epochs or None},
        artifacts=artifacts,
        instruments=costs(inside),
        environment={
            **journal.record.environment,
            "selected by": task.monitor,
            **({"resumed at steps": points.resumed} if points.resumed else {}),
            **{f"{name} signature": text for name, text in task.signatures.items()},
        },
        finished=now(),
    )
    for logger in beside:
        logger.close()


def about(config: Config, data: Any) -> dict[str, Any]:
    """What a checkpoint holds beside the weights, as plain values: enough to build the model and read new text."""
    return {"version": CHECKPOINT_VERSION, "config": config, "data": data.to_plain()}


CHECKPOINT_VERSION = 1


def _write_artifacts(
    directory: Path, data: Any, inputs: Any, task: Any, more: dict[str, str]
) -> dict[str, dict[str, str]]:
    """`task` is None for a trial, of which there is nothing to show but its curves."""
    from lightning_seq.experiment.kinds.kind import kind_of

    paths = {
        "config": CONFIG,
        "log": LOG,
        "metrics": "metrics.csv",
        **(kind_of(data.spec).artifacts(directory, data, task) if task is not None else {}),
        **more,
        "best": f"{CHECKPOINTS}/best.ckpt",
        "last": f"{CHECKPOINTS}/last.ckpt",
    }
    if inputs.vectors is not None and task is not None:
        from lightning_seq.embeddings.evaluate import word_map

        write_json(directory / "word_map.json", word_map(inputs.vectors))
        paths["word_map"] = "word_map.json"
    return {
        name: {"path": path, "sha256": sha256(directory / path)}
        for name, path in paths.items()
        if (directory / path).is_file()
    }


def main(arguments: list[str]) -> int:
    """`python -m lightning_seq.experiment.run DIRECTORY`: the process of one run.

    Its label, overrides and the number of jobs beside it come from the environment, as the launcher set them.
    """
    import json

    end_at_once()
    log.setLevel(logging.INFO)
    log.propagate = False  # the run's own log is its standard error already
    given = json.loads(os.environ["LIGHTNING_SEQ_RUN"])
    try:
        with listening():
            execute(Path(arguments[0]), given["label"], given["overrides"], given["jobs"], given["started"])
    except UserError:
        return 2
    except Interrupted as interrupted:
        return interrupted.exit_code
    except Exception:  # `execute` has written the traceback into the log; the exit code says the rest
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
