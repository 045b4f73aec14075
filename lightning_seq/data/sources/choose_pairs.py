"""Which source of pairs of texts the configuration asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lightning_seq.data.sources.dates import LANGUAGES, Dates
from lightning_seq.data.sources.hub import Hub
from lightning_seq.data.sources.hub_stream import HubStream
from lightning_seq.data.sources.mirror import Mirror
from lightning_seq.data.sources.pairs import PairColumns, PairSource
from lightning_seq.data.sources.parallel_files import ParallelFiles
from lightning_seq.data.sources.reordering import Reordering
from lightning_seq.data.sources.symbol_pairs import ORDERS, SymbolPairs
from lightning_seq.data.sources.table import SPLITS, Cut
from lightning_seq.data.sources.verses_modernise import VersesModernise
from lightning_seq.errors import UserError, near

SOURCES = ("verses_modernise", "dates", *ORDERS, "reordering", "hub", "pairs")
_HUB_KEYS = ("id", "config", "revision", "stream")
_HUB_COLUMNS = ("source_column", "target_column", "id_column", "splits")


def choose_pairs(
    source: str,
    *,
    source_language: str | None = None,
    target_language: str | None = None,
    shortest: int = 5,
    longest: int = 15,
    symbols: int = 20,
    examples: int = 10000,
    languages: Sequence[str] = LANGUAGES,
    first_year: int = 1900,
    last_year: int = 2099,
    hub: Mapping[str, Any] | None = None,
    mirror: str | None = None,
    mirror_path: str | None = None,
    mirror_config: str | None = None,
    rows: int | None = None,
    train: str | None = None,
    validation: str | None = None,
    test: str | None = None,
    train_target: str | None = None,
    validation_target: str | None = None,
    test_target: str | None = None,
    source_column: str | None = None,
    target_column: str | None = None,
    encoding: str = "utf-8",
    id_column: str | None = None,
    splits: Mapping[str, str | None] | None = None,
    validation_fraction: float = 0.1,
    test_fraction: float = 0.1,
    split_seed: int = 1,
) -> PairSource:
    """The source of that name. A Hub set is taken from the mirror where one is given.

    `hub` holds id, config, revision, stream (whether rows come one by one, no more than are asked for), and whatever of
    source_column, target_column, id_column and splits differs on the Hub.
    Raises UserError for an unknown source and for settings that do not fit it.
    """
    if source == "verses_modernise":
        return VersesModernise(source_language or "kjv", target_language or "web", split_seed)
    if source == "dates":
        return Dates(
            (languages,) if isinstance(languages, str) else tuple(languages),
            first_year,
            last_year,
            examples,
            split_seed,
        )
    if source in ORDERS:
        return SymbolPairs(source, shortest, longest, symbols, examples, split_seed)
    if source == "reordering":
        return Reordering(examples, split_seed)
    cut = Cut(validation_fraction, test_fraction, split_seed)
    if source == "pairs":
        return ParallelFiles(
            train,
            validation,
            test,
            train_target,
            validation_target,
            test_target,
            source_column,
            target_column,
            cut,
            encoding,
        )
    if source != "hub":
        raise UserError(f"data.source is {source!r}; {near(str(source), SOURCES)}")
    given = dict(hub or {})
    for key in given:
        if key not in _HUB_KEYS + _HUB_COLUMNS:
            raise UserError(f"data.hub has no key {key!r}; {near(str(key), _HUB_KEYS + _HUB_COLUMNS)}")
    if not given.get("id"):
        raise UserError("data.hub.id is not given: expected a set of the Hub such as Helsinki-NLP/opus_books")
    settings: dict[str, Any] = {
        "source_column": source_column,
        "target_column": target_column,
        "id_column": id_column,
        "splits": splits,
    }
    if not mirror:
        settings |= {key: given[key] for key in _HUB_COLUMNS if key in given}
    columns = PairColumns(
        source_language,
        target_language,
        settings["source_column"],
        settings["target_column"],
        rows,
        dict(settings["splits"] or {split: split for split in SPLITS}),
        cut,
        settings["id_column"],
    )
    if mirror:
        return Mirror(mirror, mirror_path or given["id"], mirror_config, columns)
    kind = HubStream if given.get("stream") else Hub
    return kind(given["id"], given.get("config"), given.get("revision"), columns)
