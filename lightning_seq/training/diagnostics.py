"""Build the diagnostics of a configuration."""

from __future__ import annotations

from pathlib import Path

from lightning_seq.callbacks.deciding_words import DecidingWords
from lightning_seq.callbacks.diagnostic import Diagnostic
from lightning_seq.callbacks.gates import Gates
from lightning_seq.callbacks.gradient_flow import GradientFlow
from lightning_seq.callbacks.probe import probe_batch
from lightning_seq.callbacks.states import States
from lightning_seq.config.tree import Config
from lightning_seq.data.module import DataModule, PreparedData, Reader
from lightning_seq.errors import UserError
from lightning_seq.spec import Picture

DIAGNOSTICS: dict[str, type[Diagnostic]] = {
    "gradient_flow": GradientFlow,
    "gates": Gates,
    "states": States,
    "deciding_words": DecidingWords,
}
"""By the key of `callbacks` that switches the diagnostic on; it writes `<key>.json`."""


def build_diagnostics(config: Config, directory: Path, data: DataModule[PreparedData, Reader]) -> dict[str, Diagnostic]:
    """The diagnostics with `callbacks.NAME=true`, by name. Raises UserError where the inputs are pictures alone."""
    chosen = [name for name in DIAGNOSTICS if config["callbacks"][name]]
    if not chosen:
        return {}
    if isinstance(data.spec.inputs, Picture):
        raise UserError(
            f"callbacks.{chosen[0]}=true looks into the recurrence that reads the inputs, and a captioner reads a "
            "picture: leave callbacks=inside out; captions.json shows its attention"
        )
    probe = probe_batch(data, config["callbacks"]["probe_rows"])
    return {name: DIAGNOSTICS[name](directory, data, probe) for name in chosen}
