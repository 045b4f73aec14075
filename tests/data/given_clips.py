"""Small clips, as a source of a test and as files."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from lightning_seq.data.clips import DrawnClip
from lightning_seq.data.sources.clip_table import ClipTable
from lightning_seq.data.sources.table import SPLITS, Cut, Loaded
from lightning_seq.files import Plain


@dataclass(frozen=True)
class GivenClips(Cut):
    """Clips `[T, H, W, 3]` and their targets, the same in each split."""

    clips: list[np.ndarray] = field(default_factory=list)
    targets: list[Any] = field(default_factory=list)
    groups: list[int | str] | None = None

    def describe(self) -> str:
        return "given"

    def identity(self) -> Plain:
        return [[clip.tolist() for clip in self.clips], repr(self.targets)]

    def load(self) -> Loaded[ClipTable]:
        clips = [DrawnClip(f"clip {number}", lambda clip=clip: clip) for number, clip in enumerate(self.clips)]
        ids = list(range(len(clips)))
        return Loaded({split: ClipTable([*clips], [*self.targets], ids, groups=self.groups) for split in SPLITS})


def grey(*values: int, side: int = 2) -> np.ndarray:
    """A clip whose frames have one value each."""
    return np.repeat(np.array(values, np.uint8), side * side * 3).reshape(-1, side, side, 3)


def save_frames(directory: Path, clip: np.ndarray) -> Path:
    """A folder of frames, whose names have numbers without leading zeros."""
    directory.mkdir(parents=True)
    for number, frame in enumerate(clip):
        Image.fromarray(frame).save(directory / f"frame_{number}.png")
    return directory


def save_animation(path: Path, clip: np.ndarray) -> Path:
    """A GIF, WebP or PNG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    first, *others = [Image.fromarray(frame) for frame in clip]
    first.save(
        path, save_all=True, append_images=others, duration=40, **({"lossless": True} if path.suffix == ".webp" else {})
    )
    return path
