"""Prepared data: a source's examples as arrays, written once into a directory of the cache and read back from it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypedDict, TypeVar

import numpy as np

from lightning_seq.data.sources.keys import Grouped, Located
from lightning_seq.data.sources.table import Source, drawn_splits
from lightning_seq.errors import UserError
from lightning_seq.files import LARGEST_CACHED, Plain, fingerprint, read_json, write_json
from lightning_seq.sealed import cached
from lightning_seq.spec import DataSpec
from lightning_seq.text.vocabulary import SPECIALS, Vocabulary

L = TypeVar("L")
P = TypeVar("P")
S_co = TypeVar("S_co", covariant=True)


@dataclass(frozen=True, kw_only=True)
class PreparedData(Generic[S_co]):
    """The splits of a data set, ready for batches.

    splits:       by name: train, validation, test.
    fingerprints: `data` (the content and everything done to it) and `split` (which example is in which split).
    name:         for people.
    report:       a line for each thing that was left out, cut short, or done that the user may not expect.
    revision:     of a public set, or None.
    directory:    in the cache.
    origins:      by split, the file, or the split of a public set, that holds the examples; empty without files.
    groups_of:    of the source, see `Grouped`; None for a source without groups.
    drawn:        the splits that the source's `split_seed` draws.
    """

    spec: DataSpec
    splits: Mapping[str, S_co]
    fingerprints: dict[str, str]
    name: str
    report: Sequence[str] = ()
    revision: str | None = None
    directory: Path = Path()
    origins: Mapping[str, str] = field(default_factory=dict)
    groups_of: Callable[[str, np.ndarray], np.ndarray | None] | None = None
    drawn: tuple[str, ...] = ()

    def train_sentences(self) -> Iterator[list[str]]:
        """The sentences of the train split, whole and with all their words, for training word vectors."""
        return iter(())


class CachedFields(TypedDict):
    """The fields of `PreparedData` that every kind of data reads in the same way."""

    fingerprints: dict[str, str]
    name: str
    report: tuple[str, ...]
    revision: str | None
    directory: Path
    origins: Mapping[str, str]
    groups_of: Callable[[str, np.ndarray], np.ndarray | None] | None
    drawn: tuple[str, ...]


def prepared(
    source: Source[L],
    cache: Path | str,
    identity: Mapping[str, Plain],
    build: Callable[[Path, str, L], None],
    read: Callable[[Path, dict[str, Plain], CachedFields], P],
) -> P:
    """The data in `<cache>/data/<fingerprint of the identity>/`, which are built unless they are there and whole.

    build: from the directory, the name of the source and its examples; writes the arrays, then calls `write_meta`.
    read:  from the directory, the values that `write_meta` wrote, and the common fields.
    """

    def read_directory(directory: Path) -> P:
        meta = read_json(directory / "meta.json", dict, LARGEST_CACHED)
        common = CachedFields(
            fingerprints=meta["fingerprints"],
            name=source.describe(),
            report=tuple(meta["report"]),
            revision=meta["revision"],
            directory=directory,
            origins=source.origins() if isinstance(source, Located) else {},
            groups_of=source.groups_of if isinstance(source, Grouped) else None,
            drawn=drawn_splits(source),
        )
        return read(directory, meta, common)

    directory = Path(cache).expanduser() / "data" / fingerprint(identity)
    return cached(directory, lambda partial: build(partial, source.describe(), source.load()), read_directory)


def write_meta(directory: Path, values: Mapping[str, Plain], revision: str | None, report: Sequence[str]) -> None:
    """Write `meta.json`. values: of this kind of data, the `fingerprints` among them."""
    write_json(directory / "meta.json", {**values, "revision": revision, "report": list(report)})


def train_vocabulary(
    name: str, counts: Mapping[str, int], min_count: int, max_vocabulary: int | None, unit: str = "word"
) -> Vocabulary:
    """The words of the train split. Raises UserError where none of them occurs `min_count` times."""
    vocabulary = Vocabulary.from_counts(counts, min_count, max_vocabulary)
    if len(vocabulary) == len(SPECIALS):
        raise UserError(
            f"{name}: no {unit} occurs {min_count} times in the train split: expected a lower data.min_count"
        )
    return vocabulary


def check_limits(**limits: int | None) -> None:
    """Raises UserError for a key of `data` that is below 1; None is no limit."""
    for key, limit in limits.items():
        if limit is not None and limit < 1:
            raise UserError(f"data.{key} is {limit}, expected at least 1")
