"""Sequences of vectors as a user runs them: compared, tested, resumed, their answers on disk, and new sequences."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pyarrow import parquet

from lightning_seq.cli.main import main
from lightning_seq.config.compose import compose
from lightning_seq.records.record import Record, read
from lightning_seq.report.summary import summarise
from tests.data.given_vectors import drawn
from torture.killed import Runner, Scene, differences, struck

Refused = Callable[..., str]
TINY = (
    "model.hidden_size=8", "trainer.max_epochs=6", "trainer.progress=false", "trainer.threads=1", "logger=none",
    "data.batch_size=8", "optimizer.lr=0.05", "callbacks=none",
)  # fmt: skip
MIRROR = os.environ.get("LIGHTNING_SEQ_MIRROR")
of_mirror = pytest.mark.skipif(not MIRROR, reason="LIGHTNING_SEQ_MIRROR is not set")


@pytest.fixture
def files(tmp_path: Path) -> dict[str, list[str]]:
    """A csv file with a row per step: a class of the sequence, of the step, a sum so far; the words for each."""
    lines = ["clip,who,x,y,z,up,phase,total"]
    for clip, (steps, label) in enumerate(drawn(80)):
        for step, total in zip(steps, np.cumsum(steps[:, 0]), strict=True):
            row = [clip, f"p{clip // 10}", *step, label, "high" if step[0] > 0 else "low", total.round(3)]
            lines.append(",".join(map(str, row)))
    (tmp_path / "steps.csv").write_text("\n".join(lines) + "\n")
    shared = [
        f"data.train={tmp_path / 'steps.csv'}", "data.sequence_column=clip", "data.group_column=who",
        "data.feature_columns=[x,y,z]", f"runs={tmp_path / 'runs'}", f"cache={tmp_path / 'cache'}",
    ]  # fmt: skip
    return {
        "vectors": ["data=vectors", "data.label_column=up", *shared],
        "vector_tags": ["data=vector_tags", "data.tags_column=phase", *shared],
        "vector_values": ["data=vector_values", "data.value_columns=[total]", "data.values_of=step", *shared],
    }


def done(words: list[str], name: str, label: str) -> tuple[Path, Record]:
    run = Path(words[-2].removeprefix("runs=")) / name / f"{label}-seed1"
    record = read(run)
    assert record.status == "done", record.error
    return run, record


def predicted(run: Path, capsys: pytest.CaptureFixture[str], text: str) -> dict[str, object]:
    capsys.readouterr()
    assert main(["predict", f"checkpoint={run / 'checkpoints' / 'best.ckpt'}", f"text={text}"]) == 0
    return json.loads(capsys.readouterr().out)  # type: ignore[no-any-return]


@pytest.mark.dashboard
def test_orders_are_compared_and_their_gain_is_told(
    files: dict[str, list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    words = files["vectors"]
    assert main(["compare", *words, *TINY, "model=gru", "data.order=as_is,mean", "seeds=2", "launcher=inline"]) == 0
    run, record = done(words, "vectors", "gru-orderas_is")
    rows = parquet.read_table(run / "predictions.parquet").to_pylist()
    assert {"id", "group", "target", "prediction", "loss", "length"} <= set(rows[0])
    right = np.mean([row["target"] == row["prediction"] for row in rows])
    assert record.metrics["test/accuracy"] == pytest.approx(right)
    assert right > 0.7
    assert {row["group"] for row in rows} == {rows[0]["group"]}  # one whole group
    assert record.baseline["test/accuracy"] == pytest.approx(0.5, abs=0.01)
    early = json.loads((run / "early.json").read_text())
    assert early["shares"] == [number / 10 for number in range(1, 11)]
    assert early["accuracy"][-1] == pytest.approx(right)
    assert 'id="early"' in (run.parent / "dashboard.html").read_text()
    assert not (run.parent / "gru-ordermean-seed1" / "early.json").exists()
    (group,) = summarise(run.parent).groups
    (gain,) = [line for line in group.verdict.sentences if line.startswith("Gain from order")]
    pair = group.verdict.pairs[0]
    sign = "" if pair.better == "gru-orderas_is" else "-"
    assert re.search(
        rf"in points: gru-orderas_is {sign}{100 * pair.difference:.1f} over gru-ordermean \(95 % CI ", gain
    )
    answer = predicted(run, capsys, "[[1, 1, 1], [2, 1, 1]]")
    assert answer["predictions"][0]["label"] == "up"  # type: ignore[index]


@pytest.mark.dashboard
def test_a_class_per_step_and_its_timeline(files: dict[str, list[str]], capsys: pytest.CaptureFixture[str]) -> None:
    words = files["vector_tags"]
    assert main(["train", *words, *TINY, "model=bigru", "launcher=inline"]) == 0
    run, record = done(words, "vector_tags", "bigru")
    named = ("loss", "accuracy", "macro_f1", "edit", "f1_10", "f1_25", "f1_50")
    assert set(record.metrics) == {f"{split}/{name}" for split in ("val", "test") for name in named}
    assert record.metrics["test/accuracy"] > 0.8
    assert {f"test/{name}" for name in named[1:]} <= set(record.baseline)
    rows = parquet.read_table(run / "predictions.parquet").to_pylist()
    shown = json.loads((run / "segments.json").read_text())
    first = [row for row in rows if row["row"] == 0]
    bands = shown["sequences"][0]
    for key, band in (("target", "truth"), ("prediction", "prediction")):
        labels = [shown["labels"][number] for number, length in bands[band] for _ in range(length)]
        assert labels == [row[key] for row in first]
    page = (run.parent / "dashboard.html").read_text()
    assert 'id="segments"' in page
    assert f"Sequence {bands['id']}" in page
    answer = predicted(run, capsys, "[[2, 0, 0], [-2, 0, 0]]")
    assert [step["tag"] for step in answer["predictions"]] == ["high", "low"]  # type: ignore[union-attr, index]


@pytest.mark.dashboard
def test_a_value_per_step(files: dict[str, list[str]], capsys: pytest.CaptureFixture[str]) -> None:
    words = files["vector_values"]
    assert main(["train", *words, *TINY, "model=gru", "trainer.max_epochs=15", "launcher=inline"]) == 0
    run, record = done(words, "vector_values", "gru")
    named = ("loss", "mse", "rmse", "mae")
    assert set(record.metrics) == {f"{split}/{name}" for split in ("val", "test") for name in named}
    rows = parquet.read_table(run / "predictions.parquet").to_pylist()
    errors = np.array([row["prediction"] - row["target"] for row in rows])
    assert record.metrics["test/rmse"] == pytest.approx(np.sqrt(np.mean(errors**2)), rel=1e-4)
    assert record.metrics["test/rmse"] < 0.5 * record.baseline["test/rmse"]
    assert [row["step"] for row in rows if row["row"] == 0] == list(range(sum(row["row"] == 0 for row in rows)))
    assert 'id="predictions"' in (run.parent / "dashboard.html").read_text()
    answer = predicted(run, capsys, "[[1, 0, 0], [1, 0, 0]]")
    assert [step["step"] for step in answer["predictions"]] == [1, 2]  # type: ignore[union-attr, index]


@pytest.mark.parametrize("name", ["vectors", pytest.param("vector_tags", marks=pytest.mark.slow)])
def test_a_killed_run_ends_as_one_that_was_not(files: dict[str, list[str]], name: str) -> None:
    more = ("model=lstm", "task.dropout=0.2", "callbacks.checkpoint_every_n_steps=2", "data.order=shuffled")
    runner, scene = Runner(), Scene(name, (*files[name], *TINY, *more, "trainer.max_epochs=3"))
    straight = scene.run("straight")
    runner.finish(straight)
    _, directory = struck(runner, scene, "struck", "batch", 11, signal.SIGTERM)
    assert read(directory).resumed_at
    assert not any(differences(straight.directory, directory).values())


def test_all_diagnostics_and_a_matched_size(files: dict[str, list[str]]) -> None:
    words = [word for word in TINY if not word.startswith(("model.", "callbacks", "trainer.max"))]
    inside = ["callbacks=inside", "trainer.max_epochs=1", "match=parameters", "match.target=500", "launcher=inline"]
    assert main(["compare", *files["vectors"], *words, *inside, "model=rnn,gru", "seeds=1"]) == 0
    for label in ("rnn", "gru"):
        _, record = done(files["vectors"], "vectors", label)
        assert {"gradient_flow", "states"} <= set(record.artifacts)
        assert abs(record.parameters["recurrent"] - 500) < 60


def test_other_targets_than_the_task_needs_are_refused(files: dict[str, list[str]], refused: Refused) -> None:
    words = [*files["vectors"], *TINY, "launcher=inline", "data.label_column=null"]
    assert "data=vectors is for task=classification, and a class for each step came" in refused(
        "train", *words, "data.tags_column=phase"
    )
    assert "data.deltas=1 puts differences" in refused(
        "train", *files["vectors"], *TINY, "data.deltas=1", "data.order=shuffled"
    )


def test_sets_without_a_mirror_say_where_they_are_not() -> None:
    for name in ("jhmdb_joints", "gesture_phase", "finger_traces", "seattle_weather", "cmapss_fd001"):
        config = compose([f"data={name}"])
        assert config["choices"]["task"] == {"gesture_phase": "tagging", "cmapss_fd001": "regression"}.get(
            name, "classification"
        )


@of_mirror
def test_the_sets_of_the_mirror(tmp_path: Path) -> None:
    from lightning_seq.builders.build import build_data

    sizes = {
        ("jhmdb_joints", "data.fold=1"): (389, 44, 176),
        ("jhmdb_joints", "data.fold=3"): (390, 44, 175),
        ("gesture_phase", "data.max_steps=null"): (4, 1, 2),
        ("finger_traces", "data.deltas=1"): (3180, 730, 1258),
        ("seattle_weather", "data.window=14"): (898, 170, 351),
        ("cmapss_fd001", "data.cap=125"): (15884, 1847, 100),
    }
    for (name, word), expected in sizes.items():
        data = build_data(compose([f"data={name}", word, f"data.mirror={MIRROR}", f"cache={tmp_path}"]))
        assert tuple(map(len, data.splits.values())) == expected, name
    lives = data.splits["test"].targets[:, 0]  # of C-MAPSS: the official file, at most 125
    assert lives[:5].tolist() == [112, 98, 69, 82, 91]
    assert lives.max() == 125
    engines = [set(data.example_ids(split).groups) for split in ("train", "validation")]
    assert not engines[0] & engines[1]
    assert len(engines[1]) == 10
