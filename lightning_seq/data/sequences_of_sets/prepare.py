"""Pieces of music as arrays on disk, one array of steps per split."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lightning_seq.data.cache import CachedFields, PreparedData, prepared, write_meta
from lightning_seq.data.sources.piano_rolls import NOTES, Pieces, PiecesSource
from lightning_seq.data.sources.table import SPLITS, Loaded, empty_split
from lightning_seq.data.token_arrays import Ragged, read_arrays, save_arrays
from lightning_seq.files import Plain, fingerprint
from lightning_seq.spec import Bits, DataSpec, Features

CODE_VERSION = 1
"""Increase it when the same input gives other arrays: caches of an earlier version are then not used."""


@dataclass(frozen=True)
class RollSplit(Ragged):
    """The pieces of one split; `flat` is `[steps, 88]` uint8, 1 where a note sounds.

    ids: `[N]` int64, the source's number of each piece.
    """

    ids: np.ndarray


def prepare_rolls(source: PiecesSource, cache: Path | str) -> PreparedData[RollSplit]:
    """The source's pieces as arrays, from the cache where they are there and whole.

    Their spec is Features to Bits, 88 wide, named by MIDI number.

    Raises UserError for a mistake in the source, and for an empty split.
    """
    return prepared(source, cache, {"source": source.identity(), "rolls_code": CODE_VERSION}, _build, _read)


def _read(directory: Path, meta: dict[str, Plain], common: CachedFields) -> PreparedData[RollSplit]:
    names = tuple(map(str, NOTES))
    spec = DataSpec(Features(len(NOTES), names), Bits(len(NOTES), names))
    splits = {split: RollSplit(*read_arrays(directory, split, "steps", "offsets", "ids")) for split in SPLITS}
    return PreparedData(spec=spec, splits=splits, **common)


def _build(directory: Path, name: str, loaded: Loaded[Pieces]) -> None:
    content, membership = hashlib.sha256(), hashlib.sha256()
    for split in SPLITS:
        pieces = loaded.tables[split]
        if not len(pieces):
            raise empty_split(name, split, "one piece")
        offsets = np.cumsum([0, *map(len, pieces.rolls)], dtype=np.int64)
        ids = np.array(pieces.ids, dtype=np.int64)
        save_arrays(directory, split, steps=np.concatenate(pieces.rolls), offsets=offsets, ids=ids)
        for number, piece in zip(pieces.ids, pieces.rolls, strict=True):
            digest = hashlib.sha256(piece.tobytes()).hexdigest()
            content.update(f"{split} {digest}\n".encode())
            membership.update(f"{split} {number} {digest}\n".encode())
    data = fingerprint({"content": content.hexdigest(), "rolls_code": CODE_VERSION})
    meta = {"fingerprints": {"data": data, "split": membership.hexdigest()[:16]}}
    write_meta(directory, meta, loaded.revision, loaded.notes)
