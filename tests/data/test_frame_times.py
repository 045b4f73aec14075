"""Frames of animations that last longer than others: writers join equal frames to one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lightning_seq.data import clips
from lightning_seq.data.clips import ClipFile


def frames(path: Path, values: list[int], duration: int | list[int] = 40) -> list[int]:
    """The grey values that come back of frames of one grey value each."""
    first, *others = (Image.new("RGB", (8, 8), (value,) * 3) for value in values)
    exact = {"lossless": True} if path.suffix == ".webp" else {}
    first.save(path, save_all=True, append_images=others, duration=duration, **exact)
    return [int(frame[0, 0, 0]) for frame in ClipFile(path.name, path).frames(np.arange)]


@pytest.mark.parametrize("ending", ["gif", "webp", "png"])
def test_equal_frames_come_back(tmp_path: Path, ending: str) -> None:
    values = [0, 0, 200, 200, 200, 90, 0]
    assert frames(tmp_path / f"clip.{ending}", values) == values


def test_times_are_whole_multiples_of_the_shortest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert frames(tmp_path / "clip.gif", [0, 100, 200], [100, 50, 120]) == [0, 0, 100, 200, 200]
    assert frames(tmp_path / "timeless.gif", [0, 100], 0) == [0, 100]
    monkeypatch.setattr(clips, "MOST_REPEATS", 3)
    assert frames(tmp_path / "still.gif", [0, 100], [50, 60_000]) == [0, 100, 100, 100]
