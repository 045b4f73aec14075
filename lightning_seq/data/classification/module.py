"""Batches for sequence classification: a LightningDataModule, and the reader of new text that goes into checkpoints."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.pytorch import LightningDataModule
from torch.utils.data import DataLoader, Dataset

from lightning_seq.data.bucket_sampler import STAND_IN, BucketSampler, Share
from lightning_seq.data.classification.prepare import EncodedSplit, Prepared, prepare, unknown_share
from lightning_seq.data.classification.reader import TextReader
from lightning_seq.data.example_ids import ExampleIds, read_ids
from lightning_seq.data.loader import TrainLoader, accumulated, loader_options
from lightning_seq.data.sources.choose import choose
from lightning_seq.errors import UserError
from lightning_seq.spec import Batch, DataSpec
from lightning_seq.text.padding import pad_flat
from lightning_seq.text.tokenise import Tokeniser
from lightning_seq.text.vocabulary import Vocabulary


class Sentences(Dataset[Batch]):
    """The batches of a split: `sentences[share]`, built straight from the flat array."""

    def __init__(self, split: EncodedSplit) -> None:
        self.split = split

    def __len__(self) -> int:
        return len(self.split)

    def __getitem__(self, share: Share) -> Batch:
        indices = np.array(share.indices, dtype=np.int64)
        real = indices != STAND_IN
        indices[~real] = 0
        inputs, mask = pad_flat(self.split.flat, self.split.offsets, indices)
        return Batch(
            ids=torch.from_numpy(indices),
            inputs=inputs,
            mask=mask,
            targets=torch.from_numpy(self.split.labels[indices]),
            target_mask=torch.from_numpy(real),
            count=share.count,
        )

    def __getitems__(self, share: Share) -> Batch:
        """For a DataLoader with `batch_sampler=` and `collate_fn=whole`."""
        return self[share]


def whole(batch: Batch) -> Batch:
    """A collate function that has nothing to do."""
    return batch


class ClassificationData(LightningDataModule):
    """Labelled sentences, prepared and batched.

    Give `prepared`, or a `source` (`verses_genre word_order agreement hub csv tsv jsonl text`) with what it needs and a
    `cache`:

    version:             of the Bible, for verses_genre.
    distance, examples:  see `Agreement`.
    hub:                 `{id, config, revision}`; any other key is an argument that holds for the Hub alone.
    mirror, mirror_path, mirror_config: a directory in Hub layout, and the set in it; used in the Hub's place if given.
    train, validation, test: files of the user's own.
    text_column, label_column, id_column, classes, splits: see `Columns`.
    delimiter, encoding, quotes: of files of the user's own, see `Files`.
    validation_fraction, test_fraction, split_seed: see `Cut`.
    licence:             of the data, for people.
    level, lower, replace: see `Tokeniser`.
    min_count, max_vocabulary, max_length: see `prepare`.

    batch_size:      of the global batch, over all ranks.
    eval_batch_size: for validation, test and prediction; None: the same.
    seed:            of the order of batches.

    Everything is read, or prepared, when the object is made. Raises UserError as the sources and `prepare` do.
    """

    def __init__(
        self,
        source: str | None = None,
        cache: Path | str | None = None,
        *,
        prepared: Prepared | None = None,
        version: str = "kjv",
        distance: int = 12,
        examples: int = 4000,
        hub: Mapping[str, Any] | None = None,
        mirror: str | None = None,
        mirror_path: str | None = None,
        mirror_config: str | None = None,
        train: str | None = None,
        validation: str | None = None,
        test: str | None = None,
        text_column: str = "text",
        label_column: str = "label",
        delimiter: str | None = None,
        encoding: str = "utf-8",
        quotes: bool | None = None,
        classes: Sequence[str] | None = None,
        id_column: str | None = None,
        splits: Mapping[str, str | None] | None = None,
        validation_fraction: float = 0.1,
        test_fraction: float = 0.1,
        split_seed: int = 1,
        licence: str | None = None,
        level: str = "word",
        lower: bool = True,
        normalise: str = "nfc",
        replace: Mapping[str, str] | None = None,
        min_count: int = 1,
        max_vocabulary: int | None = None,
        max_length: int | None = None,
        batch_size: int = 64,
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
                raise UserError("ClassificationData needs `prepared`, or `source` and `cache`: give data.source=NAME")
            chosen = choose(
                source,
                version=version,
                distance=distance,
                examples=examples,
                hub=hub,
                mirror=mirror,
                mirror_path=mirror_path,
                mirror_config=mirror_config,
                train=train,
                validation=validation,
                test=test,
                text_column=text_column,
                label_column=label_column,
                delimiter=delimiter,
                encoding=encoding,
                quotes=quotes,
                classes=classes,
                id_column=id_column,
                splits=splits,
                validation_fraction=validation_fraction,
                test_fraction=test_fraction,
                split_seed=split_seed,
            )
            tokeniser = Tokeniser(level, lower, dict(replace or {}), normalise=normalise)
            prepared = prepare(chosen, cache, tokeniser, min_count, max_vocabulary, max_length)
        self.prepared, self.licence = prepared, licence
        self.batch_size, self.eval_batch_size = batch_size, eval_batch_size or batch_size
        self.seed, self.num_workers = seed, num_workers
        self.reader = TextReader(prepared.spec, prepared.vocabulary, prepared.tokeniser, prepared.max_length)

    @property
    def spec(self) -> DataSpec:
        return self.prepared.spec

    @property
    def vocabulary(self) -> Vocabulary:
        return self.prepared.vocabulary

    @property
    def fingerprints(self) -> dict[str, str]:
        return self.prepared.fingerprints

    @property
    def train_labels(self) -> np.ndarray:
        """`[N]`, the class ids of the training examples."""
        return self.prepared.splits["train"].labels

    def example_ids(self, split: str) -> ExampleIds:
        """What the source calls the examples of a split, in the order of a batch's `ids`."""
        return read_ids(self.prepared, split)

    def train_sentences(self) -> Iterator[list[str]]:
        """The sentences of the train split, whole and with all their words, for training word vectors."""
        return self.prepared.train_sentences()

    def summary(self) -> str:
        """What there is, in one line, and a line for each thing that may surprise."""
        sizes = ", ".join(f"{name} {len(split):,}" for name, split in self.prepared.splits.items())
        head = (
            f"{self.prepared.name}: {sizes} sentences, {len(self.prepared.classes)} classes, {len(self.vocabulary):,} "
            f"words (unknown in test: {unknown_share(self.prepared.splits['test']):.1%} of the tokens)"
        )
        return "\n".join([head, *(f"  {line}" for line in self.prepared.report)])

    def encode(self, texts: Sequence[str]) -> Batch:
        """New texts as one batch; see `TextReader.encode`."""
        return self.reader.encode(texts)

    def to_plain(self) -> dict[str, Any]:
        """Spec, vocabulary, tokeniser and labels as plain values: `TextReader.from_plain` reads them."""
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
        step = accumulated(self) if shuffle else 1
        sampler = BucketSampler(split.lengths, batch_size, self.seed, shuffle, rank=rank, world=world, accumulate=step)
        if shuffle:
            return TrainLoader(Sentences(split), sampler, self.num_workers)
        return DataLoader(Sentences(split), **loader_options(sampler, self.num_workers))
