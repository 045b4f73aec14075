"""Build the callbacks that look into a model while it learns, where the configuration asks for them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightning_seq.config.tree import Config
from lightning_seq.errors import UserError
from lightning_seq.identity import INSTRUMENTS

if TYPE_CHECKING:
    from lightning_seq.callbacks.diagnostic import Diagnostic


def check_diagnostics(config: Config) -> None:
    """Raises UserError for a value that is not true or false, and for a probe without rows."""
    settings = config["callbacks"]
    for name in INSTRUMENTS:
        if not isinstance(settings[name], bool):
            raise UserError(f"callbacks.{name} is {settings[name]!r}, expected true or false")
    rows = settings["probe_rows"]
    if isinstance(rows, bool) or not isinstance(rows, int) or rows < 1:
        raise UserError(f"callbacks.probe_rows is {rows!r}, expected a whole number of at least 1")


def build_diagnostics(config: Config, directory: Path, data: Any) -> dict[str, Diagnostic]:
    """The diagnostics that `callbacks.NAME=true` asks for, by name."""
    from lightning_seq.callbacks.probe import probe_batch

    check_diagnostics(config)
    wanted = [name for name in INSTRUMENTS if config["callbacks"][name]]
    if not wanted:
        return {}
    probe = probe_batch(data, config["callbacks"]["probe_rows"])
    classes = {name: getattr(import_module(f"lightning_seq.callbacks.{name}"), INSTRUMENTS[name]) for name in wanted}
    return {name: kind(directory, data, probe) for name, kind in classes.items()}


def costs_of(diagnostics: Mapping[str, Diagnostic]) -> dict[str, dict[str, float]]:
    """Seconds and calls of each diagnostic, for the record."""
    return {name: diagnostic.cost.plain() for name, diagnostic in diagnostics.items()}


def files_of(directory: Path, names: Iterable[str]) -> dict[str, str]:
    """The files that these diagnostics have written, by name."""
    return {name: f"{name}.json" for name in names if (directory / f"{name}.json").is_file()}
