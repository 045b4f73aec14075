"""Texts with one class each, as a DataModule."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.pytorch import LightningDataModule
from torch.utils.data import DataLoader, Dataset

from lightning_seq.data.batching import NOBODY, BucketSampler, Share
from lightning_seq.data.prepare import EncodedSplit, Settings, prepare
from lightning_seq.data.sources.files import FORMATS, FileSource
from lightning_seq.data.sources.hub import HubSource
from lightning_seq.data.sources.table import SPLITS, Source
from lightning_seq.data.sources.verses import VersesGenre
from lightning_seq.errors import UserError, near
from lightning_seq.spec import Batch, Class, DataSpec, Tokens
from lightning_seq.text.padding import pad
from lightning_seq.text.tokenise import Tokeniser
from lightning_seq.text.vocabulary import UNK, Vocabulary

SOURCES = ("verses_genre", "hub", *FORMATS)


@dataclass(frozen=True)
class TextReader:
    """From new text to a batch, as in training; what a checkpoint keeps of the data.

    spec:       what goes in and what comes out.
    max_length: tokens after which a text is cut, or None.
    """

    spec: DataSpec
    tokeniser: Tokeniser
    vocabulary: Vocabulary
    max_length: int | None = None

    def encode(self, texts: Sequence[str]) -> Batch:
        """Ids `[B, T]` and their mask; the targets are zeros and do not count.

        Raises UserError for a text without a token, or without a known word.
        """
        rows = []
        for text in texts:
            ids = np.array(self.vocabulary.encode(self.tokeniser(text)[: self.max_length]), np.int64)
            if not len(ids) or (ids == UNK).all():
                what = "is empty" if not len(ids) else "has only words that were not in the training text"
                raise UserError(f"the text {text[:60]!r} {what}: give a sentence with at least one known word")
            rows.append(ids)
        ids, mask = pad(rows)
        nothing = torch.zeros(len(rows), dtype=torch.int64)
        return Batch(torch.arange(len(rows)), ids, mask, nothing, torch.zeros(len(rows), dtype=torch.bool), 0)

    def to_plain(self) -> dict[str, Any]:
        names = self.spec.targets.names if isinstance(self.spec.targets, Class) else ()
        return {
            "names": list(names),
            "tokeniser": self.tokeniser.to_plain(),
            "vocabulary": self.vocabulary.to_plain(),
            "max_length": self.max_length,
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> TextReader:
        vocabulary = Vocabulary.from_plain(plain["vocabulary"])
        spec = DataSpec(Tokens(vocabulary.words), Class(tuple(plain["names"])))
        return cls(spec, Tokeniser.from_plain(plain["tokeniser"]), vocabulary, plain["max_length"])


class EncodedTexts(Dataset[Batch]):
    """A split, handed out batch by batch straight from the flat array."""

    def __init__(self, split: EncodedSplit) -> None:
        self.split = split

    def __len__(self) -> int:
        return len(self.split)

    def __getitems__(self, share: Share) -> Batch:
        rows = np.array(share.rows)
        real = rows != NOBODY
        rows = np.where(real, rows, 0)
        flat, offsets = self.split.flat, self.split.offsets
        inputs, mask = pad([flat[offsets[row] : offsets[row + 1]] for row in rows])
        return Batch(
            ids=torch.from_numpy(rows),
            inputs=inputs,
            mask=mask,
            targets=torch.from_numpy(self.split.labels[rows]),
            target_mask=torch.from_numpy(real),
            count=share.count,
        )


def _as_it_is(batch: Batch) -> Batch:
    return batch


class ClassificationData(LightningDataModule):
    """Texts with one class each.

    source:         `verses_genre`, `hub`, `csv`, `jsonl` or `text`.
    version:        of the verses: `kjv` or `web`.
    hub:            `id`, `config`, `revision` on the Hugging Face Hub; `mirror_path` in a mirror; `mirror`: a directory
                    in Hub layout, used in the Hub's place.
    splits:         the set's own names for train, validation, test; null where it has none (then it is cut from train).
    train, validation, test: files of the user's own.
    text_column, label_column: where the set or file keeps them.
    level, lower, replace: of the tokeniser.
    min_count, max_vocabulary: which words of the train split are known.
    max_length:     tokens after which a text is cut.
    batch_size:     sequences of a global batch, over all ranks; `eval_batch_size` for validation and test.
    seed:           of the batch order. `split_seed`: of the splits, the same for every run.
    cache:          where prepared data live.
    """

    def __init__(
        self,
        source: str,
        cache: Path,
        seed: int = 1,
        version: str = "kjv",
        hub: Mapping[str, str | None] | None = None,
        mirror_path: str | None = None,
        mirror: str | None = None,
        splits: Mapping[str, str | None] | None = None,
        train: str | None = None,
        validation: str | None = None,
        test: str | None = None,
        text_column: str = "text",
        label_column: str = "label",
        level: str = "word",
        lower: bool = True,
        replace: Mapping[str, str] | None = None,
        min_count: int = 1,
        max_vocabulary: int | None = None,
        max_length: int | None = None,
        batch_size: int = 64,
        eval_batch_size: int = 256,
        num_workers: int = 0,
        split_seed: int = 1,
        validation_fraction: float = 0.1,
        test_fraction: float = 0.1,
        licence: str | None = None,
    ) -> None:
        super().__init__()
        if source not in SOURCES:
            raise UserError(f"data.source is {source!r}: {near(source, SOURCES)}")
        for key, value in (("batch_size", batch_size), ("eval_batch_size", eval_batch_size)):
            if value < 1:
                raise UserError(f"data.{key} is {value}, expected at least 1")
        if split_seed < 0 or num_workers < 0:
            raise UserError(f"data.split_seed={split_seed} data.num_workers={num_workers}: expected at least 0")
        found: Source
        if source == "verses_genre":
            found = VersesGenre(version, split_seed)
        elif source == "hub":
            found = HubSource(
                hub or {},
                mirror_path or str((hub or {}).get("id")),
                Path(mirror).expanduser() if mirror else None,
                text_column,
                label_column,
                splits or {split: split for split in SPLITS},
                cache,
            )
        else:
            given = {"train": train, "validation": validation, "test": test}
            if not train:
                raise UserError(f"data={source} needs a file to train on: give data.train=FILE")
            paths = {split: Path(path).expanduser() for split, path in given.items() if path}
            found = FileSource(source, paths, text_column, label_column)
        tokeniser = Tokeniser(level, lower, replace or {})
        settings = Settings(
            tokeniser, min_count, max_vocabulary, max_length, split_seed, validation_fraction, test_fraction
        )
        self.prepared = prepare(found, settings, cache)
        self.reader = TextReader(self.prepared.spec, tokeniser, self.prepared.vocabulary, max_length)
        self.batch_size, self.eval_batch_size = batch_size, eval_batch_size
        self.seed, self.num_workers = seed, num_workers

    @property
    def spec(self) -> DataSpec:
        return self.prepared.spec

    @property
    def vocabulary(self) -> Vocabulary:
        return self.prepared.vocabulary

    @property
    def fingerprints(self) -> dict[str, str]:
        """`data`: of all that made the ids; `split`: of which text is in which split."""
        return self.prepared.fingerprints

    @property
    def train_labels(self) -> np.ndarray:
        return self.prepared.splits["train"].labels

    def train_sentences(self) -> Iterator[list[str]]:
        return self.prepared.train_sentences()

    def summary(self) -> str:
        """What was prepared, in a line or two."""
        sizes = ", ".join(f"{len(split):,} {name}" for name, split in self.prepared.splits.items())
        lengths = self.prepared.splits["train"].lengths
        classes = self.spec.targets.size if isinstance(self.spec.targets, Class) else 0
        line = (
            f"data: {sizes} texts; {classes} classes; {len(self.vocabulary) - 4:,} words; "
            f"{lengths.mean():.0f} tokens a text, {lengths.max()} at most"
        )
        return "\n".join([line, *self.prepared.notes])

    def to_plain(self) -> dict[str, Any]:
        return self.reader.to_plain()

    def _loader(self, split: str, batch_size: int, shuffle: bool) -> DataLoader[Batch]:
        trainer = self.trainer
        texts = EncodedTexts(self.prepared.splits[split])
        sampler = BucketSampler(
            texts.split.lengths,
            batch_size,
            self.seed,
            shuffle,
            rank=trainer.global_rank if trainer else 0,
            world=trainer.world_size if trainer else 1,
        )
        return DataLoader(
            texts,
            batch_sampler=sampler,  # type: ignore[arg-type]
            collate_fn=_as_it_is,
            num_workers=self.num_workers,
            # A generator of its own: torch would otherwise draw from the run's stream each time a loader is iterated.
            generator=torch.Generator().manual_seed(self.seed),
        )

    def train_dataloader(self) -> DataLoader[Batch]:
        return self._loader("train", self.batch_size, shuffle=True)

    def val_dataloader(self) -> DataLoader[Batch]:
        return self._loader("validation", self.eval_batch_size, shuffle=False)

    def test_dataloader(self) -> DataLoader[Batch]:
        return self._loader("test", self.eval_batch_size, shuffle=False)
