"""Changes under a run: of its cache, its disk and its packages; and a signal to one of its processes."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import pytest
import torch

from lightning_seq.cli.main import main
from lightning_seq.errors import UserError
from lightning_seq.records.record import read, write
from lightning_seq.training import outcome, resume
from lightning_seq.training.checkpoints import write_checkpoint
from lightning_seq.training.planned import Planned
from lightning_seq.training.run_record import started_record
from tests.runs import TINY
from torture.killed import write_data

SHORT = (*TINY, "embedding=random", "trainer.max_epochs=1", "name=x")
KINDS = {
    "classification": ("data=csv", "data.id_column=label2"),
    "tagging": ("data=conll",),
    "sequence_to_sequence": ("data=pairs", "model=encoder_decoder"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_cache_deleted_in_mid_run_is_told_and_made_again(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    files = write_data(tmp_path / "data")
    if kind == "classification":
        path = tmp_path / "data" / "train.csv"
        header, *lines = path.read_text().splitlines()
        path.write_text(
            "".join(f"{line},{end}\n" for line, end in zip([header, *lines], ["label2", *range(160)], strict=True))
        )
    words = ["train", *KINDS[kind], *SHORT, *files[kind], f"cache={tmp_path / 'cache'}", f"runs={tmp_path / 'runs'}"]
    finish = outcome.finish

    def delete(*arguments: object) -> None:
        shutil.rmtree(tmp_path / "cache")
        finish(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(outcome, "finish", delete)
    with pytest.raises(SystemExit, match="2"):
        main(words)
    said = capsys.readouterr().err
    assert "was deleted while it was in use: the same command makes it again, and resumes the run" in said
    assert "Traceback" not in said
    monkeypatch.setattr(outcome, "finish", finish)
    assert main(words) == 0
    (directory,) = (tmp_path / "runs" / "x").glob("*-seed1")
    assert read(directory).resumed_at


@pytest.mark.parametrize(
    "error",
    [
        OSError(28, "No space left on device"),
        RuntimeError("[enforce fail at inline_container.cc:664] . unexpected pos 64 vs 0"),
        RuntimeError("PytorchStreamWriter failed writing file data/0: file write failed"),
    ],
)
def test_a_full_disk_while_a_checkpoint_is_written(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "last.ckpt"
    write_checkpoint(path, {"a": 1})

    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(torch, "save", fail)
    with pytest.raises(UserError, match=r"last\.ckpt cannot be written \(.*\): make room there"):
        write_checkpoint(path, {"a": 2})
    assert torch.load(path, weights_only=True) == {"a": 1}


def test_another_error_of_the_writer_is_raised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("something else")

    monkeypatch.setattr(torch, "save", fail)
    with pytest.raises(RuntimeError, match="something else"):
        write_checkpoint(tmp_path / "last.ckpt", {"a": 2})


def test_another_torch_is_named_when_a_run_resumes(
    own: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["train", "model=rnn", *own, *TINY, "trainer.max_epochs=1", "name=x"]
    with monkeypatch.context() as stopped:
        stopped.setattr(outcome, "finish", _raise(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            main(words)
    monkeypatch.setattr(resume, "version", lambda name: "9.9" if name == "torch" else metadata.version(name))
    assert main(words) == 0
    log = (next((tmp_path / "runs" / "x").glob("*-seed1")) / "log.txt").read_text()
    message = f"the run resumes with torch 9.9 instead of {metadata.version('torch')}: its numbers may differ"
    assert message in log


def _raise(kind: type[BaseException]) -> Callable[..., None]:
    def fail(*_: object) -> None:
        raise kind

    return fail


def test_a_signal_to_one_rank_ends_the_command_as_a_signal(
    own: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def launch(runs: list[Planned], *_: object) -> None:
        (run,) = runs
        run.directory.mkdir(parents=True)
        record = started_record(run.config, run.entry.label, run.entry.overrides, 1)
        write(run.directory, record.with_(status="interrupted", error="ended by SIGHUP"))

    monkeypatch.setattr("lightning_seq.comparison.compare.launch", launch)
    words = ["train", "model=rnn", *own, *TINY, "trainer=ddp", "trainer.accelerator=cpu", "trainer.devices=2"]
    assert main(words) == 128 + signal.SIGHUP
    assert "ended by SIGHUP; run the same command again" in capsys.readouterr().err
