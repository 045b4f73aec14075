"""A comparison as a saved workspace and a report of Weights & Biases: the dashboard's figures as W&B panels.

The plan of both needs no account and no package: it is written next to the dashboard, with the command that uploads it
all. Building them from it needs `wandb-workspaces`, saving them an account:

    python -m lightning_seq.report.wandb.workspace runs/demo
"""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Protocol, Self

from lightning_seq.errors import UserError, install
from lightning_seq.files import Plain, write_json
from lightning_seq.records.record import Record
from lightning_seq.report.curves import metrics_to_draw
from lightning_seq.report.dashboard.memory_horizon import horizons
from lightning_seq.report.stamp import WANDB_PLAN
from lightning_seq.report.summary import Group, Summary, runs_of, summarise_runs
from lightning_seq.report.test_sets import setting_and_metric

AXES = {"step": "trainer/global_step", "epoch": "epoch", "seconds": "RelativeTime(Process)"}
"""The axes of the curves, as W&B names them."""

COSTS = {"recurrent parameters": "parameters/recurrent", "tokens a second": "tokens_per_second"}
"""The costs of an architecture, by their names in the summary of its runs."""

_COLUMNS, _WIDTH, _HEIGHT = 3, 8, 6
"""Panels in a row of W&B's grid of 24 columns, and the size of each."""


class Savable(Protocol):
    """A workspace or a report; `url` is its address once it is saved."""

    url: str

    def save(self) -> Self: ...


def write_plan(directory: Path, project: str | None = None, entity: str | None = None) -> dict[str, Plain]:
    """Write the plan of the workspaces and the report of the comparison in `<runs>/<name>/`, and return it.

    project, entity: where the runs were logged to; by default as in the records.

    The plan holds `name`, `project`, `entity` and
    upload:          the command that sends every run, and then saves the workspaces and the report.
    views:           for each data set a `title`, the `verdict` in words, which runs (`group`, `tags`), by which key of
                     their configuration they are grouped, `columns` of the table of runs, `tables` of the comparison's
                     own run, and `sections` of panels: `bar`, `scatter` or `line`; a line is a mean over seeds in a
                     band of a standard deviation.

    Raises UserError when the directory is missing or holds no record, and when neither says a project.
    """
    runs = runs_of(directory)
    records = [record for _, record in runs]
    logged = [record.config["logger"] for record in records if _kind(record) == "wandb"]
    if project is None and not logged:
        raise UserError(f"no run in {directory} was logged to W&B: run the comparison with logger=wandb")
    summary = summarise_runs(directory, runs)
    plan: dict[str, Plain] = {
        "name": summary.name,
        "project": project or logged[0]["project"],
        "entity": entity if project else logged[0]["entity"],
        "upload": upload(directory),
        "views": [
            _view(group, summary, [record for record in records if group.holds(record)]) for group in summary.groups
        ],
    }
    write_json(directory / WANDB_PLAN, plan)
    return plan


def upload(directory: Path) -> str:
    """The one command that sends the runs of a comparison to W&B, then, with `wandb-workspaces`, its workspaces and its
    report. It works as it is in the shell and the directory in which this process was started."""
    place = shlex.quote(str(directory))
    runs = f"{place}/*/wandb/offline-run-*"
    if (directory / "wandb").is_dir():  # the comparison's own
        runs += f" {place}/wandb/offline-run-*"
    here = Path(sys.executable)
    installed = shutil.which("wandb")
    python = shlex.quote(str(here.relative_to(Path.cwd()) if here.is_relative_to(Path.cwd()) else here))
    words = "wandb sync" if installed and Path(installed).parent == here.parent else f"{python} -P -m wandb sync"
    if find_spec("wandb_workspaces") is None:
        return f"{words} {runs}"
    return f"{words} {runs} && {python} -P -m {__spec__.name if __spec__ else __name__} {place}"


def _kind(record: Record) -> str | None:
    return record.setting("logger", "kind")


def _view(group: Group, summary: Summary, records: Sequence[Record]) -> dict[str, Plain]:
    place = f"{group.task}/{group.data}/" if len(summary.groups) > 1 else ""
    over = [] if summary.over is None else ["comparison/over_data_sets", "comparison/pairs_over_data_sets"]
    tests = [metric for metric in group.shown if metric.startswith("test/")]
    results: list[Plain] = [{"kind": "bar", "y": metric} for metric in tests or group.shown]
    if group.headline:
        results += [{"kind": "scatter", "x": cost, "y": group.headline} for cost in COSTS.values()]
        results += [{"kind": "scatter", "x": far, "y": metric} for far, metric in _horizon(records)]
    curves: list[Plain] = [
        {"kind": "line", "x": axis, "y": metric}
        for metric in metrics_to_draw(list(records), group.headline)
        for axis in AXES
    ]
    return {
        "title": f"{summary.name}: {group.title}",
        "verdict": list(group.verdict.sentences),
        "group": list(dict.fromkeys(record.name for record in records)),
        "tags": [f"data:{group.data}"[:64]],
        "by": "label",
        "columns": [*tests, *COSTS.values()],
        "tables": [*(f"comparison/{place}{table}" for table in ("summary", "runs")), *over],
        "sections": [
            {"title": title, "panels": panels}
            for title, panels in (("Results", results), ("Learning curves", curves))
            if panels
        ],
    }


def _horizon(records: Sequence[Record]) -> list[tuple[str, str]]:
    """The key of the distance and the metric of success, if runs are at several distances."""
    if not horizons(records):
        return []
    key, metric = next(found for record in records if all(found := setting_and_metric(record)))
    return [(f"config:data.source.{key}", metric)]


def build(plan: dict[str, Plain], entity: str) -> tuple[list[Savable], Savable]:
    """A workspace for each data set, and a report of all, as `wandb_workspaces` holds them; nothing is sent.

    Raises UserError when that package is missing.
    """
    workspaces, reports, expressions = _package()
    made, blocks = [], []
    place = {"entity": entity, "project": plan["project"]}
    for view in plan["views"]:
        chosen = [expressions.Metric("Group").isin(view["group"]), expressions.Tags().isin(view["tags"])]
        trained = [*chosen, expressions.Metric("JobType") == "train"]
        made.append(
            workspaces.Workspace(
                **place,
                name=view["title"],
                sections=[
                    workspaces.Section(name=section["title"], panels=_panels(section, view, reports), is_open=True)
                    for section in view["sections"]
                ],
                runset_settings=workspaces.RunsetSettings(
                    filters=trained,
                    groupby=[expressions.Config(view["by"])],
                    pinned_columns=[
                        "run:displayName",
                        f"config:{view['by']}.value",
                        *(f"summary:{metric}" for metric in view["columns"]),
                    ],
                ),
            )
        )
        runset = reports.Runset(**place, name="runs", filters=trained, groupby=[f"config.{view['by']}"])
        comparisons = [chosen[0], expressions.Metric("JobType") == "comparison"]
        own = reports.Runset(**place, name="comparison", filters=comparisons)
        blocks += [reports.H2(text=view["title"]), *(reports.P(text=text) for text in view["verdict"])]
        for section in view["sections"]:
            grid = reports.PanelGrid(runsets=[runset], panels=_panels(section, view, reports))
            blocks += [reports.H3(text=section["title"]), grid]
        tables = [
            reports.WeavePanelSummaryTable(table_name=table, layout=reports.Layout(x=0, y=10 * row, w=24, h=10))
            for row, table in enumerate(view["tables"])
        ]
        blocks += [reports.H3(text="Tables"), reports.PanelGrid(runsets=[own], panels=tables)]
    title = f"{plan['name']}: comparison"[:128]
    return made, reports.Report(**place, title=title, blocks=blocks, width="fluid")


def _panels(section: dict[str, Plain], view: dict[str, Plain], reports: ModuleType) -> list[object]:
    return [
        _panel(panel, view["by"], reports, reports.Layout(x=_WIDTH * column, y=_HEIGHT * row, w=_WIDTH, h=_HEIGHT))
        for place, panel in enumerate(section["panels"])
        for row, column in (divmod(place, _COLUMNS),)
    ]


def _panel(panel: dict[str, Plain], by: str, reports: ModuleType, layout: object) -> object:
    metric = panel["y"]
    over_seeds = {"groupby": reports.Config(by), "groupby_aggfunc": "mean", "groupby_rangefunc": "stddev"}
    if panel["kind"] == "bar":
        return reports.BarPlot(title=metric, metrics=[metric], layout=layout, **over_seeds)
    if panel["kind"] == "line":
        title = f"{metric} by {panel['x']}"
        return reports.LinePlot(title=title, x=AXES[panel["x"]], y=[metric], layout=layout, **over_seeds)
    section, colon, key = panel["x"].partition(":")
    x = reports.Config(key) if colon else reports.SummaryMetric(section)
    return reports.ScatterPlot(
        title=f"{metric} by {key or section}", x=x, y=reports.SummaryMetric(metric), layout=layout
    )


def _package() -> tuple[ModuleType, ModuleType, ModuleType]:
    try:
        workspaces, reports = (import_module(f"wandb_workspaces.{name}") for name in ("workspaces", "reports.v2"))
        return workspaces, reports, import_module("wandb_workspaces.expr")
    except ModuleNotFoundError:
        raise UserError(f"workspaces need a package: {install('workspaces')}") from None


def publish(directory: Path) -> list[str]:
    """Save the workspaces and the report of the comparison at W&B, and return their addresses.

    Raises UserError when the package, an account or the network is missing, and as `write_plan` does.
    """
    plan = write_plan(directory)
    _package()
    import requests
    import wandb

    try:
        account = wandb.Api()
        made, report = build(plan, plan["entity"] or str(account.default_entity))
        return [str(item.save().url) for item in (*made, report)]
    except (wandb.errors.Error, requests.RequestException, ValueError) as error:  # the last: no such project yet
        reason = " ".join(str(error).split())[:200]
        raise UserError(
            f"W&B did not take the workspace ({reason}): `wandb login`, send the runs with `wandb sync` "
            f"first, and give the same command again; the plan is in {directory / WANDB_PLAN}"
        ) from error


def main(arguments: Sequence[str]) -> int:
    try:
        if len(arguments) != 1:
            raise UserError(f"expected the directory of a comparison, {' '.join(arguments) or 'nothing'} came")
        for address in publish(Path(arguments[0])):
            print(address)
    except UserError as error:
        print(f"lightning-seq: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
