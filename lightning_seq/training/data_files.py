"""Checksums of the user's files that a run reads: the content of a path may change."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from lightning_seq.config.tree import Config
from lightning_seq.data.sources.mirror import CARDS
from lightning_seq.files import fingerprint, sha256
from lightning_seq.identity import value_at

_KEYS = (
    *(f"data.{split}{side}" for split in ("train", "validation", "test") for side in ("", "_target", "_annotations")),
    "data.audio",
    "data.pictures",
    "data.relevances",
    "data.mirror",
    "embedding.path",
    "embedding.target_path",
    *(f"{encoder}.weights" for encoder in ("model.picture", "task.picture", "data.features")),
)
_READ_IN_DIRECTORIES = (".parquet", ".conllu", ".safetensors", ".json")
"""The files that are read in a directory: of a data set of a mirror, a treebank, word vectors. Without
one of them, as in a directory of pictures, names and sizes count."""


def data_files(config: Config) -> dict[str, str | None]:
    """The SHA-256 of the file of each key, or a fingerprint of the files of a directory. Absent files are left out,
    because their reader refuses them."""
    return {key: digest for key, path in data_paths(config) if (digest := digest_of(path))}


def data_paths(config: Config) -> Iterator[tuple[str, Path]]:
    for key in _KEYS:
        value = value_at(config, key)
        if not isinstance(value, str) or not value:
            continue
        if key == "data.mirror":
            name = value_at(config, "data.mirror_path") or value_at(config, "data.hub.id")
            if value_at(config, "data.train") or not isinstance(name, str):
                continue
            value = str(Path(value, name))
            yield from ((f"{key}/{card}", Path(value, card).expanduser()) for card in CARDS)
        yield key, Path(value).expanduser()


def digest_of(path: Path) -> str | None:
    if path.is_file():
        return sha256(path)
    files = [file for file in sorted(path.rglob("*")) if file.is_file()]
    read = [file for file in files if file.suffix in _READ_IN_DIRECTORIES or file.stem == "metadata"]
    marks = {file.relative_to(path).as_posix(): sha256(file) for file in read} or {
        file.relative_to(path).as_posix(): str(file.stat().st_size) for file in files
    }
    return fingerprint(marks) if marks else None
