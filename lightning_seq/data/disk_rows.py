"""Rows of arrays on disk that are read when they are needed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TypeAlias

import numpy as np

from lightning_seq.data.token_arrays import mapped
from lightning_seq.errors import UserError


class DiskRows:
    """The rows of `<name>.npy`, as an array has them: `rows[3]`, `rows[2:5]`, `rows[[7, 1]]`.

    They are read from the file, which the system caches, and not mapped: mapped rows count as memory of the process
    once they were used, and a data set of pictures is large.

    Raises DamagedError for a file that cannot be read.
    """

    def __init__(self, directory: Path, name: str) -> None:
        array = mapped(directory, name)
        self.directory, self.name, self.shape, self.dtype = directory, name, array.shape, array.dtype
        self._offset, self._bytes = int(getattr(array, "offset", 0)), array.nbytes // max(1, len(array))
        self._file = (directory / f"{name}.npy").open("rb", buffering=0)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: int | slice | list[int] | np.ndarray) -> np.ndarray:
        """Raises UserError where the file has changed since it was opened."""
        if isinstance(rows, slice) and rows.step is None:
            start, stop, _ = rows.indices(len(self))
            count = max(0, stop - start)
            return self._read(start, count).reshape(count, *self.shape[1:])
        numbers = np.arange(len(self))[rows]
        read = np.empty((numbers.size, *self.shape[1:]), self.dtype)
        for place, number in enumerate(numbers.reshape(-1).tolist()):
            read[place] = self._read(number, 1).reshape(self.shape[1:])
        return read.reshape(*numbers.shape, *self.shape[1:])

    def _read(self, start: int, count: int) -> np.ndarray:
        """The numbers of `count` rows from the row `start` on."""
        numbers = bytearray(count * self._bytes)
        if os.preadv(self._file.fileno(), [numbers], self._offset + start * self._bytes) != len(numbers):
            raise UserError(f"{self.directory} is damaged: delete it, and the same command makes it again")
        return np.frombuffer(numbers, self.dtype)

    def __reduce__(self) -> tuple[type[DiskRows], tuple[Path, str]]:
        return DiskRows, (self.directory, self.name)


Rows: TypeAlias = "np.ndarray | DiskRows"
"""An array, or the rows of one on disk."""
