"""Word vectors found again by what made them, or trained."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from lightning_seq.embeddings.vectors import Vectors, load, save
from lightning_seq.embeddings.word2vec import Word2VecParameters, train
from lightning_seq.files import fingerprint, sealed_directory

VERSION = 1
"""Of how vectors are trained and kept: raised when that changes, so that old ones are not found."""


def vectors_fingerprint(parameters: Word2VecParameters, corpus: str) -> str:
    """Of everything that makes the vectors; more than one worker counts, since it gives others."""
    settings = asdict(replace(parameters, workers=min(parameters.workers, 2)))
    return fingerprint({"version": VERSION, "word2vec": settings, "corpus": corpus})


def word_vectors(
    sentences: Iterable[Sequence[str]],
    parameters: Word2VecParameters,
    corpus: str,
    cache: Path,
    progress: bool = True,
) -> Vectors:
    """Vectors for a corpus, from `cache/word2vec/<fingerprint>/` where they are there and whole.

    corpus: a fingerprint of the sentences, which are read only where vectors must be trained.
    """

    def build(directory: Path) -> None:
        vectors = train(sentences, parameters, progress)
        save(replace(vectors, meta={**vectors.meta, "corpus": corpus}), directory)

    return load(sealed_directory(cache / "word2vec" / vectors_fingerprint(parameters, corpus), build))
