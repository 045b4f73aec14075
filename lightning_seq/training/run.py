"""One run, from its written configuration to its record."""

from __future__ import annotations

import logging
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from lightning_seq.builders.match import residual
from lightning_seq.config.tree import Config
from lightning_seq.errors import UserError
from lightning_seq.files import sha256, write_json, write_text
from lightning_seq.identity import essential, is_trial
from lightning_seq.printable import PrintableFormatter
from lightning_seq.records.record import Record
from lightning_seq.training.checkpoints import about
from lightning_seq.training.directory import CHECKPOINTS, CONFIG, LOG, TESTIMONY, held, read_config
from lightning_seq.training.run_record import Journal, log, now, rank, started_record, world_size
from lightning_seq.training.signals import Interrupted, end_at_once, heed, listening


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

    from lightning_seq.builders.build import build_data, build_model, build_task
    from lightning_seq.builders.inputs import build_inputs, describe_embedding, initialise
    from lightning_seq.builders.kinds import kind_of
    from lightning_seq.callbacks.batch_fingerprint import BatchFingerprint
    from lightning_seq.callbacks.chosen_engines import ChosenEngines
    from lightning_seq.callbacks.clock import TrainingClock
    from lightning_seq.callbacks.constant_metric import ConstantMetric
    from lightning_seq.callbacks.finite_guard import NotFiniteError
    from lightning_seq.callbacks.watchdog import Watchdog
    from lightning_seq.config.seeds import Stream, stream_seed
    from lightning_seq.files import finite
    from lightning_seq.models.parameters import count_parameters
    from lightning_seq.training.checkpoints import good_checkpoints, read_checkpoint, remove_before
    from lightning_seq.training.data_files import data_files
    from lightning_seq.training.environment import environment, peak_memory_bytes, prepare_process, several_processes
    from lightning_seq.training.instruments import costs, instruments, written
    from lightning_seq.training.loggers.choice import build_loggers
    from lightning_seq.training.loggers.curve_logger import CurveLogger
    from lightning_seq.training.resume import ResumePoints, mark_of
    from lightning_seq.training.trainer import build_trainer

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


def _write_artifacts(
    directory: Path, data: Any, inputs: Any, task: Any, more: dict[str, str]
) -> dict[str, dict[str, str]]:
    """`task` is None for a trial, of which there is nothing to show but its curves."""
    from lightning_seq.builders.kinds import kind_of

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
    """`python -m lightning_seq.training.run DIRECTORY`: the process of one run.

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
