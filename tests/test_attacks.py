"""Attacks by files that are not ours: planted modules, links, data sets, checkpoints, texts. Each is refused."""

from __future__ import annotations

import csv
import io
import logging
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from lightning_seq.cli.main import main
from lightning_seq.cli.rows import write_rows
from lightning_seq.config.targets import class_at
from lightning_seq.data.sources.columns import Columns
from lightning_seq.data.sources.mirror import Mirror
from lightning_seq.errors import UserError, first_line
from lightning_seq.files import open_inside, write_json, write_parquet, write_text
from lightning_seq.launch.local import command
from lightning_seq.printable import PrintableFormatter, table_cell
from lightning_seq.records.artifacts import log_path
from lightning_seq.records.record import Record, read, runs_in, write
from lightning_seq.report import tables
from lightning_seq.report.summary import runs_of as runs_of_directory
from lightning_seq.report.summary import summarise_runs
from lightning_seq.sealed import sealed_directory
from lightning_seq.temporary import temporary_directory
from lightning_seq.training import outcome, run
from lightning_seq.training.data_files import data_files
from lightning_seq.training.directory import check_links
from lightning_seq.training.loggers.curve_logger import CurveLogger
from tests.report.made_comparison import make_comparison
from tests.runs import TINY, environment
from tests.stand_in import runs_of

PLANTED = (
    "__future__", "typing", "random", "signal", "org", "fqdn", "cython", "pynvml", "triton", "hydra_plugins/planted",
    "lightning_seq_plugins", "sitecustomize", "vl_convert", "submitit", "tensorboard", "multiprocessing",
)  # fmt: skip
"""Modules that Python, this package or its libraries import, or try to import."""
AS_COMMAND = ("-P", "-c", "from lightning_seq.cli import entry; entry()")
"""The start of the script `lightning-seq`, whose directory is not the working directory."""
AS_MODULE = ("-m", "lightning_seq")


@pytest.fixture
def planted(tmp_path: Path) -> Path:
    """A working directory with modules that leave a file `ran-NAME` when they are imported."""
    place = tmp_path / "downloads"
    for name in PLANTED:
        file = place / f"{name}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"open({str(place / f'ran-{file.stem}')!r}, 'w').close()\n")
    return place


def lightning_seq(place: Path, start: tuple[str, ...], *words: str) -> str:
    """The output of a command in this working directory, which runs none of its modules."""
    done = subprocess.run(
        [sys.executable, *start, *words], cwd=place, env=environment(), capture_output=True, text=True, timeout=120
    )
    assert [path.name for path in place.glob("ran-*")] == []
    return done.stdout + done.stderr


@pytest.mark.parametrize("start", [AS_COMMAND, AS_MODULE], ids=["command", "module"])
def test_a_planted_module_is_not_run(start: tuple[str, ...], planted: Path) -> None:
    assert "holds no run" in lightning_seq(planted, start, "status", ".")


@pytest.mark.parametrize("start", [AS_COMMAND, pytest.param(AS_MODULE, marks=pytest.mark.slow)])
def test_nor_by_runs_and_reports(start: tuple[str, ...], planted: Path, own: list[str]) -> None:
    """The command, its fork server, the runs and the process of the chart library."""
    words = ("compare", "model=rnn,gru", "seeds=1", *own, *TINY, "trainer.max_epochs=1")
    assert "dashboard" in lightning_seq(planted, start, *words)


def test_children_do_not_search_their_working_directory(tmp_path: Path) -> None:
    (alone,) = runs_of(tmp_path, ["a"], [1])
    (several,) = runs_of(tmp_path, ["b"], [1], "trainer=ddp", "trainer.accelerator=cpu", "trainer.devices=2")
    assert command(alone)[:3] == command(several)[:3] == [sys.executable, "-P", "-m"]


def test_only_named_modules_come_from_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "named_cells.py").write_text("class Own: pass\n")
    (tmp_path / "sibling_cells.py").write_text("import other_cells\nclass Own: pass\n")
    (tmp_path / "other_cells.py").write_text("class Other: pass\n")
    (tmp_path / "random.py").write_text("raise SystemExit('run')\n")
    (tmp_path / "torchrecurrent.py").write_text("raise SystemExit('run')\n")
    assert class_at("named_cells.Own", "cell.path", (), ["named_cells"]).__name__ == "Own"
    with pytest.raises(UserError, match=r"imports 'other_cells' of the working directory.*allow=\[other_cells\]"):
        class_at("sibling_cells.Own", "cell.path", (), ["sibling_cells"])
    assert class_at("sibling_cells.Own", "cell.path", (), ["sibling_cells", "other_cells"]).__name__ == "Own"
    assert class_at("random.Random", "cell.path", (), ["random"]).__module__ == "random"
    monkeypatch.setattr(sys, "path", [path for path in sys.path if not Path(path, "torchrecurrent").is_dir()])
    monkeypatch.delitem(sys.modules, "torchrecurrent", raising=False)
    with pytest.raises(UserError, match=r"cell\.path=torchrecurrent\.X.*allow=\[torchrecurrent\]"):
        class_at("torchrecurrent.X", "cell.path", ["torchrecurrent"])


def test_a_cell_of_the_working_directory_is_checked_and_compared(tmp_path: Path, own: list[str]) -> None:
    """A package, also one without `__init__.py`, in the command and in the processes of its runs."""
    place = tmp_path / "mine"
    (place / "own_package").mkdir(parents=True)
    (place / "own_package" / "cells.py").write_text(
        "from lightning_seq import ElmanCell\nclass MyCell(ElmanCell):\n    pass\n"
    )
    assert "Simple recurrent" in lightning_seq(place, AS_COMMAND, "explain", "own_package.cells.MyCell")
    cells = "cell._target_=own_package.cells.MyCell"
    words = ("compare", "model=recurrent", cells, "seeds=1", *own, *TINY, "trainer.max_epochs=1")
    lightning_seq(place, AS_COMMAND, *words)
    runs = runs_in(tmp_path / "runs" / "csv")
    assert [(record.status, record.cell) for _, record in runs] == [("done", "MyCell")]


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
    assert f"{link} leads to {target}, outside {tmp_path / 'runs'}: remove the link" in said
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


KILLED = """
import os, signal, sys
from pathlib import Path
from typing import Any
from lightning_seq.embeddings.word2vec import Word2VecParameters, train
from lightning_seq.files import replacing

def sentences():
    yield ["a", "b"] * 10_000
    os.kill(os.getpid(), signal.SIGKILL)

def alive(*_):
    print("ready", flush=True)
    signal.pause()

with replacing(Path(sys.argv[2])):
    alive() if sys.argv[1] == "waits" else train(sentences(), Word2VecParameters(), progress=False)
"""


def test_temporary_files_of_a_killed_process_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the next one that writes the same file or trains vectors; those of a process that lives are not."""
    table, scratch = tmp_path / "table.md", tmp_path / "tmp"
    scratch.mkdir()
    names = {**environment(), "TMPDIR": str(scratch)}
    waits = [sys.executable, "-c", KILLED, "waits", str(table)]
    with subprocess.Popen(waits, env=names, stdout=subprocess.PIPE) as living:
        try:
            assert living.stdout is not None
            living.stdout.readline()
            (of_living,) = tmp_path.glob(".table.md.*.part")
            dead = subprocess.run([sys.executable, "-c", KILLED, "dies", str(table)], env=names, timeout=120)
            assert dead.returncode == -signal.SIGKILL
            assert len(list(tmp_path.glob(".table.md.*.part"))) == 2
            assert [path.name[:9] for path in scratch.iterdir()] == ["word2vec-"]
            (scratch / "word2vec-link").symlink_to(tmp_path)
            monkeypatch.setattr(tempfile, "tempdir", str(scratch))
            write_text(table, "x")
            with temporary_directory("word2vec-") as made:
                assert {path.name for path in scratch.iterdir()} == {made.name, "word2vec-link"}
            assert list(tmp_path.glob(".table.md.*.part")) == [of_living]
        finally:
            living.kill()
    write_text(table, "y")
    assert list(tmp_path.glob(".*")) == []


def test_a_file_gets_the_permissions_of_the_umask_without_a_change_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thread that made a file at that moment would have made it for all users."""
    before = os.umask(0o077)
    try:
        monkeypatch.setattr(os, "umask", lambda mask: pytest.fail("the umask was changed"))
        write_text(tmp_path / "file", "x")
        sealed = sealed_directory(tmp_path / "data", lambda directory: write_text(directory / "file", "x"))
    finally:
        monkeypatch.undo()
        os.umask(before)
    modes = [path.stat().st_mode & 0o777 for path in (tmp_path / "file", sealed, sealed / "file")]
    assert modes == [0o600, 0o700, 0o600]


def set_of_a_mirror(tmp_path: Path) -> Mirror:
    """A mirror with the set `someone/tiny`, whose README.md names its files."""
    place = tmp_path / "mirror" / "someone" / "tiny"
    place.mkdir(parents=True)
    rows = {"text": [f"row {row}" for row in range(20)], "label": ["a", "b"] * 10}
    for split in ("train", "test"):
        write_parquet(place / f"{split}.parquet", rows)
    write_card(place / "README.md", "train.parquet")
    return Mirror(str(tmp_path / "mirror"), "someone/tiny", columns=Columns(splits={"train": "train", "test": "test"}))


def write_card(path: Path, train: str, more: str = "") -> None:
    marks = "---\n" if path.suffix == ".md" else ""
    files = f"  data_files:\n  - split: train\n    path: {train}\n  - split: test\n    path: test.parquet\n"
    path.write_text(f"{marks}configs:\n- config_name: default\n{files}{more}{marks}")


@pytest.mark.parametrize("card", ["README.md", ".huggingface.yaml"])
@pytest.mark.parametrize(
    "train",
    [
        "{outside}/secret.parquet", "../../../secret.parquet", "file:{outside}/secret.parquet",
        "'file://{outside}/secret.parquet'", "'[train.parquet, ../../../secret.parquet]'", "'~/secret.parquet'",
        "'http://127.0.0.1:{port}/secret.parquet'", "'zip://*.parquet::http://127.0.0.1:{port}/x.zip'",
        "'hf://datasets/someone/else/x.parquet'", "[test.parquet, /etc/passwd]",
    ],
)  # fmt: skip
def test_a_mirror_cannot_name_files_elsewhere(train: str, card: str, tmp_path: Path) -> None:
    """Nor fetch them: a server hears of no request."""
    source = set_of_a_mirror(tmp_path)
    write_parquet(tmp_path / "secret.parquet", {"text": ["secret"] * 20, "label": ["a", "b"] * 10})
    with socket.create_server(("127.0.0.1", 0)) as server:
        named = train.format(outside=tmp_path, port=server.getsockname()[1])
        write_card(tmp_path / "mirror" / "someone" / "tiny" / card, named)
        with pytest.raises(UserError, match="expected parquet files inside that directory"):
            source.load()
        server.settimeout(0)
        with pytest.raises(BlockingIOError):
            server.accept()


def test_a_directory_of_data_elsewhere_is_refused(tmp_path: Path) -> None:
    source = set_of_a_mirror(tmp_path)
    card = tmp_path / "mirror" / "someone" / "tiny" / "README.md"
    card.write_text("---\nconfigs:\n- config_name: default\n  data_dir: ../../..\n---\n")
    with pytest.raises(UserError, match="expected parquet files inside that directory"):
        source.load()


def test_a_link_of_a_mirror_to_a_file_elsewhere_is_refused(tmp_path: Path) -> None:
    source = set_of_a_mirror(tmp_path)
    train = tmp_path / "mirror" / "someone" / "tiny" / "train.parquet"
    train.rename(tmp_path / "mirror" / "blob")
    train.symlink_to("../../blob")
    assert source.load().tables["train"].texts[0] == "row 0"  # inside the mirror, as in the cache of the Hub
    train.unlink()
    (tmp_path / "mirror" / "blob").rename(tmp_path / "secret.parquet")
    train.symlink_to(tmp_path / "secret.parquet")
    with pytest.raises(UserError, match=r"secret\.parquet.*expected parquet files inside"):
        source.load()


@pytest.mark.parametrize("name", ["train.csv", "train.json", "train.txt"])
def test_a_mirror_has_parquet_alone(name: str, tmp_path: Path) -> None:
    source = set_of_a_mirror(tmp_path)
    place = tmp_path / "mirror" / "someone" / "tiny"
    (place / name).write_text('{"text": "x", "label": "a"}\n')
    write_card(place / "README.md", name)
    with pytest.raises(UserError, match=r"not parquet|cannot be loaded|names the file"):
        source.load()


def test_broken_yaml_of_a_mirror_is_one_line(tmp_path: Path) -> None:
    source = set_of_a_mirror(tmp_path)
    (tmp_path / "mirror" / "someone" / "tiny" / "README.md").write_text("---\nconfigs: [}\n---\n")
    with pytest.raises(UserError, match="cannot be loaded"):
        source.load()


@pytest.mark.parametrize("name", ["README.md", ".huggingface.yaml", "dataset_infos.json", "train.parquet"])
def test_the_fingerprint_of_a_mirror_covers_every_file_that_is_read(name: str, tmp_path: Path) -> None:
    source = set_of_a_mirror(tmp_path)
    place = tmp_path / "mirror" / "someone" / "tiny"
    config = {"data": {"mirror": str(tmp_path / "mirror"), "mirror_path": "someone/tiny"}}
    before = source.identity(), data_files(config)
    (place / name).write_bytes(b"changed")
    assert source.identity() != before[0]
    assert data_files(config) != before[1]


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: os.truncate(path, 100)])
def test_selected_weights_that_vanish_before_the_test_are_told(
    damage: Callable[[Path], None], own: list[str], refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not replaced by the last ones. The same on resume: `tests/training/test_resume.py`."""
    best = Path(own[2].removeprefix("runs=")) / "csv" / "rnn-seed1" / "checkpoints" / "best.ckpt"
    fit = outcome.fit

    def fit_and_damage(*given: Any) -> Any:
        fitted = fit(*given)
        damage(best)
        return fitted

    with monkeypatch.context() as patched:
        patched.setattr(outcome, "fit", fit_and_damage)
        said = refused("train", "model=rnn", *own, *TINY)
    assert "best.ckpt is missing or damaged, and this run had selected its weights" in said
    assert "resume=never" in refused("train", "model=rnn", *own, *TINY)


FORMULAS = ['=HYPERLINK("http://x")', "@SUM(1)", "+1+cmd|' /C calc'!A0", "-2+3", "＝1", "'=1", "''@x", "\t=1", "'-5"]
PLAIN = ["", "a=b", "-5", "+0.25", "-1e-05", "1,234", "-inf", "nan", "it's", "'tis", "–", "—"]


@pytest.mark.parametrize("text", [*FORMULAS, *PLAIN])
def test_a_cell_of_a_table_is_no_formula_and_can_be_read_back(text: str) -> None:
    cell = table_cell(text)
    assert cell == (f"'{text}" if text in FORMULAS else text)
    assert not re.match(r"[=@＝+-](?!\d*[,.]?\d+(e-\d+)?$|inf)", cell)
    assert "\x1b" not in table_cell(f"{text}\x1b[2J\x07\u202e")


def cells_of(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text)))


def test_no_formula_gets_into_a_table_of_predictions(tmp_path: Path) -> None:
    row = {"text": "=1+1", "predictions": [{"label": "@SUM(1)", "probability": 0.5}], "=x": -0.5}
    write_rows(tmp_path / "rows.csv", [row], ("predictions",))
    header, cells = cells_of((tmp_path / "rows.csv").read_text())
    assert header == ["text", "label", "probability", "'=x", "note"]
    assert cells[:4] == ["'=1+1", "'@SUM(1)", "0.5", "-0.5"]


def test_no_formula_gets_into_the_tables_of_a_comparison(
    tmp_path: Path,
) -> None:
    labels = ["=HYPERLINK(1)", "@SUM\x1b[2J"]
    place = make_comparison(tmp_path / "runs", labels=labels)
    text = tables.csv(summarise_runs(place, runs_of_directory(place)))
    assert [row[0] for row in cells_of(text)[1:]][:2] == ["'=HYPERLINK(1)", "'@SUM [2J"]
    assert not [cell for row in cells_of(text) for cell in row if cell[:1] in ("=", "@", "+") or "\x1b" in cell]


def test_no_formula_gets_into_the_metrics_of_a_run(tmp_path: Path) -> None:
    logger = CurveLogger(tmp_path, lambda: 1.0, lambda: None)
    logger.log_metrics({"=cmd()": -0.5, "epoch": 1}, step=1)
    logger.save()
    assert cells_of((tmp_path / "metrics.csv").read_text()) == [["step", "epoch", "seconds", "'=cmd()"],
                                                               ["1", "1", "1.0", "-0.5"]]  # fmt: skip


@pytest.mark.parametrize("name", ["../secret", "..", "", "/etc", "a/../../secret", "secret/."])
def test_status_follows_no_name_out_of_the_comparison(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    place = tmp_path / "runs" / "demo"
    (place / "lstm-seed1").mkdir(parents=True)
    (place / "lstm-seed1" / "config.yaml").write_text("choices: {}\n")
    (tmp_path / "runs" / "secret").mkdir()
    write(tmp_path / "runs" / "secret", Record(status="failed", name="x", label="secret", seed=1, error="mine"))
    write_json(place / "comparison.json", {"schema": 1, "runs": {name: "x"}, "jobs": 1})
    assert main(["status", str(place)]) == 0
    said = capsys.readouterr().out
    assert "mine" not in said
    assert said.startswith("lstm-seed1\twaiting")
    assert "expected the name of a directory in it" in caplog.text


SECRET = "hunter2"


@pytest.mark.parametrize("host", ["127.0.0.1:1", "127.0.0.1:1/hub?a=b@c", "nowhere.invalid", "[::1"])
def test_a_password_in_the_address_of_the_hub_is_not_printed(
    host: str, tmp_path: Path, refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch, capfd: Any
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", f"http://me:{SECRET}@{host}")
    monkeypatch.setenv("LIGHTNING_SEQ_MIRROR", "")
    monkeypatch.setattr(threading, "excepthook", lambda error: pytest.fail(str(error)))
    said = refused("train", "model=rnn", "data=rotten_tomatoes", f"runs={tmp_path}", f"cache={tmp_path}", *TINY)
    assert SECRET not in said + "".join(capfd.readouterr())
    assert f"http://…@{host} does not answer" in said


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"http://me:{SECRET}@host/x", "http://…@host/x"),
        (f"proxy 'https://{SECRET}@host:1' and ftp://a:{SECRET}@b", "proxy 'https://…@host:1' and ftp://…@b"),
        (f"s3://me:a@{SECRET}@host", "s3://…@host"),
        ("mail me@host, http://host/@name", "mail me@host, http://host/@name"),
    ],
)
def test_no_error_has_the_password_of_an_address(text: str, shown: str) -> None:
    """In an error of the user, in a reason, in a log with its traceback, in the error of a record."""
    error = ValueError(text)
    record = logging.LogRecord("x", logging.ERROR, "", 0, "%s", (text,), (ValueError, error, None))
    log = PrintableFormatter("%(message)s").format(record)
    assert log == f"{shown}\n  ValueError: {shown}"
    assert str(UserError(text)) == first_line(error) == shown
    assert run._cause(error) == f"ValueError: {shown}"


def test_an_error_that_is_not_the_users_is_printed_without_escapes_and_passwords(
    capsys: pytest.CaptureFixture[str],
) -> None:
    error = RuntimeError(f"\x1b]0;owned\x07 http://me:{SECRET}@host")
    import_module("lightning_seq.cli.main")._print_traceback(RuntimeError, error, None)
    assert capsys.readouterr().err == "RuntimeError: \\x1b]0;owned\\x07 http://…@host\n"
