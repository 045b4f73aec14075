"""Help, lists, completion, the wheel."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import lightning_seq
from lightning_seq.cli import VERBS, main
from lightning_seq.completion import script
from lightning_seq.experiment.config import compose, conf_directory, groups

ROOT = Path(lightning_seq.__file__).parents[1]


@pytest.mark.parametrize("verb", [None, *VERBS])
def test_help_fits_a_screen_and_has_three_examples(verb: str | None, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*([verb] if verb else []), "--help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 100
    if verb:
        assert sum(line.startswith(f"  lightning-seq {verb}") for line in lines) >= 3


@pytest.mark.parametrize("verb", VERBS)
def test_every_example_composes(verb: str) -> None:
    for example in VERBS[verb].examples:
        words = [word for word in example.split()[1:] if "=" in word]
        if verb in ("train", "word2vec"):
            compose(words)


def test_list_names_every_choice(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list"]) == 0
    said = capsys.readouterr().out
    for group, choices in groups().items():
        assert group in said
        assert all(f"  {choice}" in said for choice in choices)


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("lightning-seq tr", "train"),
        ("lightning-seq train model=bil", "bilstm"),
        ("lightning-seq report --h", "--help"),
    ],
)
def test_completion_completes(typed: str, offered: str) -> None:
    words = " ".join(f"'{word}'" for word in typed.split())
    code = (
        f"{script(['bash'])}\nCOMP_WORDS=({words}); COMP_CWORD={len(typed.split()) - 1}; COMP_LINE='{typed}'; "
        f"COMP_POINT={len(typed)}; _lightning_seq; printf '%s\\n' \"${{COMPREPLY[@]}}\""
    )
    done = subprocess.run(["bash", "-c", code], capture_output=True, text=True, check=False)
    assert offered in done.stdout.split(), done


def test_the_pipelines_are_the_verbs() -> None:
    names = {path.stem for path in (ROOT / "pipelines").glob("*.py")}
    assert names == set(VERBS)


def test_the_wheel_holds_the_package_and_its_configuration(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    for path in conf_directory().rglob("*.yaml"):
        assert f"lightning_seq/conf/{path.relative_to(conf_directory()).as_posix()}" in names
    for name in ("py.typed", "cli.py", "report/template.html", "report/style.css", "report/page.js"):
        assert f"lightning_seq/{name}" in names
    assert any(name.endswith("entry_points.txt") for name in names)
