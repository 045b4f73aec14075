"""What a cache is found by: a setting that changes the data must change it, or another setting's data are served."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lightning_seq.data.sources.agreement import Agreement
from lightning_seq.data.sources.copy_memory import CopyMemory
from lightning_seq.data.sources.dates import Dates
from lightning_seq.data.sources.pairs import PairColumns
from lightning_seq.data.sources.parallel_files import ParallelFiles
from lightning_seq.data.sources.reordering import Reordering
from lightning_seq.data.sources.symbol_pairs import SymbolPairs

OTHERS: list[tuple[Any, dict[str, Any]]] = [
    (CopyMemory(), {"length": 12, "distance": 40, "symbols": 9, "examples": 9000, "split_seed": 2}),
    (Agreement(), {"distance": 9, "examples": 3000, "split_seed": 2}),
    (
        Dates(),
        {"languages": ("en", "de"), "first_year": 1950, "last_year": 2050, "examples": 5000, "split_seed": 2},
    ),
    (Reordering(), {"examples": 900, "split_seed": 2}),
    (SymbolPairs(), {"order": "copy", "shortest": 4, "longest": 14, "symbols": 19, "examples": 900}),
    (
        PairColumns("en", "de"),
        {
            "source_language": "fr",
            "target_language": "fr",
            "source_column": "a",
            "target_column": "b",
            "rows": 10,
            "splits": {"train": "train", "validation": None, "test": None},
            "split_seed": 5,
            "id_column": "n",
            "group_column": "g",
        },
    ),
]


def identity(source: Any) -> Any:
    return source.to_plain() if isinstance(source, PairColumns) else source.identity()


@pytest.mark.parametrize(
    ("source", "field", "value"),
    [(source, field, value) for source, others in OTHERS for field, value in others.items()],
    ids=[f"{type(source).__name__} {field}" for source, others in OTHERS for field in others],
)
def test_every_setting_is_part_of_it(source: Any, field: str, value: Any) -> None:
    assert identity(replace(source)) == identity(source)
    assert identity(replace(source, **{field: value})) != identity(source)


def test_of_files_of_ones_own(tmp_path: Path) -> None:
    """Their contents, which columns are read, and how splits are cut."""
    file = tmp_path / "pairs.tsv"
    file.write_text("a\tb\nc\td\n")
    source = ParallelFiles(str(file))
    first = source.identity()
    assert replace(source, source_column="a", target_column="b").identity() != first
    assert replace(source, split_seed=5).identity() != first
    assert replace(source, test=str(file)).identity() != first
    file.write_text("a\tb\nc\te\n")
    assert source.identity() != first
