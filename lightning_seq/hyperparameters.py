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
    "data.id_column", "task.predictions",
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


def value_at(config: Mapping[str, Any], key: str) -> Any:
    """The value at a dotted key, None where the configuration has none."""
    node: Any = config
    for part in key.split("."):
        node = node.get(part) if isinstance(node, dict) else None
    return node
