"""`show=config`: the configuration of each run of a command, as YAML."""

from __future__ import annotations

from collections.abc import Sequence

import yaml

from lightning_seq.config.entry import Entry
from lightning_seq.config.words import split_words


def shows_config(words: Sequence[str]) -> bool:
    """Whether the command only shows configurations."""
    return {word.key: word.value for word in split_words(words)}.get("show") == "config"


def shown(entries: Sequence[Entry]) -> str:
    """A YAML document for each entry, with its label and overrides in a comment; sizes are not matched yet and values
    not tuned."""
    documents = []
    for entry in entries:
        overrides = f"  ({' '.join(entry.overrides)})" if entry.overrides else ""
        body = yaml.safe_dump(entry.config, sort_keys=False, allow_unicode=True)
        documents.append(f"# {entry.label}{overrides}\n{body}")
    return "---\n".join(documents)
