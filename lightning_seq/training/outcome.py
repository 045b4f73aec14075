"""Train a run, select its weights, test them, and record the results."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from lightning_seq.builders.inputs import describe_embedding, drawn_by_seed
from lightning_seq.builders.kinds import kind_of
from lightning_seq.builders.match import residual
from lightning_seq.callbacks.diagnostic import Diagnostic
from lightning_seq.config.tree import Config
from lightning_seq.embeddings.word_map import word_map
from lightning_seq.files import Plain, finite, sha256, write_json
from lightning_seq.identity import is_trial
from lightning_seq.training.assemble import Assembled, assemble
from lightning_seq.training.checkpoint_files import CheckpointFiles
from lightning_seq.training.checkpoints import BEST, LAST, check_selected, read_checkpoint, remove_before
from lightning_seq.training.data_files import data_files
from lightning_seq.training.directory import CHECKPOINTS, CONFIG, LOG
from lightning_seq.training.environment import environment, peak_memory_bytes, prepare_process
from lightning_seq.training.fit import Fitted, fit
from lightning_seq.training.run_record import RunRecordWriter, log, now, rank, world_size
from lightning_seq.training.signals import heed


def train_and_test(config: Config, writer: RunRecordWriter) -> None:
    """Assemble a run, train it, test it, and record everything."""
    prepare_process(config)
    if rank() == 0:
        writer.update(files=data_files(config))  # before they are read, to notice a later change
    assembled = assemble(config)
    data, inputs = assembled.data, assembled.inputs
    of_data = {name: data.fingerprints[name] for name in ("data", "split")}
    writer.update(
        parameters=assembled.parameters,
        match=residual(assembled.config, data.spec, inputs.width),
        fingerprints={**writer.record.fingerprints, **of_data, "embedding": inputs.mark},
        embedding=describe_embedding(inputs),
        drawn=drawn_by_seed(config, data),
        environment=environment(assembled.config),
    )
    finish(assembled, fit(assembled, writer), writer)


def finish(assembled: Assembled, fitted: Fitted, writer: RunRecordWriter) -> None:
    """Select the best weights, test them (unless the run is a trial), and write the artifacts and the record.

    Every rank takes part in the test; only rank 0 writes. Raises `Interrupted` at a signal.
    """
    trainer, clock, directory = fitted.trainer, fitted.clock, writer.directory
    tokens, share = clock.tokens_of_all_ranks(trainer), clock.cpu_share(trainer)
    throughput = {"tokens_per_second": round(tokens / clock.seconds, 1)} if clock.seconds else {}
    throughput |= {} if share is None else {"cpu_share": share}
    digest, epochs = fitted.batches.digest(trainer), fitted.batches.by_epoch(trainer)
    name, count = f"rank {rank()}" if world_size() > 1 else writer.record.label, fitted.batches.epochs
    log.info("%s was trained on %d samples in %d epoch%s", name, fitted.batches.seen, count, "" if count == 1 else "s")
    fitted.curves.close()
    selected = _select(assembled, fitted, directory / CHECKPOINTS)
    if not is_trial(assembled.config):
        trainer.test(assembled.task, datamodule=assembled.data, verbose=False)
    if rank() != 0:
        return
    tested = _metrics_of("test/", trainer.callback_metrics)
    fitted.curves.save()
    remove_before(directory / CHECKPOINTS)
    artifacts = _write_artifacts(directory, assembled, fitted.diagnostics)
    heed()
    writer.update(
        status="done",
        metrics={**selected, **tested},
        **_baselines(assembled),
        curves=fitted.curves.curves,
        throughput=throughput,
        peak_memory_bytes=peak_memory_bytes(),
        fingerprints={**writer.record.fingerprints, "batches": digest, "epochs": epochs or None},
        artifacts=artifacts,
        instruments={name: diagnostic.cost.plain() for name, diagnostic in fitted.diagnostics.items()},
        selected_by=assembled.task.monitor,
        resumed_at=fitted.resumed,
        signatures=assembled.task.signatures,
        finished=now(),
    )
    for logger in fitted.loggers:
        logger.close()


def _select(assembled: Assembled, fitted: Fitted, checkpoints: Path) -> dict[str, float | None]:
    """Give the task the weights that the monitored metric selects; return their validation metrics.

    Raises UserError if the checkpoint with these weights is missing or damaged.
    """
    trainer, task, best = fitted.trainer, assembled.task, checkpoints / BEST
    files = trainer.strategy.checkpoint_io
    check_selected(best if isinstance(files, CheckpointFiles) and files.has_best else None)
    if best.is_file():
        checkpoint = read_checkpoint(best)
        task.load_state_dict(checkpoint["state_dict"])
        return fitted.curves.at(checkpoint["global_step"], "val/")
    if fitted.diverged:
        return {task.monitor: None}
    if trainer.global_step:  # without checkpoints the last weights are the result, validated at the last step
        return fitted.curves.at(trainer.global_step, "val/")
    if assembled.config["callbacks"]["checkpoint"]:  # there was no step
        trainer.save_checkpoint(best)
    trainer.validate(task, datamodule=assembled.data, verbose=False)
    return _metrics_of("val/", trainer.callback_metrics)


def _metrics_of(prefix: str, metrics: Mapping[str, Tensor]) -> dict[str, float | None]:
    return {name: finite(float(value)) for name, value in metrics.items() if name.startswith(prefix)}


def _baselines(assembled: Assembled) -> dict[str, Plain]:
    """The record's fields of the baselines; none for a trial, which has no test."""
    if is_trial(assembled.config):
        return {}
    kind = kind_of(assembled.data.spec)
    first = _tested(kind.baseline(assembled.data, assembled.task))
    further = kind.further_baselines(assembled.data, assembled.task)
    named = {"baseline": first, "baseline_name": kind.baseline_name} if first else {}
    return {**named, "further_baselines": {name: _tested(metrics) for name, metrics in further.items()}}


def _tested(metrics: Mapping[str, float]) -> dict[str, float]:
    return {f"test/{name}": value for name, value in metrics.items() if finite(value) is not None}


def _write_artifacts(
    directory: Path, assembled: Assembled, diagnostics: Mapping[str, Diagnostic]
) -> dict[str, dict[str, str]]:
    """The record's `artifacts`; those of a test are not there for a trial."""
    paths = {"config": CONFIG, "log": LOG, "metrics": "metrics.csv"}
    tested = not is_trial(assembled.config)
    if tested:
        paths |= kind_of(assembled.data.spec).artifacts(directory, assembled.data, assembled.task)
    paths |= {name: diagnostic.FILE for name, diagnostic in diagnostics.items()}
    paths |= {"best": f"{CHECKPOINTS}/{BEST}", "last": f"{CHECKPOINTS}/{LAST}"}
    if tested and assembled.inputs.vectors is not None:
        write_json(directory / "word_map.json", word_map(assembled.inputs.vectors))
        paths["word_map"] = "word_map.json"
    return {
        name: {"path": path, "sha256": sha256(directory / path)}
        for name, path in paths.items()
        if (directory / path).is_file()
    }
