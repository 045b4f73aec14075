"""Batches for sequence classification."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import Dataset

from lightning_seq.data.bucket_sampler import BatchShard
from lightning_seq.data.classification.prepare import EncodedSplit, Prepared, prepare
from lightning_seq.data.classification.reader import TextReader
from lightning_seq.data.example_ids import ExampleIds, read_ids
from lightning_seq.data.module import DataModule
from lightning_seq.data.planner import Planner
from lightning_seq.data.sources.table import Loaded, Source, Table
from lightning_seq.data.token_arrays import unknown_share
from lightning_seq.spec import Batch
from lightning_seq.text.padding import pad_flat
from lightning_seq.text.tokenise import Tokeniser
from lightning_seq.text.vocabulary import Vocabulary
from lightning_seq.value_types import MAX_TOKENS, Size, Workers


class SentenceDataset(Dataset[Batch]):
    """The batches of a split, `dataset[shard]`."""

    def __init__(self, split: EncodedSplit) -> None:
        self.split = split

    def __getitem__(self, shard: BatchShard) -> Batch:
        rows, real = shard.rows()
        inputs, mask = pad_flat(self.split.flat, self.split.offsets, rows)
        targets, counts = torch.from_numpy(self.split.labels[rows]), torch.from_numpy(real)
        return Batch(torch.from_numpy(rows), inputs, mask, targets, counts, shard.count)


class ClassificationData(DataModule[Prepared, TextReader]):
    """Labelled sentences, prepared and batched.

    Give `prepared`, or a `source` and a `cache`.

    level, lower, normalise, replace: see `Tokeniser`.
    min_count, max_vocabulary, max_length: see `prepare`.

    batch_size, eval_batch_size, seed, num_workers, licence, max_tokens: see `DataModule`.

    The constructor reads or prepares all data. Raises UserError as the source and `prepare` do.
    """

    def __init__(
        self,
        source: Source[Loaded[Table]] | None = None,
        cache: Path | str | None = None,
        *,
        prepared: Prepared | None = None,
        licence: str | None = None,
        level: str = "word",
        lower: bool = True,
        normalise: str = "nfc",
        replace: Mapping[str, str] | None = None,
        min_count: Size = 1,
        max_vocabulary: Size | None = None,
        max_length: Size | None = None,
        batch_size: Size = 64,
        eval_batch_size: Size | None = None,
        seed: int = 1,
        num_workers: Workers = 0,
        max_tokens: Size = MAX_TOKENS,
    ) -> None:
        super().__init__(batch_size, eval_batch_size, seed, num_workers, licence, max_tokens)
        self.prepared = prepared = prepared or prepare(
            *self.required(source, cache),
            Tokeniser(level, lower, dict(replace or {}), normalise=normalise),
            min_count,
            max_vocabulary,
            max_length,
        )
        self.reader = TextReader(prepared.spec, prepared.vocabulary, prepared.tokeniser, prepared.max_length)

    @property
    def vocabulary(self) -> Vocabulary:
        return self.prepared.vocabulary

    @property
    def train_labels(self) -> np.ndarray:
        """`[N]`, the class ids of the training examples."""
        return self.prepared.splits["train"].labels

    def example_ids(self, split: str) -> ExampleIds:
        """The source's names of the examples of a split, in the order of a batch's `ids`."""
        return read_ids(self.prepared, split)

    def headline(self) -> str:
        unknown = unknown_share(self.prepared.splits["test"].flat)
        return (
            f"{self.prepared.name}: {self.sizes()} sentences, {len(self.prepared.classes)} classes, "
            f"{len(self.vocabulary):,} words (unknown in test: {unknown:.1%} of the tokens)"
        )

    def batches(self, split: str) -> tuple[Dataset[Batch], Planner[BatchShard]]:
        sentences = self.prepared.splits[split]
        return SentenceDataset(sentences), self.bucket_sampler(split, sentences.lengths)
