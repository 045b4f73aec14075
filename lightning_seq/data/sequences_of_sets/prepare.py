"""From pieces of music to one array of steps per split on disk, found again when nothing has changed."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from lightning_seq.data.sources.piano_rolls import NOTES, Pieces, PiecesSource
from lightning_seq.data.sources.table import SPLITS, Loaded, empty_split
from lightning_seq.data.token_arrays import mapped, opened
from lightning_seq.files import LARGEST_CACHED, fingerprint, read_json, write_json
from lightning_seq.sealed import cached
from lightning_seq.spec import Bits, DataSpec, Features

CODE_VERSION = 1
"""Increase it when the same input gives other arrays: caches of an earlier version are then not used."""


@dataclass(frozen=True)
class RollSplit:
    """The pieces of one split.

    steps:   `[steps, 88]` uint8, 1 where a note sounds; piece i is `steps[offsets[i]:offsets[i + 1]]`, never empty.
    offsets: `[N + 1]` int64.
    ids:     `[N]` int64, what the source calls each piece.
    """

    steps: np.ndarray
    offsets: np.ndarray
    ids: np.ndarray

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def lengths(self) -> np.ndarray:
        return np.diff(self.offsets)


@dataclass(frozen=True)
class PreparedRolls:
    """Pieces of music ready for batches.

    spec:         Features to Bits, 88 wide, named by MIDI number.
    splits:       by name: train, validation, test.
    fingerprints: `data` (the notes) and `split` (which piece is where).
    report:       a line each on what was done that the user may not expect.
    name:         for people.
    revision:     of a public set, where it has one.
    directory:    in the cache.
    """

    spec: DataSpec
    splits: dict[str, RollSplit]
    fingerprints: dict[str, str]
    report: tuple[str, ...]
    name: str
    revision: str | None
    directory: Path


def prepare_rolls(source: PiecesSource, cache: Path | str) -> PreparedRolls:
    """The source's pieces as arrays, from `<cache>/data/<fingerprint>/` where they are there and whole.

    Raises UserError for a mistake in the source, and for an empty split.
    """
    key = fingerprint({"source": source.identity(), "rolls_code": CODE_VERSION})
    return cached(
        Path(cache).expanduser() / "data" / key,
        lambda directory: _build(directory, source.describe(), source.load()),
        lambda directory: _read(directory, source.describe()),
    )


def _read(directory: Path, name: str) -> PreparedRolls:
    meta = read_json(directory / "meta.json", dict, LARGEST_CACHED)
    splits = {
        split: RollSplit(
            mapped(directory, f"{split}_steps"),
            *(opened(directory, f"{split}_{part}") for part in ("offsets", "ids")),
        )
        for split in SPLITS
    }
    names = tuple(map(str, NOTES))
    return PreparedRolls(
        DataSpec(Features(len(NOTES), names), Bits(len(NOTES), names)),
        splits,
        meta["fingerprints"],
        tuple(meta["report"]),
        name,
        meta["revision"],
        directory,
    )


def _build(directory: Path, name: str, loaded: Loaded[Pieces]) -> None:
    content, membership = hashlib.sha256(), hashlib.sha256()
    for split in SPLITS:
        pieces = loaded.tables[split]
        if not len(pieces):
            raise empty_split(name, split, "one piece")
        offsets = np.cumsum([0, *map(len, pieces.rolls)], dtype=np.int64)
        np.save(directory / f"{split}_steps.npy", np.concatenate(pieces.rolls))
        np.save(directory / f"{split}_offsets.npy", offsets)
        np.save(directory / f"{split}_ids.npy", np.array(pieces.ids, dtype=np.int64))
        for number, piece in zip(pieces.ids, pieces.rolls, strict=True):
            digest = hashlib.sha256(piece.tobytes()).hexdigest()
            content.update(f"{split} {digest}\n".encode())
            membership.update(f"{split} {number} {digest}\n".encode())
    write_json(
        directory / "meta.json",
        {
            "fingerprints": {
                "data": fingerprint({"content": content.hexdigest(), "rolls_code": CODE_VERSION}),
                "split": membership.hexdigest()[:16],
            },
            "revision": loaded.revision,
            "report": loaded.notes,
        },
    )
