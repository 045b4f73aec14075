"""Word vectors, and the artifact they are kept in: safetensors and JSON, nothing that can run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from lightning_seq.errors import UserError
from lightning_seq.files import replacing, write_json

TENSORS, VOCABULARY, META = "vectors.safetensors", "vocabulary.json", "meta.json"


@dataclass(frozen=True, eq=False)
class Vectors:
    """A vector for each word.

    words:  V of them.
    matrix: `[V, E]` float32.
    counts: `[V]` int64, how often each stood in the corpus, or None where nobody knows.
    meta:   where they came from: parameters, corpus fingerprint, losses per epoch.
    """

    words: tuple[str, ...]
    matrix: np.ndarray
    counts: np.ndarray | None = None
    meta: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def index(self) -> Mapping[str, int]:
        return {word: row for row, word in enumerate(self.words)}

    @cached_property
    def unit(self) -> np.ndarray:
        """The rows at length 1; zero rows stay zero."""
        norms = np.linalg.norm(self.matrix, axis=1, keepdims=True)
        return self.matrix / np.where(norms > 0, norms, 1)


def save(vectors: Vectors, directory: Path) -> None:
    """Write the artifact's three files."""
    from safetensors.numpy import save_file

    directory.mkdir(parents=True, exist_ok=True)
    with replacing(directory / TENSORS) as temporary:
        save_file({"vectors": np.ascontiguousarray(vectors.matrix, np.float32)}, str(temporary))
    counts = None if vectors.counts is None else [int(count) for count in vectors.counts]
    write_json(directory / VOCABULARY, {"words": list(vectors.words), "counts": counts})
    write_json(directory / META, dict(vectors.meta))


def load(directory: Path) -> Vectors:
    """Read an artifact. Raises UserError where a file is missing, damaged, or the files do not fit together."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        matrix = load_file(str(directory / TENSORS))["vectors"]
        vocabulary = json.loads((directory / VOCABULARY).read_text(encoding="utf-8"))
        meta = json.loads((directory / META).read_text(encoding="utf-8"))
        words, counts = tuple(vocabulary["words"]), vocabulary["counts"]
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise UserError(f"{directory} holds no whole word vectors ({error}): train them again") from None
    if matrix.shape[0] != len(words):
        raise UserError(f"{directory} has {matrix.shape[0]} vectors for {len(words)} words: train them again")
    return Vectors(words, matrix, None if counts is None else np.array(counts, np.int64), meta)
