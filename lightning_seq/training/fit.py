"""Train a run, with its loggers and callbacks, to its end or to where it is interrupted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from lightning.pytorch import Callback, Trainer

from lightning_seq.builders.kinds import kind_of
from lightning_seq.callbacks.batch_fingerprint import BatchFingerprint
from lightning_seq.callbacks.chosen_engines import ChosenEngines
from lightning_seq.callbacks.clock import TrainingClock
from lightning_seq.callbacks.constant_metric import ConstantMetric
from lightning_seq.callbacks.diagnostic import Diagnostic
from lightning_seq.callbacks.finite_guard import NotFiniteError
from lightning_seq.callbacks.watchdog import Watchdog
from lightning_seq.config.seeds import Stream, stream_seed
from lightning_seq.errors import UserError, first_line
from lightning_seq.identity import is_trial
from lightning_seq.training.assemble import Assembled
from lightning_seq.training.checkpoints import good_checkpoints
from lightning_seq.training.devices import several_processes
from lightning_seq.training.diagnostics import build_diagnostics
from lightning_seq.training.directory import CHECKPOINTS, write_rank_error
from lightning_seq.training.loggers.curve_logger import CurveLogger
from lightning_seq.training.loggers.fail_safe import FailSafeLogger, build_loggers
from lightning_seq.training.random_states import seed_process
from lightning_seq.training.resume import ResumePoints
from lightning_seq.training.run_record import RunRecordWriter, log, rank
from lightning_seq.training.trainer import build_trainer


@dataclass(frozen=True)
class Fitted:
    """A run after its last training step.

    loggers:  those of rank 0, without the curves.
    resumed:  optimiser steps at which the run was resumed.
    diverged: whether a trial ended because a number was not finite.
    """

    trainer: Trainer
    clock: TrainingClock
    batches: BatchFingerprint
    curves: CurveLogger
    loggers: list[FailSafeLogger]
    diagnostics: Mapping[str, Diagnostic]
    resumed: list[int]
    diverged: bool


def fit(assembled: Assembled, writer: RunRecordWriter) -> Fitted:
    """Train from the last good checkpoint, or else from the start; update the record after each validation.

    Raises `NotFiniteError` unless the run is a trial, `Interrupted` at a signal, and any other error of the training.
    """
    config, data, task, directory = assembled.config, assembled.data, assembled.task, writer.directory
    clock, batches = TrainingClock(), BatchFingerprint()
    curves = CurveLogger(directory, lambda: clock.seconds, lambda: writer.update(curves=curves.curves))
    loggers = build_loggers(config, directory, writer.record.label, log.warning) if rank() == 0 else []
    diagnostics = build_diagnostics(config, directory, data, task)
    of_kind = kind_of(data.spec).callbacks(config, directory, data)
    engines = ChosenEngines(partial(_record_engines, writer))
    callbacks: list[Callback] = [engines, clock, batches, ConstantMetric(), *of_kind, *diagnostics.values()]
    if several_processes(config):
        callbacks.append(Watchdog(config["trainer"]["timeout"], partial(write_rank_error, directory, rank())))
    settings = config["callbacks"]
    checkpoints = directory / CHECKPOINTS if settings["checkpoint"] else None
    every = (settings[f"checkpoint_every_{unit}"] for unit in ("n_steps", "minutes"))
    points = ResumePoints(checkpoints, assembled.identity, curves, loggers, *every)
    trainer = build_trainer(config, directory, task, [curves, *loggers], callbacks, points)
    seed_process(stream_seed(config["seed"], Stream.DROPOUT, rank()))
    start = None if config["resume"] == "never" else next(good_checkpoints(directory / CHECKPOINTS), None)
    diverged = False
    try:
        trainer.fit(task, datamodule=data, ckpt_path=start, weights_only=True)
    except NotFiniteError as error:
        if not is_trial(config):
            raise
        diverged = True  # a valid result of a trial
        log.warning("%s", error)
    except UserError:
        raise
    except Exception as error:
        if start is None or points.has_begun:
            raise
        raise UserError(
            f"{start} does not fit this run ({type(error).__name__}: {first_line(error)[:200]}): give resume=never to "
            "start again"
        ) from error
    return Fitted(trainer, clock, batches, curves, loggers, diagnostics, points.resumed, diverged)


def _record_engines(writer: RunRecordWriter, names: list[str], precision: str) -> None:
    engine = "+".join(dict.fromkeys(names)) or None
    writer.update(engine=engine, environment={**writer.record.environment, "precision": precision})
    if rank() == 0:
        log.info("%s: %s parameters, engine %s", writer.record.label, f"{writer.record.parameters['total']:,}", engine)
