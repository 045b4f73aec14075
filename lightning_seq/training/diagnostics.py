"""Build the callbacks that look into a model while it learns, where the configuration asks for them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from lightning_seq.callbacks.deciding_words import DecidingWords
from lightning_seq.callbacks.diagnostic import Diagnostic
from lightning_seq.callbacks.gates import Gates
from lightning_seq.callbacks.gradient_flow import GradientFlow
from lightning_seq.callbacks.probe import probe_batch
from lightning_seq.callbacks.states import States
from lightning_seq.config.tree import Config
from lightning_seq.errors import UserError

DIAGNOSTICS: dict[str, type[Diagnostic]] = {
    "gradient_flow": GradientFlow,
    "gates": Gates,
    "states": States,
    "deciding_words": DecidingWords,
}
"""By the key of `callbacks.*` that asks for the diagnostic; it writes `<key>.json`."""


def check_diagnostics(config: Config) -> None:
    """Raises UserError for a value that is not true or false, and for a probe without rows."""
    settings = config["callbacks"]
    for name in DIAGNOSTICS:
        if not isinstance(settings[name], bool):
            raise UserError(f"callbacks.{name} is {settings[name]!r}, expected true or false")
    rows = settings["probe_rows"]
    if isinstance(rows, bool) or not isinstance(rows, int) or rows < 1:
        raise UserError(f"callbacks.probe_rows is {rows!r}, expected a whole number of at least 1")


def build_diagnostics(config: Config, directory: Path, data: Any) -> dict[str, Diagnostic]:
    """The diagnostics that `callbacks.NAME=true` asks for, by name."""
    check_diagnostics(config)
    wanted = [name for name in DIAGNOSTICS if config["callbacks"][name]]
    if not wanted:
        return {}
    probe = probe_batch(data, config["callbacks"]["probe_rows"])
    return {name: DIAGNOSTICS[name](directory, data, probe) for name in wanted}


def costs_of(diagnostics: Mapping[str, Diagnostic]) -> dict[str, dict[str, float]]:
    """Seconds and calls of each diagnostic, for the record."""
    return {name: diagnostic.cost.plain() for name, diagnostic in diagnostics.items()}


def files_of(directory: Path, names: Iterable[str]) -> dict[str, str]:
    """The files that these diagnostics have written, by name."""
    return {name: f"{name}.json" for name in names if (directory / f"{name}.json").is_file()}
