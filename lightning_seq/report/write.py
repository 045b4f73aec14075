"""Write the tables and the dashboard into the directory of a comparison."""

from __future__ import annotations

from pathlib import Path

from lightning_seq.errors import UserError
from lightning_seq.files import write_text
from lightning_seq.records.record import Record
from lightning_seq.report import tables
from lightning_seq.report.conditions import Run, check_alike
from lightning_seq.report.dashboard.dashboard import render
from lightning_seq.report.reading import Rope, record_rope
from lightning_seq.report.stamp import DASHBOARD, OVER, SHEET, TABLE, TEX
from lightning_seq.report.summary import Summary, runs_of, summarise_runs


class DashboardError(UserError):
    """The dashboard cannot be written; the tables are.

    summary: the contents of the tables.
    """

    def __init__(self, directory: Path, reason: Exception, summary: Summary) -> None:
        super().__init__(
            f"{directory / DASHBOARD} cannot be written ({reason or type(reason).__name__}); the tables are there, and "
            f"`lightning-seq report {directory}` makes it later"
        )
        self.summary = summary


def write_report(directory: Path, stochastic_order: bool = False, rope: Rope | None = None) -> Summary:
    """Write `table.md`, `table.csv`, `table.tex` and `dashboard.html` into `<runs>/<name>/`, each in one step.

    Over several data sets with the same labels, `over_data_sets.csv` is written too.

    stochastic_order: whether the table of pairs holds almost stochastic order (Dror et al. 2019) too.
    rope:             see `report.scale.scale`; it is recorded for later reports, `default` for none.

    Raises UserError when the directory is missing, holds no record, or cannot be written, and for runs of other data.
    """
    directory = Path(directory)
    runs = runs_of(directory)
    check_alike(Run(directory, run, record) for run, record in runs)
    summary = summarise_runs(directory, runs, stochastic_order=stochastic_order, rope=rope)
    if rope is not None:
        record_rope(directory, runs, rope)
    write_pages(directory, runs, summary)
    return summary


def write_pages(directory: Path, runs: list[tuple[Path, Record]], summary: Summary) -> None:
    """Write the tables and the dashboard of these runs, which may lie elsewhere, into `directory`.

    Raises UserError when it cannot be written, `DashboardError` where the dashboard alone cannot.
    """
    texts = {TABLE: tables.markdown(summary), SHEET: tables.csv(summary), TEX: tables.tex(summary)}
    try:
        for name, text in texts.items():
            write_text(directory / name, text)
        if summary.over is None:
            (directory / OVER).unlink(missing_ok=True)  # of an earlier report
        else:
            write_text(directory / OVER, tables.over_csv(summary.over))
        try:
            page = render(directory, runs, summary)
        except (UserError, MemoryError) as error:  # the chart library may not find memory
            raise DashboardError(directory, error, summary) from error
        write_text(directory / DASHBOARD, page)
    except OSError as error:
        raise UserError(
            f"{directory} cannot be written ({error.strerror}): free it or its disk, then report again"
        ) from error
