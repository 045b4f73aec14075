"""The next frames of clips."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from lightning_seq.builders.prediction_columns import test_rows, write_predictions
from lightning_seq.builders.task_kind import Loaded, MakeEncoder, Row, Shared, TaskKind, make_task
from lightning_seq.builders.video import WIDEST, check_task
from lightning_seq.config.tree import Config
from lightning_seq.data.pictures import small_png
from lightning_seq.data.video.reader import ClipReader
from lightning_seq.files import write_json
from lightning_seq.models.frame_predictor import FramePredictor
from lightning_seq.records.next_frames import PredictedClip, PredictedFrames
from lightning_seq.spec import DataSpec, NextFrame

if TYPE_CHECKING:
    from lightning_seq.data.video.module import NextFrameData
    from lightning_seq.tasks.next_frame import NextFramePrediction
    from lightning_seq.tasks.task import Task


def model(config: Config, spec: DataSpec, embedding: nn.Module, encoder: MakeEncoder, width: int) -> FramePredictor:
    check_task(config, "next_frame")
    shape = spec.targets_as(NextFrame).shape
    return FramePredictor(embedding, encoder(width), shape, dropout=config["task"]["dropout"])


def task(config: Config, data: NextFrameData, model: FramePredictor, shared: Shared) -> Task:
    return make_task(config, model, **shared)


def artifacts(directory: Path, data: NextFrameData, task: NextFramePrediction) -> dict[str, str]:
    """`predictions.parquet`, a row per test clip: the means of loss, mse and ssim over its predicted frames.
    `next_frames.json`: see `records/next_frames.py`."""
    rows = test_rows(task)
    clips = np.split(rows, np.flatnonzero(np.diff(rows[:, 0])) + 1)
    means = np.array([clip[:, 2:].mean(0) for clip in clips])
    numbers = np.array([clip[0, 0] for clip in clips]).astype("int64")
    columns = dict(zip(("loss", "mse", "ssim"), means.T, strict=True))
    ids, places = data.example_ids("test"), {number: place for place, number in enumerate(numbers.tolist())}
    shown = [
        PredictedClip(
            str(ids.values[number]),
            small_png(data.picture("test", number), WIDEST),
            small_png(_after_a_blank(frames.numpy()), WIDEST),
            round(float(means[places[number], 1]), 6),
            round(float(means[places[number], 2]), 6),
        )
        for number, frames in sorted(task.shown.items())
    ]
    write_json(directory / "next_frames.json", PredictedFrames(tuple(shown)).to_plain())
    files = write_predictions(directory, ids, numbers, columns)
    return {**files, "next_frames": "next_frames.json"}


def _after_a_blank(frames: np.ndarray) -> np.ndarray:
    """Predicted frames `[T, C, H, W]` as a strip, each below the true one: nothing predicts the first frame."""
    return np.concatenate([np.full_like(frames[0], 255), *frames], -1)


def predictions(loaded: Loaded, texts: Sequence[str], top_k: int, first: int = 1) -> Iterator[Row]:
    """For each clip `{"text", "predictions": [{"frame", "png"}]}`, the frame after its last one, PNG in base64."""
    batch = loaded.reader.encode(texts, first)
    with torch.inference_mode():
        frames = (loaded.model(batch.inputs, batch.mask).sigmoid() * 255).round().to(torch.uint8).numpy()
    for text, clip, length in zip(texts, frames, batch.mask.sum(1).tolist(), strict=True):
        yield {"text": text, "predictions": [{"frame": length + 1, "png": small_png(clip[length - 1])}]}


def baseline(data: NextFrameData, task: NextFramePrediction) -> Mapping[str, float]:
    """Each frame as the prediction of the next one."""
    test, sums, count = data.splits["test"], np.zeros(2), 0
    for start, stop in zip(test.starts.tolist(), test.stops.tolist(), strict=True):
        clip = torch.from_numpy(test.flat[start:stop].copy())
        sums += [float(values.double().sum()) for values in task.frame_scores(clip[:-1] / 255, clip[1:])]
        count += len(clip) - 1
    return dict(zip(("mse", "ssim"), (sums / count).tolist(), strict=True))


KIND = TaskKind(
    "a predictor of frames",
    NextFrame,
    model,
    task,
    ClipReader.from_plain,
    predictions,
    ranked=(),
    artifacts=artifacts,
    baseline=baseline,
    baseline_name="copy of the last frame",
)
