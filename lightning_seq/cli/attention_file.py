"""The file of `attention_out=FILE` of the verbs that read a picture."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from lightning_seq.cli.rows import json_list
from lightning_seq.errors import UserError
from lightning_seq.files import Plain, new_file, place, replacing
from lightning_seq.inference.attention_frames import Looks, drawn

Keep = Callable[[np.ndarray, Sequence[Looks], dict[str, Plain]], None]


def attention_file(attention_out: str | None, image: str) -> Path | None:
    """None without one. Raises UserError for a path that cannot be written, another suffix, and the picture itself."""
    if attention_out is None:
        return None
    path = new_file(attention_out, "attention_out")
    if path.suffix not in (".png", ".json"):
        raise UserError(f"attention_out={attention_out}: expected a name that ends in .png or .json")
    if path == place(image, "image").resolve():
        raise UserError(f"attention_out={attention_out} is the picture that is read: give another file")
    return path


@contextmanager
def kept_attention(path: Path, grid: tuple[int, int]) -> Iterator[Keep]:
    """A function that keeps a picture `[channels, height, width]`, its looks, the best first, and facts about it.

    .png:  at the end the frames of the best looks of all pictures are drawn into the file.
    .json: the facts, the words and the weights of all looks, place by place, row by row, are written at once.
    """
    if path.suffix == ".json":
        with json_list(path) as write:

            def keep(values: np.ndarray, looks: Sequence[Looks], facts: dict[str, Plain]) -> None:
                for one in looks:
                    write({**facts, "grid": list(grid), "words": one.words, "weights": one.weights})

            yield keep
        return
    pictures: list[tuple[np.ndarray, Looks]] = []
    yield lambda values, looks, facts: pictures.extend((values, best) for best in looks[:1])
    with replacing(path) as temporary:
        drawn(pictures, grid).save(temporary, "PNG")
