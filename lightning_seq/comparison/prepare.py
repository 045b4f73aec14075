"""Checks of all entries and their shared preparation, before the first run begins."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lightning_seq.builders.build import build_data, build_model, build_task
from lightning_seq.builders.inputs import Inputs, build_inputs
from lightning_seq.builders.kinds import kind_of
from lightning_seq.builders.match import Matching, residual, said
from lightning_seq.comparison.preflight import check_settings
from lightning_seq.config.entry import Entry
from lightning_seq.files import fingerprint
from lightning_seq.models.parameters import count_parameters


@dataclass
class PreparedEntry:
    """An entry whose data and vectors are in the cache and whose model can be built.

    monitor, mode: the validation metric that selects, and whether its `max` or `min` is best.
    """

    entry: Entry
    data: Any
    inputs: Inputs
    parameters: dict[str, int]
    monitor: str
    mode: str


def prepare(entries: Sequence[Entry], notify: Callable[[str], None], progress: bool = True) -> list[PreparedEntry]:
    """Prepare data and vectors once for all runs, solve for matched sizes, and build each model once.

    Raises UserError for wrong data or vectors, and for an architecture that cannot be built.
    """
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
