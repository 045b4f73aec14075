"""Checks of all entries and their shared preparation, before the first run begins."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lightning_seq.builders.build import build_data, build_model, build_task
from lightning_seq.builders.inputs import Inputs, build_inputs, drawn_by_seed
from lightning_seq.builders.kinds import kind_of
from lightning_seq.builders.match import Matching, residual, said
from lightning_seq.comparison.preflight import check_settings
from lightning_seq.config.entry import Entry
from lightning_seq.config.seeds import seeded
from lightning_seq.config.tree import Config
from lightning_seq.files import fingerprint
from lightning_seq.identity import varied
from lightning_seq.models.parameters import count_parameters


@dataclass
class PreparedEntry:
    """An entry whose data and vectors are in the cache and whose model can be built.

    data, inputs:  of the first seed.
    fingerprints:  by prepared seed, of data, split and vectors.
    monitor, mode: the validation metric that selects, and whether its `max` or `min` is best.
    """

    entry: Entry
    data: Any
    inputs: Inputs
    fingerprints: dict[int, dict[str, str | None]]
    parameters: dict[str, int]
    monitor: str
    mode: str


def key_of(config: Config) -> str:
    """Equal for configurations with the same data and vectors."""
    return fingerprint([config[part] for part in ("data", "embedding", "word2vec", "cache")])


def prepare(
    entries: Sequence[Entry], seeds: Sequence[int], notify: Callable[[str], None], progress: bool = True
) -> list[PreparedEntry]:
    """Prepare data and vectors once for all runs of these seeds; with those of the first seed, solve for matched sizes
    and build each model once.

    Raises UserError for wrong data or vectors, and for an architecture that cannot be built.
    """
    shared: dict[str, tuple[Any, Inputs]] = {}
    marked: dict[str, dict[str, str | None]] = {}
    told: set[str] = set()

    def once(line: str) -> None:
        if line not in told:
            told.add(line)
            notify(line)

    def made(config: Config, seed: int, brief: bool) -> tuple[Any, Inputs]:
        config = seeded(config, seed)
        key = key_of(config)
        if key not in shared:
            data = build_data(config)
            once(f"seed {seed}: {data.headline()}" if brief else data.summary())
            inputs = build_inputs(config, data, progress)
            shared[key] = data, inputs
            for note in () if brief else _notes(inputs):
                notify(note)
        return shared[key]

    def marks_of(config: Config, seed: int) -> dict[str, str | None]:
        """The fingerprints of a seed's data and vectors, which are dropped unless they are those of the first seed."""
        key = key_of(seeded(config, seed))
        if key not in marked:
            data, inputs = made(config, seed, brief=seed != seeds[0])
            marked[key] = {**{name: data.fingerprints[name] for name in ("data", "split")}, "embedding": inputs.mark}
            if seed != seeds[0]:
                del shared[key]
        return marked[key]

    matching = Matching.of(entries[0].config)
    ready = []
    for entry in entries:
        check_settings(entry.config)
        for line in entry.notes:
            notify(line)
    for entry in entries:
        config = entry.config
        data, inputs = made(config, seeds[0], brief=False)
        marks = {seed: marks_of(config, seed) for seed in seeds}
        for line in _of_seeds(config, data):
            once(line)
        if matching is not None:
            entry, size = matching.solve(entry, data.spec, inputs.width)
            config = entry.config
            notify(f"{entry.label}: {said(residual(config, data.spec, inputs.width, size))}")
        model = build_model(config, data.spec, inputs.width)
        task = build_task(config, data, model)
        kind_of(data.spec).callbacks(config, Path(config["runs"]), data)
        ready.append(PreparedEntry(entry, data, inputs, marks, count_parameters(model), task.monitor, task.mode))
    return ready


def _notes(inputs: Inputs) -> Iterator[str]:
    yield from inputs.notes
    if inputs.coverage:
        tokens = inputs.coverage.tokens
        yield (
            f"{inputs.kind}: {inputs.width} numbers a word; vectors for {inputs.coverage.types:.1%} of the "
            "vocabulary" + (f" and {tokens:.1%} of its occurrences in training" if tokens is not None else "")
        )


def _of_seeds(config: Config, data: Any) -> Iterator[str]:
    """What a seed draws with `vary`, and what it cannot draw."""
    vary, drawn = varied(config), drawn_by_seed(config, data)
    if drawn:
        yield f"each seed draws, the same for all labels: {', '.join(drawn)}"
    if "split" in vary and "test" not in drawn:
        given = "the test split is" if {*drawn} - {"vectors"} else "all splits are"
        yield f"vary=split: {given} given in {data.prepared.name}, and the same for all seeds"
    if "vectors" in vary and "vectors" not in drawn:
        yield f"vary=vectors: embedding={config['embedding']['kind']} trains no word vectors"
