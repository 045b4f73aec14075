"""Links in the directory of a run that lead out of it, and texts in its log: nothing elsewhere is read or written."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from lightning_seq.errors import UserError
from lightning_seq.files import open_inside
from lightning_seq.printable import PrintableFormatter
from lightning_seq.records.artifacts import log_path
from lightning_seq.records.record import Record, read
from lightning_seq.training.directory import check_links
from tests.runs import TINY

RUN = "rnn-seed1"
LINKS = (
    f"{RUN}/log.txt", f"{RUN}/checkpoints", f"{RUN}/wandb", f"{RUN}/tensorboard", f"{RUN}/metrics.csv",
    f"{RUN}/record.json", f"{RUN}/.lock", f"{RUN}/.claim", f"{RUN}/checkpoints/last.ckpt", "wandb", "tune",
    ".comparison.lock",
)  # fmt: skip


@pytest.mark.parametrize("name", LINKS)
def test_a_link_out_of_the_run_root_is_refused(
    name: str, own: list[str], tmp_path: Path, refused: Callable[..., str]
) -> None:
    """Also one in the directory of the comparison; files at its other end stay as they are."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "best.ckpt").write_text("mine")
    link = tmp_path / "runs" / "csv" / name
    link.parent.mkdir(parents=True)
    target = outside if "." not in name else outside / "best.ckpt"
    link.symlink_to(target)
    said = refused("train", "model=rnn", *own, *TINY)
    assert f"{link} leads to {target}, not to a file in {tmp_path / 'runs'}: remove the link" in said
    assert [(path.name, path.read_text()) for path in outside.iterdir()] == [("best.ckpt", "mine")]


def test_a_link_inside_the_run_root_is_followed(tmp_path: Path) -> None:
    run = tmp_path / "runs" / "csv" / "rnn-seed1"
    run.mkdir(parents=True)
    (tmp_path / "runs" / "shared").write_text("")
    (run / "notes").symlink_to("../../shared")
    check_links(run, tmp_path / "runs")


@pytest.mark.parametrize("flags", [os.O_RDONLY, os.O_WRONLY | os.O_CREAT | os.O_APPEND])
def test_no_link_is_followed_when_a_file_of_a_run_is_opened(flags: int, tmp_path: Path) -> None:
    """The opener itself refuses it: a link may be planted after the directory was checked."""
    (tmp_path / "run").mkdir()
    (tmp_path / "mine").write_text("mine")
    (tmp_path / "run" / "log.txt").symlink_to("../mine")
    (tmp_path / "run" / "new.txt").symlink_to("../new")
    for name in ("log.txt", "new.txt"):
        with pytest.raises(OSError, match="leads out of its directory"):
            open_inside(str(tmp_path / "run" / name), flags)
    assert (tmp_path / "mine").read_text() == "mine"
    assert not (tmp_path / "new").exists()


def test_a_report_does_not_show_a_log_that_lies_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("mine")
    (tmp_path / "log.txt").symlink_to(tmp_path.parent / tmp_path.name / ".." / tmp_path.name / "secret")
    record = Record(status="failed", name="x", label="a", seed=1)
    assert log_path(tmp_path, record) is not None  # inside the directory
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "log.txt").symlink_to("../secret")
    assert log_path(tmp_path / "run", record) is None


def test_a_record_that_lies_elsewhere_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "secret.json").write_text("{}")
    (tmp_path / "run" / "record.json").symlink_to("../secret.json")
    with pytest.raises(UserError, match="leads out of its directory"):
        read(tmp_path / "run")


def test_a_text_in_a_log_cannot_look_like_a_message() -> None:
    formatter = PrintableFormatter("%(asctime)s %(message)s", "%H:%M:%S")
    error = RuntimeError("x\n12:00:00 lstm-seed1 done\r\x1b[2J\u2028y")
    record = logging.LogRecord("x", logging.ERROR, "", 0, "%s", (str(error),), (type(error), error, None))
    first, *others = formatter.format(record).split("\n")
    assert first.endswith("x\\n12:00:00 lstm-seed1 done\\r\\x1b[2J\\u2028y")
    assert others == ["  RuntimeError: x", "  12:00:00 lstm-seed1 done\\r\\x1b[2J\\u2028y"]
