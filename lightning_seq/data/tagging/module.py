"""Batches for tagging: a LightningDataModule, and the reader of new text that goes into checkpoints."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.pytorch import LightningDataModule
from torch.utils.data import DataLoader, Dataset

from lightning_seq.data.bucket_sampler import STAND_IN, Share
from lightning_seq.data.example_ids import ExampleIds, read_ids
from lightning_seq.data.loader import TargetSampler, TrainLoader, accumulated, loader_options
from lightning_seq.data.sources.choose_tagged import choose_tagged
from lightning_seq.data.tagging.prepare import prepare_tags
from lightning_seq.data.tagging.prepared import PreparedTags, TaggedSplit, unknown_share
from lightning_seq.data.tagging.reader import TagReader
from lightning_seq.data.tagging.settings import TagSettings
from lightning_seq.data.tagging.spelling import Spellings, WordForm
from lightning_seq.errors import UserError
from lightning_seq.spec import NOT_COUNTED, Batch, DataSpec
from lightning_seq.text.padding import pad_flat
from lightning_seq.text.vocabulary import Vocabulary


class TaggedSentences(Dataset[Batch]):
    """The batches of a split: `sentences[share]`, built straight from the flat arrays.

    intents: whether batches have them.
    """

    def __init__(self, split: TaggedSplit, spellings: Spellings, intents: bool = False) -> None:
        self.split, self.spellings, self.intents = split, spellings, intents

    def __len__(self) -> int:
        return len(self.split)

    def __getitem__(self, share: Share) -> Batch:
        split, rows = self.split, np.array(share.indices, dtype=np.int64)
        real = rows != STAND_IN
        rows[~real] = 0
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
            count=share.count,
            extra=extra,
        )


class TaggingData(LightningDataModule):
    """Tagged sentences, prepared and batched.

    Give `prepared`, or a `source` (`verses_punctuation look_ahead copy_memory hub conllu conll`) with what it needs and
    a `cache`:

    version:             of the Bible, for verses_punctuation.
    length, distance, symbols, examples: see `LookAhead` and `CopyMemory`.
    hub:                 `{id, config, revision}`; any other key is an argument that holds for the Hub alone.
    mirror, mirror_path, mirror_config: a directory in Hub layout, and the set in it; used in the Hub's place if given.
    train, validation, test: files of the user's own.
    encoding:            of files of the user's own.
    tokens_column, tag_column, intent_column, splits: see `TaggedColumns`, `Conllu` and `Conll`.
    id_column:           of a public set, see `TaggedColumns`.
    validation_fraction, test_fraction, split_seed: see `Cut`.
    licence:             of the data, for people.
    lower, digits, normalise: see `WordForm`.
    min_count, max_vocabulary, max_word_length, max_length, scheme, repair, unseen_tags: see `TagSettings`.
    bare:                see `TagReader`.

    batch_size:      of the global batch, over all ranks, in sentences.
    eval_batch_size: for validation, test and prediction; None: the same.
    seed:            of the order of batches.

    A batch's `extra` holds `characters` `[U, C]`, of the U spellings in it; `spelling` `[B, T]`, which of them each
    token is; `case` `[B, T]`, a place in `CASES`; and, where the set has intents, `intents` `[B]`, -1 for one that does
    not count. `target_mask` is False on padding, on a stand-in, and on tokens whose tag does not count.

    Everything is read, or prepared, when the object is made. Raises UserError as the sources and `prepare_tags` do.
    """

    def __init__(
        self,
        source: str | None = None,
        cache: Path | str | None = None,
        *,
        prepared: PreparedTags | None = None,
        version: str = "kjv",
        length: int = 20,
        distance: int = 3,
        symbols: int = 8,
        examples: int = 4000,
        hub: Mapping[str, Any] | None = None,
        mirror: str | None = None,
        mirror_path: str | None = None,
        mirror_config: str | None = None,
        train: str | None = None,
        validation: str | None = None,
        test: str | None = None,
        tokens_column: str | int | None = None,
        tag_column: str | int | None = None,
        intent_column: str | None = None,
        encoding: str = "utf-8",
        id_column: str | None = None,
        splits: Mapping[str, str | None] | None = None,
        validation_fraction: float = 0.1,
        test_fraction: float = 0.1,
        split_seed: int = 1,
        licence: str | None = None,
        lower: bool = True,
        normalise: str = "nfc",
        digits: bool = True,
        min_count: int = 1,
        max_vocabulary: int | None = None,
        max_word_length: int = 30,
        max_length: int | None = None,
        scheme: str = "auto",
        repair: bool = False,
        unseen_tags: str = "error",
        bare: bool = False,
        batch_size: int = 32,
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
                raise UserError("TaggingData needs `prepared`, or `source` and `cache`: give data.source=NAME")
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
            chosen = choose_tagged(
                source,
                version=version,
                length=length,
                distance=distance,
                symbols=symbols,
                examples=examples,
                hub=hub,
                mirror=mirror,
                mirror_path=mirror_path,
                mirror_config=mirror_config,
                train=train,
                validation=validation,
                test=test,
                tokens_column=tokens_column,
                tag_column=tag_column,
                intent_column=intent_column,
                encoding=encoding,
                id_column=id_column,
                splits=splits,
                validation_fraction=validation_fraction,
                test_fraction=test_fraction,
                split_seed=split_seed,
            )
            prepared = prepare_tags(chosen, cache, settings)
        self.prepared, self.licence = prepared, licence
        self.batch_size, self.eval_batch_size = batch_size, eval_batch_size or batch_size
        self.seed, self.num_workers = seed, num_workers
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
    def spec(self) -> DataSpec:
        return self.prepared.spec

    @property
    def vocabulary(self) -> Vocabulary:
        return self.prepared.vocabulary

    @property
    def fingerprints(self) -> dict[str, str]:
        return self.prepared.fingerprints

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

    def summary(self) -> str:
        """What there is, in one line, and a line for each thing that may surprise."""
        prepared = self.prepared
        sizes = ", ".join(f"{name} {len(split):,}" for name, split in prepared.splits.items())
        kinds = f"{len(prepared.tags)} tags" + (f" ({prepared.scheme.upper()})" if prepared.scheme != "none" else "")
        head = (
            f"{prepared.name}: {sizes} sentences, {kinds}, "
            + (f"{len(prepared.intents)} intents, " if prepared.intents else "")
            + f"{len(self.vocabulary):,} words (unknown in test: {unknown_share(prepared, 'test'):.1%} of the tokens), "
            f"{len(prepared.characters):,} characters"
        )
        return "\n".join([head, *(f"  {line}" for line in prepared.report)])

    def encode(self, texts: Sequence[str | Sequence[str]]) -> Batch:
        """New texts as one batch; see `TagReader.encode`."""
        return self.reader.encode(texts)

    def to_plain(self) -> dict[str, Any]:
        """Spec, vocabulary, characters and the rest as plain values: `TagReader.from_plain` reads them."""
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
            split.counts,
            batch_size,
            seed=self.seed,
            shuffle=shuffle,
            rank=rank,
            world=world,
            accumulate=accumulated(self) if shuffle else 1,
        )
        sentences = TaggedSentences(split, self.prepared.spellings, bool(self.prepared.intents))
        if shuffle:
            return TrainLoader(sentences, sampler, self.num_workers)
        return DataLoader(sentences, **loader_options(sampler, self.num_workers))
