"""The reader of new clips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from lightning_seq.data.clips import ClipFile
from lightning_seq.data.note import EMPTY, Note, refusal
from lightning_seq.data.pictures import channels_first, fitted
from lightning_seq.data.reader import Reader, check_some
from lightning_seq.data.vectors.reader import padded
from lightning_seq.data.vectors.settings import ordered
from lightning_seq.data.video.settings import VideoSettings
from lightning_seq.errors import UserError
from lightning_seq.spec import Batch, NextFrame, Tags


@dataclass(frozen=True)
class ClipReader(Reader):
    """Reads clips in folders and files as in training. order: of the frames, see `VideoData`."""

    KIND = "video"
    settings: VideoSettings
    order: str = "as_is"

    def encode(self, texts: Sequence[str], first: int = 1) -> Batch:
        """One batch of the clips with these paths; targets that do not count.

        Raises UserError for a path without a clip.
        """
        check_some(texts, "clip")
        clips = [self.frames(text) for text in texts]
        lengths = np.array([len(clip) for clip in clips])
        inputs = torch.from_numpy(padded(clips, lengths))
        mask = torch.from_numpy(np.arange(inputs.shape[1]) < lengths[:, None])
        counts = torch.zeros_like(mask if isinstance(self.spec.targets, Tags | NextFrame) else mask[:, 0])
        targets = torch.zeros(counts.shape, dtype=torch.int64)
        if isinstance(self.spec.targets, NextFrame):
            targets = torch.zeros_like(inputs)
        return Batch(torch.arange(len(clips)), inputs, mask, targets, counts, count=0)

    def note(self, text: str) -> Note | None:
        return refusal(lambda: self.frames(text)) if text.strip() else EMPTY

    def frames(self, text: str) -> np.ndarray:
        """`[T, C, H, W]` uint8. Raises UserError for a path without a clip."""
        settings, name = self.settings, text.strip()
        if not name:
            raise UserError("a line names no clip: expected the path of a folder of frames or of a file")
        read = ClipFile(name, Path(name).expanduser()).frames(settings.picked)
        fits = (fitted(frame, settings.height_and_width, settings.fit).values for frame in read)
        return ordered(np.stack([channels_first(frame, settings.channels) for frame in fits]), self.order, (0,))
