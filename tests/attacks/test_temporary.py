"""What a killed process leaves, and the permissions of files."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from lightning_seq.files import write_text
from lightning_seq.sealed import sealed_directory
from lightning_seq.temporary import temporary_directory
from tests.runs import environment

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
