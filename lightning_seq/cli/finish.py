"""The end of `train` and `compare`: tables, dashboard and the summary in W&B."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console

from lightning_seq.comparison.compare import Outcome
from lightning_seq.report.stamp import OVER, WANDB_PLAN, is_current
from lightning_seq.report.summary import runs_of, summarise_runs
from lightning_seq.report.terminal_table import terminal
from lightning_seq.terminal import say


def finish(outcome: Outcome, logger: Mapping[str, str | None], console: Console) -> int:
    """Write the report, print its paths, and return the exit code. logger: the node of the configuration."""
    directory, to_wandb = outcome.directory, logger["kind"] == "wandb"
    missing = upload = None
    if is_current(directory) and (not to_wandb or (directory / WANDB_PLAN).is_file()):  # no run was added since
        summary = summarise_runs(directory, runs_of(directory))
    else:
        from lightning_seq.report.write import DashboardError, write_report  # takes a third of a second to import

        try:
            summary = write_report(directory)
        except DashboardError as error:  # the runs are done all the same
            summary, missing = error.summary, str(error)
        upload = _to_wandb(directory, logger) if to_wandb else None
    console.print()
    console.print(terminal(summary))
    console.print()
    say(console, f"dashboard  {missing or directory / 'dashboard.html'}")
    names = ("table.md", "table.csv", "table.tex", *([OVER] if summary.over is not None else []))
    say(console, f"tables     {'  '.join(str(directory / name) for name in names)}")
    if upload:
        say(console, f"W&B        {upload}")
    return 1 if outcome.failed else 0


def _to_wandb(directory: Path, logger: Mapping[str, str | None]) -> str | None:
    """Log several runs as one more W&B run, their comparison; return the command that uploads all.

    A failure of W&B never fails a comparison.
    """
    from lightning_seq.report.wandb.summary import log_comparison  # a run that is done already needs none of these
    from lightning_seq.report.wandb.workspace import write_plan
    from lightning_seq.training.loggers.wandb_run import SENT, send, wandb_mode

    mode, _ = wandb_mode(str(logger["mode"]))
    if mode == "disabled":
        return None
    project, entity = str(logger["project"]), logger["entity"]
    shutil.rmtree(directory / "wandb", ignore_errors=True)  # the summary run of earlier records
    recorded = None
    try:
        if len(runs_of(directory)) > 1:
            recorded = log_comparison(directory, project=project, entity=entity)
    except Exception as error:  # W&B raises any error of its parts
        return f"does not take the comparison ({error}); the tables have it all"
    upload = write_plan(directory, project, entity)["upload"]
    if mode == "offline":
        return upload
    if recorded is not None:
        send(recorded)
    return f"is being sent in the background; what {SENT} says was not: {upload}"
