"""Which settings are chosen on validation: labels that differ in them alone are candidates, not architectures."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

HYPERPARAMETERS = (
    "optimizer.lr", "optimizer.weight_decay", "optimizer.momentum", "optimizer.nesterov", "optimizer.betas",
    "optimizer.eps", "optimizer.dampening",
    "task.dropout", "task.label_smoothing", "task.schedule", "task.activation_penalty", "task.temporal_penalty",
    "task.averaging", "task.coverage_penalty", "task.teacher_forcing", "task.intent_weight", "task.class_weights",
    "task.ranking", "task.beam", "task.length_penalty", "task.beam_coverage",
    "model.dropout", "model.input_dropout", "model.output_dropout", "model.recurrent_dropout", "model.zoneout",
    "model.weight_drop", "model.between", "embedding.dropout", "embedding.scale", "init.scale", "init.forget_bias",
    "data.batch_size", "trainer.max_epochs", "trainer.max_steps", "trainer.gradient_clip_val",
    "trainer.accumulate_grad_batches", "callbacks.early_stopping",
)  # fmt: skip
"""Keys that say how a model is trained: validation chooses their values, also where architectures are compared."""

INDIFFERENT = (
    "seed", "seeds", "jobs", "dry_run", "logger", "launcher", "runs", "name", "cache", "entries", "evaluate", "output",
    "resume", "allow", "tune", "match", "trainer.threads", "trainer.progress", "data.num_workers",
    "data.id_column", "data.source.id_column", "task.predictions",
)  # fmt: skip
"""Keys that do not change what a run computes."""


def candidates(configs: Mapping[str, Mapping[str, Any]]) -> frozenset[str]:
    """The labels of which validation chooses one; configs: the configuration of each label."""
    families: dict[str, dict[str, Mapping[str, Any]]] = {}
    for label, config in configs.items():
        families.setdefault(rest(config), {})[label] = config
    return frozenset(label for family in families.values() if differing([*family.values()]) for label in family)


def rest(config: Mapping[str, Any]) -> str:
    """The configuration without `HYPERPARAMETERS` and `INDIFFERENT`, as a text that can be compared."""
    kept = deepcopy(dict(config))
    for key in (*HYPERPARAMETERS, *INDIFFERENT):
        *parents, last = key.split(".")
        node: Any = kept
        for parent in parents:
            node = node.get(parent) if isinstance(node, dict) else None
        if isinstance(node, dict):
            node.pop(last, None)
    return json.dumps(kept, sort_keys=True, default=str)


def differing(configs: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """The keys of `HYPERPARAMETERS` that have several values in these configurations."""
    return tuple(
        key for key in HYPERPARAMETERS if len({json.dumps(value_at(c, key), default=str) for c in configs}) > 1
    )


def located(config: Mapping[str, Any], key: str) -> str:
    """Where the tree holds a key that is typed: `data.train` is `data.source.train` where the source takes it."""
    group, _, rest = key.partition(".")
    data = config.get("data")
    if group != "data" or not isinstance(data, dict) or not isinstance(source := data.get("source"), dict):
        return key
    name = rest.partition(".")[0]
    return f"data.source.{rest}" if name in source and name not in data else key


def shown(key: str) -> str:
    """A key of the tree as it is typed; the inverse of `located`."""
    name = key.removeprefix("data.source.")
    return key if name == key or name == "_target_" else f"data.{name}"


def settings_of_data(data: Mapping[str, Any]) -> dict[str, Any]:
    """The keys of `data` as they are typed, with those of its source."""
    source = data.get("source")
    inner = {f"data.source.{key}": value for key, value in source.items()} if isinstance(source, dict) else {}
    outer = {f"data.{key}": value for key, value in data.items() if key != "source" or not inner}
    return outer | {shown(key): value for key, value in inner.items()}


def value_at(config: Mapping[str, Any], key: str) -> Any:
    """The value at a dotted key as it is typed, None where the configuration has none."""
    node: Any = config
    for part in located(config, key).split("."):
        node = node.get(part) if isinstance(node, dict) else None
    return node


NEUTRAL = (
    "runs", "name", "cache", "jobs", "launcher", "logger", "seeds", "entries", "dry_run", "evaluate", "output", "tune",
    "resume", "label", "show",
)  # fmt: skip
"""Keys that do not change what a run computes."""

INSTRUMENTS = {
    "gradient_flow": "GradientFlow",
    "gates": "Gates",
    "states": "States",
    "deciding_words": "DecidingWords",
}
"""For each key of `callbacks.*` the class, in the file of that name in `callbacks/`. Each is made from a directory, the
DataModule and a probe batch, writes `<key>.json`, and has a `cost`."""

NEUTRAL_IN = {
    "trainer": ("progress", "threads", "timeout"),
    "callbacks": (
        "checkpoint_every_n_steps", "checkpoint_every_minutes", "keep_optimizer", "finite_guard", "probe_rows",
        *INSTRUMENTS,
    ),
    "data": ("num_workers", "id_column"),
    "task": ("predictions",),
    "choices": ("logger", "launcher", "experiment", "match", "callbacks"),
}  # fmt: skip
"""Such keys of groups. `finite_guard` acts where a run has gone astray, instruments look on."""


def essential(config: dict[str, Any]) -> dict[str, Any]:
    """The configuration without the keys that do not change what a run computes."""
    kept = {key: value for key, value in config.items() if key not in NEUTRAL and key != "match"}
    if is_matched(config):
        kept["match"] = config["match"]
    for group, neutral in NEUTRAL_IN.items():
        kept[group] = {key: value for key, value in config[group].items() if key not in neutral}
    if isinstance(source := kept["data"].get("source"), dict):
        kept["data"]["source"] = {key: value for key, value in source.items() if key != "id_column"}
    kept["allow"] = []  # what is admitted is in the class that was named
    return kept


def is_trial(config: dict[str, Any]) -> bool:
    """Whether this is a trial of `experiment/tune.py`, which leaves the test split alone."""
    return config.get("tune", {}).get("trial") is not None


def is_matched(config: dict[str, Any]) -> bool:
    """Whether sizes are to be solved, or were."""
    return config.get("match", {}).get("kind", "none") != "none"
