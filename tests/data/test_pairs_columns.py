"""Pairs read from the columns of public data sets, whole or as a stream."""

from __future__ import annotations

from typing import Any

import pytest

from lightning_seq.data.sources.hub_stream import HubStream
from lightning_seq.data.sources.pairs import PairColumns, PairTable
from lightning_seq.data.sources.table import Loaded
from lightning_seq.errors import UserError

ONE = {"train": "train", "validation": None, "test": None}


def sets(rows: dict[str, Any]) -> Any:
    import datasets

    return {"train": datasets.Dataset.from_dict(rows)}


def every(loaded: Loaded[PairTable]) -> list[tuple[int, str, str]]:
    return sorted(
        row for table in loaded.tables.values() for row in zip(table.ids, table.sources, table.targets, strict=True)
    )


def test_columns_of_public_sets() -> None:
    inside = sets({"id": ["x"] * 20, "translation": [{"en": f"e{row}", "fr": f"f{row}"} for row in range(20)]})
    plain = sets({"en": [f"e{row}" for row in range(20)], "fr": [f"f{row}" for row in range(20)]})
    expected = [(row, f"e{row}", f"f{row}") for row in range(20)]
    for given_sets in (inside, plain):
        loaded = PairColumns("en", "fr", splits=ONE).read(given_sets, "set", "abc")
        assert every(loaded) == expected
        assert loaded.revision == "abc"
        assert [len(table) for table in loaded.tables.values()] == [16, 2, 2]
    assert every(PairColumns("fr", "en", splits=ONE).read(inside, "set", None))[3] == (3, "f3", "e3")
    named = sets({"english": ["a"] * 20, "other": ["b"] * 20})
    assert every(PairColumns("en", "fr", "english", "other", splits=ONE).read(named, "set", None))[0] == (0, "a", "b")


def test_rows_without_a_text_are_left_out_and_rows_not_asked_for() -> None:
    rows = sets({"en": ["a", "", None, "d"] * 10, "fr": ["b", "c", "d", " "] * 10})
    loaded = PairColumns("en", "fr", rows=20, splits=ONE).read(rows, "set", None)
    assert [number for number, _, _ in every(loaded)] == [0, 4, 8, 12, 16]
    assert loaded.notes[:2] == [
        "train: the first 20 rows of 40 (data.rows)",
        "train: 15 rows without a text on one side left out",
    ]


def test_rows_are_of_the_train_split_alone() -> None:
    import datasets

    def of(prefix: str) -> Any:
        texts = {"en": [f"{prefix}{row}" for row in range(6)], "fr": [f"{prefix.upper()}{row}" for row in range(6)]}
        return datasets.Dataset.from_dict(texts)

    loaded = PairColumns("en", "fr", rows=2).read({"train": of("a"), "validation": of("b"), "test": of("c")}, "set", "")
    assert {split: table.sources for split, table in loaded.tables.items()} == {
        "train": ["a0", "a1"],
        "validation": [f"b{row}" for row in range(6)],
        "test": [f"c{row}" for row in range(6)],
    }
    assert loaded.notes == ["train: the first 2 rows of 6 (data.rows)"]


def test_what_a_public_set_does_not_have_is_named() -> None:
    inside = sets({"translation": [{"en": "a", "fr": "b"}] * 9})
    for columns, rows, said in (
        (PairColumns("en", "fra", splits=ONE), inside, r"set, split train has no language 'fra' .*did you mean fr\?"),
        (
            PairColumns("de", "fr", splits=ONE),
            inside,
            r"no language 'de' \(data\.source_language\); choose from: en, fr",
        ),
        (PairColumns("en", "fr", "e", splits=ONE), inside, r"no column 'e' \(data\.source_column\): its columns are"),
        (PairColumns("en", "n", splits=ONE), sets({"en": ["a"], "n": [1]}), r"row 0: 'n' is int, expected text"),
    ):
        with pytest.raises(UserError, match=said):
            columns.read(rows, "set", None)
    with pytest.raises(UserError, match=r"data\.target_language is not given"):
        PairColumns("en")
    with pytest.raises(UserError, match=r"data\.rows is 0"):
        PairColumns("en", "fr", rows=0)
    with pytest.raises(UserError, match=r"data\.splits has 'tests'"):
        PairColumns("en", "fr", splits={"train": "train", "tests": "x"})


def test_a_stream_needs_a_number_of_rows_and_a_network(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match=r"without data\.rows"):
        HubStream("a/b", columns=PairColumns("en", "fr"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    source = HubStream("a/b", columns=PairColumns("en", "fr", rows=5))
    with pytest.raises(UserError, match=r"no network to stream the Hub set a/b \(HF_HUB_OFFLINE is set\)"):
        source.load()


def test_a_stream_is_read_no_further_than_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Against a builder of our own: rows that come one by one, more of them than anybody could read."""
    import datasets

    from lightning_seq.data.sources import hub_stream

    read = {"train": 0, "test": 0}

    def rows(split: str, size: int) -> Any:
        for row in range(size):
            read[split] += 1
            yield {"translation": {"en": f"e{row}", "fr": f"f{row}"}}

    class Builder:
        hash = "abc"

        class config:  # noqa: N801
            data_files = None

        def as_streaming_dataset(self) -> Any:
            features = datasets.Features({"translation": datasets.Translation(["en", "fr"])})
            sizes = {"train": 10**9, "test": 4}
            return {
                split: datasets.IterableDataset.from_generator(
                    rows, features=features, gen_kwargs={"split": split, "size": size}
                )
                for split, size in sizes.items()
            }

    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr(hub_stream, "reachable", lambda address: True)
    monkeypatch.setattr(hub_stream, "offline_by_choice", lambda: False)
    monkeypatch.setattr(datasets, "load_dataset_builder", lambda *_, **__: Builder())
    splits = {"train": "train", "validation": None, "test": "test"}
    loaded = HubStream("a/b", columns=PairColumns("en", "fr", rows=20, splits=splits)).load()
    assert [len(table) for table in loaded.tables.values()] == [18, 2, 4]
    assert read["train"] <= 21
    assert loaded.revision == "abc"
    assert any("the first 20 rows of the stream" in note for note in loaded.notes)
