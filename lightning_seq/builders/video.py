"""Clips: a class for each, or for each of their frames."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from lightning_seq.builders import classification, tagging, vectors
from lightning_seq.builders.task_kind import Loaded, MakeEncoder, Row
from lightning_seq.config.tree import Config
from lightning_seq.data.pictures import small_png
from lightning_seq.data.video.reader import ClipReader
from lightning_seq.errors import UserError
from lightning_seq.spec import DataSpec

if TYPE_CHECKING:
    from torch import nn

    from lightning_seq.data.video.module import VideoData
    from lightning_seq.models.classifier import Classifier
    from lightning_seq.models.tagger import Tagger
    from lightning_seq.tasks.tagging import Tagging

WIDEST = 960
"""Pixels of a strip of frames in a record."""


def classifier(config: Config, spec: DataSpec, embedding: nn.Module, encoder: MakeEncoder, width: int) -> Classifier:
    check_task(config, "classification")
    return classification.model(config, spec, embedding, encoder, width)


def tagger(config: Config, spec: DataSpec, embedding: nn.Module, encoder: MakeEncoder, width: int) -> Tagger:
    check_task(config, "tagging")
    return tagging.model(config, spec, embedding, encoder, width)


def check_task(config: Config, name: str) -> None:
    """Raises UserError for data of another kind of target than the task needs."""
    if config["choices"]["task"] != name:
        raise UserError(
            f"data={config['choices']['data']} is for task={name}: leave task={config['choices']['task']} out, or use "
            "data=video, video_tags, video_frames or video_captions"
        )


def strip(data: VideoData, row: int) -> str:
    """The frames of a test clip next to each other, as PNG in base64."""
    return small_png(data.picture("test", row), WIDEST)


def tag_artifacts(directory: Path, data: VideoData, task: Tagging) -> dict[str, str]:
    """As `vectors.tag_artifacts`; in `segments.json` also the frames of each clip."""
    return vectors.tag_artifacts(directory, data, task, lambda row: strip(data, row))


def tags(loaded: Loaded, texts: Sequence[str], top_k: int, first: int = 1) -> Iterator[Row]:
    """For each clip `{"text", "predictions": [{"frame", "tag", "probability"}, …]}`."""
    for row in vectors.tags(loaded, texts, top_k, first):
        yield {**row, "predictions": [{"frame": one.pop("step"), **one} for one in row["predictions"]]}


CLASSES = replace(
    vectors.CLASSES,
    name="a classifier of clips",
    model=classifier,
    reader=ClipReader.from_plain,
)
TAGS = replace(
    vectors.TAGS,
    name="a tagger of frames",
    model=tagger,
    reader=ClipReader.from_plain,
    predictions=tags,
    artifacts=tag_artifacts,
)
