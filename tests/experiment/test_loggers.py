"""Loggers, and the word2vec verb."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lightning_seq.cli import main
from lightning_seq.experiment.loggers import CurveLogger, TensorBoardRun, WandbRun, wandb_mode
from lightning_seq.record import Record, read, write

from .conftest import TINY


def test_online_without_a_key_goes_on_offline_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    mode, reason = wandb_mode("online")
    assert mode == "offline"
    assert "no key" in reason


def test_online_without_a_network_goes_on_offline_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "x" * 40)
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    mode, reason = wandb_mode("online")
    assert mode == "offline"
    assert "does not answer" in reason
    assert wandb_mode("offline") == ("offline", None)


def test_a_run_that_should_be_online_is_kept_offline(
    own: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("WANDB_API_KEY", "secretkey" * 5)
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    assert main(["train", "model=rnn", *own, *TINY, "logger=wandb_online"]) == 0
    place = Path(own[2].removeprefix("runs="))
    assert list(place.glob("csv/rnn-seed1/wandb/offline-run-*/*.wandb"))
    assert list(place.glob("csv/wandb/offline-run-*/*.wandb"))
    for path in place.rglob("*"):
        assert not path.is_file() or b"secretkey" not in path.read_bytes(), path


def entries_of(data: bytes) -> Iterator[bytes]:
    """The records of a `.wandb` file: 7 bytes of its own, then LevelDB's log format."""
    assert data.startswith(b":W&B")
    place, parts = 7, b""
    while place + 7 <= len(data):
        if 32768 - place % 32768 < 7:
            place += 32768 - place % 32768
        length, kind = struct.unpack("<HB", data[place + 4 : place + 7])
        parts += data[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):  # whole, or the last part
            yield parts
            parts = b""


def read_wandb(run: Path) -> tuple[Any, dict[str, list[float]], dict[str, Any], dict[str, Any]]:
    """Of the one W&B run of a run: its description, what was logged, its configuration and its summary."""
    from wandb.proto import wandb_internal_pb2

    (file,) = run.glob("wandb/offline-run-*/*.wandb")
    logged, summary, described = {}, {}, None
    for data in entries_of(file.read_bytes()):
        entry = wandb_internal_pb2.Record()
        entry.ParseFromString(data)
        if entry.WhichOneof("record_type") == "run":
            described = entry.run
        for item in entry.history.item:
            logged.setdefault(item.key or "/".join(item.nested_key), []).append(json.loads(item.value_json))
        for item in entry.summary.update:
            summary[item.key or ".".join(item.nested_key)] = json.loads(item.value_json)
    config = {item.key: json.loads(item.value_json) for item in described.config.update if item.key != "_wandb"}
    return described, logged, config, summary


def test_the_wandb_run_holds_what_the_record_holds(own: list[str]) -> None:
    assert main(["train", "model=rnn", *own, *TINY, "logger=wandb", "name=logged"]) == 0
    run = Path(own[2].removeprefix("runs=")) / "logged/rnn-seed1"
    described, logged, config, summary = read_wandb(run)
    record = read(run)
    assert (described.run_group, described.job_type, described.display_name) == ("logged", "train", "rnn-seed1")
    assert set(described.tags) == {"arch:rnn", "data:csv"}
    assert config == {**record.config, "label": "rnn"}
    assert len(record.curves["val/accuracy"]) == 2
    for name, curve in record.curves.items():
        assert logged[name] == pytest.approx([value for *_, value in curve]), name
    assert {"val/accuracy", "val/loss", "test/accuracy", "test/loss"} <= record.metrics.keys()
    for name, value in record.metrics.items():
        assert summary[name] == value, name
        assert not name.startswith("test/") or logged[name] == [pytest.approx(value)], name
    for part, count in record.parameters.items():
        assert summary[f"parameters/{part}"] == count
    assert summary["tokens_per_second"] == record.throughput["tokens_per_second"]
    assert "trainer/global_step" in logged
    (file,) = run.glob("wandb/offline-run-*/*.wandb")
    words = [sys.executable, "-m", "wandb", "sync", "--dry-run", str(file.parent)]
    listed = subprocess.run(words, capture_output=True, text=True, check=True)
    assert str(file) in listed.stdout + listed.stderr


def test_a_run_that_goes_on_is_one_wandb_run(own: list[str]) -> None:
    words = ["train", "model=rnn", *own, *TINY, "logger=wandb", "name=parts"]
    directory = Path(own[2].removeprefix("runs=")) / "parts/rnn-seed1"

    def ids() -> list[str]:
        return [path.name.rpartition("-")[2] for path in directory.glob("wandb/offline-run-*")]

    def left_unfinished() -> None:
        write(directory, read(directory).with_(status="interrupted"))

    assert main(words) == 0
    left_unfinished()
    time.sleep(1)  # W&B names its directories to the second
    assert main(words) == 0
    assert len(ids()) == 2
    assert len(set(ids())) == 1
    before = ids()[0]
    left_unfinished()
    assert main([*words, "resume=never"]) == 0
    assert len(ids()) == 1
    assert ids()[0] != before


def test_the_wandb_run_ends_with_the_checkpoint_that_was_selected(tmp_path: Path) -> None:
    logged = SimpleNamespace(summary={"val/loss": 0.9, "train/loss": 0.1})  # as after the last epoch
    logger = WandbRun(tmp_path, logged)
    record = Record(status="running", name="x", label="rnn", seed=1, metrics={"val/loss": 0.25, "test/loss": 0.3})
    write(tmp_path, record)
    logger.finalize("success")
    assert logged.summary["val/loss"] == 0.9
    write(tmp_path, record.with_(status="done"))
    logger.finalize("success")
    assert logged.summary == {"val/loss": 0.25, "test/loss": 0.3, "train/loss": 0.1}


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
    logger.log_metrics({"train/loss": 0.5, "epoch": 0}, 10)
    logger.log_metrics({"val/loss": float("nan"), "val/accuracy": 0.75, "epoch": 0}, 20)
    logger.close()
    logger.log_metrics({"val/accuracy": 1.0, "epoch": 1}, 30)
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
