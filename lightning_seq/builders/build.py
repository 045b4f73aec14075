"""From a resolved configuration to data, vectors, model and task."""

from __future__ import annotations

import math
import re
from functools import partial
from inspect import Parameter, signature
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import nn

from lightning_seq.builders.features import frame_vectors, frozen_features
from lightning_seq.builders.inputs import token_embedding
from lightning_seq.builders.kinds import kind_of
from lightning_seq.config.seeds import Stream, stream_seed
from lightning_seq.config.targets import factory, resolve
from lightning_seq.config.tree import Config
from lightning_seq.embeddings.layer import OneHot, Vectors
from lightning_seq.errors import UserError, first_line
from lightning_seq.models.encoder import Encoder
from lightning_seq.spec import DataSpec, Future, Grid, Picture, Tokens, TokenSequence, Transcript
from lightning_seq.tasks.schedule import MakeOptimizer, Schedule

if TYPE_CHECKING:
    from lightning_seq.tasks.task import Task

NO_ROOM = re.compile(r"can't allocate memory|out of memory|calculation overflowed", re.IGNORECASE)
"""Messages of torch for a tensor that is too large."""

NAIVE = "lightning_seq.models.naive."
"""The room of models that are rules."""


class WithSpec(Protocol):
    @property
    def spec(self) -> DataSpec: ...


def build_data(config: Config) -> Any:
    """The DataModule, its data prepared or read from the cache."""
    node = config["data"]
    if isinstance(source := node.get("source"), dict) and "_target_" in source:
        node = {**node, "source": factory(source, "source", config["allow"])()}
    if node.get("features"):
        node = {**node, "features": partial(frozen_features, config)}
    make = factory(node, "data", config["allow"])
    return make(cache=Path(config["cache"]), seed=stream_seed(config["seed"], Stream.BATCHES))


def takes_a_cell(config: Config) -> bool:
    """Whether the encoder is made of cells."""
    return needs(config, "cell")


def needs(config: Config, argument: str) -> bool:
    """Whether the constructor of the encoder has this argument."""
    kind = resolve(config["model"]["_target_"], "model", config["allow"])
    return argument in signature(kind).parameters


def maps_of(config: Config, spec: DataSpec) -> tuple[int, ...]:
    """Height and width of the maps of an encoder over maps. Raises UserError for other inputs."""
    if not isinstance(spec.inputs, Grid) or config["embedding"]["kind"] != "none":
        raise UserError(
            f"model={config['choices']['model']} reads maps: use data of clips, such as data=moving_digits, with "
            "embedding=none"
        )
    return spec.inputs.space


def build_model(config: Config, spec: DataSpec, width: int) -> Any:
    """The model of a configuration and its data; `initialise` sets its parameters.

    Raises UserError for a model that does not fit the data or this machine's memory.
    """
    if "attend" in config["model"] and not isinstance(spec.targets, TokenSequence):
        raise UserError(
            f"model={config['choices']['model']} writes a sequence, and data={config['choices']['data']} has no "
            "target sequences: give another model, such as model=lstm, or data=pairs"
        )
    if config["model"].get("pyramid") and not isinstance(spec.targets, Transcript):
        raise UserError(
            "model.pyramid=true has fewer outputs than steps, which is for task=speech_recognition: leave it out"
        )
    settings, embedding = config["embedding"], nn.Module()
    if isinstance(spec.inputs, Grid):
        embedding = frame_vectors(config, spec.inputs, width)
    elif settings["kind"] == "frames":
        raise UserError("embedding=frames is for clips: use embedding=none for numbers, word2vec or random for words")
    elif settings["kind"] == "none":
        embedding = Vectors(width)
    elif (words := embedded_words(spec)) is None:
        raise UserError(f"embedding={settings['kind']} is for words, these inputs are numbers: use embedding=none")
    elif settings["kind"] == "onehot":
        embedding = OneHot(len(words))
    else:
        embedding = token_embedding(config, words, width)

    def encoder(input_size: int) -> Encoder:
        make, allow = factory(config["model"], "model", config["allow"]), config["allow"]
        arguments: dict[str, object] = {"cell": factory(config["cell"], "cell", allow)} if takes_a_cell(config) else {}
        if needs(config, "space"):
            arguments["space"] = maps_of(config, spec)
        return make(input_size=input_size, **arguments)

    if config["model"]["_target_"].startswith(NAIVE) and not isinstance(spec.targets, Future):
        raise UserError(
            f"model={config['choices']['model']} continues a series, and data={config['choices']['data']} has none: "
            "give data=series, or another model, such as model=lstm"
        )
    try:
        return kind_of(spec).model(config, spec, embedding, encoder, width)
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and not NO_ROOM.search(str(error)):
            raise
        raise UserError(
            f"model={config['choices']['model']} does not fit into the memory of this machine: lower model.hidden_size "
            "or model.num_layers"
        ) from error


def embedded_words(spec: DataSpec) -> tuple[str, ...] | None:
    """The words that the embedding of a model is for: of the inputs or, for pictures, of the captions; None for other
    inputs."""
    if isinstance(spec.inputs, Picture):
        return spec.targets_as(TokenSequence).words
    return spec.inputs.words if isinstance(spec.inputs, Tokens) else None


def build_task(config: Config, data: WithSpec, model: nn.Module) -> Task:
    shared = {
        "optimizer": build_optimizer(config),
        "schedule": build_schedule(config),
        "monitor": config["task"]["monitor"],
        "log_every": config["trainer"]["log_every_n_steps"],
    }
    return kind_of(data.spec).task(config, data, model, shared)


def build_optimizer(config: Config) -> MakeOptimizer:
    """From parameters to their optimiser.

    Raises UserError for settings that it does not accept, for an optimiser of sparse gradients, and for
    one that computes a batch several times, such as torch's LBFGS.
    """
    # A fused optimiser unscales gradients itself, but mixed precision must do so before they are clipped.
    mixed = str(config["trainer"]["precision"]).endswith("mixed")
    settings = {key: value for key, value in config["optimizer"].items() if not (mixed and key == "fused")}
    optimizer = factory(settings, "optimizer", config["allow"])
    try:
        made = optimizer([nn.Parameter(torch.zeros(1))])
    except Exception as error:  # a class may raise anything for wrong settings
        raise UserError(
            f"optimizer.* is not accepted by {config['choices']['optimizer']}: {first_line(error)}"
        ) from error
    if not isinstance(made, torch.optim.Optimizer) or type(made) is torch.optim.Optimizer:
        problem = "is no optimiser"
    elif isinstance(made, torch.optim.SparseAdam):
        problem = "is for sparse gradients, and these models have dense ones"
    elif getattr(signature(made.step).parameters.get("closure"), "default", None) is Parameter.empty:
        problem = "computes each batch several times in a step, and a model that carries its state would read it again"
    else:
        problem = ""
    if problem:
        raise UserError(f"optimizer._target_={settings['_target_']} {problem}: expected one such as torch.optim.AdamW")
    return optimizer


def build_schedule(config: Config) -> Schedule:
    """Raises UserError for settings out of their range, and for a fall to zero in a training without a last step."""
    schedule = Schedule(**config["task"]["schedule"])
    schedule.check_end(math.inf if not has_end(config) else 1)
    return schedule


def has_end(config: Config) -> bool:
    """Whether epochs or steps are limited: a training without a limit has no last step."""
    return config["trainer"]["max_epochs"] >= 0 or config["trainer"]["max_steps"] >= 0
