"""Batches of utterances with transcripts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
from torch.utils.data import Dataset

from lightning_seq.data.bucket_sampler import BatchShard
from lightning_seq.data.example_ids import ExampleIds, read_ids
from lightning_seq.data.front_end import FrontEnd
from lightning_seq.data.module import DataModule
from lightning_seq.data.planner import Planner
from lightning_seq.data.sources.speech import SpeechSource
from lightning_seq.data.spec_augment import SpecAugment
from lightning_seq.data.speech.prepare import PreparedSpeech, SpeechSplit, prepare_speech
from lightning_seq.data.speech.reader import SpeechReader, padded
from lightning_seq.data.speech.settings import LEVELS, NORMALISE, SpeechSettings
from lightning_seq.errors import UserError
from lightning_seq.spec import SPANS, Batch, Features
from lightning_seq.text.padding import pad_flat
from lightning_seq.text.vocabulary import SPECIALS, Vocabulary
from lightning_seq.value_types import MAX_TOKENS, OneOf, Size, Workers


class SpeechDataset(Dataset[Batch]):
    """The batches of a split, `dataset[shard]`.

    hop:     seconds between two frames.
    blocks:  1, and one for each order of deltas. augment, seed: of training, or None.
    """

    def __init__(
        self, split: SpeechSplit, hop: float, blocks: int = 1, augment: SpecAugment | None = None, seed: int = 1
    ) -> None:
        self.split, self.hop, self.blocks, self.augment, self.seed = split, hop, blocks, augment, seed

    def __getitem__(self, shard: BatchShard) -> Batch:
        split, (rows, real) = self.split, shard.rows()
        features = [split.steps[int(split.offsets[row]) : int(split.offsets[row + 1])] for row in rows.tolist()]
        if self.augment:
            features = [
                self.augment(one, self.blocks, self.seed, shard.epoch, row)
                for one, row in zip(features, rows.tolist(), strict=True)
            ]
        inputs, mask = padded(features)
        targets, target_mask = pad_flat(split.transcripts.flat, split.transcripts.offsets, rows)
        extra = {}
        if split.spans is not None:
            extra[SPANS] = torch.from_numpy(self._frames(rows, targets.shape[1]))
        counts = target_mask & torch.from_numpy(real)[:, None]
        return Batch(torch.from_numpy(rows), inputs, mask, targets, counts, shard.count, extra)

    def _frames(self, rows: np.ndarray, length: int) -> np.ndarray:
        """`[B, T', 2]` float32, in frames."""
        spans, offsets = np.full((len(rows), length, 2), np.nan, dtype=np.float32), self.split.transcripts.offsets
        for number, row in enumerate(rows):
            own = self.split.spans[offsets[row] : offsets[row + 1]]  # type: ignore[index]
            spans[number, : len(own)] = own / self.hop
        return spans


class SpeechData(DataModule[PreparedSpeech, SpeechReader]):
    """Utterances with transcripts, prepared and batched.

    Give `prepared`, or a `source` and a `cache`.

    front_end: the arguments of `FrontEnd`; augment: those of `SpecAugment`.
    normalise, level, lower, min_count: see `SpeechSettings`.

    batch_size, eval_batch_size, seed, num_workers, licence, max_tokens: see `DataModule`; a batch is of utterances.

    A batch's `inputs` are features `[B, T, D]`; `targets` `[B, T']` end with `<eos>`. Where the source knows when each
    symbol sounds, `extra` holds `spans` `[B, T', 2]`: the frames from and to (exclusive), NaN for `<eos>`. The `count`
    of a batch is the number of symbols, `<eos>` counted.

    The constructor reads or prepares all data. Raises UserError as the source and `prepare_speech` do.
    """

    def __init__(
        self,
        source: SpeechSource | None = None,
        cache: Path | str | None = None,
        *,
        prepared: PreparedSpeech | None = None,
        licence: str | None = None,
        front_end: Mapping[str, object] | None = None,
        normalise: Annotated[str, OneOf(NORMALISE)] = "group",
        augment: Mapping[str, object] | None = None,
        level: Annotated[str, OneOf(LEVELS)] = "character",
        lower: bool = True,
        min_count: Size = 1,
        batch_size: Size = 16,
        eval_batch_size: Size | None = None,
        seed: int = 1,
        num_workers: Workers = 0,
        max_tokens: Size = MAX_TOKENS,
    ) -> None:
        super().__init__(batch_size, eval_batch_size, seed, num_workers, licence, max_tokens)
        self.augment = SpecAugment(**(augment or {}))  # type: ignore[arg-type]
        settings = SpeechSettings(FrontEnd(**(front_end or {})), normalise, level, lower, min_count)  # type: ignore[arg-type]
        self.prepared = made = prepared or prepare_speech(*self.required(source, cache), settings)
        if self.augment and made.settings.normalise == "none":
            raise UserError(
                "data.augment writes 0, the mean of normalised features: expected data.normalise=global, sequence or "
                "group"
            )
        self.reader = SpeechReader(
            made.spec, made.vocabulary, made.segmenter, made.settings.front_end, made.settings.normalise, made.mean,
            made.scale, made.is_audio,
        )  # fmt: skip

    @property
    def vocabulary(self) -> Vocabulary:
        return self.prepared.vocabulary

    @property
    def hop(self) -> float:
        """Seconds between two frames."""
        return self.prepared.settings.front_end.hop / 1000

    def lengths(self, split: str) -> np.ndarray:
        """`[N]`, frames."""
        return self.prepared.splits[split].lengths

    def reference(self, split: str, row: int) -> str:
        """The transcript of an utterance as `reader.decode` would write it."""
        return self.reader.reference(self.prepared.texts(split)[row])

    def example_ids(self, split: str) -> ExampleIds:
        """The source's names of the utterances of a split, in the order of a batch's `ids`."""
        return read_ids(self.prepared, split)

    def headline(self) -> str:
        prepared = self.prepared
        hours = sum(int(split.offsets[-1]) for split in prepared.splits.values()) * self.hop / 3600
        width, units = prepared.spec.inputs_as(Features).width, len(prepared.vocabulary) - len(SPECIALS)
        kind = "characters" if prepared.settings.level == "character" else "words"
        return f"{prepared.name}: {self.sizes()} utterances, {hours:.2f} hours, {width} numbers a frame, {units} {kind}"

    def batches(self, split: str) -> tuple[Dataset[Batch], Planner[BatchShard]]:
        own, front = self.prepared.splits[split], self.prepared.settings.front_end
        augment = self.augment if split == "train" and self.augment else None
        dataset = SpeechDataset(own, self.hop, 1 + front.deltas, augment, self.seed)
        return dataset, self.bucket_sampler(split, own.lengths, own.transcripts.lengths)
