"""Which source of running text the configuration asks for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lightning_seq.data.sources.corpus import CorpusSource, Tail
from lightning_seq.data.sources.embedded_text import Hello, VersesText
from lightning_seq.data.sources.hub import Hub
from lightning_seq.data.sources.mirror import Mirror
from lightning_seq.data.sources.python_docs import PythonDocs
from lightning_seq.data.sources.table import SPLITS
from lightning_seq.data.sources.text_column import TextColumn
from lightning_seq.data.sources.text_files import TextFiles, penn_treebank
from lightning_seq.errors import UserError, near

CORPORA = ("verses", "hello", "python_docs", "text", "ptb", "hub")
_HUB_KEYS = ("id", "config", "revision")


def choose_corpus(
    source: str,
    *,
    version: str = "kjv",
    hub: Mapping[str, Any] | None = None,
    mirror: str | None = None,
    mirror_path: str | None = None,
    mirror_config: str | None = None,
    train: str | None = None,
    validation: str | None = None,
    test: str | None = None,
    encoding: str = "utf-8",
    text_column: str = "text",
    splits: Mapping[str, str | None] | None = None,
    validation_fraction: float = 0.1,
    test_fraction: float = 0.1,
    split_seed: int = 1,
) -> CorpusSource:
    """The source of that name. A Hub set is taken from the mirror where one is given.

    Raises UserError for an unknown source and for settings that do not fit it.
    """
    tail = Tail(validation_fraction, test_fraction)
    if source == "verses":
        return VersesText(version, split_seed)
    if source == "hello":
        return Hello()
    if source == "python_docs":
        return PythonDocs(split_seed)
    if source == "text":
        return TextFiles(train, validation, test, tail, encoding)
    if source == "ptb":
        return penn_treebank(train, validation, test, encoding)
    if source != "hub":
        raise UserError(f"data.source is {source!r}; {near(str(source), CORPORA)}")
    given = hub_settings(hub)
    if not given.get("id"):
        raise UserError("data.hub.id is not given: expected a set of the Hub such as Salesforce/wikitext")
    # The Hub and the mirror hand their sets to whatever reads columns.
    columns: Any = TextColumn(text_column, dict(splits or {split: split for split in SPLITS}), tail)
    public: Any = (
        Mirror(mirror, mirror_path or given["id"], mirror_config, columns)
        if mirror
        else Hub(given["id"], given.get("config"), given.get("revision"), columns)
    )
    return public


def hub_settings(hub: Mapping[str, Any] | None) -> dict[str, Any]:
    """Raises UserError for a key that says nothing of a set of the Hub."""
    given = dict(hub or {})
    for key in given:
        if key not in _HUB_KEYS:
            raise UserError(f"data.hub has no key {key!r}; {near(str(key), _HUB_KEYS)}")
    return given
