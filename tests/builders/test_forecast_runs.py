"""Forecasts as a user runs them: compared, tested, on the dashboard, and of new series."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from pyarrow import parquet

from lightning_seq.cli.main import main
from lightning_seq.data.sources.embedded_series import PASSENGERS
from lightning_seq.records.forecasts import Forecasts
from lightning_seq.records.record import read
from lightning_seq.report.examples import example_scores
from lightning_seq.report.tables import markdown
from lightning_seq.report.write import write_report
from tests.runs import environment
from torture.killed import Runner, Scene, differences, struck

TINY = (
    "data=airline_passengers", "trainer.max_epochs=2", "trainer.progress=false", "trainer.threads=1", "logger=none",
    "launcher=inline", "optimizer.lr=0.01",
)  # fmt: skip


@pytest.fixture
def places(tmp_path: Path) -> list[str]:
    return [f"runs={tmp_path / 'runs'}", f"cache={tmp_path / 'cache'}", "name=series"]


def run_of(places: list[str], label: str, seed: int = 1) -> Path:
    return Path(places[0].removeprefix("runs=")) / "series" / f"{label}-seed{seed}"


@pytest.mark.dashboard
def test_a_comparison_with_rules(places: list[str], capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    given = ["model=gru,naive,seasonal_naive", "task.output=student_t", "data.horizon=4", "seeds=2"]
    assert main(["compare", *given, *places, *TINY]) == 0
    gru, naive, seasonal = (read(run_of(places, label)) for label in ("gru", "naive", "seasonal_naive"))
    assert gru.status == "done", gru.error
    for name in ("mase", "smape", "mae", "rmse", "owa"):  # a rule as a model is the rule that is not trained
        assert seasonal.metrics[f"test/{name}"] == pytest.approx(gru.baseline[f"test/{name}"], rel=1e-5)
        assert naive.metrics[f"test/{name}"] == pytest.approx(gru.further_baselines["naive"][f"test/{name}"], rel=1e-5)
    assert gru.further_baselines["Naive2"]["test/owa"] == 1
    numbers = np.array(PASSENGERS.split(), dtype=float)
    scale = np.abs(numbers[12:122] - numbers[:110]).mean()
    error = np.mean([np.abs(numbers[start + k] - numbers[start - 1]) for start in range(122, 141) for k in range(4)])
    assert naive.metrics["test/mase"] == pytest.approx(error / scale, rel=1e-5)

    table = parquet.read_table(run_of(places, "gru") / "predictions.parquet").to_pydict()
    assert table["id"][:5] == ["airline_passengers 1959-03-01"] * 4 + ["airline_passengers 1959-04-01"]
    assert table["step"][:5] == [1, 2, 3, 4, 1]
    assert table["target"][:4] == numbers[122:126].tolist()
    assert np.mean(table["mase"]) == pytest.approx(gru.metrics["test/mase"], rel=1e-5)
    assert np.mean(table["crps"]) == pytest.approx(gru.metrics["test/crps"], rel=1e-5)
    low, high, target = (np.array(table[name]) for name in ("quantile_0.1", "quantile_0.9", "target"))
    assert np.mean((low <= target) & (target <= high)) == pytest.approx(gru.metrics["test/coverage"], rel=1e-5)
    assert np.mean(high - low) / scale == pytest.approx(gru.metrics["test/width"], rel=1e-4)
    assert len(set(table["group"])) == 5

    runs = [(run_of(places, label, seed), read(run_of(places, label, seed)))
            for label in ("gru", "naive") for seed in (1, 2)]  # fmt: skip
    for metric in ("mase", "smape", "crps"):
        scores, groups, notes = example_scores(runs, f"test/{metric}")
        assert (len(scores), notes) == (4, [])
        assert groups is not None
        assert len(groups) == 19
        assert scores["gru", 1].mean() == pytest.approx(gru.metrics[f"test/{metric}"], rel=1e-4)

    shown = Forecasts.read(run_of(places, "gru") / "forecasts.json")
    assert len(shown.steps) == 4
    assert shown.overlap == 3
    assert np.mean(shown.steps) == pytest.approx(gru.metrics["test/mase"], rel=1e-5)
    assert [len(one.past) for one in shown.windows] == [24] * 8
    page = (run_of(places, "gru").parent / "dashboard.html").read_text()
    assert "Forecasts</h2>" in page
    assert "Diebold" in page
    capsys.readouterr()

    checkpoint, file = str(run_of(places, "gru")), tmp_path / "new.csv"
    rows = [f"{1949 + n // 12}-{n % 12 + 1:02d},{value}" for n, value in enumerate(PASSENGERS.split()[:122])]
    file.write_text("\n".join(["month,passengers", *rows]))
    assert main(["forecast", checkpoint, f"data={file}", "time_column=month"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["time"] for line in lines] == [f"1959-{month:02d}-01T00:00:00" for month in (3, 4, 5, 6)]
    assert {line["series"] for line in lines} == {"passengers"}
    assert list(lines[0])[3:6] == ["prediction", "quantile_0.025", "quantile_0.1"]
    # The same steps as those of the first test window; the scale is that of all that was given.
    assert [line["prediction"] for line in lines] == pytest.approx(table["prediction"][:4], rel=0.2)
    output = tmp_path / "out.csv"
    assert main(["forecast", checkpoint, f"data={file}", "time_column=month", f"output={output}"]) == 0
    with output.open() as stream:
        assert [float(row["prediction"]) for row in csv.DictReader(stream)] == [line["prediction"] for line in lines]
    with pytest.raises(SystemExit):
        main(["forecast", checkpoint, f"data={file}"])
    assert "expected a number" in capsys.readouterr().err
    assert main(["predict", checkpoint, f"text=[{','.join(PASSENGERS.split()[:122])}]"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert [one["prediction"] for one in json.loads(line)["predictions"]] == [one["prediction"] for one in lines]


def test_networks_that_do_not_beat_seasonal_naive_are_named(places: list[str]) -> None:
    given = ["model=gru", "model.hidden_size=16", "task.strategy=recursive", "trainer.max_epochs=4"]
    assert main(["train", *given, *places, *TINY[:1], *TINY[2:]]) == 0
    text = markdown(write_report(run_of(places, "gru").parent))
    assert "gru gives a flat forecast for 100 % of the test windows and does not beat seasonal naive" in text


def test_a_rule_is_no_model_of_texts(capsys: pytest.CaptureFixture[str], places: list[str]) -> None:
    with pytest.raises(SystemExit):
        main(["train", "data=verses_genre", "model=naive", "embedding=random", *places, *TINY[1:]])
    assert "model=naive continues a series" in capsys.readouterr().err


def test_a_run_is_the_same_again(places: list[str]) -> None:
    given = ["model=gru", "model.hidden_size=4", "task.dropout=0.2", "data.windows=64", "task.output=gaussian", *TINY]
    for label, epochs in (("long", 2), ("short", 1)):
        assert main(["train", *given, *places, f"label={label}", f"trainer.max_epochs={epochs}"]) == 0
    long, short = (read(run_of(places, label)).curves["val/crps"] for label in ("long", "short"))
    assert long[0][-1] == short[0][-1]
    assert long[1][-1] != long[0][-1]


@pytest.mark.parametrize(
    "more",
    [
        ("task.strategy=seq2seq", "task.schedule.kind=linear"),
        pytest.param(("task.strategy=recursive", "task.output=gaussian", "data.num_workers=1"), marks=pytest.mark.slow),
    ],
)
def test_a_killed_run_ends_as_one_that_was_not(more: tuple[str, ...], places: list[str]) -> None:
    size = ("model=gru", "model.hidden_size=8", "data.windows=40", "data.batch_size=8", "task.dropout=0.2")
    words = (*TINY, *size, *places[:2], "trainer.max_epochs=3", "callbacks.checkpoint_every_n_steps=2", *more)
    runner, scene = Runner(), Scene("forecasting", words)
    straight = scene.run("straight")
    runner.finish(straight)
    code, directory = struck(runner, scene, "struck", "batch", 8, signal.SIGTERM)
    runner.close()
    assert code == 128 + signal.SIGTERM
    assert read(directory).resumed_at
    assert not any(differences(straight.directory, directory).values())


@pytest.mark.slow
def test_two_ranks_give_the_losses_of_one(places: list[str]) -> None:
    """The last batch of an epoch has 1 of 37 windows, and one rank has none of it."""
    given = ["model=lstm", "model.hidden_size=8", "data.windows=37", "data.batch_size=12", "data.eval_batch_size=6"]
    words = ["train", *TINY, *given, "optimizer=sgd", "optimizer.lr=0.1", *places[:2]]
    assert main([*words, "name=series"]) == 0
    ddp = ["trainer=ddp", "trainer.accelerator=cpu", "trainer.devices=2", "launcher=local", "name=two"]
    ended = subprocess.run(
        [sys.executable, "-m", "lightning_seq", *words, *ddp],
        env=environment(), capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    directory = run_of(places, "lstm")
    one, two = read(directory), read(directory.parents[1] / "two" / directory.name)
    for name in ("train/loss", "val/loss", "val/mase"):
        mine, theirs = ([point[3] for point in record.curves[name]] for record in (one, two))
        assert mine == pytest.approx(theirs, rel=1e-5), name
    assert one.metrics == pytest.approx(two.metrics, rel=1e-5)
    assert one.fingerprints["batches"] == two.fingerprints["batches"]


def test_forecasters_of_equal_size(places: list[str]) -> None:
    given = ["model=rnn,gru,lstm", "match=parameters", "match.target=600", "seeds=1", "trainer.max_epochs=1"]
    assert main(["compare", *TINY, *given, *places]) == 0
    for label in ("rnn", "gru", "lstm"):
        assert abs(read(run_of(places, label)).parameters["recurrent"] - 600) < 60
