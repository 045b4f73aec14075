"""One architecture, or one setting, of a comparison."""

from __future__ import annotations

from dataclasses import dataclass

from lightning_seq.config.tree import Config


@dataclass(frozen=True)
class Entry:
    """One architecture, or one setting, of a comparison.

    overrides: the words that differ from the other entries. notes: on the command that asked for it.
    """

    label: str
    overrides: list[str]
    config: Config
    notes: tuple[str, ...] = ()
