"""The script that draws charts is made once, and charts are valid by altair's schema of Vega-Lite."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import altair as alt
import pytest
from jsonschema.exceptions import ValidationError

from lightning_seq import own_modules
from lightning_seq.errors import UserError
from lightning_seq.report.dashboard import chart_library
from lightning_seq.report.dashboard.chart_library import SCRIPT, javascript
from lightning_seq.report.write import write_report
from tests.report.page import Page

Make = Callable[..., Path]


@pytest.fixture
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """Begin with an empty cache and a short bundle; return the commands that are started."""
    started: list[Any] = []
    run = subprocess.run

    def counted(*given: Any, **more: Any) -> Any:
        started.append(given)
        return run(*given, **more)

    monkeypatch.setenv("LIGHTNING_SEQ_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(chart_library, "BUNDLE", "print('draw(</script><!--)', end='')")
    monkeypatch.setattr(subprocess, "run", counted)
    javascript.cache_clear()
    yield started
    javascript.cache_clear()


DRAW = "(function(){\ndraw(<\\/script><\\!--)\n})();"


def test_the_script_is_made_once_for_all_commands(fresh: list[Any], tmp_path: Path) -> None:
    assert javascript() == DRAW
    javascript.cache_clear()  # as another command
    assert javascript() == DRAW
    assert len(fresh) == 1
    (script,) = (tmp_path / "cache").rglob(SCRIPT)
    script.write_text("alert()")
    javascript.cache_clear()
    assert javascript() == DRAW
    assert len(fresh) == 2


def test_the_script_needs_no_cache(fresh: list[Any], tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    assert javascript() == DRAW


def test_a_script_that_cannot_be_made_is_not_kept(fresh: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(chart_library, "BUNDLE", "raise SystemExit('no memory')")
        with pytest.raises(UserError, match=r"the chart library ended with exit code 1 \(no memory\)"):
            javascript()
    assert javascript() == DRAW


@pytest.mark.usefixtures("fresh")
def test_a_library_that_does_not_start_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_modules.sys, "executable", str(tmp_path / "none"))
    with pytest.raises(UserError, match=r"the chart library does not start \(No such file or directory\)"):
        javascript()


def test_charts_are_valid_vega_lite(fresh: list[Any], make_comparison: Make, tmp_path: Path) -> None:
    directory = make_comparison(tmp_path / "demo", labels=("lstm", "gru"), seeds=2)
    write_report(directory)
    charts = Page((directory / "dashboard.html").read_text(encoding="utf-8")).data["charts"]
    assert len(charts) >= 3
    for chart in charts.values():
        alt.vegalite.schema.core.Root.validate(chart["spec"])
    with pytest.raises(ValidationError):
        alt.vegalite.schema.core.Root.validate({**chart["spec"], "height": ["no number"]})
