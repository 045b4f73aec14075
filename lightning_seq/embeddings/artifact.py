"""The cache of word vectors, by their parameters and their corpus."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from lightning_seq.embeddings.vectors import Vectors, load, save
from lightning_seq.embeddings.word2vec import Word2VecParameters, train
from lightning_seq.files import fingerprint
from lightning_seq.sealed import cached

KIND = "word2vec"
PROCEDURE, PROCEDURE_OF_SEVERAL = 1, 2
"""Versions of the training by one worker and by several: a new version is for new vectors from the same input."""


def vectors_fingerprint(parameters: Word2VecParameters, corpus_fingerprint: str) -> str:
    """Sixteen hex digits of the vectors of that corpus; several workers make other vectors than one."""
    procedure = PROCEDURE if parameters.workers == 1 else PROCEDURE_OF_SEVERAL
    return fingerprint({"procedure": procedure, "parameters": asdict(parameters), "corpus": corpus_fingerprint})


def word_vectors(
    sentences: Iterable[Sequence[str]],
    parameters: Word2VecParameters,
    corpus_fingerprint: str,
    cache: Path,
    progress: bool = True,
) -> Vectors:
    """The vectors in `<cache>/word2vec/<fingerprint>/`, trained on `sentences` where they are missing or damaged.

    Raises UserError for a corpus without words, and for a cache that cannot be written.
    """
    mark = vectors_fingerprint(parameters, corpus_fingerprint)

    def build(directory: Path) -> None:
        vectors = train(sentences, parameters, progress)
        meta = {"fingerprint": mark, "corpus_fingerprint": corpus_fingerprint, **vectors.meta}
        save(replace(vectors, meta=meta), directory)

    return cached(cache / KIND / mark, build, load)
