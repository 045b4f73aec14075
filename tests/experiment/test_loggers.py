"""Loggers, and the word2vec verb."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lightning_seq.cli import main
from lightning_seq.experiment.loggers import CurveLogger, wandb_mode
from lightning_seq.record import read

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


def test_the_wandb_run_holds_what_the_record_holds(own: list[str]) -> None:
    from wandb.proto import wandb_internal_pb2

    assert main(["train", "model=rnn", *own, *TINY, "logger=wandb", "name=logged"]) == 0
    run = Path(own[2].removeprefix("runs=")) / "logged/rnn-seed1"
    (file,) = run.glob("wandb/offline-run-*/*.wandb")
    logged, described = {}, None
    for data in entries_of(file.read_bytes()):
        entry = wandb_internal_pb2.Record()
        entry.ParseFromString(data)
        if entry.WhichOneof("record_type") == "run":
            described = entry.run
        for item in entry.history.item:
            logged[item.key or "/".join(item.nested_key)] = json.loads(item.value_json)
    record = read(run)
    assert (described.run_group, described.job_type, described.display_name) == ("logged", "train", "rnn-seed1")
    assert set(described.tags) == {"arch:rnn", "data:csv"}
    for name, curve in record.curves.items():
        assert logged[name] == pytest.approx(curve[-1][3]), name
    for name in ("test/accuracy", "test/loss"):
        assert logged[name] == pytest.approx(record.metrics[name])
    assert "trainer/global_step" in logged


def test_tensorboard_is_a_choice(own: list[str]) -> None:
    assert main(["train", "model=rnn", *own, *TINY, "logger=tensorboard"]) == 0
    assert list((Path(own[2].removeprefix("runs=")) / "csv/rnn-seed1/tensorboard").glob("events.*"))


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
