from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from lightning_seq.data.disk_rows import DiskRows
from lightning_seq.errors import UserError
from lightning_seq.files import DamagedError


@pytest.mark.parametrize("kind", ["uint8", "float16"])
def test_rows_are_those_of_the_array(tmp_path: Path, kind: str) -> None:
    array = np.random.default_rng(1).integers(0, 200, (9, 3, 4, 5)).astype(kind)
    np.save(tmp_path / "rows.npy", array)
    rows = DiskRows(tmp_path, "rows")
    assert (len(rows), rows.shape, rows.dtype) == (9, (9, 3, 4, 5), array.dtype)
    for wanted in (3, -1, slice(2, 5), slice(None), [7, 1, 7], np.array([], dtype=np.int64)):
        read = rows[wanted]
        assert read.dtype == array.dtype
        assert np.array_equal(read, array[wanted])
    assert np.array_equal(pickle.loads(pickle.dumps(rows))[4], array[4])  # noqa: S301
    with pytest.raises(IndexError):
        rows[9]


def test_damage(tmp_path: Path) -> None:
    np.save(tmp_path / "rows.npy", np.ones((9, 100), np.uint8))
    rows, file = DiskRows(tmp_path, "rows"), tmp_path / "rows.npy"
    with file.open("r+b") as opened:
        opened.truncate(file.stat().st_size - 150)
    assert rows[6].sum() == 100
    with pytest.raises(UserError, match="is damaged: delete it"):
        rows[8]
    file.write_bytes(b"nothing")
    with pytest.raises(DamagedError):
        DiskRows(tmp_path, "rows")
