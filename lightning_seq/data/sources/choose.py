"""Which source the configuration asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lightning_seq.data.sources.agreement import Agreement
from lightning_seq.data.sources.columns import Columns
from lightning_seq.data.sources.embedded import VersesGenre
from lightning_seq.data.sources.files import KINDS, Files
from lightning_seq.data.sources.hub import Hub
from lightning_seq.data.sources.mirror import Mirror
from lightning_seq.data.sources.table import SPLITS, Cut, Source
from lightning_seq.data.sources.word_order import WordOrder
from lightning_seq.errors import UserError, near

SOURCES = ("verses_genre", "word_order", "agreement", "hub", *KINDS)
_HUB_KEYS = ("id", "config", "revision")
_HUB_COLUMNS = ("text_column", "label_column", "classes", "id_column", "splits")


def choose(
    source: str,
    *,
    version: str = "kjv",
    distance: int = 12,
    examples: int = 4000,
    hub: Mapping[str, Any] | None = None,
    mirror: str | None = None,
    mirror_path: str | None = None,
    mirror_config: str | None = None,
    train: str | None = None,
    validation: str | None = None,
    test: str | None = None,
    text_column: str = "text",
    label_column: str = "label",
    delimiter: str | None = None,
    encoding: str = "utf-8",
    quotes: bool | None = None,
    classes: Sequence[str] | None = None,
    id_column: str | None = None,
    splits: Mapping[str, str | None] | None = None,
    validation_fraction: float = 0.1,
    test_fraction: float = 0.1,
    split_seed: int = 1,
) -> Source:
    """The source of that name. A Hub set is taken from the mirror where one is given.

    `hub` holds id, config, revision, and whatever of text_column, label_column, id_column, classes and splits differs
    on the Hub.
    Raises UserError for an unknown source and for settings that do not fit it.
    """
    cut = Cut(validation_fraction, test_fraction, split_seed)
    if source == "verses_genre":
        return VersesGenre(version, split_seed)
    if source == "word_order":
        return WordOrder(split_seed)
    if source == "agreement":
        return Agreement(distance, examples, split_seed)
    if source in KINDS:
        delimiter = "\t" if delimiter in ("\\t", "tab") else delimiter
        return Files(
            source, train, validation, test, text_column, label_column, cut, delimiter, encoding, quotes, id_column
        )
    if source != "hub":
        raise UserError(f"data.source is {source!r}; {near(str(source), SOURCES)}")
    given = dict(hub or {})
    for key in given:
        if key not in _HUB_KEYS + _HUB_COLUMNS:
            raise UserError(f"data.hub has no key {key!r}; {near(str(key), _HUB_KEYS + _HUB_COLUMNS)}")
    if not given.get("id"):
        raise UserError("data.hub.id is not given: expected a set of the Hub such as stanfordnlp/imdb")
    settings: dict[str, Any] = {
        "text_column": text_column,
        "label_column": label_column,
        "id_column": id_column,
        "classes": classes,
        "splits": splits,
    }
    if not mirror:
        settings |= {key: given[key] for key in _HUB_COLUMNS if key in given}
    columns = Columns(
        settings["text_column"],
        settings["label_column"],
        tuple(settings["classes"]) if settings["classes"] else None,
        dict(settings["splits"] or {split: split for split in SPLITS}),
        cut,
        settings["id_column"],
    )
    if mirror:
        return Mirror(mirror, mirror_path or given["id"], mirror_config, columns)
    return Hub(given["id"], given.get("config"), given.get("revision"), columns)
