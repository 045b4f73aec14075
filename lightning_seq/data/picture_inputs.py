"""The pictures that a model reads: changed at random in training, or as features that a frozen encoder made once."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeAlias

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from lightning_seq.data.augment import Augment
from lightning_seq.data.bucket_sampler import BatchShard
from lightning_seq.data.disk_rows import DiskRows, Rows
from lightning_seq.data.pictures import Size2
from lightning_seq.data.prepared_pictures import PictureSplit, PreparedPictures
from lightning_seq.errors import UserError
from lightning_seq.files import fingerprint
from lightning_seq.sealed import cached

PRECISIONS = ("float32", "float16")
AT_ONCE = 64
log = logging.getLogger("lightning_seq")


class FeatureMaker(Protocol):
    """A frozen encoder of pictures. name: for people; fingerprint: of its kind and its weights; shape: `(S, F)`."""

    name: str
    fingerprint: str
    shape: tuple[int, int]

    def __call__(self, pictures: np.ndarray) -> np.ndarray:
        """`[B, channels, height, width]` uint8 to `[B, S, F]` float32."""
        ...


MakeFeatures: TypeAlias = Callable[[int, Size2], FeatureMaker]
"""From the channels and the size of pictures to an encoder."""


@dataclass(frozen=True)
class PictureInputs:
    """The pictures of a split for a model.

    values:  `[P, channels, height, width]` uint8, or features `[P, S, F]`, on disk.
    augment: random changes, with this seed; None: none.
    encoder: of features, its name.
    frames:  of a strip, which change alike.
    """

    values: Rows
    augment: Augment | None = None
    seed: int = 0
    encoder: str = ""
    frames: int = 1

    def take(self, pictures: np.ndarray, shard: BatchShard, examples: np.ndarray) -> Tensor:
        """The pictures with these numbers, for examples with these numbers."""
        taken = self.values[pictures]
        if self.augment is not None:
            B, C, H, W = taken.shape
            stacked = (
                taken.reshape(B, C, H, self.frames, -1).transpose(0, 3, 1, 2, 4).reshape(B, -1, H, W // self.frames)
            )
            changed = self.augment(stacked, self.seed, shard.epoch, examples)
            taken = changed.reshape(B, self.frames, C, H, -1).transpose(0, 2, 3, 1, 4).reshape(B, C, H, W)
        return torch.from_numpy(taken)


def mean_features(values: Rows) -> np.ndarray:
    """`[P, F]` float32, the mean over the places of features `[P, S, F]`."""
    return np.stack([values[row].mean(0, dtype=np.float32) for row in range(len(values))])


def small_pixels(pictures: Rows, side: int = 8) -> np.ndarray:
    """`[P, channels · side²]` float32, pictures `[P, channels, height, width]` shrunk to `side` x `side` pixels."""
    parts = (torch.from_numpy(pictures[first : first + AT_ONCE]) for first in range(0, len(pictures), AT_ONCE))
    return torch.cat([adaptive_avg_pool2d(part.float(), side).flatten(1) for part in parts]).numpy()


def picture_inputs(
    prepared: PreparedPictures[PictureSplit],
    make: MakeFeatures | None,
    precision: str,
    changes: Mapping[str, float] | None,
    seed: int,
    frames: int = 1,
) -> dict[str, PictureInputs]:
    """The pictures of each split as a model reads them.

    make:      makes the encoder whose features replace the pictures; None: pictures stay.
    precision: of features on disk, one of `PRECISIONS`.
    changes:   the arguments of `Augment`.
    frames:    of pictures that are strips.

    Raises UserError as `Augment.check` does, and for features with random changes.
    """
    pictures = {split: part.pictures for split, part in prepared.splits.items()}
    augment = Augment(**(changes or {}))  # type: ignore[arg-type]
    channels, *size = pictures["train"].shape[1:]
    if make is not None:
        if augment:
            raise UserError(
                "data.augment changes pictures at random, and data.features are made once: leave one of them out"
            )
        made = make(channels, (size[0], size[1]))
        cache, content = prepared.directory.parents[1], prepared.fingerprints["data"]
        of_splits = features(made, pictures, cache, content, precision)
        return {split: PictureInputs(values, encoder=made.name) for split, values in of_splits.items()}
    augment.check((size[0], size[1] // frames), prepared.texts("train"))
    inputs = {split: PictureInputs(values) for split, values in pictures.items()}
    return {**inputs, "train": PictureInputs(pictures["train"], augment, seed, frames=frames)} if augment else inputs


def features(
    make: FeatureMaker, pictures: Mapping[str, Rows], cache: Path, content: str, precision: str
) -> dict[str, Rows]:
    """`[P, S, F]` of each split, made once and kept in `<cache>/features/<fingerprint>/`.

    Raises UserError for features that are no numbers of this precision.
    """

    def build(directory: Path) -> None:
        log.info("features of %d pictures are made once", sum(map(len, pictures.values())))
        for split, values in pictures.items():
            path, shape = directory / f"{split}_features.npy", (len(values), *make.shape)
            kept = np.lib.format.open_memmap(path, mode="w+", dtype=np.dtype(precision), shape=shape)
            for first in range(0, len(values), AT_ONCE):
                with np.errstate(over="ignore"):
                    kept[first : first + AT_ONCE] = make(values[first : first + AT_ONCE])
                if not np.isfinite(kept[first : first + AT_ONCE]).all():
                    raise UserError(
                        f"features of the {split} split are not finite in {precision}: use another encoder"
                        + (" or data.features_precision=float32" if precision != "float32" else "")
                    )
            kept.flush()

    def read(directory: Path) -> dict[str, Rows]:
        return {split: DiskRows(directory, f"{split}_features") for split in pictures}

    mark = fingerprint({"encoder": make.fingerprint, "pictures": content, "precision": precision})
    return cached(cache / "features" / mark, build, read)
