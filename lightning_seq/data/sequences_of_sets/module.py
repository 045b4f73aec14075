"""Batches of sequences of sets, such as polyphonic music: a LightningDataModule, and the reader of new pieces."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.pytorch import LightningDataModule
from torch.utils.data import DataLoader, Dataset

from lightning_seq.data.bucket_sampler import STAND_IN, Share
from lightning_seq.data.loader import TargetSampler, TrainLoader, accumulated, loader_options
from lightning_seq.data.sequences_of_sets.prepare import PreparedRolls, RollSplit, prepare_rolls
from lightning_seq.data.sequences_of_sets.reader import SetReader, shifted
from lightning_seq.data.sources.piano_rolls import NOTES, choose_pieces
from lightning_seq.errors import UserError
from lightning_seq.spec import Batch, DataSpec


class Rolls(Dataset[Batch]):
    """The batches of a split: `rolls[share]`. `inputs` and `targets` are float32 `[B, T, 88]`."""

    def __init__(self, split: RollSplit) -> None:
        self.split = split

    def __len__(self) -> int:
        return len(self.split)

    def __getitem__(self, share: Share) -> Batch:
        rows = np.array(share.indices, dtype=np.int64)
        real = rows != STAND_IN
        rows[~real] = 0
        starts, lengths = self.split.offsets[rows].tolist(), self.split.lengths[rows]
        mask = np.arange(lengths.max()) < lengths[:, None]
        targets = np.zeros((*mask.shape, self.split.steps.shape[1]), dtype=np.float32)
        for row, (start, length) in enumerate(zip(starts, lengths.tolist(), strict=True)):
            targets[row, :length] = self.split.steps[start : start + length]
        inputs = shifted(targets)
        inputs[torch.from_numpy(~mask)] = 0
        return Batch(
            ids=torch.from_numpy(rows),
            inputs=inputs,
            mask=torch.from_numpy(mask),
            targets=torch.from_numpy(targets),
            target_mask=torch.from_numpy(mask & real[:, None]),
            count=share.count,
        )


class SequencesOfSetsData(LightningDataModule):
    """Pieces of polyphonic music, prepared and batched for predicting the notes of each step from those before.

    A piece of T steps is T targets of 88 bits; its inputs are a step of silence and its steps without the last, so that
    the first step is predicted too. The published loss (Boulanger-Lewandowski et al. 2012, then Chung et al. 2014) is
    a sum over the 88 notes and a mean over all steps of all pieces of a split: so counted, the notes' own frequencies
    (`Note 1-gram`) score 11.06 nats on the test split of JSB Chorales, as in the former's Table 1.

    Give `prepared`, or a `cache` and

    train, validation, test: files of the user's own, json lines as `{"notes": [[60, 64, 67], [], [62]]}`; else
    mirror, mirror_path, mirror_config: a directory in Hub layout, and the set in it; else
    hub:             `{id, config, revision}`.
    source:          the set's name, for people.
    notes_column, splits: see `NotesColumn`; notes_column is the key in files too.
    validation_fraction, test_fraction, split_seed: see `Cut`.
    licence:         of the data, for people.

    batch_size:      of the global batch, over all ranks, in pieces.
    eval_batch_size: for validation, test and prediction; None: the same.
    seed:            of the order of batches.

    A batch's `count` is how many steps the global batch has.

    Everything is read, or prepared, when the object is made. Raises UserError as the sources and `prepare_rolls` do.
    """

    vocabulary = None

    def __init__(
        self,
        source: str | None = None,
        cache: Path | str | None = None,
        *,
        prepared: PreparedRolls | None = None,
        hub: Mapping[str, Any] | None = None,
        mirror: str | None = None,
        mirror_path: str | None = None,
        mirror_config: str | None = None,
        train: str | None = None,
        validation: str | None = None,
        test: str | None = None,
        notes_column: str = "notes",
        splits: Mapping[str, str | None] | None = None,
        validation_fraction: float = 0.1,
        test_fraction: float = 0.1,
        split_seed: int = 1,
        licence: str | None = None,
        batch_size: int = 8,
        eval_batch_size: int | None = None,
        seed: int = 1,
        num_workers: int = 0,
    ) -> None:
        super().__init__()
        for name, value in (("batch_size", batch_size), ("eval_batch_size", eval_batch_size)):
            if value is not None and value < 1:
                raise UserError(f"data.{name} is {value}, expected at least 1")
        if num_workers < 0:
            raise UserError(f"data.num_workers is {num_workers}, expected at least 0")
        if prepared is None:
            if source is None or cache is None:
                raise UserError("SequencesOfSetsData needs `prepared`, or `source` and `cache`: give data.source=NAME")
            chosen = choose_pieces(
                source,
                hub=hub,
                mirror=mirror,
                mirror_path=mirror_path,
                mirror_config=mirror_config,
                train=train,
                validation=validation,
                test=test,
                notes_column=notes_column,
                splits=splits,
                validation_fraction=validation_fraction,
                test_fraction=test_fraction,
                split_seed=split_seed,
            )
            prepared = prepare_rolls(chosen, cache)
        self.prepared, self.licence = prepared, licence
        self.batch_size, self.eval_batch_size = batch_size, eval_batch_size or batch_size
        self.seed, self.num_workers = seed, num_workers
        self.reader = SetReader(prepared.spec)

    @property
    def spec(self) -> DataSpec:
        return self.prepared.spec

    @property
    def fingerprints(self) -> dict[str, str]:
        return self.prepared.fingerprints

    def train_sentences(self) -> Iterator[list[str]]:
        """None: sets of notes are no words."""
        return iter(())

    def summary(self) -> str:
        """What there is, in one line, and a line for each thing that may surprise."""
        sizes = ", ".join(
            f"{name} {len(split):,} ({len(split.steps):,})" for name, split in self.prepared.splits.items()
        )
        sounding = float(self.prepared.splits["train"].steps.sum(1, dtype=np.int64).mean())
        head = f"{self.prepared.name}: {sizes} pieces (steps), {sounding:.1f} of {len(NOTES)} notes sound at a step"
        return "\n".join([head, *(f"  {line}" for line in self.prepared.report)])

    def encode(self, texts: Sequence[str]) -> Batch:
        """New pieces as one batch; see `SetReader.encode`."""
        return self.reader.encode(texts)

    def to_plain(self) -> dict[str, Any]:
        """The spec as plain values: `SetReader.from_plain` reads them."""
        return self.reader.to_plain()

    def train_dataloader(self) -> DataLoader[Batch]:
        return self._loader("train", self.batch_size, shuffle=True)

    def val_dataloader(self) -> DataLoader[Batch]:
        return self._loader("validation", self.eval_batch_size, shuffle=False)

    def test_dataloader(self) -> DataLoader[Batch]:
        return self._loader("test", self.eval_batch_size, shuffle=False)

    def predict_dataloader(self) -> DataLoader[Batch]:
        return self.test_dataloader()

    def _loader(self, name: str, batch_size: int, shuffle: bool) -> DataLoader[Batch]:
        split = self.prepared.splits[name]
        rank, world = (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)
        sampler = TargetSampler(
            split.lengths,
            split.lengths,
            batch_size,
            seed=self.seed,
            shuffle=shuffle,
            rank=rank,
            world=world,
            accumulate=accumulated(self) if shuffle else 1,
        )
        if shuffle:
            return TrainLoader(Rolls(split), sampler, self.num_workers)
        return DataLoader(Rolls(split), **loader_options(sampler, self.num_workers))
