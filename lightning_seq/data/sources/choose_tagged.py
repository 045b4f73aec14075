"""Which source of tagged sentences the configuration asks for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lightning_seq.data.sources.conll import Conll
from lightning_seq.data.sources.conllu import Conllu
from lightning_seq.data.sources.copy_memory import CopyMemory
from lightning_seq.data.sources.hub import Hub
from lightning_seq.data.sources.look_ahead import LookAhead
from lightning_seq.data.sources.mirror import Mirror
from lightning_seq.data.sources.table import SPLITS, Cut
from lightning_seq.data.sources.tagged import TaggedColumns, TaggedSource
from lightning_seq.data.sources.tagged_files import TaggedFiles
from lightning_seq.data.sources.verses_punctuation import VersesPunctuation
from lightning_seq.errors import UserError, near

SOURCES = ("verses_punctuation", "look_ahead", "copy_memory", "hub", "conllu", "conll")
_HUB_KEYS = ("id", "config", "revision")
_HUB_COLUMNS = ("tokens_column", "tag_column", "intent_column", "id_column", "splits")


def choose_tagged(
    source: str,
    *,
    version: str = "kjv",
    length: int = 20,
    distance: int = 3,
    symbols: int = 8,
    examples: int = 4000,
    hub: Mapping[str, Any] | None = None,
    mirror: str | None = None,
    mirror_path: str | None = None,
    mirror_config: str | None = None,
    train: str | None = None,
    validation: str | None = None,
    test: str | None = None,
    tokens_column: str | int | None = None,
    tag_column: str | int | None = None,
    intent_column: str | None = None,
    encoding: str = "utf-8",
    id_column: str | None = None,
    splits: Mapping[str, str | None] | None = None,
    validation_fraction: float = 0.1,
    test_fraction: float = 0.1,
    split_seed: int = 1,
) -> TaggedSource:
    """The source of that name. A Hub set is taken from the mirror where one is given.

    `hub` holds id, config, revision, and whatever of tokens_column, tag_column, intent_column, id_column and
    splits differs on the Hub. Columns are names, or numbers for `conll`; None is what is usual for the source.
    Raises UserError for an unknown source and for settings that do not fit it.
    """
    if source == "verses_punctuation":
        return VersesPunctuation(version, split_seed)
    if source == "look_ahead":
        return LookAhead(length, distance, symbols, examples, split_seed)
    if source == "copy_memory":
        return CopyMemory(length, distance, symbols, examples, split_seed)
    cut = Cut(validation_fraction, test_fraction, split_seed)
    if source == "conllu":
        return TaggedFiles(Conllu("upos" if tag_column is None else tag_column), train, validation, test, cut, encoding)
    if source == "conll":
        places = [0 if tokens_column is None else tokens_column, -1 if tag_column is None else tag_column]
        return TaggedFiles(Conll(*places), train, validation, test, cut, encoding)  # type: ignore[arg-type]
    if source != "hub":
        raise UserError(f"data.source is {source!r}; {near(str(source), SOURCES)}")
    given = dict(hub or {})
    for key in given:
        if key not in _HUB_KEYS + _HUB_COLUMNS:
            raise UserError(f"data.hub has no key {key!r}; {near(str(key), _HUB_KEYS + _HUB_COLUMNS)}")
    if not given.get("id"):
        raise UserError("data.hub.id is not given: expected a set of the Hub such as leondz/wnut_17")
    settings: dict[str, Any] = {
        "tokens_column": tokens_column or "tokens",
        "tag_column": tag_column or "tags",
        "intent_column": intent_column,
        "id_column": id_column,
        "splits": splits,
    }
    if not mirror:
        settings |= {key: given[key] for key in _HUB_COLUMNS if key in given}
    columns = TaggedColumns(
        str(settings["tokens_column"]),
        str(settings["tag_column"]),
        settings["intent_column"],
        dict(settings["splits"] or {split: split for split in SPLITS}),
        cut,
        settings["id_column"],
    )
    if mirror:
        return Mirror(mirror, mirror_path or given["id"], mirror_config, columns)
    return Hub(given["id"], given.get("config"), given.get("revision"), columns)
