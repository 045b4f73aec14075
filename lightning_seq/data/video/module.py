"""Batches of clips."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, ClassVar

import numpy as np
import torch
from torch.utils.data import Dataset

from lightning_seq.data.augment import Augment
from lightning_seq.data.bucket_sampler import BatchShard
from lightning_seq.data.pictures import FITS
from lightning_seq.data.planner import Planner
from lightning_seq.data.sources.clip_table import ClipSource
from lightning_seq.data.sources.table import SPLITS
from lightning_seq.data.vectors.module import LabelledSequences, StepsDataset
from lightning_seq.data.vectors.prepare import VectorSplit
from lightning_seq.data.vectors.reader import padded
from lightning_seq.data.vectors.settings import ONE_STEP, ORDERS
from lightning_seq.data.video.prepare import PreparedVideo, prepare_video
from lightning_seq.data.video.reader import ClipReader
from lightning_seq.data.video.settings import TAKE, VideoSettings
from lightning_seq.errors import UserError
from lightning_seq.spec import Batch, Labels
from lightning_seq.value_types import MAX_TOKENS, OneOf, Size, Workers


class ClipsDataset(StepsDataset):
    """The batches of a split of clips. augment: random changes, one for all frames of a clip; see `augmented`."""

    def __init__(
        self, split: VectorSplit, order: str, seed: tuple[int, ...], augment: Augment | None, change_seed: int
    ) -> None:
        super().__init__(split, order, seed)
        self.augment, self.change_seed = augment, change_seed

    def changed(self, steps: np.ndarray, row: int, epoch: int) -> np.ndarray:
        if self.augment is None:
            return steps
        return augmented(self.augment, steps[None], self.change_seed, epoch, np.array([row]))[0]


class NextFrameDataset(ClipsDataset):
    """The batches of a split whose targets are the next frames."""

    def __getitem__(self, shard: BatchShard) -> Batch:
        split, (rows, real) = self.split, shard.rows()
        clips = [
            self.changed(split.flat[int(split.starts[row]) : int(split.stops[row])], row, shard.epoch)
            for row in rows.tolist()
        ]
        lengths = np.array([len(clip) - 1 for clip in clips])
        mask = np.arange(lengths.max()) < lengths[:, None]
        inputs, targets = (padded([clip[part] for clip in clips], lengths) for part in (slice(-1), slice(1, None)))
        arrays = rows, inputs, mask, targets, mask & real[:, None]
        ids, frames, keep, goals, counting = map(torch.from_numpy, arrays)
        return Batch(ids, frames, keep, goals, counting, shard.count)


def augmented(augment: Augment, clips: np.ndarray, seed: int, epoch: int, examples: np.ndarray) -> np.ndarray:
    """Clips `[B, T, C, H, W]` uint8, each with one change for all its frames. examples: `[B]`, their numbers."""
    B, T, C, *size = clips.shape
    return augment(clips.reshape(B, T * C, *size), seed, epoch, examples).reshape(clips.shape)


class VideoData(LabelledSequences[PreparedVideo, ClipReader]):
    """Clips with a class, or a class per frame, prepared and batched.

    Give `prepared`, or a `source` and a `cache`.

    frames, stride, take, size, fit, channels: see `VideoSettings`.
    order:   of the frames of a clip: `as_is`; `shuffled`, in one random order for each clip and seed; or one frame
             instead: the `mean` of all, the `middle` or the `last` one. The difference between the scores of `as_is`
             and of another order is the gain from order.
    augment: the arguments of `Augment`; all frames of a clip change alike.

    batch_size, eval_batch_size, seed, num_workers, licence, max_tokens: see `DataModule`.

    A batch's `inputs` are `[B, T, C, H, W]` uint8.

    The constructor reads or prepares all data. Raises UserError as the source and `prepare_video` do, for an order that
    leaves one frame of a clip with a class for each, and as `Augment.check` does.
    """

    vocabulary = None
    NEXT_FRAME: ClassVar = False

    def __init__(
        self,
        source: ClipSource | None = None,
        cache: Path | str | None = None,
        *,
        prepared: PreparedVideo | None = None,
        licence: str | None = None,
        frames: Size | None = 16,
        stride: Size = 1,
        take: Annotated[str, OneOf(TAKE)] = "spread",
        size: Size | Sequence[Size] = 32,
        fit: Annotated[str, OneOf(FITS)] = "pad",
        channels: Size = 3,
        order: Annotated[str, OneOf(ORDERS)] = "as_is",
        augment: Mapping[str, float] | None = None,
        batch_size: Size = 32,
        eval_batch_size: Size | None = None,
        seed: int = 1,
        num_workers: Workers = 0,
        max_tokens: Size = MAX_TOKENS,
    ) -> None:
        super().__init__(batch_size, eval_batch_size, seed, num_workers, licence, max_tokens)
        settings = VideoSettings(frames, stride, take, size, fit, channels)
        self.prepared = made = prepared or prepare_video(*self.required(source, cache), settings, self.NEXT_FRAME)
        self.check_order(order)
        if self.NEXT_FRAME and order != "as_is":
            raise UserError(f"data.order={order} has no next frame: use data.order=as_is")
        self.order, self.augment = order, Augment(**(augment or {})) or None  # type: ignore[arg-type]
        if self.augment is not None:
            names = made.spec.targets.names if isinstance(made.spec.targets, Labels) else ()
            self.augment.check(made.settings.height_and_width, names)
        self.reader = ClipReader(made.spec, made.settings, order)

    def picture(self, split: str, row: int) -> np.ndarray:
        """`[C, H, T · W]` uint8, the frames of clip `row` of a split next to each other."""
        part = self.splits[split]
        return np.concatenate([*part.flat[int(part.starts[row]) : int(part.stops[row])]], -1)

    def headline(self) -> str:
        prepared = self.prepared
        lengths = np.concatenate([split.lengths for split in prepared.splits.values()])
        frames = f"{lengths.min():,} to {lengths.max():,}" if lengths.min() < lengths.max() else f"{lengths.max():,}"
        height, width = prepared.settings.height_and_width
        targets = prepared.spec.targets
        what = f", {targets.size} classes" if isinstance(targets, Labels) else ""
        return f"{prepared.name}: {self.sizes()} clips of {frames} frames of {height} x {width}{what}"

    def batches(self, split: str) -> tuple[Dataset[Batch], Planner[BatchShard]]:
        examples, augment = self.prepared.splits[split], self.augment if split == "train" else None
        kind = NextFrameDataset if self.NEXT_FRAME else ClipsDataset
        dataset = kind(examples, self.order, (self.seed, SPLITS.index(split)), augment, self.seed)
        lengths = np.ones_like(examples.lengths) if self.order in ONE_STEP else examples.lengths
        counts = examples.lengths - 1 if self.NEXT_FRAME else examples.counts
        return dataset, self.bucket_sampler(split, lengths, counts)


class NextFrameData(VideoData):
    """Clips whose targets are their own next frames; see `VideoData`.

    A batch's `inputs` and `targets` are `[B, T - 1, C, H, W]` uint8.
    """

    NEXT_FRAME = True
