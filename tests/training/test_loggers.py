"""Loggers, and the word2vec verb."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lightning_seq.cli.main import main
from lightning_seq.records.record import Record, read, write
from lightning_seq.training.loggers.curve_logger import CurveLogger
from lightning_seq.training.loggers.fail_safe import FailSafeLogger
from lightning_seq.training.loggers.tensorboard_run import TensorBoardRun
from tests.runs import TINY
from torture.killed import Runner, Scene, struck

LOGGED = ("logger=tensorboard", "callbacks.checkpoint_every_n_steps=null", "trainer.log_every_n_steps=1")


def hparams_tab(directory: Path) -> tuple[dict[str, dict[str, Any]], dict[str, dict[str, float]], set[str]]:
    """What TensorBoard makes of the event files there: settings and final metrics by run, and the columns it shows."""
    from tensorboard.backend.event_processing.data_provider import MultiplexerDataProvider
    from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
    from tensorboard.context import RequestContext
    from tensorboard.plugins.base_plugin import TBContext
    from tensorboard.plugins.hparams import metadata
    from tensorboard.plugins.hparams.backend_context import Context

    multiplexer = EventMultiplexer().AddRunsFromDirectory(str(directory)).Reload()
    provider = MultiplexerDataProvider(multiplexer, str(directory))
    context, request = Context(TBContext(logdir=str(directory), data_provider=provider)), RequestContext()
    tags = context.hparams_metadata(request, "")
    experiment = context.experiment_from_metadata(request, "", True, tags, [])
    settings, metrics = {}, {}
    for run, held in tags.items():
        plain = metadata.parse_session_start_info_plugin_data(held[metadata.SESSION_START_INFO_TAG]).hparams
        settings[run] = {key: getattr(value, value.WhichOneof("kind")) for key, value in plain.items()}
        scalars = multiplexer.GetAccumulator(run)
        metrics[run] = {
            tag: tensor_value(scalars.Tensors(tag)[-1]) for tag in scalars.Tags()["tensors"] if "hparams" not in tag
        }
    return settings, metrics, {column.name for column in experiment.hparam_infos}


def tensor_value(event: Any) -> float:
    from tensorboard.util.tensor_util import make_ndarray

    return float(make_ndarray(event.tensor_proto))


def test_tensorboard_compares_runs_by_their_settings(own: list[str]) -> None:
    words = ["model=rnn,window_mlp", *own, *TINY, "logger=tensorboard", "seeds=1", "launcher=inline"]
    assert main(["compare", *[word for word in words if "hidden_size" not in word]]) == 0
    place = Path(own[2].removeprefix("runs=")) / "csv"
    settings, metrics, columns = hparams_tab(place)
    assert set(settings) == {"rnn-seed1/tensorboard", "window_mlp-seed1/tensorboard"}
    for label in ("rnn", "window_mlp"):
        run = f"{label}-seed1/tensorboard"
        record = read(place / f"{label}-seed1")
        told = settings[run]
        assert (told["label"], told["model"], told["seed"], told["data"]) == (label, label, 1, "csv")
        assert told["optimizer.lr"] == record.config["optimizer"]["lr"] == 0.03
        assert told["data.batch_size"] == 16
        for key in ("hidden_size", "dropout"):
            assert record.config["model"].get(key) == told.get(f"model.{key}"), key
        for name, value in record.metrics.items():
            assert metrics[run][f"final/{name}"] == pytest.approx(value), name
        assert metrics[run]["final/parameters/total"] == record.parameters["total"]
        for name, curve in record.curves.items():
            assert metrics[run][name] == pytest.approx(curve[-1][3]), name
    assert settings["rnn-seed1/tensorboard"]["cell"] == "elman"
    assert columns == set().union(*settings.values())
    assert "model.bidirectional" in settings["rnn-seed1/tensorboard"].keys() - settings["window_mlp-seed1/tensorboard"]


def test_a_run_that_failed_has_no_final_numbers(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    write(tmp_path, Record(status="failed", name="x", label="rnn", seed=1, metrics={"test/loss": 1.0}))
    logger = TensorBoardRun(tmp_path)
    logger.log_metrics({"val/loss": 0.5}, 1)
    logger.finalize("failed")
    assert hparams_tab(tmp_path) == ({}, {}, set())


def test_curves_are_stamped_and_closed(tmp_path: Path) -> None:
    seconds, changes = iter([1.0, 2.5, 2.5, 9.0]), []
    logger = CurveLogger(tmp_path, lambda: next(seconds), lambda: changes.append(1))
    logger.log_metrics({"train/loss": 0.5, "epoch": 1}, 10)
    logger.log_metrics({"val/loss": float("nan"), "val/accuracy": 0.75, "epoch": 1}, 20)
    logger.close()
    logger.log_metrics({"val/accuracy": 1.0, "epoch": 2}, 30)
    assert logger.curves == {
        "train/loss": [[10, 1, 1.0, 0.5]],
        "val/loss": [[20, 1, 2.5, None]],
        "val/accuracy": [[20, 1, 2.5, 0.75]],
    }
    assert logger.at(20, "val/") == {"val/loss": None, "val/accuracy": 0.75}
    assert changes == [1]
    assert (tmp_path / "metrics.csv").read_text().splitlines() == [
        "step,epoch,seconds,train/loss,val/loss,val/accuracy",
        "10,1,1.0,0.5,,",
        "20,1,2.5,,,0.75",
    ]


def test_word2vec_trains_once_evaluates_and_exports(
    own: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["word2vec", *own, "word2vec.vector_size=6", "word2vec.epochs=2"]
    assert main([*words, f"output={tmp_path / 'v.txt'}"]) == 0
    assert "epoch 2/2" in capsys.readouterr().err
    header = (tmp_path / "v.txt").read_text().splitlines()[0].split()
    assert header[1] == "6"
    assert main([*words, "evaluate=true"]) == 0
    said = capsys.readouterr()
    assert "epoch" not in said.err
    assert "wordsim353" in said.out
    page = Path(own[2].removeprefix("runs=")) / "csv/word_map.html"
    assert "<svg" in page.read_text() or "vega" in page.read_text().lower()


def test_a_pipeline_script_is_its_verb(own: list[str]) -> None:
    script = Path(__file__).parents[2] / "pipelines/word2vec.py"
    done = subprocess.run([sys.executable, str(script), "modle=x", *own], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "did you mean model" in done.stderr


class Falling(CurveLogger):
    """Takes the first number and fails at the second."""

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        if self.curves:
            raise OSError("no room")
        super().log_metrics(metrics, step)


def test_a_logger_that_fails_is_left_out(tmp_path: Path) -> None:
    heard = list[str]()
    logger = FailSafeLogger(Falling(tmp_path, lambda: 1.0, lambda: None), heard.append)
    for step in range(3):
        logger.log_metrics({"loss": 0.5}, step)
    logger.close()
    assert len(logger.logger.curves["loss"]) == 1
    (said,) = heard
    assert "Falling failed" in said
    assert "no room" in said


@pytest.mark.parametrize("checkpoint", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_tensorboard_shows_a_point_once_after_a_kill(checkpoint: bool, runner: Runner, tmp_path: Path) -> None:
    """Killed after steps that no checkpoint has: the run resumes before them, or begins anew."""
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    scene = Scene.of("classification", tmp_path, (*LOGGED, f"callbacks.checkpoint={checkpoint}"))
    code, directory = struck(runner, scene, "struck", "batch", 32, signal.SIGKILL)
    assert code == -signal.SIGKILL
    shown = EventAccumulator(str(directory / "tensorboard")).Reload()
    for name in ("train/loss", "val/accuracy"):
        points = [(event.step, pytest.approx(event.value)) for event in shown.Scalars(name)]
        assert [(point[0], point[3]) for point in read(directory).curves[name]] == points


def test_a_run_survives_its_loggers(own: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: object, **__: object) -> None:
        raise OSError("no room")

    monkeypatch.setattr(TensorBoardRun, "log_metrics", failing)
    assert main(["train", "model=rnn", *own, *TINY, "logger=tensorboard"]) == 0
    directory = Path(own[2].removeprefix("runs=")) / "csv/rnn-seed1"
    assert read(directory).status == "done"
    assert (directory / "log.txt").read_text().count("TensorBoardRun failed") == 1
