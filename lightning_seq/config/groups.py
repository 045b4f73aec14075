"""The groups of `conf/` and their choices."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import yaml

DEFAULT_TASK = "classification"
"""The task of data whose file names no task."""


def conf_directory() -> Path:
    """`conf/` inside the installed package, or next to it in a checkout."""
    package = Path(__file__).parents[1]
    for directory in (package / "conf", package.parent / "conf"):
        if (directory / "config.yaml").is_file():
            return directory
    raise FileNotFoundError(f"no conf/config.yaml in {package} or next to it: install lightning_seq again")


@cache
def task_of(data: str) -> str:
    """The kind of task of a choice of `data`."""
    return _chosen_task(conf_directory() / "data" / f"{data}.yaml") or DEFAULT_TASK


def _chosen_task(file: Path) -> str | None:
    """The task that a file of data, or a file that it extends, chooses."""
    for part in yaml.safe_load(file.read_text(encoding="utf-8")).get("defaults", []):
        if isinstance(part, dict):
            task = next((str(task) for key, task in part.items() if key.startswith("override /task")), None)
        else:
            task = None if part == "_self_" else _chosen_task(file.parent / f"{part}.yaml")
        if task:
            return task
    return None


@cache
def groups() -> dict[str, tuple[str, ...]]:
    """Every group and its choices."""
    return {
        folder.name: tuple(sorted(file.stem for file in folder.glob("*.yaml")))
        for folder in sorted(conf_directory().iterdir())
        if folder.is_dir()
    }
