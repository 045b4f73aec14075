"""One run, from its written configuration to its record."""

from __future__ import annotations

import json
import logging
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from lightning_seq.config.tree import Config
from lightning_seq.errors import UserError
from lightning_seq.printable import PrintableFormatter
from lightning_seq.records.record import Record
from lightning_seq.training.data_files import data_files
from lightning_seq.training.directory import LOG, held, read_config, write_rank_error
from lightning_seq.training.run_record import RunRecordWriter, log, now, rank, started_record
from lightning_seq.training.signals import Interrupted, end_at_once, listening


def execute(directory: Path, label: str, overrides: list[str], jobs: int = 1, started: str | None = None) -> Record:
    """Train, select, test, and write everything a run leaves behind; return its record.

    started: when the run was launched; reports list the labels in that order.

    The record stores why the run ended. Raises what ended it: UserError, `Interrupted`, or another error.
    """
    with _log_to(directory / LOG), _reporting(directory):
        config = read_config(directory)
        writer = RunRecordWriter(directory, started_record(config, label, overrides, jobs, started))
        with held(directory) if rank() == 0 else nullcontext():
            try:
                with listening():
                    writer.update()
                    _train(config, writer)
            except BaseException as error:
                if writer.record.status != "done":  # else the run is complete: the error is only logged
                    status = "interrupted" if isinstance(error, Interrupted) else "failed"
                    writer.update(status=status, error=_cause(error), finished=now())
                raise
    return writer.record


def _cause(error: BaseException) -> str:
    return str(error) if isinstance(error, UserError | Interrupted) else f"{type(error).__name__}: {error}"


@contextmanager
def _reporting(directory: Path) -> Iterator[None]:
    """Log what ends the run; a rank other than 0 also writes it into a file.

    torchrun then ends rank 0 by a signal, and only the file tells the launcher why.
    """
    try:
        yield
    except Interrupted as interrupted:
        log.warning("%s", interrupted)
        raise
    except BaseException as error:
        if isinstance(error, UserError):
            log.error("%s", error, extra={"told": True})
        else:
            log.error("%s", "".join(traceback.format_exception(error)))
        if rank() != 0:
            write_rank_error(directory, rank(), _cause(error))
        raise


@contextmanager
def _log_to(path: Path) -> Iterator[None]:
    """Write the messages of the package's loggers into the run's own log too."""
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(PrintableFormatter("%(asctime)s %(message)s", "%H:%M:%S"))
    handler.setLevel(logging.INFO)
    log.addHandler(handler)
    try:
        yield
    finally:
        log.removeHandler(handler)
        handler.close()


def _train(config: Config, writer: RunRecordWriter) -> None:
    # Imported here, for they import torch: a run that is done already needs none.
    from lightning_seq.builders.inputs import describe_embedding
    from lightning_seq.builders.match import residual
    from lightning_seq.training.assemble import assemble
    from lightning_seq.training.environment import environment, prepare_process
    from lightning_seq.training.fit import fit
    from lightning_seq.training.outcome import finish

    prepare_process(config)
    if rank() == 0:
        writer.update(files=data_files(config))  # before they are read: a later change must not go unnoticed
    assembled = assemble(config)
    writer.update(
        parameters=assembled.parameters,
        match=residual(assembled.config, assembled.data.spec, assembled.inputs.width),
        fingerprints={
            **writer.record.fingerprints,
            "data": assembled.data.fingerprints["data"],
            "split": assembled.data.fingerprints["split"],
            "embedding": assembled.inputs.mark,
        },
        embedding=describe_embedding(assembled.inputs),
        environment=environment(assembled.config),
    )
    finish(assembled, fit(assembled, writer), writer)


def main(arguments: list[str]) -> int:
    """`python -m lightning_seq.training.run DIRECTORY`: the process of one run.

    Its label, its overrides and the number of parallel jobs come from the environment variable LIGHTNING_SEQ_RUN.
    """
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
    except Exception:  # `execute` has written the traceback into the log
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
