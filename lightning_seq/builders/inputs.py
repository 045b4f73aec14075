"""The start of the embedding: word vectors, random numbers, one-hot vectors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import nn

from lightning_seq.config.seeds import Stream, stream_seed
from lightning_seq.config.targets import factory
from lightning_seq.config.tree import Config
from lightning_seq.embeddings.artifact import vectors_fingerprint, word_vectors
from lightning_seq.embeddings.formats import read_vectors
from lightning_seq.embeddings.layer import Embedding
from lightning_seq.embeddings.matrix import Coverage, embedding_matrix
from lightning_seq.embeddings.vectors import Vectors as WordVectors
from lightning_seq.embeddings.word2vec import Word2VecParameters
from lightning_seq.errors import UserError
from lightning_seq.files import fingerprint, sha256
from lightning_seq.identity import varied
from lightning_seq.models.picture.encoder import PictureEncoder
from lightning_seq.spec import DataSpec, Features, Grid
from lightning_seq.text.vocabulary import SPECIALS, Vocabulary


class Side(Protocol):
    """The source or the target side of data: a vocabulary, and the text of its train split."""

    @property
    def spec(self) -> DataSpec: ...

    @property
    def vocabulary(self) -> Vocabulary: ...

    @property
    def fingerprints(self) -> Mapping[str, str]: ...

    def train_sentences(self) -> Iterator[list[str]]: ...


class Drawn(Protocol):
    """Data whose `split_seed` draws some splits."""

    @property
    def drawn(self) -> tuple[str, ...]: ...


@dataclass(frozen=True)
class Inputs:
    """The start of the embedding.

    kind:     `word2vec`, `random`, `onehot`, `file`, or `none` for inputs that are vectors already.
    width:    E.
    matrix:   `[V, E]`, or None for random and one-hot.
    vectors:  the source of the matrix.
    target:   the same for a target side with its own words.
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
        """The fingerprint of the vectors of both sides; None without vectors."""
        marks = [side.fingerprint for side in (self, self.target) if side is not None and side.fingerprint]
        return marks[0] if len(set(marks)) == 1 else fingerprint(marks) if marks else None

    @property
    def notes(self) -> list[str]:
        """A line for each file of vectors with unreadable words."""
        return [
            f"{meta['file']}: {meta['not_utf8']:,} words that are not UTF-8 left out"
            for side in (self, self.target)
            if side is not None and side.vectors is not None and (meta := side.vectors.meta).get("not_utf8")
        ]


def build_inputs(config: Config, data: Any, progress: bool = False) -> Inputs:
    """Word vectors for the vocabulary: trained on the train split, from the cache, or read from a file; for the target
    side from its text or its file (`embedding.target_path`).

    Raises UserError for vectors of another width than `embedding.size`.
    """
    inputs = _side(config, data, progress)
    target = getattr(data, "target_side", None)
    if target is None:
        return inputs
    settings = {**config["embedding"], "path": config["embedding"].get("target_path")}
    if settings["kind"] == "file" and not settings["path"]:
        settings |= {"kind": "random", "size": inputs.width}
    target_inputs = _side({**config, "embedding": settings}, target, progress)
    if target_inputs.width != inputs.width:
        raise UserError(
            f"embedding.path has vectors of {inputs.width} numbers and embedding.target_path of {target_inputs.width}: "
            "expected one width for both sides"
        )
    return replace(inputs, target=target_inputs)


def _side(config: Config, data: Side, progress: bool) -> Inputs:
    settings = config["embedding"]
    kind = settings["kind"]
    if isinstance(data.spec.inputs, Features):
        if kind != "none":
            raise UserError(f"embedding={kind} is for words, these inputs are numbers: use embedding=none")
        return Inputs(kind, data.spec.inputs.width)
    if isinstance(inputs := data.spec.inputs, Grid):
        if kind not in ("frames", "none"):
            raise UserError(f"embedding={kind} is for words, these inputs are clips: use frames or none")
        return Inputs(kind, settings["size"] if kind == "frames" else inputs.channels * prod(inputs.space))
    if kind == "frames":
        raise UserError("embedding=frames is for clips, words came: use word2vec, random or onehot")
    if kind == "none":
        raise UserError("embedding=none is for inputs that are numbers, words came: use word2vec, random or onehot")
    words = data.vocabulary.words
    if kind == "onehot":
        return Inputs(kind, len(words))
    if kind == "random":
        return Inputs(kind, settings["size"])
    if kind == "word2vec":
        parameters = Word2VecParameters(**config["word2vec"])
        corpus = data.fingerprints["data"]
        vectors = word_vectors(data.train_sentences(), parameters, corpus, Path(config["cache"]), progress)
        mark, remedy = vectors_fingerprint(parameters, corpus), f"word2vec.vector_size={settings['size']}"
    else:
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
    # Rows of words without a vector are drawn from word2vec.seed, so they are the same for every seed of a run.
    matrix, coverage = embedding_matrix(words, vectors, seed=config["word2vec"]["seed"], counts=data.vocabulary.counts)
    return Inputs(kind, width, matrix, vectors, coverage, mark)


def drawn_by_seed(config: Config, data: Drawn) -> list[str]:
    """What the seed of a run draws with `vary`: splits by name, and `vectors`."""
    vary = varied(config)
    splits = data.drawn if "split" in vary else ()
    return [*splits, *(["vectors"] if "vectors" in vary and config["embedding"]["kind"] == "word2vec" else [])]


def token_embedding(config: Config, words: Sequence[str], width: int) -> Embedding:
    """The embedding of a vocabulary, before its vectors are set."""
    settings = config["embedding"]
    return Embedding(
        len(words),
        width,
        frozen=settings["frozen"],
        padding=0 if words[0] == SPECIALS[0] else None,
        dropout=settings.get("dropout", 0.0),
        scale=settings.get("scale", 1.0),
    )


def initialise(model: nn.Module, config: Config, inputs: Inputs) -> None:
    """Set every parameter from the seed and its name, then the word vectors."""
    factory(config["init"], "init", config["allow"])()(model, stream_seed(config["seed"], Stream.INITIALISATION))
    if config["data"].get("features") and isinstance(picture := getattr(model, "picture", None), PictureEncoder):
        picture.reset_features()
    alone = "embedding" if hasattr(model, "embedding") else "target"
    sides = {"source" if inputs.target else alone: inputs, "target" if inputs.target else "": inputs.target}
    for name, side in sides.items():
        if side is not None and side.matrix is not None:
            with torch.no_grad():
                model.get_submodule(name).get_parameter("weight").copy_(torch.from_numpy(side.matrix))


def describe_embedding(inputs: Inputs) -> dict[str, object]:
    """The record's `embedding`."""
    coverage = inputs.coverage
    return {
        "kind": inputs.kind,
        "size": inputs.width,
        "type_coverage": coverage.types if coverage else None,
        "token_coverage": coverage.tokens if coverage else None,
    }
