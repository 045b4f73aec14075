"""`lightning-seq compare`: many runs, their tables and their dashboard."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from lightning_seq.cli import report
from lightning_seq.cli.arguments import parse
from lightning_seq.cli.finish import finish
from lightning_seq.cli.verbs import Report
from lightning_seq.comparison.compare import compare
from lightning_seq.comparison.grid import entries
from lightning_seq.comparison.looks import Reader
from lightning_seq.errors import UserError
from lightning_seq.report.headline import importance
from lightning_seq.report.scale import check_rope
from lightning_seq.report.undecided import undecided
from lightning_seq.report.write import write_report
from lightning_seq.terminal import command_console
from lightning_seq.training.devices import started_by


def run(words: list[str]) -> int:
    """Of directories, run `report`. An interrupt leaves the tables of the runs that are done."""
    if any("=" not in word and Path(word).is_dir() for word in words):
        return report.run(parse("report", Report, words))
    if started_by() is not None:
        raise UserError("compare starts its own processes, and torchrun or srun started several: start it once, alone")
    compared, console = entries(words), command_console()
    config = compared[0].config
    try:
        outcome = compare(words, compared, console, Reader(importance, undecided, check_rope))
    except UserError:
        raise
    except BaseException:
        with suppress(UserError):
            write_report(Path(config["runs"]) / config["name"])
        raise
    return 0 if outcome is None else finish(outcome, config["logger"], console)
