"""Equal tuning: each architecture gets the same number of trials, at the same points of the same space."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lightning_seq.comparison.directories import check_directories
from lightning_seq.config.entry import Entry
from lightning_seq.config.match import width_key
from lightning_seq.config.tree import Config, put
from lightning_seq.errors import UserError, near
from lightning_seq.files import write_json
from lightning_seq.identity import INIT, can_be_swept, is_matched, value_at, varied
from lightning_seq.records.record import read
from lightning_seq.records.tuning import FILE, Tuning, Tunings
from lightning_seq.significance.effect_sizes import expected_best
from lightning_seq.training.planned import Planned

if TYPE_CHECKING:
    from lightning_seq.comparison.prepare import PreparedEntry

SPACE = {
    "optimizer.lr": [1e-4, 1e-2, "log"],
    "task.dropout": [0.0, 0.6],
    "trainer.gradient_clip_val": [0.1, 10.0, "log"],
}
"""The space of an empty `tune.space`."""
FOLDER = FILE.parent.name
DIGITS = 4


@dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`, drawn uniformly, or uniformly in their logarithm."""

    low: float
    high: float
    log: bool = False

    def draw(self, generator: np.random.Generator, whole: bool) -> float | int:
        """`whole`: a whole number, both ends included; else one of four significant digits."""
        low, high = (self.low - 0.5, self.high + 0.5) if whole else (self.low, self.high)
        drawn = math.exp(generator.uniform(math.log(low), math.log(high))) if self.log else generator.uniform(low, high)
        if whole:
            return int(min(max(round(drawn), self.low), self.high))
        return min(max(float(f"{drawn:.{DIGITS}g}"), self.low), self.high)


def trials_of(config: Config) -> int:
    """The number of trials of each entry; 0 for none."""
    return int(config["tune"]["trials"])


def read_space(space: Mapping[str, object]) -> dict[str, Range]:
    """`{optimizer.lr: [0.0001, 0.01, log], task.dropout: [0, 0.6]}`, with dots or nested; null takes a key out.

    Raises UserError for a range that is not two numbers, the smaller first, with or without `log`.
    """
    ranges = {}
    for key, value in _flat(space or SPACE).items():
        if value is None:
            continue
        ends, scale = (value[:2], value[2:]) if isinstance(value, list) else ([], [])
        numbers = [end for end in ends if type(end) in (int, float) and math.isfinite(end)]
        if len(numbers) != 2 or scale not in ([], ["log"]):
            raise UserError(
                f"tune.space.{key} is {value!r}, expected [low, high] or [low, high, log], as [0.0001, 0.01, log]"
            )
        if numbers[0] >= numbers[1]:
            raise UserError(f"tune.space.{key} is {value!r}, expected the smaller number first")
        if scale and numbers[0] <= 0:
            raise UserError(f"tune.space.{key} is {value!r}: a logarithm needs numbers above 0; leave log out")
        ranges[key] = Range(numbers[0], numbers[1], log=bool(scale))
    if not ranges:
        raise UserError("tune.space is empty, expected at least one key with its range")
    return ranges


def _flat(tree: Mapping[str, object], prefix: str = "") -> dict[str, object]:
    leaves: dict[str, object] = {}
    for key, value in tree.items():
        leaves |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return leaves


def check_tune(entries: Sequence[Entry]) -> None:
    """Raises UserError for a wrong space, for entries with different spaces or numbers of trials, and for a key that an
    entry does not have or sets itself, or that cannot be tuned."""
    config = entries[0].config
    for entry in entries:
        if entry.config["tune"] != config["tune"]:
            raise UserError(f"{entry.label} has another tune than {entries[0].label}: give tune=… once, for all")
    if trials_of(config) == 0:
        return
    space = read_space(config["tune"]["space"])
    for entry in entries:
        for key, ends in space.items():
            _check_key(key, ends, entry)


def _check_key(key: str, ends: Range, entry: Entry) -> None:
    value, leaves = value_at(entry.config, key), _flat(entry.config)
    if type(value) not in (int, float):
        if key in leaves:
            raise UserError(f"tune.space.{key}: {entry.label} has {value!r} there, expected a key that holds a number")
        known = {name for name, leaf in leaves.items() if type(leaf) in (int, float)}
        raise UserError(f"tune.space.{key}: {entry.label} has no such key; {near(key, known)}")
    if type(value) is int and not (type(ends.low) is type(ends.high) is int):
        raise UserError(f"tune.space.{key}: {entry.label} has the whole number {value} there, expected whole ends")
    if not can_be_swept(key) or key.partition(".")[0] in ("data", "word2vec", "embedding"):
        raise UserError(f"tune.space.{key}: expected a key of the model, its task, the optimizer or the trainer")
    if is_matched(entry.config) and key == width_key(entry.config):
        raise UserError(f"tune.space.{key}: match={entry.config['match']['kind']} solves it; take one of them out")
    if any(word.partition("=")[0] == key for word in entry.overrides):
        raise UserError(f"tune.space.{key}: {entry.label} sets it itself, and tuning would replace its value")


def point(space: Mapping[str, Range], seed: int, trial: int, config: Config) -> dict[str, float | int]:
    """The values of a trial: a pure function of the seed, the trial's number and each key, so that they do not depend
    on the number of trials or on other keys. Whole numbers where the configuration holds one."""
    return {
        key: ends.draw(np.random.default_rng([seed, trial, *key.encode()]), whole=type(value_at(config, key)) is int)
        for key, ends in space.items()
    }


def tuned(entry: Entry, values: Mapping[str, float | int]) -> Entry:
    """The entry at these values."""
    config = deepcopy(entry.config)
    for key, value in values.items():
        put(config, key, value)
    return replace(entry, overrides=[*entry.overrides, *(f"{k}={v}" for k, v in values.items())], config=config)


@dataclass(frozen=True)
class Trial(Planned):
    """An ordinary run of an entry at one point, in `<runs>/<name>/tune/<label>-trial<k>/`; its seed is k."""

    @property
    def title(self) -> str:
        return f"{self.entry.label}-trial{self.seed}"


def trial(entry: Entry, number: int, values: Mapping[str, float | int]) -> Trial:
    """A trial has no logger: loggers show the compared runs alone. All trials have one split and one set of vectors."""
    at = tuned(entry, values)
    config = {
        **at.config,
        "name": f"{entry.config['name']}/{FOLDER}",
        "vary": INIT,
        "logger": {"kind": "none"},
        "choices": {**at.config["choices"], "logger": "none"},
        "tune": {**at.config["tune"], "trial": number},
    }
    return Trial(replace(at, config=config), number)


def tune(
    ready: Sequence[PreparedEntry], run: Callable[[Sequence[Planned]], None], notify: Callable[[str], None]
) -> list[PreparedEntry]:
    """Every entry at the values of its best trial. `run` makes the trials that are not done yet.

    Trials are independent draws, the same for every architecture (random search, Bergstra & Bengio 2012). A search that
    learns from trial to trial, such as Optuna's samplers, would give each architecture other points, and the expected
    best of n is defined for independent trials alone.

    The best trial has the best value of `task.monitor` at its selected checkpoint, on validation; trials never see the
    test split. A trial that diverged has no finite value, and counts as the worst of its entry.

    `<runs>/<name>/tune/tune.json` holds `metric`, `mode`, `seed`, `trials`, `space` and for each label its `points`,
    their `values`, the number of the `chosen` one, and `expected_best` of 1 … N.

    Raises UserError for a failed trial, and for an entry without a finite value.
    """
    config = ready[0].entry.config
    count, seed, space = trials_of(config), config["tune"]["seed"], read_space(config["tune"]["space"])
    points = {
        item.entry.label: [point(space, seed, number, item.entry.config) for number in range(1, count + 1)]
        for item in ready
    }
    planned = {
        item.entry.label: [trial(item.entry, k, values) for k, values in enumerate(points[item.entry.label], 1)]
        for item in ready
    }
    _check_points(ready, planned)
    trials = [of_entry[k] for k in range(count) for of_entry in planned.values()]
    check_directories(trials)
    notify(f"{count} trials of each architecture, over {', '.join(space)}; test data are left alone")
    if "split" in varied(config):
        notify("all trials have one split; other seeds may test examples on which settings were chosen")
    run(trials)
    made: list[PreparedEntry] = []
    tunings: list[Tuning] = []
    for item in ready:
        label = item.entry.label
        values = [_value(trial, item.monitor) for trial in planned[label]]
        best, filled = _best(label, values, item.monitor, item.mode)
        curve = tuple(expected_best(filled, n, item.mode) for n in range(1, count + 1))
        tunings.append(Tuning(label, item.monitor, item.mode, tuple(points[label]), tuple(values), best + 1, curve))
        chosen = " ".join(f"{key}={value}" for key, value in points[label][best].items())
        notify(
            f"{label}: trial {best + 1} of {count}, {item.monitor} {filled[best]:.4f}, {chosen}; "
            f"expected best of 1 {curve[0]:.4f}, of {count} {curve[-1]:.4f}"
        )
        made.append(replace(item, entry=tuned(item.entry, points[label][best])))
    ranges: dict[str, list[float | str]] = {
        key: [ends.low, ends.high, *(["log"] if ends.log else [])] for key, ends in space.items()
    }
    report = Tunings(seed, count, ranges, tuple(tunings))
    write_json(Path(config["runs"]) / config["name"] / FILE, report.to_plain())
    return made


def _check_points(ready: Sequence[PreparedEntry], planned: Mapping[str, Sequence[Trial]]) -> None:
    """Raises UserError for a point at which an architecture cannot be built, before any trial begins."""
    import torch  # a command without tuning may need no torch

    from lightning_seq.builders.build import build_model, build_task

    for item in ready:
        for trial in planned[item.entry.label]:
            try:
                with torch.device("meta"):
                    model = build_model(trial.config, item.data.spec, item.inputs.width)
                build_task(trial.config, item.data, model)
            except UserError as error:
                raise UserError(f"{trial.title}: {error}; change tune.space") from error


def _value(trial: Trial, metric: str) -> float | None:
    record = read(trial.directory)
    if record.status != "done":
        raise UserError(
            f"{trial.title} is {record.status} ({record.error}), and every architecture needs the same number of "
            f"trials: see {trial.directory / 'log.txt'}, and start again"
        )
    return record.metrics.get(metric)


def _best(label: str, values: Sequence[float | None], metric: str, mode: str) -> tuple[int, list[float]]:
    """The position of the best value, of equal ones the first; and all values, with the worst for a missing one."""
    known = [value for value in values if value is not None]
    if not known:
        raise UserError(f"no trial of {label} gave a finite {metric}: change tune.space")
    best, worst = (max(known), min(known)) if mode == "max" else (min(known), max(known))
    return values.index(best), [worst if value is None else value for value in values]
