"""Batches for tagging: a LightningDataModule, and the reader of new text that goes into checkpoints."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import Dataset

from lightning_seq.data.bucket_sampler import BatchShard
from lightning_seq.data.example_ids import ExampleIds, read_ids
from lightning_seq.data.loader import Planner
from lightning_seq.data.module import DataModule
from lightning_seq.data.sources.tagged import TaggedSource
from lightning_seq.data.tagging.prepare import prepare_tags
from lightning_seq.data.tagging.prepared import PreparedTags, TaggedSplit, unknown_share
from lightning_seq.data.tagging.reader import TagReader
from lightning_seq.data.tagging.settings import TagSettings
from lightning_seq.data.tagging.spelling import Spellings, WordForm
from lightning_seq.errors import UserError
from lightning_seq.spec import NOT_COUNTED, Batch
from lightning_seq.text.padding import pad_flat
from lightning_seq.text.vocabulary import Vocabulary
from lightning_seq.value_types import Size, Workers


class TaggedSentenceDataset(Dataset[Batch]):
    """The batches of a split, `dataset[shard]`, built straight from the flat arrays.

    intents: whether batches have them.
    """

    def __init__(self, split: TaggedSplit, spellings: Spellings, intents: bool = False) -> None:
        self.split, self.spellings, self.intents = split, spellings, intents

    def __len__(self) -> int:
        return len(self.split)

    def __getitem__(self, shard: BatchShard) -> Batch:
        split, (rows, real) = self.split, shard.rows()
        inputs, mask, extra = self.spellings.look_up(split.flat, split.offsets, rows)
        targets, _ = pad_flat(split.tags, split.offsets, rows)
        counts = mask & (targets != NOT_COUNTED) & torch.from_numpy(real)[:, None]
        if self.intents:
            extra["intents"] = torch.from_numpy(np.where(real, split.intents[rows], NOT_COUNTED))
        return Batch(
            ids=torch.from_numpy(rows),
            inputs=inputs,
            mask=mask,
            targets=targets.clamp_(min=0),
            target_mask=counts,
            count=shard.count,
            extra=extra,
        )


class TaggingData(DataModule[PreparedTags, TagReader]):
    """Tagged sentences, prepared and batched.

    Give `prepared`, or a `source` and a `cache`:

    lower, digits, normalise: see `WordForm`.
    min_count, max_vocabulary, max_word_length, max_length, scheme, repair, unseen_tags: see `TagSettings`.
    bare: see `TagReader`.

    batch_size, eval_batch_size, seed, num_workers, licence: see `DataModule`.

    A batch's `extra` holds `characters` `[U, C]`, of the U spellings in it; `spelling` `[B, T]`, which of them each
    token is; `case` `[B, T]`, a place in `CASES`; and, where the set has intents, `intents` `[B]`, -1 for one that does
    not count. `target_mask` is False on padding, on a padding sample, and on tokens whose tag does not count.

    Everything is read, or prepared, when the object is made. Raises UserError as the source and `prepare_tags` do.
    """

    def __init__(
        self,
        source: TaggedSource | None = None,
        cache: Path | str | None = None,
        *,
        prepared: PreparedTags | None = None,
        licence: str | None = None,
        lower: bool = True,
        normalise: str = "nfc",
        digits: bool = True,
        min_count: Size = 1,
        max_vocabulary: Size | None = None,
        max_word_length: Size = 30,
        max_length: Size | None = None,
        scheme: str = "auto",
        repair: bool = False,
        unseen_tags: str = "error",
        bare: bool = False,
        batch_size: Size = 32,
        eval_batch_size: Size | None = None,
        seed: int = 1,
        num_workers: Workers = 0,
    ) -> None:
        super().__init__(batch_size, eval_batch_size, seed, num_workers, licence)
        if prepared is None:
            if source is None or cache is None:
                raise UserError("TaggingData needs `prepared`, or `source` and `cache`: give data=NAME")
            settings = TagSettings(
                WordForm(lower, digits, normalise),
                min_count,
                max_vocabulary,
                max_word_length,
                max_length,
                scheme,
                repair,
                unseen_tags,
            )
            prepared = prepare_tags(source, cache, settings)
        self.prepared = prepared
        self.reader = TagReader(
            prepared.spec,
            prepared.vocabulary,
            prepared.characters,
            prepared.intents,
            prepared.scheme,
            prepared.settings.form,
            prepared.settings.max_word_length,
            prepared.settings.max_length,
            bare,
        )

    @property
    def vocabulary(self) -> Vocabulary:
        return self.prepared.vocabulary

    @property
    def characters(self) -> tuple[str, ...]:
        """By id; `<pad> <unk>` first."""
        return self.prepared.characters

    @property
    def intents(self) -> tuple[str, ...]:
        """Names of the classes of whole sentences; empty where the set has none."""
        return self.prepared.intents

    @property
    def scheme(self) -> str:
        """See `PreparedTags`."""
        return self.prepared.scheme

    @property
    def train_labels(self) -> np.ndarray:
        """`[tokens]`, the tags of the training tokens that count."""
        tags = self.prepared.splits["train"].tags
        return tags[tags != NOT_COUNTED]

    def tokens(self, split: str, row: int) -> list[str]:
        """The sentence `row` (a batch's `ids`) of a split as the source writes it."""
        return self.prepared.tokens(split, row)

    def example_ids(self, split: str) -> ExampleIds:
        """What the source calls the sentences of a split, in the order of a batch's `ids`."""
        return read_ids(self.prepared, split)

    def train_sentences(self) -> Iterator[list[str]]:
        """The words of the train split's sentences, whole and with all their words, for training word vectors."""
        return self.prepared.train_sentences()

    def headline(self) -> str:
        prepared = self.prepared
        sizes = ", ".join(f"{name} {len(split):,}" for name, split in prepared.splits.items())
        kinds = f"{len(prepared.tags)} tags" + (f" ({prepared.scheme.upper()})" if prepared.scheme != "none" else "")
        return (
            f"{prepared.name}: {sizes} sentences, {kinds}, "
            + (f"{len(prepared.intents)} intents, " if prepared.intents else "")
            + f"{len(self.vocabulary):,} words (unknown in test: {unknown_share(prepared, 'test'):.1%} of the tokens), "
            f"{len(prepared.characters):,} characters"
        )

    def batches(self, split: str) -> tuple[Dataset[Batch], Planner]:
        prepared, sentences = self.prepared, self.prepared.splits[split]
        dataset = TaggedSentenceDataset(sentences, prepared.spellings, bool(prepared.intents))
        return dataset, self.bucket_sampler(split, sentences.lengths, sentences.counts)
