"""The keys of a configuration that make another run, another architecture or another comparison."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from copy import deepcopy
from enum import Enum

from lightning_seq.files import Plain
from lightning_seq.value_types import MAX_TOKENS


class Role(Enum):
    """The effect of another value of a key.

    PLACE:          none on the run: its directory, its outputs, its loggers. Not swept; not part of a run's identity.
    PREDICTIONS:    another predictions.parquet. As PLACE, but a finished run does not get other predictions.
    REPETITION:     another run of the same architecture: its seed, and what that draws.
    MACHINE:        another run, which may have the same label in a report of several machines.
    HYPERPARAMETER: another candidate of the same architecture: validation chooses its value.
    ARCHITECTURE:   another architecture; the role of every key that is not in the table.
    """

    PLACE = "place"
    PREDICTIONS = "predictions"
    REPETITION = "repetition"
    MACHINE = "machine"
    HYPERPARAMETER = "hyperparameter"
    ARCHITECTURE = "architecture"


INSTRUMENTS = {
    "gradient_flow": "GradientFlow",
    "gates": "Gates",
    "states": "States",
    "deciding_words": "DecidingWords",
}
"""The class of each key of `callbacks.*`, in the file of that name in `callbacks/`. It takes a directory, a DataModule
and a probe batch, writes `<key>.json`, and has a `cost`."""

PREDICTIONS = {"data.id_column": None, "data.group_column": None, "task.predictions": "short"}
"""Keys that change `predictions.parquet` alone, with the value that adds nothing to it."""

STRUCTURE = ("model", "cell", "attention", "init")
"""Groups of the structure of an architecture."""
SETTINGS = (*STRUCTURE, "task", "optimizer", "embedding", "word2vec", "data", "trainer")
"""Groups in which labels differ."""

ROLES: Mapping[str, Role] = {
    **dict.fromkeys((
        "runs", "name", "label", "cache", "show", "jobs", "dry_run", "seeds", "max_seeds", "rope", "entries",
        "experiment", "evaluate", "output", "resume", "allow", "tune", "match", "launcher", "logger",
        "trainer.progress", "trainer.threads", "trainer.timeout", "data.num_workers",
        "callbacks.checkpoint_every_n_steps", "callbacks.checkpoint_every_minutes", "callbacks.keep_optimizer",
        "callbacks.finite_guard", "callbacks.probe_rows", *(f"callbacks.{name}" for name in INSTRUMENTS),
        "choices.logger", "choices.launcher", "choices.experiment", "choices.match", "choices.callbacks",
    ), Role.PLACE),
    **dict.fromkeys(PREDICTIONS, Role.PREDICTIONS),
    **dict.fromkeys(("seed", "vary"), Role.REPETITION),
    **dict.fromkeys((
        "trainer.accelerator", "trainer.devices", "trainer.num_nodes", "choices.trainer", "data.eval_batch_size",
        "data.mirror", "data.licence", "callbacks.checkpoint",
    ), Role.MACHINE),
    **dict.fromkeys((
        "optimizer.lr", "optimizer.weight_decay", "optimizer.momentum", "optimizer.nesterov", "optimizer.betas",
        "optimizer.eps", "optimizer.dampening", "task.dropout", "task.label_smoothing", "task.schedule",
        "task.activation_penalty", "task.temporal_penalty", "task.averaging", "task.coverage_penalty",
        "task.teacher_forcing", "task.intent_weight", "task.class_weights", "task.ranking", "task.beam",
        "task.length_penalty", "task.beam_coverage", "model.dropout", "model.input_dropout", "model.output_dropout",
        "model.recurrent_dropout", "model.zoneout", "model.weight_drop", "model.between", "embedding.dropout",
        "embedding.scale", "init.scale", "init.forget_bias", "data.batch_size", "data.max_tokens", "trainer.max_epochs",
        "trainer.max_steps", "trainer.gradient_clip_val", "trainer.accumulate_grad_batches",
        "callbacks.early_stopping",
    ), Role.HYPERPARAMETER),
}  # fmt: skip
"""The role of each key and of all keys below it."""

DRAWN = {"split": "data.split_seed", "vectors": "word2vec.seed"}
"""By a value of `vary`, the key that the seed of a run then sets."""
INIT = ["init"]
"""The `vary` of configurations without it: a seed draws initialisation, batch order and dropout alone."""
ADDED: Mapping[str, Plain] = {
    "vary": INIT, "model.pyramid": False, "data.split_seed": None, "data.max_tokens": MAX_TOKENS, "data.features": None,
    "data.features_precision": "float32",
    "data.augment": {"shift": 0, "flip": False, "brightness": 0.0, "contrast": 0.0, "rotate": 0.0, "zoom": 0.0},
}  # fmt: skip
"""Keys that configurations of earlier versions may lack, with the value that changes nothing."""

OUTSIDE = (Role.PLACE, Role.PREDICTIONS)
"""Roles of the keys that are not part of a run's identity."""


def role_of(key: str) -> Role:
    """The role of a key such as `task.schedule.kind`, or of the nearest key above it."""
    key = shown(key)
    while key not in ROLES and "." in key:
        key = key.rpartition(".")[0]
    return ROLES.get(key, Role.ARCHITECTURE)


def can_be_swept(key: str) -> bool:
    """Whether a comparison can run over several values of a key."""
    return role_of(key) not in (*OUTSIDE, Role.REPETITION)


def may_differ(key: str) -> bool:
    """Whether runs of one label on several machines may differ in a key."""
    return role_of(key) in (*OUTSIDE, Role.MACHINE)


def config_identity(config: Mapping[str, Plain]) -> dict[str, Plain]:
    """The keys that make one run another: a run is found and resumed only if they are the same."""
    kept = _without(config, OUTSIDE)
    if is_matched(config):
        kept["match"] = config["match"]
    for key, usual in ADDED.items():
        parent, _, name = located(kept, key).rpartition(".")
        node = value_at(kept, parent) if parent else kept
        if isinstance(node, dict) and node.get(name) == usual:
            node.pop(name, None)
    kept["allow"] = []  # the key that uses an admitted class names it
    return kept


def architecture(config: Mapping[str, Plain]) -> str:
    """The keys that make one architecture another, as JSON."""
    return json.dumps(_without(config, (*OUTSIDE, Role.REPETITION, Role.HYPERPARAMETER)), sort_keys=True, default=str)


def varied(config: Mapping[str, Plain]) -> list[str]:
    """The value of `vary`."""
    return list(config.get("vary") or INIT)


def drawn_keys(config: Mapping[str, Plain]) -> tuple[str, ...]:
    """The keys that the seed of a run sets."""
    return tuple(key for name, key in DRAWN.items() if name in varied(config))


def _without(config: Mapping[str, Plain], roles: Sequence[Role]) -> dict[str, Plain]:
    kept = deepcopy(dict(config))
    for key, role in [*ROLES.items(), *dict.fromkeys(drawn_keys(config), Role.REPETITION).items()]:
        parent, _, last = located(kept, key).rpartition(".")
        node = value_at(kept, parent) if parent else kept
        if role in roles and isinstance(node, dict):
            node.pop(last, None)
    return kept


def candidates(configs: Mapping[str, Mapping[str, Plain]]) -> frozenset[str]:
    """The labels among which validation chooses. configs: by label."""
    families: dict[str, dict[str, Mapping[str, Plain]]] = {}
    for label, config in configs.items():
        families.setdefault(architecture(config), {})[label] = config
    return frozenset(label for family in families.values() if differing([*family.values()]) for label in family)


def differing(configs: Sequence[Mapping[str, Plain]]) -> tuple[str, ...]:
    """The hyperparameters that have several values in these configurations."""
    return tuple(
        key
        for key, role in ROLES.items()
        if role is Role.HYPERPARAMETER and len({json.dumps(_value(c, key), default=str) for c in configs}) > 1
    )


def _value(config: Mapping[str, Plain], key: str) -> Plain:
    value = value_at(config, key)
    return ADDED.get(key) if value is None else value


def located(config: Mapping[str, Plain], key: str) -> str:
    """The place in the tree of a typed key: `data.train` is `data.source.train` if the source has it."""
    group, _, rest = key.partition(".")
    data = config.get("data")
    if group != "data" or not isinstance(data, dict) or not isinstance(source := data.get("source"), dict):
        return key
    name = rest.partition(".")[0]
    return f"data.source.{rest}" if name in source and name not in data else key


def shown(key: str) -> str:
    """The typed form of a key of the tree; the inverse of `located`."""
    name = key.removeprefix("data.source.")
    return key if name == key or name == "_target_" else f"data.{name}"


def settings_of_data(data: Mapping[str, Plain]) -> dict[str, Plain]:
    """The keys of `data` and of its source, as they are typed."""
    source = data.get("source")
    inner = {f"data.source.{key}": value for key, value in source.items()} if isinstance(source, dict) else {}
    outer = {f"data.{key}": value for key, value in data.items() if key != "source" or not inner}
    return outer | {shown(key): value for key, value in inner.items()}


def value_at(config: Mapping[str, Plain], key: str) -> Plain:
    """The value at a typed key; None if the configuration has none."""
    node: Plain = config
    for part in located(config, key).split("."):
        node = node.get(part) if isinstance(node, dict) else None
    return node


def is_trial(config: Mapping[str, Plain]) -> bool:
    """Whether this is a trial of `comparison/tune.py`, which does not use the test split."""
    return config.get("tune", {}).get("trial") is not None


def is_matched(config: Mapping[str, Plain]) -> bool:
    """Whether the size of the model is solved for."""
    return config.get("match", {}).get("kind", "none") != "none"
