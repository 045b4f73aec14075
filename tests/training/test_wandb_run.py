"""Runs of W&B: offline always, and sent on where there is somebody to send them to."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
from pyarrow import parquet

from lightning_seq.cli.main import main
from lightning_seq.records.record import Record, read, write
from lightning_seq.training.loggers.wandb_run import SENT, WandbRun, send, wandb_id, wandb_mode
from lightning_seq.training.loggers.wandb_upload import carry
from lightning_seq.training.signals import is_alive
from tests.runs import TINY, environment


@pytest.fixture(autouse=True)
def no_mode(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WANDB_MODE", raising=False)


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


@pytest.mark.parametrize("variable", ["disabled", "offline", "online"])
def test_the_variable_of_wandb_may_ask_for_less(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv("WANDB_MODE", variable)
    monkeypatch.setenv("WANDB_API_KEY", "x" * 40)
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    assert wandb_mode("offline")[0] == ("disabled" if variable == "disabled" else "offline")
    mode, reason = wandb_mode("online")
    assert mode == ("offline" if variable == "online" else variable)
    assert (f"WANDB_MODE={variable} is set" in (reason or "")) == (variable != "online")


def test_a_disabled_wandb_leaves_nothing(
    own: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WANDB_MODE", "disabled")
    assert main(["train", "model=rnn", *own, *TINY, "logger=wandb"]) == 0
    assert "W&B   " not in capsys.readouterr().out
    place = Path(own[2].removeprefix("runs="))
    assert not list(place.rglob("*.wandb"))
    assert "WANDB_MODE=disabled is set" in (place / "csv/rnn-seed1/log.txt").read_text()


def test_a_run_that_should_be_online_is_kept_offline(
    own: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("WANDB_API_KEY", "secretkey" * 5)
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    assert main(["train", "model=rnn", *own, *TINY, "logger=wandb_online"]) == 0
    place = Path(own[2].removeprefix("runs="))
    assert list(place.glob("csv/rnn-seed1/wandb/offline-run-*/*.wandb"))
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


def records_of(run: Path) -> Iterator[Any]:
    from wandb.proto import wandb_internal_pb2

    (file,) = run.glob("wandb/offline-run-*/*.wandb")
    for data in entries_of(file.read_bytes()):
        entry = wandb_internal_pb2.Record()
        entry.ParseFromString(data)
        yield entry


def read_wandb(run: Path) -> tuple[Any, dict[str, list[float]], dict[str, Any], dict[str, Any]]:
    """Of the one W&B run of a run: its description, what was logged, its configuration and its summary."""
    logged, summary, described = {}, {}, None
    for entry in records_of(run):
        if entry.WhichOneof("record_type") == "run":
            described = entry.run
        for item in entry.history.item:
            logged.setdefault(item.key or "/".join(item.nested_key), []).append(json.loads(item.value_json))
        for item in entry.summary.update:
            summary[item.key or ".".join(item.nested_key)] = json.loads(item.value_json)
    config = {item.key: json.loads(item.value_json) for item in described.config.update if item.key != "_wandb"}
    return described, logged, config, summary


def test_the_wandb_run_holds_what_the_record_holds(own: list[str]) -> None:
    given = ["logger.project=2026", "logger.tags=[draft,7]", "logger.notes=a first try: 1, 2", "logger.log_model=true"]
    words = ["train", "model=rnn", *own, *TINY, "logger=wandb", *given, "name=logged"]
    subprocess.run([sys.executable, "-m", "lightning_seq", *words], env=environment(), check=True, timeout=120)
    assert len(list(Path(own[2].removeprefix("runs=")).rglob("*.wandb"))) == 1
    run = Path(own[2].removeprefix("runs=")) / "logged/rnn-seed1"
    described, logged, config, summary = read_wandb(run)
    record = read(run)
    assert (described.run_group, described.job_type, described.display_name) == ("logged", "train", "rnn-seed1")
    assert described.project == "2026"
    assert set(described.tags) == {"arch:rnn", "data:csv", "draft", "7"}
    assert described.notes == "a first try: 1, 2"
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
    assert logged["train/learning_rate"] == [0.03] * len(logged["train/loss"])
    assert min(logged["train/gradient_norm"]) > 0
    assert "epoch 2" in next(run.glob("wandb/offline-run-*/files/output.log")).read_text()
    (table,) = run.glob("wandb/offline-run-*/files/media/table/test/predictions_*.json")
    assert json.loads(table.read_text())["columns"][:5] == ["id", "origin", "row", "target", "prediction"]
    (matrix,) = run.glob("wandb/offline-run-*/files/media/table/test/confusion_table_*.json")
    assert sum(count for *_, count in json.loads(matrix.read_text())["data"]) == len(
        parquet.read_table(run / "predictions.parquet")
    )
    kinds = {entry.WhichOneof("record_type"): str(entry) for entry in records_of(run)}  # the last of each
    assert {"stats", "environment"} <= kinds.keys()
    assert "best.ckpt" in kinds["artifact"]
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


def test_the_newest_part_names_the_run_to_go_on_with(tmp_path: Path) -> None:
    """Recorded offline, or by W&B itself online."""
    assert wandb_id(tmp_path) is None
    for part in ("run-20260102_000000-second", "offline-run-20260101_000000-first"):
        (tmp_path / "wandb" / part).mkdir(parents=True)
    assert wandb_id(tmp_path) == "second"
    (tmp_path / "wandb/offline-run-20260103_000000-third").mkdir()
    assert wandb_id(tmp_path) == "third"


def test_who_sends_has_a_service_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """That of the run ends with it, and what is not sent by then would stay where it is."""
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\nenv\necho said $@\n")
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    monkeypatch.setenv("WANDB_SERVICE", "3-1-unix-socket")
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    recorded, log = tmp_path / "wandb/offline-run-20260101_000000-x", tmp_path / "wandb" / SENT
    recorded.mkdir(parents=True)
    send(recorded)
    begun = time.monotonic()
    while "said " not in log.read_text() and time.monotonic() - begun < 30:
        time.sleep(0.05)
    lines = log.read_text().splitlines()
    assert f"said -P -m lightning_seq.training.loggers.wandb_upload {recorded} {os.getpid()}" in lines
    assert f"WANDB_API_KEY={'0' * 40}" in lines
    assert not [line for line in lines if line.startswith("WANDB_SERVICE=")]


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


class Server(ThreadingHTTPServer):
    """What W&B's programs need of a server to send a run: some answers, and what came is kept.

    silent: it takes what it is sent and never answers.
    """

    daemon_threads = True

    def __init__(self, silent: bool) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.silent, self.closing = silent, threading.Event()
        self.streamed: list[str] = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Answer(BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *_: object) -> None: ...

    def do_POST(self) -> None:
        sent = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode(errors="replace")
        if self.server.silent:
            self.server.closing.wait()
            return
        if self.path.endswith("file_stream"):
            self.server.streamed.append(sent)
        project = {"id": "p", "name": "p", "entity": {"id": "e", "name": "me"}}
        bucket = {"id": "b", "name": "x", "displayName": "x", "description": "", "config": "{}", "sweepName": None}
        data = {
            "viewer": {"id": "u", "entity": "me", "username": "me", "flags": "{}", "teams": {"edges": []}},
            "serverInfo": {"cliVersionInfo": {}, "latestLocalVersionInfo": None, "features": []},
            "createRunFiles": {"runID": "b", "uploadHeaders": [], "files": []},
            "createArtifact": {  # one that the server has already: nothing is uploaded
                "artifact": {"id": "a", "state": "COMMITTED", "artifactSequence": {"id": "s", "latestArtifact": None}}
            },
            "upsertBucket": {"bucket": {**bucket, "project": project, "historyLineCount": 0}, "inserted": True},
        }
        said = json.dumps({"data": data} if "graphql" in self.path else {}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    do_PUT = do_GET = do_POST  # noqa: N815


@pytest.fixture(params=[False])
def server(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Server]:
    """One that this test's W&B knows; no process that sends outlives the test."""
    made = Server(request.param)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    monkeypatch.setenv("WANDB_BASE_URL", made.url)
    yield made
    made.closing.set()
    for process in psutil.process_iter(["cmdline"]):
        words = " ".join(process.info["cmdline"] or [])
        if "wandb" in words and f"{tmp_path.parent}/" in words:
            process.kill()
    made.shutdown()
    made.server_close()


@pytest.mark.slow
def test_what_is_recorded_is_sent(own: list[str], server: Server) -> None:
    """Also when the process that recorded it has ended."""
    words = ["train", "model=rnn", *own, *TINY, "logger=wandb_online"]
    subprocess.run([sys.executable, "-m", "lightning_seq", *words], env=environment(), check=True, timeout=120)
    record = read(Path(own[2].removeprefix("runs=")) / "csv/rnn-seed1")
    sent, begun = list[float](), time.monotonic()
    while len(sent) < len(record.curves["val/accuracy"]) and time.monotonic() - begun < 90:
        time.sleep(0.2)
        lines = [
            json.loads(line)
            for body in server.streamed
            for line in json.loads(body).get("files", {}).get("wandb-history.jsonl", {}).get("content", [])
        ]
        sent = [line["val/accuracy"] for line in lines if "val/accuracy" in line]
    assert sent == pytest.approx([value for *_, value in record.curves["val/accuracy"]])


@pytest.mark.parametrize("server", [True], indirect=True)
def test_a_server_that_never_answers_holds_nothing_up(
    own: list[str], server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "model=rnn", *own, *TINY, "logger=wandb_online"]) == 0
    assert "is being sent in the background" in capsys.readouterr().out
    assert read(Path(own[2].removeprefix("runs=")) / "csv/rnn-seed1").status == "done"


def test_wandb_itself_may_fail(own: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    import wandb

    def failing(*_: object, **__: object) -> None:
        raise wandb.errors.CommError("no service")

    monkeypatch.setattr("wandb.init", failing)
    assert main(["train", "model=rnn", *own, *TINY, "logger=wandb"]) == 0
    directory = Path(own[2].removeprefix("runs=")) / "csv/rnn-seed1"
    assert read(directory).status == "done"
    assert "W&B does not start (no service)" in (directory / "log.txt").read_text()


def test_a_sender_is_given_up_a_while_after_the_end_of_the_run() -> None:
    words = [sys.executable, "-c", "import time; time.sleep(60)"]
    recording = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1)"])
    assert is_alive(recording.pid)
    begun = time.monotonic()
    assert carry(words, lambda: is_alive(recording.pid), patience=0.5) < 0
    assert 1 < time.monotonic() - begun < 50
    assert not is_alive(recording.pid)  # though nobody has asked for its exit code
    recording.wait()
    assert carry([sys.executable, "-c", "raise SystemExit(3)"], lambda: False) == 3
