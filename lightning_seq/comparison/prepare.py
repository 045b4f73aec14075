"""Checks of all entries and their shared preparation, before the first run begins."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from lightning_seq.comparison.preflight import check_settings, check_writable
from lightning_seq.comparison.prepared_entry import PreparedEntry
from lightning_seq.comparison.same_data import check_files
from lightning_seq.config.entry import Entry
from lightning_seq.errors import UserError
from lightning_seq.files import fingerprint, place
from lightning_seq.records.record import runs_in
from lightning_seq.training.directory import CHECKPOINTS
from lightning_seq.training.planned import Planned


def prepare(entries: Sequence[Entry], notify: Callable[[str], None], progress: bool = True) -> list[PreparedEntry]:
    """Prepare data and vectors once for all runs, solve for matched sizes, and build each model once.

    Raises UserError for wrong data or vectors, and for an architecture that cannot be built.
    """
    # These import torch, which a run that is done already does not need.
    from lightning_seq.builders.build import build_data, build_model, build_task
    from lightning_seq.builders.inputs import Inputs, build_inputs
    from lightning_seq.builders.kinds import kind_of
    from lightning_seq.builders.match import Matching, residual, said
    from lightning_seq.models.parameters import count_parameters

    shared: dict[str, tuple[Any, Inputs]] = {}
    matching = Matching.of(entries[0].config)
    ready = []
    for entry in entries:
        check_settings(entry.config)
        for line in entry.notes:
            notify(line)
    for entry in entries:
        config = entry.config
        key = fingerprint([config[part] for part in ("data", "embedding", "word2vec", "cache")])
        if key not in shared:
            data = build_data(config)
            notify(data.summary())
            inputs = build_inputs(config, data, progress)
            shared[key] = data, inputs
            for note in inputs.notes:
                notify(note)
            if inputs.coverage:
                tokens = inputs.coverage.tokens
                notify(
                    f"{inputs.kind}: {inputs.width} numbers a word; vectors for {inputs.coverage.types:.1%} of the "
                    "vocabulary" + (f" and {tokens:.1%} of its occurrences in training" if tokens is not None else "")
                )
        data, inputs = shared[key]
        if matching is not None:
            entry, size = matching.solve(entry, data.spec, inputs.width)
            config = entry.config
            notify(f"{entry.label}: {said(residual(config, data.spec, inputs.width, size))}")
        model = build_model(config, data.spec, inputs.width)
        task = build_task(config, data, model)
        kind_of(data.spec).callbacks(config, Path(config["runs"]), data)
        ready.append(PreparedEntry(entry, data, inputs, count_parameters(model), task.monitor, task.mode))
    return ready


def check_directories(runs: Sequence[Planned]) -> None:
    """Raises UserError if a run's directory cannot be written or holds a run of another configuration, or if a file of
    data has changed since a run of the comparison."""
    for run in runs:
        run.check_unchanged()
    check_place(runs)
    restarted = {run.directory for run in runs if run.config["resume"] == "never"}
    kept = [
        (directory, record)
        for directory, record in runs_in(runs[0].directory.parent)
        if record.status == "done" or (directory not in restarted and any(directory.glob(f"{CHECKPOINTS}/*.ckpt")))
    ]
    check_files([run.config for run in runs], kept)


def check_place(runs: Sequence[Planned]) -> None:
    """Raises UserError if the comparison's directory cannot be written or a link in it leads out of `runs`."""
    root = Path(runs[0].entry.config["runs"])
    comparison = root / runs[0].entry.config["name"]
    for directory in (comparison, *(run.directory for run in runs)):
        place(directory, "runs")
        if not directory.resolve().is_relative_to(root.resolve()):
            raise UserError(
                f"{directory} leads to {directory.resolve()}, outside {root}: remove the link, or give "
                "runs=DIR with the directory of the files"
            )
    check_writable(comparison, "runs=DIR")
