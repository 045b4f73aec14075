"""From a resolved configuration to data, vectors, model and task."""

from __future__ import annotations

import inspect
import math
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from lightning_seq.embeddings.layer import Embedding, OneHot, Vectors
from lightning_seq.embeddings.matrix import Coverage, embedding_matrix
from lightning_seq.embeddings.vectors import Vectors as WordVectors
from lightning_seq.errors import UserError, first_line, near
from lightning_seq.experiment.config import Config
from lightning_seq.experiment.kinds.kind import kind_of
from lightning_seq.experiment.seeds import Stream, stream_seed
from lightning_seq.experiment.targets import factory, resolve
from lightning_seq.files import fingerprint
from lightning_seq.spec import DataSpec, Features, Tokens, TokenSequence
from lightning_seq.text.vocabulary import SPECIALS

if TYPE_CHECKING:
    from lightning_seq.tasks.schedule import MakeOptimizer, Schedule
    from lightning_seq.tasks.task import Task

NO_ROOM = re.compile(r"can't allocate memory|out of memory|calculation overflowed", re.IGNORECASE)
"""What torch says of a tensor that is too large."""
EMBEDDINGS = ("word2vec", "random", "onehot", "file", "none")


def build_data(config: Config) -> Any:
    """The DataModule, prepared or found in the cache."""
    make = factory(config["data"], "data", config["allow"])
    return make(cache=Path(config["cache"]), seed=stream_seed(config["seed"], Stream.BATCHES))


@dataclass(frozen=True)
class Inputs:
    """What the embedding starts from.

    kind:     `word2vec`, `random`, `onehot`, `file`, or `none` for inputs that are vectors already.
    width:    E.
    matrix:   `[V, E]`, or None where nothing is given (random, one-hot).
    vectors:  where the matrix came from.
    target:   the same for the target side, where data have one with words of its own.
    """

    kind: str
    width: int
    matrix: np.ndarray | None = None
    vectors: WordVectors | None = None
    coverage: Coverage | None = None
    fingerprint: str | None = None
    target: Inputs | None = None

    @property
    def mark(self) -> str | None:
        """The fingerprint of all vectors, those of the target side too; None where there are none."""
        marks = [side.fingerprint for side in (self, self.target) if side is not None and side.fingerprint]
        return marks[0] if len(set(marks)) == 1 else fingerprint(marks) if marks else None

    @property
    def notes(self) -> list[str]:
        """A line for each file of vectors that has words which could not be read."""
        return [
            f"{meta['file']}: {meta['not_utf8']:,} words that are not UTF-8 left out"
            for side in (self, self.target)
            if side is not None and side.vectors is not None and (meta := side.vectors.meta).get("not_utf8")
        ]


def build_inputs(config: Config, data: Any, progress: bool = False) -> Inputs:
    """Word vectors for the vocabulary: trained on the train split or found in the cache, or read from a file; and for
    that of the target side, from its own text or its own file (`embedding.target_path`).

    Raises UserError for an unknown kind and for vectors of another width than the configuration asks for.
    """
    inputs = _side(config, data, progress)
    target = getattr(data, "target_side", None)
    if target is None:
        return inputs
    settings = {**config["embedding"], "path": config["embedding"].get("target_path")}
    if settings["kind"] == "file" and not settings["path"]:
        settings |= {"kind": "random", "size": inputs.width}
    written = _side({**config, "embedding": settings}, target, progress)
    if written.width != inputs.width:
        raise UserError(
            f"embedding.path has vectors of {inputs.width} numbers and embedding.target_path of {written.width}: "
            "expected one width for both sides"
        )
    return replace(inputs, target=written)


def _side(config: Config, data: Any, progress: bool) -> Inputs:
    settings = config["embedding"]
    kind = settings["kind"]
    if kind not in EMBEDDINGS:
        raise UserError(f"embedding.kind is {kind!r}: {near(kind, EMBEDDINGS)}")
    if isinstance(data.spec.inputs, Features):
        if kind != "none":
            raise UserError(f"embedding={kind} is for words, these inputs are numbers: use embedding=none")
        return Inputs(kind, data.spec.inputs.width)
    if kind == "none":
        raise UserError("embedding=none is for inputs that are numbers, words came: use word2vec, random or onehot")
    words = data.vocabulary.words
    if kind == "onehot":
        return Inputs(kind, len(words))
    if kind == "random":
        return Inputs(kind, settings["size"])
    if kind == "word2vec":
        from lightning_seq.embeddings.artifact import vectors_fingerprint, word_vectors
        from lightning_seq.embeddings.word2vec import Word2VecParameters

        parameters = Word2VecParameters(**config["word2vec"])
        corpus = data.fingerprints["data"]
        vectors = word_vectors(data.train_sentences(), parameters, corpus, Path(config["cache"]), progress)
        mark, remedy = vectors_fingerprint(parameters, corpus), f"word2vec.vector_size={settings['size']}"
    else:
        from lightning_seq.embeddings.formats import read_vectors
        from lightning_seq.files import sha256

        if not settings["path"]:
            raise UserError("embedding=file needs a file: give embedding.path=FILE (word2vec, GloVe or fastText .vec)")
        path = Path(settings["path"]).expanduser()
        vectors = read_vectors(path, keep=set(words), normalise=config["data"].get("normalise", "none"))
        mark = sha256(path)[:16] if path.is_file() else str(vectors.meta.get("fingerprint"))
        remedy = "another file"
    width = vectors.matrix.shape[1]
    if settings["size"] not in (None, width):
        raise UserError(
            f"embeddings have width {width}, the model expects {settings['size']}: use {remedy}, "
            f"or set embedding.size={width}"
        )
    # Rows for words without a vector are drawn from the vectors' own seed: they are the same for every seed of a run.
    matrix, coverage = embedding_matrix(words, vectors, seed=config["word2vec"]["seed"], counts=data.vocabulary.counts)
    return Inputs(kind, width, matrix, vectors, coverage, mark)


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


def initialise(model: Any, config: Config, inputs: Inputs) -> None:
    """Every parameter from the seed and its own name; then the vectors, where there are any."""
    factory(config["init"], "init", config["allow"])()(model, stream_seed(config["seed"], Stream.INITIALISATION))
    sides = {"source" if inputs.target else "embedding": inputs, "target": inputs.target}
    for name, side in sides.items():
        if side is not None and side.matrix is not None:
            with torch.no_grad():
                model.get_submodule(name).get_parameter("weight").copy_(torch.from_numpy(side.matrix))


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


def describe_embedding(inputs: Inputs) -> dict[str, Any]:
    """The record's `embedding`."""
    coverage = inputs.coverage
    return {
        "kind": inputs.kind,
        "size": inputs.width,
        "type_coverage": coverage.types if coverage else None,
        "token_coverage": coverage.tokens if coverage else None,
    }
