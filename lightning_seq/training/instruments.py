"""What looks inside a model while it learns, where the configuration asks for it."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightning_seq.config.tree import Config
from lightning_seq.errors import UserError
from lightning_seq.identity import INSTRUMENTS

if TYPE_CHECKING:
    from lightning.pytorch import Callback


def check_instruments(config: Config) -> None:
    """Raises UserError for a value that is not true or false, and for a probe without rows."""
    settings = config["callbacks"]
    for name in INSTRUMENTS:
        if not isinstance(settings[name], bool):
            raise UserError(f"callbacks.{name} is {settings[name]!r}, expected true or false")
    rows = settings["probe_rows"]
    if isinstance(rows, bool) or not isinstance(rows, int) or rows < 1:
        raise UserError(f"callbacks.probe_rows is {rows!r}, expected a whole number of at least 1")


def instruments(config: Config, directory: Path, data: Any) -> dict[str, Callback]:
    """The instruments that are asked for, by name."""
    from lightning_seq.callbacks.probe import probe_batch

    check_instruments(config)
    wanted = [name for name in INSTRUMENTS if config["callbacks"][name]]
    if not wanted:
        return {}
    probe = probe_batch(data, config["callbacks"]["probe_rows"])
    made = {}
    for name in wanted:
        kind = getattr(import_module(f"lightning_seq.callbacks.{name}"), INSTRUMENTS[name])
        made[name] = kind(directory, data, probe)
    return made


def costs(made: dict[str, Any]) -> dict[str, dict[str, float]]:
    """Seconds and calls of each, for the record."""
    return {name: instrument.cost.plain() for name, instrument in made.items()}


def written(directory: Path, made: Iterable[str]) -> dict[str, str]:
    """Artifacts of those that have written something."""
    return {name: f"{name}.json" for name in made if (directory / f"{name}.json").is_file()}
