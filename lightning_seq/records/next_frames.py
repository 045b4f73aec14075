"""next_frames.json: the true and the predicted frames of some test clips."""

from __future__ import annotations

from dataclasses import dataclass

from lightning_seq.records.json_record import JsonRecord


@dataclass(frozen=True)
class PredictedClip(JsonRecord):
    """true, predicted: the frames next to each other, PNG in base64; mse, ssim: means over the predicted frames."""

    id: str
    true: str
    predicted: str
    mse: float
    ssim: float


@dataclass(frozen=True)
class PredictedFrames(JsonRecord):
    """A `next_frames.json`."""

    clips: tuple[PredictedClip, ...]
