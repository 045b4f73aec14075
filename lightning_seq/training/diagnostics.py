"""Build the diagnostics of a configuration."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

from lightning_seq.callbacks.deciding_words import DecidingWords
from lightning_seq.callbacks.diagnostic import Diagnostic
from lightning_seq.callbacks.gates import Gates
from lightning_seq.callbacks.gradient_flow import GradientFlow
from lightning_seq.callbacks.probe import probe_batch
from lightning_seq.callbacks.states import States
from lightning_seq.config.tree import Config
from lightning_seq.data.module import DataModule, PreparedData, Reader
from lightning_seq.tasks.task import Task
from lightning_seq.training.run_record import log, rank

DIAGNOSTICS: dict[str, type[Diagnostic]] = {
    "gradient_flow": GradientFlow,
    "gates": Gates,
    "states": States,
    "deciding_words": DecidingWords,
}
"""By the key of `callbacks` that switches the diagnostic on; it writes `<key>.json`."""


def build_diagnostics(
    config: Config, directory: Path, data: DataModule[PreparedData, Reader], task: Task
) -> dict[str, Diagnostic]:
    """The diagnostics with `callbacks.NAME=true` that fit the task, by name; one line in the log names the others."""
    chosen = [name for name in DIAGNOSTICS if config["callbacks"][name]]
    fitting = [name for name in chosen if DIAGNOSTICS[name].fits(task)]
    left_out = groupby((name for name in chosen if name not in fitting), lambda name: DIAGNOSTICS[name].NEEDS)
    if rank() == 0 and (parts := [f"{', '.join(names)} (for {needs})" for needs, names in left_out]):
        log.info("callbacks left out: %s", "; ".join(parts))
    if not fitting:
        return {}
    probe = probe_batch(data, config["callbacks"]["probe_rows"])
    return {name: DIAGNOSTICS[name](directory, data, probe) for name in fitting}
