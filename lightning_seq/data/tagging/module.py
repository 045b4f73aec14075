"""Batches for tagging."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch.utils.data import Dataset

from lightning_seq.data.bucket_sampler import BatchShard
from lightning_seq.data.example_ids import ExampleIds, read_ids
from lightning_seq.data.module import DataModule
from lightning_seq.data.planner import Planner
from lightning_seq.data.sources.tagged import TaggedSource
from lightning_seq.data.tagging.prepare import prepare_tags
from lightning_seq.data.tagging.prepared import PreparedTags, TaggedSplit
from lightning_seq.data.tagging.reader import TagReader
from lightning_seq.data.tagging.settings import TagSettings
from lightning_seq.data.tagging.spelling import Spellings, WordForm
from lightning_seq.data.token_arrays import unknown_share
from lightning_seq.spec import NOT_COUNTED, Batch
from lightning_seq.text.padding import pad_flat
from lightning_seq.text.vocabulary import Vocabulary
from lightning_seq.value_types import MAX_TOKENS, Size, Workers


class TaggedSentenceDataset(Dataset[Batch]):
    """The batches of a split, `dataset[shard]`. intents: whether batches have them."""

    def __init__(self, split: TaggedSplit, spellings: Spellings, intents: bool = False) -> None:
        self.split, self.spellings, self.intents = split, spellings, intents

    def __getitem__(self, shard: BatchShard) -> Batch:
        split, (rows, real) = self.split, shard.rows()
        inputs, mask, extra = self.spellings.look_up(split.flat, split.offsets, rows)
        targets, _ = pad_flat(split.tags, split.offsets, rows)
        counts = mask & (targets != NOT_COUNTED) & torch.from_numpy(real)[:, None]
        if self.intents:
            extra["intents"] = torch.from_numpy(np.where(real, split.intents[rows], NOT_COUNTED))
        return Batch(torch.from_numpy(rows), inputs, mask, targets.clamp_(min=0), counts, shard.count, extra)


class TaggingData(DataModule[PreparedTags, TagReader]):
    """Tagged sentences, prepared and batched.

    Give `prepared`, or a `source` and a `cache`.

    lower, digits, normalise: see `WordForm`.
    min_count, max_vocabulary, max_word_length, max_length, scheme, repair, unseen_tags: see `TagSettings`.
    bare: see `TagReader`.

    batch_size, eval_batch_size, seed, num_workers, licence, max_tokens: see `DataModule`.

    A batch's `extra` holds `characters` `[U, C]` of the U spellings in it; `spelling` `[B, T]`, the number of each
    token among them; `case` `[B, T]`, a place in `CASES`; and, where the set has intents, `intents` `[B]`, -1 for one
    that does not count. `target_mask` is False on padding, on a padding sample, and on tokens whose tag does not count.

    The constructor reads or prepares all data. Raises UserError as the source and `prepare_tags` do.
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
        max_tokens: Size = MAX_TOKENS,
    ) -> None:
        super().__init__(batch_size, eval_batch_size, seed, num_workers, licence, max_tokens)
        form = WordForm(lower, digits, normalise)
        self.prepared = prepared = prepared or prepare_tags(
            *self.required(source, cache),
            TagSettings(form, min_count, max_vocabulary, max_word_length, max_length, scheme, repair, unseen_tags),
        )
        symbols = prepared.vocabulary, prepared.characters, prepared.intents, prepared.scheme
        settings = prepared.settings
        limits = settings.max_word_length, settings.max_length
        self.reader = TagReader(prepared.spec, *symbols, settings.form, *limits, bare)

    @property
    def vocabulary(self) -> Vocabulary:
        return self.prepared.vocabulary

    @property
    def train_labels(self) -> np.ndarray:
        """`[tokens]`, the tags of the training tokens that count."""
        tags = self.prepared.splits["train"].tags
        return tags[tags != NOT_COUNTED]

    def tokens(self, split: str, row: int) -> list[str]:
        """The sentence `row` (one of a batch's `ids`) of a split as the source writes it."""
        return self.prepared.tokens(split, row)

    def example_ids(self, split: str) -> ExampleIds:
        """The source's names of the sentences of a split, in the order of a batch's `ids`."""
        return read_ids(self.prepared, split)

    def headline(self) -> str:
        prepared = self.prepared
        unknown = unknown_share(prepared.spellings.words[prepared.splits["test"].flat])
        kinds = f"{len(prepared.tags)} tags" + (f" ({prepared.scheme.upper()})" if prepared.scheme != "none" else "")
        return (
            f"{prepared.name}: {self.sizes()} sentences, {kinds}, "
            + (f"{len(prepared.intents)} intents, " if prepared.intents else "")
            + f"{len(self.vocabulary):,} words (unknown in test: {unknown:.1%} of the tokens), "
            f"{len(prepared.characters):,} characters"
        )

    def batches(self, split: str) -> tuple[Dataset[Batch], Planner[BatchShard]]:
        prepared, sentences = self.prepared, self.prepared.splits[split]
        dataset = TaggedSentenceDataset(sentences, prepared.spellings, bool(prepared.intents))
        return dataset, self.bucket_sampler(split, sentences.lengths, sentences.counts)
