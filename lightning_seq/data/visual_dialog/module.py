"""Batches of turns of dialogs about pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
from torch.utils.data import Dataset

from lightning_seq.data.bucket_sampler import BatchShard
from lightning_seq.data.captioning.settings import CaptionSettings
from lightning_seq.data.example_ids import ExampleIds, read_ids
from lightning_seq.data.module import DataModule
from lightning_seq.data.picture_inputs import PRECISIONS, MakeFeatures, PictureInputs, picture_inputs
from lightning_seq.data.pictures import FITS
from lightning_seq.data.planner import Planner
from lightning_seq.data.sources.dialogs import MOST_CANDIDATES, DialogSource
from lightning_seq.data.token_arrays import Ragged, unknown_share
from lightning_seq.data.visual_dialog.prepare import DialogSplit, PreparedDialogs, prepare_dialogs
from lightning_seq.data.visual_dialog.reader import DialogReader, stacked
from lightning_seq.spec import ANSWERS, CANDIDATES, HISTORY, KINDS, PICTURES, RELEVANCES, TURNS, Batch
from lightning_seq.text.padding import pad_flat
from lightning_seq.text.vocabulary import Vocabulary
from lightning_seq.value_types import MAX_TOKENS, OneOf, Size, Workers


class DialogDataset(Dataset[Batch]):
    """The batches of a split, `dataset[shard]`. answers: see `PreparedDialogs`."""

    def __init__(self, split: DialogSplit, answers: Ragged, pictures: PictureInputs) -> None:
        self.split, self.answers, self.pictures = split, answers, pictures
        self.first, self.known = split.known

    def __getitem__(self, shard: BatchShard) -> Batch:
        split, (rows, real) = self.split, shard.rows()
        inputs, mask = pad_flat(split.flat, split.offsets, rows)
        known = self.known[rows]
        facts = np.concatenate(
            [np.arange(start, start + count) for start, count in zip(self.first[rows], known, strict=True)]
        )
        history, _ = pad_flat(split.facts.flat, split.facts.offsets, facts)
        candidates, right = split.candidates[rows], split.answers[rows]
        different = np.unique(np.concatenate([right, candidates[candidates >= 0]]))
        answers, _ = pad_flat(self.answers.flat, self.answers.offsets, different)
        extra = {
            PICTURES: self.pictures.take(split.picture[rows], shard, rows),
            HISTORY: stacked(history, known.tolist()),
            ANSWERS: answers[None],
            CANDIDATES: torch.from_numpy(np.where(candidates >= 0, np.searchsorted(different, candidates), -1)),
            TURNS: torch.from_numpy(split.turn[rows]),
            KINDS: torch.from_numpy(split.kinds[rows]),
        }
        if split.relevances.size:
            extra[RELEVANCES] = torch.from_numpy(split.relevances[rows])
        targets, counts = torch.from_numpy(np.searchsorted(different, right)), torch.from_numpy(real)
        return Batch(torch.from_numpy(rows), inputs, mask, targets, counts, shard.count, extra)


class VisualDialogData(DataModule[PreparedDialogs, DialogReader]):
    """Dialogs about pictures, prepared and batched: a row is a turn, with all that is known before it.

    Give `prepared`, or a `source` and a `cache`; a source of questions gives dialogs of one turn.

    size, fit, channels: of pictures; level, lower, normalise, min_count, max_vocabulary, max_length: of captions,
                         questions and answers; see `CaptionSettings`.

    features, features_precision: the encoder whose features replace the pictures, see `picture_inputs`.
    augment: the arguments of `Augment`.

    batch_size, eval_batch_size, seed, num_workers, licence, max_tokens: see `DataModule`.

    A batch's `targets` `[B]` are the places of the right answers in the table `answers`. Its `extra` holds

        pictures    `[B, channels, height, width]` uint8, or features `[B, S, F]`
        history     `[B, K, T']`, the facts before a turn as ids: the caption with `<eos>`, or `<bos>` without one; then
                    each question with `<eos>` and its answer with `<eos>`; `<pad>` after them
        answers     `[1, A, T'']`, the different answers and candidates of these rows, with `<eos>` and `<pad>`
        candidates  `[B, C]`, the places of each turn's candidates in `answers`; -1 for none
        relevances  `[B, C]`, of the candidates, NaN for turns without; only where a turn of the split has them
        turns       `[B]`, the number of turns before
        kinds       `[B]`, the kind of each question

    The constructor reads or prepares all data. Raises UserError as the source and `prepare_dialogs` do.
    """

    def __init__(
        self,
        source: DialogSource | None = None,
        cache: Path | str | None = None,
        *,
        prepared: PreparedDialogs | None = None,
        licence: str | None = None,
        size: Size | Sequence[Size] = 48,
        fit: Annotated[str, OneOf(FITS)] = "pad",
        channels: Size = 3,
        level: str = "word",
        lower: bool = True,
        normalise: str = "nfc",
        min_count: Size = 1,
        max_vocabulary: Size | None = None,
        max_length: Size | None = None,
        batch_size: Size = 64,
        eval_batch_size: Size | None = None,
        seed: int = 1,
        num_workers: Workers = 0,
        max_tokens: Size = MAX_TOKENS,
        features: MakeFeatures | None = None,
        features_precision: Annotated[str, OneOf(PRECISIONS)] = "float32",
        augment: Mapping[str, float] | None = None,
    ) -> None:
        super().__init__(batch_size, eval_batch_size, seed, num_workers, licence, max_tokens)
        settings = CaptionSettings(size, fit, channels, level, lower, normalise, min_count, max_vocabulary, max_length)
        self.prepared = prepared = prepared or prepare_dialogs(*self.required(source, cache), settings)
        self.inputs = picture_inputs(prepared, features, features_precision, augment, seed)
        settings, counts, texts = prepared.settings, prepared.frequencies(), prepared.answer_texts()
        order = np.argsort(-counts, kind="stable")[:MOST_CANDIDATES]
        self.reader = DialogReader(
            prepared.spec,
            prepared.vocabulary,
            prepared.segmenter,
            settings.fit,
            settings.max_length,
            tuple(texts[number] for number in order.tolist() if counts[number]),
        )

    @property
    def vocabulary(self) -> Vocabulary:
        return self.prepared.vocabulary

    def example_ids(self, split: str) -> ExampleIds:
        """The source's names of the turns of a split, in the order of a batch's `ids`."""
        return read_ids(self.prepared, split)

    def headline(self) -> str:
        prepared, (height, width) = self.prepared, self.prepared.settings.height_and_width
        dialogs = sum(int(split.dialog[-1]) + 1 for split in prepared.splits.values())
        unknown = unknown_share(prepared.splits["test"].flat)
        return (
            f"{prepared.name}: {self.sizes()} turns of {dialogs:,} dialogs about pictures of {height} x {width}, "
            f"{len(prepared.answers):,} answers, {len(self.vocabulary):,} words (unknown in test: {unknown:.1%} of the "
            "tokens of questions)"
        )

    def batches(self, split: str) -> tuple[Dataset[Batch], Planner[BatchShard]]:
        turns = self.prepared.splits[split]
        first, known = turns.known
        offsets = turns.facts.offsets
        read = turns.lengths + offsets[first + known] - offsets[first]
        return DialogDataset(turns, self.prepared.answers, self.inputs[split]), self.bucket_sampler(split, read)
