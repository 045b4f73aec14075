"""Captions of new pictures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lightning_seq.builders.captioning import Description, described
from lightning_seq.builders.kinds import check_verb
from lightning_seq.builders.task_kind import Loaded, Row
from lightning_seq.errors import UserError
from lightning_seq.inference.predict import with_note
from lightning_seq.models.search import BeamSearchConfig


class Captioned(NamedTuple):
    """A picture and its captions, the best first.

    values: `[channels, height, width]` uint8, as the model sees it; None, as `best`, for a file that cannot be read.
    note:   on a picture of unusual colours, on an empty caption, or on what cannot be read; None for any other picture.
    """

    path: Path
    values: np.ndarray | None
    best: list[Description] | None
    note: str | None

    def to_plain(self) -> Row:
        row = {"image": str(self.path), "predictions": [one.to_plain() for one in self.best or []]}
        return with_note(row, self.note)


def captions(
    loaded: Loaded, paths: Iterable[Path], search: BeamSearchConfig, batch_size: int = 32, attention: bool = False
) -> Iterator[Captioned]:
    """Each picture with its `search.n_best` captions; `batch_size` pictures are described at a time.

    attention: whether the weights are needed.

    Raises UserError for another kind of model, and for attention of a model without it.
    """
    check_verb("caption", loaded.kind)
    if attention and loaded.model.decoder.attention is None:
        raise UserError("attention_out=FILE: this model has no attention; train model=captioner_attention")
    return _captions(loaded, iter(paths), search, batch_size)


def _captions(loaded: Loaded, paths: Iterator[Path], search: BeamSearchConfig, batch_size: int) -> Iterator[Captioned]:
    while batch := [_read(loaded, path) for path in islice(paths, batch_size)]:
        pictures = [one.values for one in batch if one.values is not None]
        described_ones = iter(described(loaded, pictures, search) if pictures else ())
        for one in batch:
            yield one if one.values is None else _with_best(one, next(described_ones))


def _with_best(one: Captioned, best: list[Description]) -> Captioned:
    empty = "" if best[0].text else "the likeliest caption is empty: train longer, or read more with n_best=3"
    return one._replace(best=best, note="; ".join(filter(None, (one.note, empty))) or None)


def _read(loaded: Loaded, path: Path) -> Captioned:
    try:
        values, change = loaded.reader.read(path)
    except UserError as error:
        return Captioned(path, None, None, str(error))
    return Captioned(path, values, None, f"the picture is {change}" if change else None)
