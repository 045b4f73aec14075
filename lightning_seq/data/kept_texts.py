"""Texts as the source has them, on disk next to the prepared numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from lightning_seq.data.token_arrays import mapped, save_arrays


def save_texts(directory: Path, name: str, texts: Sequence[str]) -> None:
    """Write `<name>.npy`, the UTF-8 bytes of all texts, and `<name>_offsets.npy`, `[N + 1]`."""
    encoded = [text.encode("utf-8") for text in texts]
    np.save(directory / f"{name}.npy", np.frombuffer(b"".join(encoded), dtype=np.uint8))
    save_arrays(directory, name, offsets=np.cumsum([0, *map(len, encoded)], dtype=np.int64))


class KeptTexts:
    """The texts that `save_texts` wrote, each read when it is used. Raises DamagedError where they cannot be read."""

    def __init__(self, directory: Path, name: str) -> None:
        self._offsets, self._content = (mapped(directory, f"{name}{part}") for part in ("_offsets", ""))

    def __len__(self) -> int:
        return len(self._offsets) - 1

    def __iter__(self) -> Iterator[str]:
        return map(self.__getitem__, range(len(self)))

    def __getitem__(self, row: int) -> str:
        return self._content[self._offsets[row] : self._offsets[row + 1]].tobytes().decode("utf-8")
