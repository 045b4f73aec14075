"""The groups of `conf/` and their choices."""

from __future__ import annotations

from functools import cache
from pathlib import Path

DEFAULT_TASK = "classification"
"""The task of data whose file names no task."""


def conf_directory() -> Path:
    """`conf/` inside the installed package, or beside it in a checkout."""
    package = Path(__file__).parents[1]
    for directory in (package / "conf", package.parent / "conf"):
        if (directory / "config.yaml").is_file():
            return directory
    raise FileNotFoundError(f"no conf/config.yaml in {package} or beside it: install lightning_seq again")


@cache
def task_of(data: str) -> str:
    """The kind of task that a choice of `data` is for."""
    import yaml

    held = yaml.safe_load((conf_directory() / "data" / f"{data}.yaml").read_text(encoding="utf-8"))
    chosen = [part["override /task"] for part in held.get("defaults", []) if "override /task" in part]
    return str(chosen[0]) if chosen else DEFAULT_TASK


@cache
def groups() -> dict[str, tuple[str, ...]]:
    """Every group and its choices."""
    return {
        folder.name: tuple(sorted(file.stem for file in folder.glob("*.yaml")))
        for folder in sorted(conf_directory().iterdir())
        if folder.is_dir()
    }
