"""The plan of a W&B workspace and report, and both built from it."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lightning_seq.errors import UserError
from lightning_seq.records.record import runs_in, write
from lightning_seq.report.stamp import WANDB_PLAN
from lightning_seq.report.wandb.summary import log_comparison
from lightning_seq.report.wandb.workspace import build, main, publish, upload, write_plan

Make = Callable[..., Path]


def logged(directory: Path, **data: Any) -> Path:
    """As runs with logger=wandb leave it."""
    for run, record in runs_in(directory):
        settings = {"kind": "wandb", "mode": "offline", "project": "nets", "entity": None}
        config = {**record.config, "logger": settings, "data": {**record.config.get("data", {}), **data}}
        write(run, record.with_(config=config))
    return directory


@pytest.fixture
def two_sets(make_comparison: Make, make_tagging: Make, tmp_path: Path) -> Path:
    directory = make_comparison(tmp_path / "demo", labels=("rnn", "gru"), seeds=2)
    return logged(make_tagging(directory, labels=("rnn-chunks", "birnn-chunks"), seeds=2))


def test_the_plan_holds_the_figures_of_the_dashboard(two_sets: Path) -> None:
    plan = write_plan(two_sets)
    assert json.loads((two_sets / WANDB_PLAN).read_text()) == plan
    assert (plan["name"], plan["project"], plan["entity"]) == ("demo", "nets", None)
    genre, chunks = plan["views"]
    assert genre["title"] == "demo: verses_genre (classification)"
    assert (genre["group"], genre["tags"], genre["by"]) == (["demo"], ["data:verses_genre"], "label")
    assert genre["verdict"][0].startswith("Conditions: sizes differ (33k to 88.3k recurrent parameters)")
    assert genre["verdict"][1].startswith("With 2 seeds")
    results, curves = (section["panels"] for section in genre["sections"])
    assert {"kind": "bar", "y": "test/accuracy"} in results
    assert not [panel for panel in results if panel["kind"] == "bar" and not panel["y"].startswith("test/")]
    assert {"kind": "scatter", "x": "parameters/recurrent", "y": "test/accuracy"} in results
    assert {"kind": "scatter", "x": "tokens_per_second", "y": "test/accuracy"} in results
    drawn = {(panel["x"], panel["y"]) for panel in curves}
    assert drawn == {
        (axis, metric) for axis in ("step", "epoch", "seconds") for metric in ("val/accuracy", "val/loss", "train/loss")
    }
    assert chunks["tags"] == ["data:conll2000"]
    assert {"kind": "bar", "y": "test/f1"} in chunks["sections"][0]["panels"]


def test_the_plan_names_what_the_runs_of_wandb_hold(two_sets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WANDB_MODE", raising=False)
    run = log_comparison(two_sets)
    assert run is not None
    for view in write_plan(two_sets)["views"]:
        for table in view["tables"]:
            (file,) = (run / "files" / "media" / "table").glob(f"{table}_*.json")
            assert json.loads(file.read_text())["data"]


def test_one_command_uploads_everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "a b"
    (place / "wandb").mkdir(parents=True)
    runs = [f"{place}/*/wandb/offline-run-*", f"{place}/wandb/offline-run-*"]
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent))
    words = shlex.split(upload(place))
    assert words[:4] == ["wandb", "sync", *runs]
    words[5] = str(Path.cwd() / words[5])
    assert words[4:] == ["&&", sys.executable, "-P", "-m", "lightning_seq.report.wandb.workspace", str(place)]
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.chdir(Path(sys.executable).parents[1])
    (place / "wandb").rmdir()
    assert shlex.split(upload(place))[:5] == [f"bin/{Path(sys.executable).name}", "-P", "-m", "wandb", "sync"]
    monkeypatch.setattr("lightning_seq.report.wandb.workspace.find_spec", lambda _: None)
    assert "&&" not in upload(place)


def test_distances_are_a_panel(make_comparison: Make, tmp_path: Path) -> None:
    directory = tmp_path / "far"
    for length in (20, 50):
        metrics = {"test/success": 0.9, "test/mse": 0.1}
        part = make_comparison(
            tmp_path / str(length),
            labels=(f"rnn-{length}",),
            seeds=1,
            task="regression",
            data="adding",
            metrics=metrics,
        )
        logged(part, source={"_target_": "lightning_seq.data.sources.adding.Adding", "length": length})
        directory.mkdir(exist_ok=True)
        (run,) = part.iterdir()
        run.rename(directory / run.name)
    (view,) = write_plan(directory)["views"]
    assert {"kind": "scatter", "x": "config:data.source.length", "y": "test/success"} in view["sections"][0]["panels"]


def test_where_no_run_was_logged_the_project_has_to_be_said(make_comparison: Make, tmp_path: Path) -> None:
    directory = make_comparison(tmp_path / "demo", labels=("rnn",), seeds=1)
    with pytest.raises(UserError, match="was logged to W&B: run the comparison with logger=wandb"):
        write_plan(directory)
    assert not (directory / WANDB_PLAN).exists()
    plan = write_plan(directory, project="nets", entity="team")
    assert (plan["project"], plan["entity"]) == ("nets", "team")


def test_without_the_package_it_says_what_to_install(
    two_sets: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "wandb_workspaces", None)
    assert main([str(two_sets)]) == 2
    assert 'pip install ".[workspaces]"' in capsys.readouterr().err
    assert (two_sets / WANDB_PLAN).is_file()
    assert main([]) == 2
    assert "expected the directory of a comparison" in capsys.readouterr().err


def panels(spec: dict[str, Any]) -> list[dict[str, Any]]:
    return [panel for section in spec["section"]["panelBankConfig"]["sections"] for panel in section["panels"]]


def test_a_workspace_has_native_panels_grouped_by_architecture(two_sets: Path) -> None:
    pytest.importorskip("wandb_workspaces")
    plan = write_plan(two_sets)
    made, _ = build(plan, "someone")
    assert [(one.entity, one.project, one.name) for one in made] == [
        ("someone", "nets", view["title"]) for view in plan["views"]
    ]
    spec = json.loads(made[0]._to_model().spec.model_dump_json(by_alias=True, exclude_none=True))
    (runs,) = spec["section"]["runSets"]
    assert [(key["section"], key["name"]) for key in runs["grouping"]] == [("config", "label.value")]
    told = json.dumps(runs["filters"])
    for value in ("demo", "data:verses_genre", "train", "jobType", "group", "tags"):
        assert f'"{value}"' in told
    assert "summary:test/accuracy" in runs["runFeed"]["columnPinned"]
    drawn = panels(spec)
    assert [panel["viewType"] for panel in drawn].count("Run History Line Plot") == 9
    for panel in drawn:
        if panel["viewType"] != "Scatter Plot":
            assert panel["config"]["groupBy"] == "label.value"
            assert (panel["config"]["groupAgg"], panel["config"]["groupArea"]) == ("mean", "stddev")
    (line,) = (panel for panel in drawn if panel["config"].get("chartTitle") == "val/accuracy by seconds")
    assert (line["config"]["xAxis"], line["config"]["metrics"]) == ("_runtime", ["val/accuracy"])
    scatter = next(panel["config"] for panel in drawn if panel["viewType"] == "Scatter Plot")
    assert (scatter["xAxis"], scatter["yAxis"]) == ("summary:parameters/recurrent", "summary:test/accuracy")
    lines = [panel["layout"] for panel in drawn if panel["viewType"] == "Run History Line Plot"]
    assert len({(place["x"], place["y"]) for place in lines}) == 9
    assert all(place["x"] + place["w"] <= 24 for place in lines)


def test_a_report_tells_the_verdict_and_shows_the_same_panels(two_sets: Path) -> None:
    pytest.importorskip("wandb_workspaces")
    plan = write_plan(two_sets)
    made, report = build(plan, "")  # of somebody, W&B is asked for the project
    told = report._to_model().spec.model_dump_json(by_alias=True, exclude_none=True)
    for view in plan["views"]:
        assert json.dumps(view["title"])[1:-1] in told
        for sentence in view["verdict"]:
            assert json.dumps(sentence, ensure_ascii=False)[1:-1] in told
        for table in view["tables"]:
            assert table in told
    for workspace in made:
        for section in workspace.sections:
            for panel in section.panels:
                assert json.dumps(panel.title)[1:-1] in told


def test_publishing_saves_all_and_tells_where(two_sets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workspaces = pytest.importorskip("wandb_workspaces.workspaces")
    reports = pytest.importorskip("wandb_workspaces.reports.v2")
    import wandb

    monkeypatch.setattr(wandb, "Api", lambda: SimpleNamespace(default_entity="someone"))
    saved = []

    def save(self: Any) -> SimpleNamespace:
        saved.append(self)
        return SimpleNamespace(url=f"https://wandb.ai/{self.entity}/{len(saved)}")

    for kind in (workspaces.Workspace, reports.Report):
        monkeypatch.setattr(kind, "save", save)
    assert publish(two_sets) == [f"https://wandb.ai/someone/{number}" for number in (1, 2, 3)]

    def refuse() -> None:
        raise wandb.errors.CommError("no key")

    monkeypatch.setattr(wandb, "Api", refuse)
    with pytest.raises(UserError, match=r"did not take the workspace \(no key\): `wandb login`"):
        publish(two_sets)
