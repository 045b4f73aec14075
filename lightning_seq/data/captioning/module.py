"""Batches of pictures with captions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from lightning_seq.data.bucket_sampler import BatchShard
from lightning_seq.data.captioning.prepare import prepare_captions
from lightning_seq.data.captioning.prepared import CaptionSplit, PreparedCaptions
from lightning_seq.data.captioning.reader import PictureReader
from lightning_seq.data.captioning.settings import CaptionSettings
from lightning_seq.data.captioning.strips import AsStrips, of_strip
from lightning_seq.data.example_ids import ExampleIds, read_ids
from lightning_seq.data.module import DataModule
from lightning_seq.data.picture_inputs import (
    PRECISIONS,
    MakeFeatures,
    PictureInputs,
    mean_features,
    picture_inputs,
    small_pixels,
)
from lightning_seq.data.pictures import FITS
from lightning_seq.data.planner import Planner
from lightning_seq.data.sources.captions import CaptionSource
from lightning_seq.data.token_arrays import unknown_share
from lightning_seq.errors import UserError
from lightning_seq.spec import BOXES, Batch, FilmStrip
from lightning_seq.text.padding import pad_flat
from lightning_seq.text.vocabulary import EOS, Vocabulary
from lightning_seq.value_types import MAX_TOKENS, OneOf, Size, Workers


class CaptionDataset(Dataset[Batch]):
    """The batches of a split, `dataset[shard]`.

    of_captions: whether a row is a caption, with its picture, as in training; else a picture with its first caption.
    """

    def __init__(self, split: CaptionSplit, of_captions: bool, inputs: PictureInputs) -> None:
        self.split, self.inputs = split, inputs
        pictures = np.repeat(np.arange(len(split)), np.diff(split.first))
        self.pictures = pictures if of_captions else np.arange(len(split))
        self.captions = np.arange(len(pictures)) if of_captions else split.first[:-1]

    def __getitem__(self, shard: BatchShard) -> Batch:
        split, (rows, real) = self.split, shard.rows()
        pictures, captions = self.pictures[rows], self.captions[rows]
        targets, mask = pad_flat(split.captions.flat, split.captions.offsets, captions)
        extra = {}
        if split.boxes is not None:
            extra[BOXES] = _padded(split.boxes, split.captions.offsets, captions, targets.shape[1])
        counts = mask & torch.from_numpy(real)[:, None]
        seen = torch.ones(len(rows), 1, dtype=torch.bool)
        return Batch(
            torch.from_numpy(rows),
            self.inputs.take(pictures, shard, captions),
            seen,
            targets,
            counts,
            shard.count,
            extra,
        )


def _padded(boxes: np.ndarray, offsets: np.ndarray, rows: np.ndarray, length: int) -> Tensor:
    """`[B, T, 4]`, NaN for padding."""
    padded = np.full((len(rows), length, 4), np.nan, dtype=np.float32)
    for number, row in enumerate(rows):
        own = boxes[offsets[row] : offsets[row + 1]]
        padded[number, : len(own)] = own
    return torch.from_numpy(padded)


class CaptioningData(DataModule[PreparedCaptions, PictureReader]):
    """Pictures with captions, prepared and batched.

    Give `prepared`, or a `source` and a `cache`.

    size, fit, channels, level, lower, normalise, min_count, max_vocabulary, max_length: see `CaptionSettings`.

    frames: of a clip, from which they are taken evenly; a picture is then a strip of them next to each other, of which
            each has `size`. 1: pictures.
    features, features_precision: the encoder whose features replace the pictures, see `picture_inputs`.
    augment: the arguments of `Augment`.

    batch_size, eval_batch_size, seed, num_workers, licence, max_tokens: see `DataModule`.

    A batch's `inputs` are pictures `[B, channels, height, width]` uint8, or features `[B, S, F]`; its `mask` is
    `[B, 1]`. `targets` `[B, T]` end with `<eos>`. In training a row is a caption with its picture; in validation and
    test it is a picture with its first caption, and `captions` gives them all. Where the boxes of the words are known,
    `extra` holds `boxes` `[B, T, 4]`: left, top, right, bottom in parts of the picture, NaN for other words.

    The constructor reads or prepares all data. Raises UserError as the source and `prepare_captions` do.
    """

    def __init__(
        self,
        source: CaptionSource | None = None,
        cache: Path | str | None = None,
        *,
        prepared: PreparedCaptions | None = None,
        licence: str | None = None,
        size: Size | Sequence[Size] = 48,
        fit: Annotated[str, OneOf(FITS)] = "pad",
        channels: Size = 3,
        frames: Size = 1,
        level: str = "word",
        lower: bool = True,
        normalise: str = "nfc",
        min_count: Size = 1,
        max_vocabulary: Size | None = None,
        max_length: Size | None = None,
        batch_size: Size = 64,
        eval_batch_size: Size | None = None,
        seed: int = 1,
        num_workers: Workers = 0,
        max_tokens: Size = MAX_TOKENS,
        features: MakeFeatures | None = None,
        features_precision: Annotated[str, OneOf(PRECISIONS)] = "float32",
        augment: Mapping[str, float] | None = None,
    ) -> None:
        super().__init__(batch_size, eval_batch_size, seed, num_workers, licence, max_tokens)
        settings = CaptionSettings(size, fit, channels, level, lower, normalise, min_count, max_vocabulary, max_length)
        if frames > 1:
            if features is not None:
                raise UserError("data.features are of pictures, and these are clips: leave them out")
            settings = replace(settings, size=of_strip(settings.height_and_width, frames))
            source = None if source is None else AsStrips(source, frames, settings.height_and_width, fit)
        prepared = prepared or prepare_captions(*self.required(source, cache), settings)
        if frames > 1:
            height, width = settings.height_and_width
            inputs = FilmStrip(prepared.settings.channels, height, width, frames)
            prepared = replace(prepared, spec=replace(prepared.spec, inputs=inputs))
        self.prepared, self.frames = prepared, frames
        self.inputs = picture_inputs(prepared, features, features_precision, augment, seed, frames)
        self.reader = PictureReader(prepared.spec, prepared.vocabulary, prepared.segmenter, prepared.settings.fit)

    @property
    def vocabulary(self) -> Vocabulary:
        return self.prepared.vocabulary

    def lengths(self, split: str) -> np.ndarray:
        """`[P]`, the places of each picture before it is encoded: one."""
        return np.ones(len(self.prepared.splits[split]), dtype=np.int64)

    def captions(self, split: str, row: int) -> list[str]:
        """The captions of picture `row` of a split as `reader.decode` would write them."""
        return [self.reader.reference(text) for text in self.prepared.captions(split, row)]

    @cached_property
    def train_captions(self) -> Counter[str]:
        """How often the train split has each caption, as `reader.decode` would write it."""
        return Counter(text for row in range(len(self.lengths("train"))) for text in self.captions("train", row))

    def picture(self, split: str, row: int) -> np.ndarray:
        """`[channels, height, width]` uint8, picture `row` of a split."""
        return np.array(self.prepared.splits[split].pictures[row])

    def vectors(self) -> dict[str, Callable[[str], np.ndarray]]:
        """By name, from a split to a vector for each picture: of its pixels and, if there are any, of its features."""
        splits, inputs = self.prepared.splits, self.inputs
        made: dict[str, Callable[[str], np.ndarray]] = {
            "8 x 8 pixels": lambda split: small_pixels(splits[split].pictures)
        }
        if encoder := inputs["train"].encoder:
            made[f"features of {encoder}"] = lambda split: mean_features(inputs[split].values)
        return made

    def example_ids(self, split: str) -> ExampleIds:
        """The source's names of the pictures of a split, in the order of a batch's `ids`."""
        return read_ids(self.prepared, split)

    def headline(self) -> str:
        prepared = self.prepared
        flat = prepared.splits["test"].captions.flat
        height, width = prepared.settings.height_and_width
        what = f"clips of {self.frames} frames" if self.frames > 1 else "pictures"
        captions = sum(len(split.captions) for split in prepared.splits.values())
        return (
            f"{prepared.name}: {self.sizes()} {what} of {height} x {width // self.frames}, {captions:,} captions, "
            f"{len(prepared.vocabulary):,} words (unknown in test: {unknown_share(flat[flat != EOS]):.1%})"
        )

    def batches(self, split: str) -> tuple[Dataset[Batch], Planner[BatchShard]]:
        dataset = CaptionDataset(self.prepared.splits[split], split == "train", self.inputs[split])
        lengths = self.prepared.splits[split].captions.lengths[dataset.captions]
        return dataset, self.bucket_sampler(split, lengths, lengths)
