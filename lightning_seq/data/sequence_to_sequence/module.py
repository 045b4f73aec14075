"""Batches for sequence to sequence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from lightning_seq.data.bucket_sampler import BatchShard
from lightning_seq.data.example_ids import ExampleIds, read_ids
from lightning_seq.data.module import DataModule
from lightning_seq.data.planner import Planner
from lightning_seq.data.sequence_to_sequence.prepare import prepare_pairs
from lightning_seq.data.sequence_to_sequence.prepared import PairSplit, PreparedPairs
from lightning_seq.data.sequence_to_sequence.reader import PairReader
from lightning_seq.data.sequence_to_sequence.settings import PairSettings
from lightning_seq.data.sources.pairs import PairSource
from lightning_seq.data.token_arrays import unknown_share
from lightning_seq.files import Plain, fingerprint
from lightning_seq.spec import Batch, DataSpec, Tokens, TokenSequence
from lightning_seq.text.padding import pad_flat
from lightning_seq.text.segmenter import Segmenter
from lightning_seq.text.vocabulary import EOS, Vocabulary
from lightning_seq.value_types import MAX_TOKENS, Size, Workers


class PairDataset(Dataset[Batch]):
    """The batches of a split, `dataset[shard]`."""

    def __init__(self, split: PairSplit) -> None:
        self.split = split

    def __getitem__(self, shard: BatchShard) -> Batch:
        split, (rows, real) = self.split, shard.rows()
        inputs, mask = pad_flat(split.source.flat, split.source.offsets, rows)
        targets, target_mask = pad_flat(split.target.flat, split.target.offsets, rows)
        extra = {}
        if split.links is not None and split.link_offsets is not None:
            shape = (*targets.shape, inputs.shape[1])
            extra["alignments"] = _alignments(split.links, split.link_offsets, rows, shape)
        counts = target_mask & torch.from_numpy(real)[:, None]
        return Batch(torch.from_numpy(rows), inputs, mask, targets, counts, shard.count, extra)


def _alignments(links: np.ndarray, offsets: np.ndarray, rows: np.ndarray, shape: tuple[int, int, int]) -> Tensor:
    """`[B, T, S]` bool, True where target token t comes from source token s."""
    starts = offsets[rows]
    counts = offsets[rows + 1] - starts
    targets, sources = links[np.repeat(starts - np.cumsum(counts) + counts, counts) + np.arange(counts.sum())].T
    dense = np.zeros(shape, dtype=bool)
    dense[np.repeat(np.arange(len(rows)), counts), targets, sources] = True
    return torch.from_numpy(dense)


@dataclass(frozen=True)
class TargetSide:
    """The targets alone, as data with inputs of their own, for which word vectors can be trained."""

    spec: DataSpec
    vocabulary: Vocabulary
    fingerprints: dict[str, str]
    prepared: PreparedPairs

    def train_sentences(self) -> Iterator[list[str]]:
        """The tokens of the train split's targets, whole and with all their words."""
        return self.prepared.train_sentences("target")


class SequenceToSequenceData(DataModule[PreparedPairs, PairReader]):
    """Pairs of texts, prepared and batched.

    Give `prepared`, or a `source` and a `cache`.

    level, target_level, subword, target_subword, lower, normalise, min_count, max_vocabulary, joint_vocabulary,
    max_length, max_target_length, source_eos: see `PairSettings`.

    batch_size, eval_batch_size, seed, num_workers, licence, max_tokens: see `DataModule`.

    A batch's `targets` `[B, T]` end with `<eos>` and do not begin with `<bos>`; `target_mask` is False on padding and
    on a padding sample; `count` is the number of targets, with `<eos>`, in the global batch. Where the links between
    the tokens of sources and targets are known, `extra` holds `alignments` `[B, T, S]`, bool. A batch holds pairs of
    similar length, of the source first and then of the target.

    The constructor reads or prepares all data. Raises UserError as the source and `prepare_pairs` do.
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
        subword: Mapping[str, Plain] | None = None,
        target_subword: Mapping[str, Plain] | None = None,
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
        max_tokens: Size = MAX_TOKENS,
    ) -> None:
        super().__init__(batch_size, eval_batch_size, seed, num_workers, licence, max_tokens)
        if prepared is None:
            levels = level, target_level, subword or {}, target_subword
            words = lower, min_count, max_vocabulary, joint_vocabulary
            settings = PairSettings(*levels, *words, max_length, max_target_length, source_eos, normalise)
            prepared = prepare_pairs(*self.required(source, cache), settings)
        self.prepared, settings = prepared, prepared.settings
        sides = prepared.vocabulary, prepared.target_vocabulary, prepared.source, prepared.target
        limits = settings.max_length, settings.source_eos
        self.reader = PairReader(prepared.spec, *sides, *limits, *prepared.languages)

    @property
    def vocabulary(self) -> Vocabulary:
        """Of the sources."""
        return self.prepared.vocabulary

    @property
    def target_vocabulary(self) -> Vocabulary:
        """Of the targets: with `joint_vocabulary` the same object as that of the sources."""
        return self.prepared.target_vocabulary

    @property
    def target_side(self) -> TargetSide:
        """The data on which word vectors for the targets are trained; a joint vocabulary has one set of vectors."""
        words, own = self.target_vocabulary.words, self.fingerprints["data"]
        if not self.prepared.settings.joint_vocabulary:
            own = fingerprint({"side": "target", "data": own})
        return TargetSide(
            DataSpec(Tokens(words), TokenSequence(words)), self.target_vocabulary, {"data": own}, self.prepared
        )

    def lengths(self, split: str) -> np.ndarray:
        """`[N]`, tokens of each source in a batch."""
        return self.prepared.splits[split].source.lengths

    def source_text(self, split: str, row: int) -> str:
        """The source of pair `row` (one of a batch's `ids`) of a split as the set has it."""
        return self.prepared.text(split, "source", row)

    def target_text(self, split: str, row: int) -> str:
        """The whole target of pair `row` of a split as the set has it."""
        return self.prepared.text(split, "target", row)

    def reference(self, split: str, row: int) -> str:
        """The whole target of pair `row` as `reader.decode` would write it if every token were known."""
        return self.reader.reference(self.target_text(split, row))

    def example_ids(self, split: str) -> ExampleIds:
        """The source's names of the pairs of a split, in the order of a batch's `ids`."""
        return read_ids(self.prepared, split)

    def headline(self) -> str:
        prepared, test = self.prepared, self.prepared.splits["test"]
        source = _side_headline("source", prepared.source, prepared.vocabulary, test.source.flat)
        target = _side_headline("target", prepared.target, prepared.target_vocabulary, test.target.flat)
        joint = " (one vocabulary)" if prepared.settings.joint_vocabulary else ""
        aligned = ", aligned" if prepared.aligned else ""
        return f"{prepared.name}: {self.sizes()} pairs, {source}, {target}{joint}{aligned}"

    def batches(self, split: str) -> tuple[Dataset[Batch], Planner[BatchShard]]:
        pairs = self.prepared.splits[split]
        sources, targets = pairs.source.lengths, pairs.target.lengths
        order = sources * (int(targets.max()) + 1) + targets  # by the length of the source, then of the target
        return PairDataset(pairs), self.bucket_sampler(split, order, targets, sources + targets)


def _side_headline(side: str, segmenter: Segmenter, vocabulary: Vocabulary, flat: np.ndarray) -> str:
    unit = {"character": "characters", "subword": "subwords"}.get(segmenter.level, "words")
    return f"{len(vocabulary):,} {side} {unit} (unknown in test: {unknown_share(flat[flat != EOS]):.1%})"
