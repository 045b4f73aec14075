"""From a resolved configuration to data, vectors, model and task."""

from __future__ import annotations

import inspect
import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from lightning_seq.builders.kinds import kind_of
from lightning_seq.config.seeds import Stream, stream_seed
from lightning_seq.config.targets import factory, resolve
from lightning_seq.config.tree import Config
from lightning_seq.embeddings.layer import Embedding, OneHot, Vectors
from lightning_seq.errors import UserError, first_line
from lightning_seq.spec import DataSpec, Tokens, TokenSequence
from lightning_seq.text.vocabulary import SPECIALS

if TYPE_CHECKING:
    from lightning_seq.tasks.schedule import MakeOptimizer, Schedule
    from lightning_seq.tasks.task import Task

NO_ROOM = re.compile(r"can't allocate memory|out of memory|calculation overflowed", re.IGNORECASE)
"""Messages of torch for a tensor that is too large."""


def build_data(config: Config) -> Any:
    """The DataModule, prepared or found in the cache."""
    node = config["data"]
    if isinstance(source := node.get("source"), dict) and "_target_" in source:
        node = {**node, "source": factory(source, "source", config["allow"])()}
    make = factory(node, "data", config["allow"])
    return make(cache=Path(config["cache"]), seed=stream_seed(config["seed"], Stream.BATCHES))


def takes_a_cell(config: Config) -> bool:
    """Whether the encoder is made of cells."""
    kind = resolve(config["model"]["_target_"], "model", config["allow"])
    return "cell" in inspect.signature(kind).parameters


def build_model(config: Config, spec: DataSpec, width: int) -> Any:
    """The model as the configuration and the data describe it, its parameters not yet initialised.

    Raises UserError for what these data, or this machine's memory, do not allow.
    """
    if "attend" in config["model"] and not isinstance(spec.targets, TokenSequence):
        raise UserError(
            f"model={config['choices']['model']} writes a sequence, and data={config['choices']['data']} asks for "
            "none: give another model, such as model=lstm, or data=pairs"
        )
    settings, embedding = config["embedding"], nn.Module()
    if settings["kind"] == "none":
        embedding = Vectors(width)
    elif not isinstance(spec.inputs, Tokens):
        raise UserError(f"embedding={settings['kind']} is for words, these inputs are numbers: use embedding=none")
    elif settings["kind"] == "onehot":
        embedding = OneHot(spec.inputs.size)
    else:
        embedding = Embedding(
            spec.inputs.size,
            width,
            frozen=settings["frozen"],
            padding=0 if spec.inputs.words[0] == SPECIALS[0] else None,
            dropout=settings.get("dropout", 0.0),
            scale=settings.get("scale", 1.0),
        )

    def encoder(input_size: int) -> Any:
        make, given = factory(config["model"], "model", config["allow"]), {}
        if takes_a_cell(config):
            given["cell"] = factory(config["cell"], "cell", config["allow"])
        return make(input_size=input_size, **given)

    try:
        return kind_of(spec).model(config, spec, embedding, encoder, width)
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and not NO_ROOM.search(str(error)):
            raise
        raise UserError(
            f"model={config['choices']['model']} does not fit into the memory of this machine: lower model.hidden_size "
            "or model.num_layers"
        ) from error


def build_task(config: Config, data: Any, model: Any) -> Task:
    shared = {
        "optimizer": build_optimizer(config),
        "schedule": build_schedule(config),
        "monitor": config["task"]["monitor"],
        "log_every": config["trainer"]["log_every_n_steps"],
    }
    return kind_of(data.spec).task(config, data, model, shared)


def build_optimizer(config: Config) -> MakeOptimizer:
    """Makes the optimiser from parameters.

    Raises UserError for settings that it does not take, for an optimiser of sparse gradients, and for
    one that computes a batch several times.
    """
    optimizer, said = factory(_optimizer(config), "optimizer", config["allow"]), config["optimizer"]["_target_"]
    try:
        made = optimizer([nn.Parameter(torch.zeros(1))])
    except Exception as error:  # whatever the class raises, the settings did not fit it
        raise UserError(
            f"optimizer.* is not accepted by {config['choices']['optimizer']}: {first_line(error)}"
        ) from error
    if not isinstance(made, torch.optim.Optimizer) or type(made) is torch.optim.Optimizer:
        raise UserError(f"optimizer._target_={said} is no optimiser: expected one such as torch.optim.AdamW")
    if isinstance(made, torch.optim.SparseAdam):
        raise UserError(
            f"optimizer._target_={said} is for sparse gradients, and these models have "
            "dense ones: expected an optimiser such as torch.optim.AdamW"
        )
    if _needs_closure(made):
        raise UserError(
            f"optimizer._target_={said} computes each batch several times in a step, and a "
            "model that carries its state would read the batch again: expected an optimiser such as torch.optim.AdamW"
        )
    return optimizer


def _needs_closure(optimizer: torch.optim.Optimizer) -> bool:
    """Whether a step has to be given the computation of the loss, as that of torch's LBFGS."""
    closure = inspect.signature(optimizer.step).parameters.get("closure")
    return closure is not None and closure.default is closure.empty


def build_schedule(config: Config) -> Schedule:
    """Raises UserError for settings out of their range, and for a fall to zero in a training without a last step."""
    from lightning_seq.tasks.schedule import Schedule

    schedule = Schedule(**config["task"]["schedule"])
    schedule.check_end(math.inf if not has_end(config) else 1)
    return schedule


def has_end(config: Config) -> bool:
    """Whether epochs or steps are limited: a training without a limit has no last step."""
    return config["trainer"]["max_epochs"] >= 0 or config["trainer"]["max_steps"] >= 0


def _optimizer(config: Config) -> Config:
    """Mixed precision unscales gradients before they are clipped, which a fused optimiser does by itself."""
    mixed = str(config["trainer"]["precision"]).endswith("mixed")
    return {key: value for key, value in config["optimizer"].items() if not (mixed and key == "fused")}
