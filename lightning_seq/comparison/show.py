"""`show=config`: the configuration of each run that a command asks for, as YAML."""

from __future__ import annotations

from collections.abc import Sequence

from lightning_seq.config.entry import Entry
from lightning_seq.config.words import split_words
from lightning_seq.errors import UserError, near

VIEWS = ("config",)


def shows_config(words: Sequence[str]) -> bool:
    """Whether the command asks to see configurations alone. Raises UserError for another thing to show."""
    wanted = [word.value for word in split_words(words) if word.key == "show"]
    for value in wanted:
        if value not in (*VIEWS, "null"):
            raise UserError(f"show={value}: {near(value, VIEWS)}")
    return "config" in wanted[-1:]


def shown(found: Sequence[Entry]) -> str:
    """A YAML document for each entry, its label and what sets it apart in a comment; sizes that are to be matched and
    values that are to be tuned stand as they were before."""
    import yaml

    parts = []
    for entry in found:
        apart = f"  ({' '.join(entry.overrides)})" if entry.overrides else ""
        body = yaml.safe_dump(entry.config, sort_keys=False, allow_unicode=True)
        parts.append(f"# {entry.label}{apart}\n{body}")
    return "---\n".join(parts)
