"""One run, from its written configuration to its record."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from lightning_seq.errors import UserError
from lightning_seq.files import open_inside
from lightning_seq.printable import PrintableFormatter, without_credentials
from lightning_seq.records.record import Record
from lightning_seq.training.directory import LOG, read_config, run_lock, write_rank_error
from lightning_seq.training.run_record import RunRecordWriter, log, now, rank, started_record
from lightning_seq.training.signals import Interrupted, end_at_once, listening


def execute(directory: Path, label: str, overrides: list[str], jobs: int = 1, started: str | None = None) -> Record:
    """Train, select, test, and write all files of a run; return its record, which stores why the run ended.

    started: when the run was launched; reports list the labels in that order.

    Raises the error that ended the run: UserError, `Interrupted`, or another one.
    """
    with _logging(directory):
        config = read_config(directory)
        writer = RunRecordWriter(directory, started_record(config, label, overrides, jobs, started))
        with run_lock(directory) if rank() == 0 else nullcontext():
            try:
                with listening():
                    writer.update()
                    # Imported here because it imports torch, which a run that is done does not need.
                    from lightning_seq.training.outcome import train_and_test

                    train_and_test(config, writer)
            except BaseException as error:
                if writer.record.status != "done":  # else the run is complete, and the error is only logged
                    status = "interrupted" if isinstance(error, Interrupted) else "failed"
                    writer.update(status=status, error=_cause(error), finished=now())
                raise
    return writer.record


def _cause(error: BaseException) -> str:
    text = str(error) if isinstance(error, UserError | Interrupted) else f"{type(error).__name__}: {error}"
    return without_credentials(text)


@contextmanager
def _logging(directory: Path) -> Iterator[None]:
    """Write the messages of the package's loggers, and the error that ends the run, into the run's log.

    A rank other than 0 also writes the error into a file: torchrun then ends rank 0 by a signal, and only the file
    tells the launcher why.
    """
    with open(directory / LOG, "a", encoding="utf-8", opener=open_inside) as file:
        handler = logging.StreamHandler(file)
        handler.setFormatter(PrintableFormatter("%(asctime)s %(message)s", "%H:%M:%S"))
        handler.setLevel(logging.INFO)
        log.addHandler(handler)
        try:
            yield
        except Interrupted as interrupted:
            log.warning("%s", interrupted)
            raise
        except BaseException as error:
            if isinstance(error, UserError):
                log.error("%s", error, extra={"told": True})
            else:
                log.error("%s", _cause(error), exc_info=error)
            if rank() != 0:
                write_rank_error(directory, rank(), _cause(error))
            raise
        finally:
            log.removeHandler(handler)


def main(arguments: list[str]) -> int:
    """`python -m lightning_seq.training.run DIRECTORY`: the process of one run.

    Its label, its overrides and the number of parallel jobs come from the environment variable LIGHTNING_SEQ_RUN.
    """
    end_at_once()
    log.setLevel(logging.INFO)
    log.propagate = False  # the standard error of the process is the run's log
    try:
        with listening():
            execute(Path(arguments[0]), **json.loads(os.environ["LIGHTNING_SEQ_RUN"]))
    except UserError:
        return 2
    except Interrupted as interrupted:
        return interrupted.exit_code
    except Exception:  # `execute` has written the traceback into the log
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
