"""Batches for sequence to sequence: a LightningDataModule."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from lightning_seq.data.bucket_sampler import BatchShard
from lightning_seq.data.example_ids import ExampleIds, read_ids
from lightning_seq.data.loader import Planner
from lightning_seq.data.module import DataModule
from lightning_seq.data.sequence_to_sequence.prepare import prepare_pairs
from lightning_seq.data.sequence_to_sequence.prepared import PairSplit, PreparedPairs, unknown_share
from lightning_seq.data.sequence_to_sequence.reader import PairReader
from lightning_seq.data.sequence_to_sequence.settings import PairSettings
from lightning_seq.data.sources.pairs import PairSource
from lightning_seq.errors import UserError
from lightning_seq.files import fingerprint
from lightning_seq.spec import Batch, DataSpec, Tokens, TokenSequence
from lightning_seq.text.padding import pad_flat
from lightning_seq.text.vocabulary import Vocabulary
from lightning_seq.value_types import Size, Workers


class PairDataset(Dataset[Batch]):
    """The batches of a split, `dataset[shard]`, built straight from the flat arrays."""

    def __init__(self, split: PairSplit) -> None:
        self.split = split

    def __len__(self) -> int:
        return len(self.split)

    def __getitem__(self, shard: BatchShard) -> Batch:
        split, (rows, real) = self.split, shard.rows()
        inputs, mask = pad_flat(split.source.flat, split.source.offsets, rows)
        targets, target_mask = pad_flat(split.target.flat, split.target.offsets, rows)
        extra = {}
        if split.links is not None and split.link_offsets is not None:
            shape = (*targets.shape, inputs.shape[1])
            extra["alignments"] = _alignments(split.links, split.link_offsets, rows, shape)
        return Batch(
            ids=torch.from_numpy(rows),
            inputs=inputs,
            mask=mask,
            targets=targets,
            target_mask=target_mask if real.all() else target_mask & torch.from_numpy(real)[:, None],
            count=shard.count,
            extra=extra,
        )


def _alignments(links: np.ndarray, offsets: np.ndarray, rows: np.ndarray, shape: tuple[int, int, int]) -> Tensor:
    """`[B, T, S]` bool, True where target token t comes from source token s."""
    starts = offsets[rows]
    counts = offsets[rows + 1] - starts
    places = np.repeat(starts - np.cumsum(counts) + counts, counts) + np.arange(counts.sum())
    found = links[places]
    dense = np.zeros(shape, dtype=bool)
    dense[np.repeat(np.arange(len(rows)), counts), found[:, 0], found[:, 1]] = True
    return torch.from_numpy(dense)


@dataclass(frozen=True)
class TargetSide:
    """The targets alone, as data that word vectors can be trained for.

    spec: their tokens are its inputs.
    """

    spec: DataSpec
    vocabulary: Vocabulary
    fingerprints: dict[str, str]
    prepared: PreparedPairs

    def train_sentences(self) -> Iterator[list[str]]:
        """The tokens of the train split's targets, whole and with all their words."""
        return self.prepared.train_sentences("target")


class SequenceToSequenceData(DataModule[PreparedPairs, PairReader]):
    """Pairs of texts, prepared and batched.

    Give `prepared`, or a `source` and a `cache`:

    level, target_level, subword, target_subword, lower, normalise, min_count, max_vocabulary, joint_vocabulary,
    max_length, max_target_length, source_eos: see `PairSettings`.

    batch_size, eval_batch_size, seed, num_workers, licence: see `DataModule`.

    A batch's `targets` `[B, T]` end with `<eos>` and do not begin with `<bos>`; `target_mask` is False on padding and
    on a padding sample; `count` is how many targets, `<eos>` among them, the global batch has. Where the links between
    the tokens of sources and targets are known, `extra` holds `alignments` `[B, T, S]`, bool. Pairs of like length, of
    the source first and then of the target, are in the same batch.

    Everything is read, or prepared, when the object is made. Raises UserError as the source and `prepare_pairs` do.
    """

    def __init__(
        self,
        source: PairSource | None = None,
        cache: Path | str | None = None,
        *,
        prepared: PreparedPairs | None = None,
        licence: str | None = None,
        level: str = "word",
        target_level: str | None = None,
        subword: Mapping[str, Any] | None = None,
        target_subword: Mapping[str, Any] | None = None,
        lower: bool = True,
        normalise: str = "nfc",
        min_count: Size = 1,
        max_vocabulary: Size | None = None,
        joint_vocabulary: bool = False,
        max_length: Size | None = None,
        max_target_length: Size | None = None,
        source_eos: bool = False,
        batch_size: Size = 64,
        eval_batch_size: Size | None = None,
        seed: int = 1,
        num_workers: Workers = 0,
    ) -> None:
        super().__init__(batch_size, eval_batch_size, seed, num_workers, licence)
        if prepared is None:
            if source is None or cache is None:
                raise UserError("SequenceToSequenceData needs `prepared`, or `source` and `cache`: give data=NAME")
            settings = PairSettings(
                level,
                target_level,
                subword or {},
                target_subword,
                lower,
                min_count,
                max_vocabulary,
                joint_vocabulary,
                max_length,
                max_target_length,
                source_eos,
                normalise,
            )
            prepared = prepare_pairs(source, cache, settings)
        self.prepared = prepared
        self.reader = PairReader(
            prepared.spec,
            prepared.vocabulary,
            prepared.target_vocabulary,
            prepared.source,
            prepared.target,
            prepared.settings.max_length,
            prepared.settings.source_eos,
            *prepared.languages,
        )

    @property
    def vocabulary(self) -> Vocabulary:
        """Of the sources."""
        return self.prepared.vocabulary

    @property
    def target_vocabulary(self) -> Vocabulary:
        """Of the targets: with `joint_vocabulary` the same object as that of the sources."""
        return self.prepared.target_vocabulary

    @property
    def aligned(self) -> bool:
        """Whether batches have `alignments`."""
        return self.prepared.aligned

    @property
    def target_side(self) -> TargetSide:
        """What word vectors for the targets are trained on; with a joint vocabulary they are those of the sources."""
        words, own = self.target_vocabulary.words, self.fingerprints["data"]
        if not self.prepared.settings.joint_vocabulary:
            own = fingerprint({"side": "target", "data": own})
        return TargetSide(
            DataSpec(Tokens(words), TokenSequence(words)), self.target_vocabulary, {"data": own}, self.prepared
        )

    def lengths(self, split: str) -> np.ndarray:
        """`[N]`, tokens of each source as batches have it."""
        return self.prepared.splits[split].source.lengths

    def target_lengths(self, split: str) -> np.ndarray:
        """`[N]`, tokens of each target, `<eos>` among them."""
        return self.prepared.splits[split].target.lengths

    def source_text(self, split: str, row: int) -> str:
        """The source of pair `row` (a batch's `ids`) of a split as the set has it."""
        return self.prepared.text(split, "source", row)

    def target_text(self, split: str, row: int) -> str:
        """The target of pair `row` of a split as the set has it, whole."""
        return self.prepared.text(split, "target", row)

    def reference(self, split: str, row: int) -> str:
        """The target of pair `row` as `reader.decode` would give it if every token were known, whole."""
        return self.reader.reference(self.target_text(split, row))

    def example_ids(self, split: str) -> ExampleIds:
        """What the source calls the pairs of a split, in the order of a batch's `ids`."""
        return read_ids(self.prepared, split)

    def train_sentences(self) -> Iterator[list[str]]:
        """The tokens of the train split's sources, whole and with all their words, for training word vectors."""
        return self.prepared.train_sentences("source")

    def headline(self) -> str:
        prepared, test = self.prepared, self.prepared.splits["test"]
        sizes = ", ".join(f"{name} {len(split):,}" for name, split in prepared.splits.items())
        sides = (
            (prepared.source, self.vocabulary, test.source, "source"),
            (prepared.target, self.target_vocabulary, test.target, "target"),
        )
        vocabularies = ", ".join(
            f"{len(vocabulary):,} {side} {_NAMES[segmenter.level]} (unknown in test: {unknown_share(part):.1%})"
            for segmenter, vocabulary, part, side in sides
        )
        joint = " (one vocabulary)" if prepared.settings.joint_vocabulary else ""
        return f"{prepared.name}: {sizes} pairs, {vocabularies}{joint}" + (", aligned" if self.aligned else "")

    def batches(self, split: str) -> tuple[Dataset[Batch], Planner]:
        pairs = self.prepared.splits[split]
        sources, targets = pairs.source.lengths, pairs.target.lengths
        order = sources * (int(targets.max()) + 1) + targets  # by the length of the source, then of the target
        return PairDataset(pairs), self.bucket_sampler(split, order, targets)


_NAMES = {"word": "words", "spaced": "words", "character": "characters", "subword": "subwords"}
