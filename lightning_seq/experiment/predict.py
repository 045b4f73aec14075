"""What a trained model says of new text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from lightning_seq.errors import UserError
from lightning_seq.experiment.kinds.kind import kind_of
from lightning_seq.experiment.load import Loaded


def predictions(loaded: Loaded, texts: Iterable[str], top_k: int, batch_size: int = 64) -> Iterator[dict[str, Any]]:
    """For each text what its kind of task says, `top_k` of it, the likeliest first.

    Raises UserError for an empty text (with its number) and when there is none at all.
    """
    if top_k < 1:
        raise UserError(f"top_k is {top_k}, expected at least 1")
    kind, source, number = kind_of(loaded.spec), iter(texts), 0
    while batch := list(islice(source, batch_size)):
        for offset, text in enumerate(batch):
            if not text.strip():
                raise UserError(f"text {number + offset + 1} is empty: expected at least one word on every line")
        yield from kind.predictions(loaded, batch, top_k, number + 1)
        number += len(batch)
    if not number:
        raise UserError('there is no text: give text="…", file=FILE, or lines on standard input')
