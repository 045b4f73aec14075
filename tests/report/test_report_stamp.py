"""A report that is current is not drawn again."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from lightning_seq.records.record import read, write
from lightning_seq.report.stamp import is_current
from lightning_seq.report.write import write_report

Make = Callable[..., Path]


def test_a_report_is_current_until_a_record_changes(
    make_comparison: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command that has nothing to do asks this, and leaves the report as it is."""
    directory = make_comparison(tmp_path / "demo", labels=("lstm", "gru"))
    assert not is_current(directory)
    write_report(directory)
    assert is_current(directory)
    kept = (directory / "table.csv").read_text(encoding="utf-8")
    (directory / "table.csv").unlink()
    assert not is_current(directory)
    (directory / "table.csv").write_text(kept, encoding="utf-8")
    assert is_current(directory)
    with monkeypatch.context() as patched:
        patched.setattr("lightning_seq.report.stamp.__version__", "9")
        assert not is_current(directory)
    write(directory / "lstm-seed1", read(directory / "lstm-seed1").with_(status="failed"))
    assert not is_current(directory)
    write_report(directory)
    assert is_current(directory)
    shutil.rmtree(directory / "gru-seed1")
    assert not is_current(directory)
    write_report(directory)
    (directory / "lstm-seed1").rename(directory / "moved")
    assert not is_current(directory)
    (directory / "moved" / "record.json").unlink()
    assert not is_current(directory)
