"""The entries and runs of a comparison, from the words of a command."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import product
from math import prod

from lightning_seq.config.compose import GENERAL_MODEL, check_name, check_task, compose
from lightning_seq.config.effects import check_effects
from lightning_seq.config.entry import Entry
from lightning_seq.config.match import check_match
from lightning_seq.config.seeds import check_vary
from lightning_seq.config.tree import Config
from lightning_seq.config.words import Word, alternatives, split_words
from lightning_seq.errors import UserError
from lightning_seq.identity import INSTRUMENTS, can_be_swept
from lightning_seq.training.planned import Planned

MOST_ENTRIES, MOST_SEEDS, MOST_RUNS = 1000, 10_000, 100_000
"""Of a comparison."""


def entries(words: Sequence[str]) -> list[Entry]:
    """The entries of a command: `entries:` of an experiment file, or the product of every comma list.

    Raises UserError for a malformed entry, for two entries of one label, and for every error of `compose`.
    """
    pairs = split_words(words)
    lists = [(pair, alternatives(pair)) for pair in pairs]
    first = compose([Word(pair.key, values[0]).text for pair, values in lists])
    name = check_name("name", first["name"] or first["choices"]["experiment"] or first["choices"]["data"])
    swept = [pair.key for pair, values in lists if len(values) > 1]
    if (count := prod(len(values) for _, values in lists)) > MOST_ENTRIES:
        raise UserError(f"the comma lists make {count:,} entries, expected at most {MOST_ENTRIES:,}: give fewer values")
    for key in swept:
        if sum(pair.key == key for pair in pairs) > 1:
            raise UserError(f"{key}=… has several values, and is given twice: give all its values once, {key}=A,B,C")
        if not can_be_swept(key):
            wanted = "seeds=[1,5]" if key in ("seed", "seeds") else f"one {key}"
            raise UserError(f"{key}=… has several values, and it does not change the model: give {wanted}")
    if first["entries"] and swept:
        raise UserError(
            f"{swept[0]}=… has several values, and experiment={first['choices']['experiment']} "
            "lists its own entries: give one or the other"
        )
    made = _of_experiment(first["entries"], words) if first["entries"] else _of_lists(lists, swept)
    if first["label"]:
        if len(made) > 1:
            raise UserError(
                f"label={first['label']} names one run, {len(made)} were given "
                f"({', '.join(entry.label for entry in made)}): leave label= out"
            )
        made[0] = replace(made[0], label=check_name("label", first["label"]))
    for label, count in Counter(entry.label for entry in made).items():
        if count > 1:
            raise UserError(f"{count} entries are called {label!r}: take the repeated value out")
    for entry in made:
        check_task(entry.config)
        entry.config["name"] = name
        entry.config["entries"] = None
        del entry.config["label"], entry.config["show"]  # keys of the command, not of the run
        check_vary(entry.config, {pair.key for pair in [*pairs, *split_words(entry.overrides)]})
    _check_alike(made)
    notes = tuple(check_effects([entry.label for entry in made], [entry.config for entry in made], pairs))
    made[0] = replace(made[0], notes=notes)
    check_match(made, [pair.key for pair in pairs if pair.key not in swept])
    return made


def _of_experiment(listed: object, words: Sequence[str]) -> list[Entry]:
    form = "{label: NAME, overrides: [key=value, …]}"
    if not isinstance(listed, list):
        raise UserError(f"entries is {listed!r}, expected a list of {form}")
    made = []
    for item in listed:
        if not isinstance(item, dict) or set(item) != {"label", "overrides"} or not isinstance(item["overrides"], list):
            raise UserError(f"entry {item} is not understood: expected {form}")
        overrides = [str(word) for word in item["overrides"]]
        made.append(Entry(check_name("label", str(item["label"])), overrides, compose(words, overrides)))
    return made


def _of_lists(lists: Sequence[tuple[Word, Sequence[str]]], swept: Sequence[str]) -> list[Entry]:
    combined = []
    for values in product(*(values for _, values in lists)):
        chosen = [Word(pair.key, value) for (pair, _), value in zip(lists, values, strict=True)]
        config = compose([word.text for word in chosen])
        combined.append((config, [word for word in chosen if word.key in swept]))
    classes = _class_names([str(config["cell"].get("path")) for config, _ in combined])
    return [
        Entry(_label(config, differing, classes), [word.text for word in differing], config)
        for config, differing in combined
    ]


def _check_alike(made: Sequence[Entry]) -> None:
    """Raises UserError unless a seed draws the same for all entries, and all have the same diagnostics: each takes time
    and may change speed."""
    first = made[0]
    for entry in made[1:]:
        if entry.config["vary"] != first.config["vary"]:
            raise UserError(
                f"{first.label} has vary={first.config['vary']}, {entry.label} has {entry.config['vary']}: expected "
                "the same for all, give vary=… for all entries"
            )
        for name in (*INSTRUMENTS, "probe_rows"):
            one, other = first.config["callbacks"].get(name), entry.config["callbacks"].get(name)
            if one != other:
                raise UserError(
                    f"{first.label} has callbacks.{name}={one}, {entry.label} has {other}: expected the same for all, "
                    f"give callbacks.{name}=… for all entries"
                )


def _class_names(paths: Sequence[str]) -> dict[str, str]:
    """For each path its shortest ending that no other path has, from the class name upwards."""
    names = {}
    for path in paths:
        parts = path.split(".")
        endings = (".".join(parts[-count:]) for count in range(1, len(parts) + 1))
        others = [f".{other}" for other in paths if other != path]
        names[path] = next((end for end in endings if not any(other.endswith(f".{end}") for other in others)), path)
    return names


def _label(config: Config, differing: Sequence[Word], classes: Mapping[str, str]) -> str:
    """The model's name, then all other differences: `lstm`, `lstm-lr0.01`, `recurrent-gru-2layers` …; an external cell
    is called by its class."""
    choices = config["choices"]
    external = choices["cell"] == "external" and config["cell"].get("path")
    cell = classes[str(external)] if external else choices["cell"]
    both = "bi" if choices["model"] == GENERAL_MODEL and config["model"]["bidirectional"] else ""
    parts = [] if external and choices["model"] == GENERAL_MODEL else [choices["model"]]
    if choices["model"] == GENERAL_MODEL or external or any(word.key == "cell" for word in differing):
        parts.append(f"{both}{cell}")
    for word in differing:
        if word.key not in ("model", "cell") and not (external and word.key == "cell.path"):
            parts.append(word.key.rpartition(".")[2] + word.value)
    label = re.sub(r"[^A-Za-z0-9._-]+", "_", "-".join(parts)).strip("._-")
    return check_name("label", label[:90])


def seeds_of(config: Config) -> list[int]:
    """The seeds: of `seeds=3` 1, 2 and 3; of a list its numbers; of `seeds=auto` all that may be needed."""
    seeds = config["max_seeds"] if config["seeds"] == "auto" else config["seeds"]
    if type(seeds) is int and seeds > MOST_SEEDS:
        raise UserError(f"seeds is {seeds}: expected at most {MOST_SEEDS:,}")
    if type(seeds) is int and seeds >= 1:
        return list(range(1, seeds + 1))
    is_list = isinstance(seeds, list) and all(isinstance(seed, int) and seed >= 0 for seed in seeds)
    if is_list and 0 < len(seeds) == len({*seeds}):
        return seeds
    raise UserError(f"seeds is {seeds}: expected how many (seeds=3 means 1, 2, 3), a list such as seeds=[1,5], or auto")


def planned_runs(entries: Sequence[Entry], seeds: Sequence[int]) -> list[Planned]:
    """All entries with the first seed, then all with the second …: a comparison that is cut short has runs of each.

    Raises UserError for too many runs.
    """
    if (count := len(entries) * len(seeds)) > MOST_RUNS:
        raise UserError(f"{count:,} runs, expected at most {MOST_RUNS:,}: give fewer seeds or fewer values")
    return [Planned(entry, seed) for seed in seeds for entry in entries]
