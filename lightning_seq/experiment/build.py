"""From a resolved configuration to data, vectors, model and task."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from lightning_seq.embeddings.layer import Embedding, OneHot
from lightning_seq.embeddings.matrix import Coverage, embedding_matrix
from lightning_seq.embeddings.vectors import Vectors
from lightning_seq.embeddings.word2vec import Word2VecParameters
from lightning_seq.errors import UserError, near
from lightning_seq.experiment.config import Config
from lightning_seq.experiment.seeds import Stream, stream_seed
from lightning_seq.experiment.targets import factory, resolve
from lightning_seq.models.classifier import Classifier
from lightning_seq.spec import Class, DataSpec, Tokens

if TYPE_CHECKING:
    from lightning_seq.data.classification import ClassificationData
    from lightning_seq.tasks.classification import SequenceClassification

EMBEDDINGS = ("word2vec", "random", "onehot", "file")


def build_data(config: Config) -> ClassificationData:
    """The DataModule, prepared or found in the cache."""
    make = factory(config["data"], config["allow"])
    return make(cache=Path(config["cache"]), seed=stream_seed(config["seed"], Stream.BATCHES))


@dataclass(frozen=True)
class Inputs:
    """What the embedding starts from.

    kind:     `word2vec`, `random`, `onehot` or `file`.
    width:    E.
    matrix:   `[V, E]`, or None where nothing is given (random, one-hot).
    vectors:  where the matrix came from.
    """

    kind: str
    width: int
    matrix: np.ndarray | None = None
    vectors: Vectors | None = None
    coverage: Coverage | None = None
    fingerprint: str | None = None


def build_inputs(config: Config, data: ClassificationData, progress: bool = False) -> Inputs:
    """Word vectors for the vocabulary: trained on the train split or found in the cache, or read from a file.

    Raises UserError for an unknown kind and for vectors of another width than the configuration asks for.
    """
    settings = config["embedding"]
    kind, words = settings["kind"], data.vocabulary.words
    if kind not in EMBEDDINGS:
        raise UserError(f"embedding.kind is {kind!r}: {near(kind, EMBEDDINGS)}")
    if kind == "onehot":
        return Inputs(kind, len(words))
    if kind == "random":
        return Inputs(kind, settings["size"])
    if kind == "word2vec":
        from lightning_seq.embeddings.artifact import vectors_fingerprint, word_vectors

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
        vectors = read_vectors(path, keep=set(words))
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
    kind = resolve(config["model"]["_target_"], config["allow"])
    return "cell" in inspect.signature(kind).parameters


def build_model(config: Config, spec: DataSpec, width: int) -> Classifier:
    """The model as the configuration and the data describe it, its parameters not yet initialised."""
    if not isinstance(spec.inputs, Tokens) or not isinstance(spec.targets, Class):
        raise TypeError(f"sequence classification goes from Tokens to Class, not {spec}")
    embedding = (
        OneHot(spec.inputs.size)
        if config["embedding"]["kind"] == "onehot"
        else Embedding(
            spec.inputs.size,
            width,
            frozen=config["embedding"]["frozen"],
            dropout=config["embedding"].get("dropout", 0.0),
        )
    )
    make, given = factory(config["model"], config["allow"]), {}
    if takes_a_cell(config):
        given["cell"] = factory(config["cell"], config["allow"])
    task = config["task"]
    return Classifier(
        embedding,
        make(input_size=width, **given),
        spec.targets.size,
        pooling=task["pooling"],
        head_sizes=task["head_sizes"],
        dropout=task["dropout"],
    )


def initialise(model: Classifier, config: Config, inputs: Inputs) -> None:
    """Every parameter from the seed and its own name; then the vectors, where there are any."""
    factory(config["init"], config["allow"])()(model, stream_seed(config["seed"], Stream.INITIALISATION))
    if inputs.matrix is not None:
        with torch.no_grad():
            model.embedding.get_parameter("weight").copy_(torch.from_numpy(inputs.matrix))


def build_task(config: Config, data: ClassificationData, model: Classifier) -> SequenceClassification:
    from lightning_seq.tasks.schedule import Schedule

    task, allow = config["task"], config["allow"]
    optimizer = factory(_optimizer(config), allow)
    try:
        optimizer([nn.Parameter(torch.zeros(1))])
    except ValueError as error:
        raise UserError(f"optimizer.* is not accepted by {config['choices']['optimizer']}: {error}") from error
    assert isinstance(data.spec.targets, Class)
    make = factory({"_target_": task["_target_"]}, allow)
    return make(
        model,
        data.spec.targets.size,
        optimizer=optimizer,
        schedule=Schedule(**task["schedule"]),
        class_weights=class_weights(task["class_weights"], data),
        label_smoothing=task["label_smoothing"],
        monitor=task["monitor"],
        log_every=config["trainer"]["log_every_n_steps"],
    )


def _optimizer(config: Config) -> Config:
    """Mixed precision unscales gradients before they are clipped, which a fused optimiser does by itself."""
    mixed = str(config["trainer"]["precision"]).endswith("mixed")
    return {key: value for key, value in config["optimizer"].items() if not (mixed and key == "fused")}


def class_weights(wanted: str | list[float] | None, data: ClassificationData) -> Tensor | None:
    """`[C]`, scaled to a mean of 1 over the training examples.

    wanted: None, `balanced` (inversely to how often a class occurs), or one number per class.
    """
    if wanted is None:
        return None
    assert isinstance(data.spec.targets, Class)
    names = data.spec.targets.names
    counts = np.bincount(data.train_labels, minlength=len(names)).astype(float)
    if wanted == "balanced":
        weights = 1 / counts.clip(min=1)
    elif isinstance(wanted, list) and len(wanted) == len(names) and all(weight >= 0 for weight in wanted):
        weights = np.array(wanted, dtype=float)
    else:
        raise UserError(
            f"task.class_weights is {wanted}: expected null, balanced, or {len(names)} numbers of at least 0 "
            f"({', '.join(names)})"
        )
    return torch.tensor(weights * counts.sum() / (weights * counts).sum(), dtype=torch.float32)


def describe_embedding(inputs: Inputs) -> dict[str, Any]:
    """The record's `embedding`."""
    coverage = inputs.coverage
    return {
        "kind": inputs.kind,
        "size": inputs.width,
        "type_coverage": coverage.types if coverage else None,
        "token_coverage": coverage.tokens if coverage else None,
    }
