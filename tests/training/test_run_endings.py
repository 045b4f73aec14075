"""How runs end otherwise than done: they fail, are refused, or hear a signal; what then stands in record and log."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from lightning_seq.cli.main import main
from lightning_seq.errors import UserError
from lightning_seq.records.record import read, write
from lightning_seq.report.dashboard import chart_library
from lightning_seq.training import outcome
from tests.runs import INLINE, TINY, environment, record_of


@pytest.mark.dashboard
def test_a_run_that_fails_is_recorded_and_the_others_go_on(own: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from lightning_seq.cells.gru import GRUCell

    def broken(self: GRUCell, *_: object) -> None:
        raise RuntimeError("this cell is broken")

    monkeypatch.setattr(GRUCell, "step", broken)
    words = ["compare", "model=gru,rnn", "model.engine=loop", "seeds=1", INLINE, *own, *TINY]
    assert main(words) == 1
    failed = record_of(own, "gru-seed1")
    assert (failed.status, failed.error) == ("failed", "RuntimeError: this cell is broken")
    log = Path(own[2].removeprefix("runs=")) / "csv" / "gru-seed1" / "log.txt"
    assert "Traceback" in log.read_text()
    assert record_of(own, "rnn-seed1").status == "done"
    assert "this cell is broken" in (log.parent.parent / "dashboard.html").read_text()


def test_a_run_that_failed_at_once_makes_way_for_the_corrected_one(
    own: list[str], refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refusing(*_: object, **__: object) -> None:
        raise UserError("no trainer for this")

    with monkeypatch.context() as patched:
        patched.setattr("lightning_seq.training.fit.build_trainer", refusing)
        assert "no trainer" in refused("train", "model=rnn", *own, *TINY, "trainer.gradient_clip_val=2")
    assert record_of(own, "rnn-seed1").status == "failed"
    assert main(["train", "model=rnn", *own, *TINY]) == 0
    assert record_of(own, "rnn-seed1").status == "done"


def test_a_run_that_got_further_before_it_ended_makes_no_way(own: list[str], refused: Callable[..., str]) -> None:
    assert main(["train", "model=rnn", *own, *TINY]) == 0
    directory = Path(own[2].removeprefix("runs=")) / "csv/rnn-seed1"
    done = read(directory)

    def is_kept(**changes: Any) -> None:
        write(directory, done.with_(metrics={}, **changes))
        ended = read(directory)
        assert "holds a run with optimizer.lr=0.03" in refused("train", "model=rnn", *own, *TINY, "optimizer.lr=0.5")
        assert read(directory) == ended

    is_kept(status="failed", curves={})  # its checkpoints are there
    shutil.rmtree(directory / "checkpoints")
    is_kept(status="failed")
    is_kept(status="interrupted", curves={})


def test_a_run_that_diverges_is_recorded(own: list[str], refused: Callable[..., str]) -> None:
    words = ["train", "model=gru", *own, *TINY, "trainer.max_steps=3", "optimizer.lr=1e38"]
    said = refused(*words)
    assert said.startswith("a weight is not finite at step 2 (epoch 1), samples ")
    record = record_of(own, "gru-seed1")
    assert (record.status, record.error) == ("failed", said)
    assert main([*words, "callbacks.finite_guard.policy=ignore"]) == 0
    record = record_of(own, "gru-seed1")
    assert (record.status, record.metrics["val/loss"]) == ("done", None)
    assert not list((Path(own[2].removeprefix("runs=")) / "csv" / "gru-seed1").rglob("*.ckpt"))


def test_a_process_says_in_its_log_why_it_could_not_begin(own: list[str], tmp_path: Path) -> None:
    directory = tmp_path / "run"
    directory.mkdir()
    (directory / "config.yaml").write_text("[")
    given = json.dumps({"label": "rnn", "overrides": [], "jobs": 1, "started": None})
    command = [sys.executable, "-m", "lightning_seq.training.run", str(directory)]
    with (directory / "log.txt").open("w") as log:
        done = subprocess.run(command, stderr=log, env={**os.environ, "LIGHTNING_SEQ_RUN": given}, timeout=120)
    assert done.returncode == 2
    said = (directory / "log.txt").read_text()
    assert said.count("config.yaml cannot be read") == 1
    assert "Traceback" not in said
    (directory / "config.yaml").unlink()
    os.mkfifo(directory / "config.yaml")  # nobody writes into it: a reader would wait for ever
    done = subprocess.run(command, capture_output=True, env={**os.environ, "LIGHTNING_SEQ_RUN": given}, timeout=120)
    assert done.returncode == 2
    said = (directory / "log.txt").read_text()
    assert "config.yaml cannot be read (it is a pipe or a device, expected a file)" in said


def ended_by(number: signal.Signals, module: Sequence[str], begun: Callable[[], bool], **given: str) -> tuple[int, str]:
    """Start a module with its arguments, send the signal when it has begun; its exit code and what it said."""
    process = subprocess.Popen(
        [sys.executable, "-m", *module],
        env={**environment(), **given},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        # Started in the background of a script, this process ignores some, and would hand that down.
        preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),
    )
    for _ in range(600):
        if begun():
            break
        assert process.poll() is None, process.communicate()
        time.sleep(0.1)
    process.send_signal(number)
    try:
        said, _ = process.communicate(timeout=60)
    finally:
        process.kill()
    return process.returncode, said


def test_a_process_hears_a_signal_before_it_knows_its_run(tmp_path: Path) -> None:
    (tmp_path / "waiting.py").write_text(
        "import sys, time\nfrom lightning_seq.training import run\n"
        "run.read_config = lambda directory: time.sleep(60)\nsys.exit(run.main(sys.argv[1:]))\n",
        encoding="utf-8",
    )
    given = {
        "LIGHTNING_SEQ_RUN": json.dumps({"label": "rnn", "overrides": [], "jobs": 1, "started": None}),
        "PYTHONPATH": os.pathsep.join([str(tmp_path), environment()["PYTHONPATH"]]),
    }
    code, said = ended_by(signal.SIGTERM, ["waiting", str(tmp_path)], (tmp_path / "log.txt").exists, **given)
    assert code == 128 + signal.SIGTERM, said
    assert "Traceback" not in said
    assert "SIGTERM" in (tmp_path / "log.txt").read_text()


@pytest.mark.slow
def test_what_ended_another_rank_is_the_cause(own: list[str]) -> None:
    words = ["trainer=ddp", "trainer.accelerator=cpu", "trainer.devices=2", "cell._target_=breaking.Cell"]
    file = Path(own[1].removeprefix("data.train=")).parent / "breaking.py"
    file.write_text(
        "import os\nfrom lightning_seq import ElmanCell\nclass Cell(ElmanCell):\n    def step(self, *given):\n"
        "        if os.environ.get('RANK') == '1':\n            raise MemoryError('rank 1 has no room')\n"
        "        return super().step(*given)\n",
        encoding="utf-8",
    )
    done = subprocess.run(
        [sys.executable, "-m", "lightning_seq", "train", "model=recurrent", *words, "allow=[breaking]", *own, *TINY],
        env=environment() | {"PYTHONPATH": os.pathsep.join([str(file.parent), *sys.path])},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    record = record_of(own, "recurrent-Cell-seed1")
    assert (done.returncode, record.status) == (1, "failed"), done.stderr
    assert record.error == "MemoryError: rank 1 has no room"


def test_a_signal_ends_a_comparison_with_its_records_in_order(own: list[str]) -> None:
    words = ["compare", "model=rnn,gru", "seeds=1", *own, *TINY, "trainer.max_epochs=5000", "callbacks=none"]
    record = Path(own[2].removeprefix("runs=")) / "csv/rnn-seed1/record.json"
    code, said = ended_by(
        signal.SIGINT, ["lightning_seq", *words], lambda: record.is_file() and bool(read(record).curves)
    )
    assert code == 130, said
    assert "Traceback" not in said
    ended = read(record)
    assert (ended.status, ended.finished is not None) == ("interrupted", True)
    assert "SIG" in ended.error
    assert not list(record.parents[1].rglob("*.part"))


@pytest.mark.dashboard
def test_a_done_run_is_done_where_the_chart_library_dies(
    own: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As under a limit on memory, where the library aborts its process; `report` makes the dashboard later."""
    chart_library.javascript.cache_clear()
    monkeypatch.setenv("LIGHTNING_SEQ_CACHE", str(tmp_path / "own"))
    with monkeypatch.context() as broken:
        broken.setattr(
            chart_library, "BUNDLE", "import os, sys; print('memory allocation failed', file=sys.stderr); os.abort()"
        )
        assert main(["train", "model=rnn", *own, *TINY]) == 0
        said = " ".join(capsys.readouterr().out.split())
        directory = Path(own[2].removeprefix("runs=")) / "csv"
        assert f"dashboard {directory / 'dashboard.html'} cannot be written (the chart library ended" in said
        assert "(memory allocation failed)" in said
        assert f"`lightning-seq report {directory}` makes it later" in said
        assert record_of(own, "rnn-seed1").status == "done"
        assert "test/accuracy" in (directory / "table.md").read_text()
        assert not (directory / "dashboard.html").exists()
        with pytest.raises(SystemExit) as ended:
            main(["report", str(directory)])
        assert ended.value.code == 2
    assert main(["report", str(directory)]) == 0
    assert (directory / "dashboard.html").is_file()


def test_a_signal_whose_exception_was_caught_is_heard_before_the_record_says_done(
    own: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made = outcome._write_artifacts

    def struck(*given: Any) -> Any:
        with suppress(BaseException):
            os.kill(os.getpid(), signal.SIGTERM)
        return made(*given)

    with monkeypatch.context() as patched:
        patched.setattr(outcome, "_write_artifacts", struck)
        assert main(["compare", "model=rnn", "seeds=1", INLINE, *own, *TINY]) == 128 + signal.SIGTERM
    interrupted = record_of(own, "rnn-seed1")
    assert (interrupted.status, interrupted.error) == ("interrupted", "ended by SIGTERM")
    assert "run the same command again to finish the missing runs" in capsys.readouterr().err
    assert main(["compare", "model=rnn", "seeds=1", INLINE, *own, *TINY]) == 0
    assert record_of(own, "rnn-seed1").status == "done"


def test_a_signal_after_the_record_says_done_ends_the_command_and_leaves_the_record(
    own: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    train = outcome.train_and_test

    def struck(*given: Any) -> None:
        train(*given)
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(outcome, "train_and_test", struck)
    assert main(["compare", "model=rnn", "seeds=1", INLINE, *own, *TINY]) == 128 + signal.SIGINT
    done = record_of(own, "rnn-seed1")
    assert (done.status, done.error) == ("done", None)
    assert done.metrics["test/accuracy"] is not None


def test_a_link_to_itself_in_the_place_of_a_run_is_one_line(own: list[str], refused: Callable[..., str]) -> None:
    run = Path(own[2].removeprefix("runs=")) / "csv/rnn-seed1"
    run.parent.mkdir(parents=True)
    run.symlink_to(run.name)
    assert "csv/rnn-seed1: not a path of this system (Too many levels of" in refused("train", "model=rnn", *own, *TINY)
