"""Clips and their targets: the examples of one split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from lightning_seq.data.clips import Clip
from lightning_seq.data.sources.table import Examples, Keys, Loaded, Source
from lightning_seq.data.sources.vector_table import Target


@dataclass(frozen=True)
class ClipTable(Examples):
    """The clips of one split.

    targets: the class of each clip, or the class of each of its frames (None does not count); all empty where the
             frames themselves are the targets.
    ids:     of the source.
    origin:  the user's file that names the clips, or None.
    keys, groups: the values of the user's own columns of ids and groups, or None.
    """

    clips: list[Clip]
    targets: list[Target]
    ids: list[int]
    origin: str | None = None
    keys: Keys | None = None
    groups: Keys | None = None

    values = ()
    remaining = False

    @property
    def strata(self) -> Sequence[str]:
        return [target if isinstance(target, str) else "" for target in self.targets]

    def place(self, example: int, name: str, split: str) -> str:
        """Where the source has a clip, for people."""
        return f"{self.origin or f'{name}, {split} split'}, {self.clips[example].name}"


ClipSource: TypeAlias = Source[Loaded[ClipTable]]
