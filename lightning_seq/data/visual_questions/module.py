"""Batches of questions about pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
from torch.utils.data import Dataset

from lightning_seq.data.bucket_sampler import BatchShard
from lightning_seq.data.example_ids import ExampleIds, read_ids
from lightning_seq.data.module import DataModule
from lightning_seq.data.picture_inputs import PRECISIONS, MakeFeatures, PictureInputs, picture_inputs
from lightning_seq.data.pictures import FITS
from lightning_seq.data.planner import Planner
from lightning_seq.data.sources.visual_questions import QuestionSource
from lightning_seq.data.token_arrays import unknown_share
from lightning_seq.data.visual_questions.prepare import PreparedQuestions, QuestionSplit, prepare_questions
from lightning_seq.data.visual_questions.reader import QuestionReader
from lightning_seq.data.visual_questions.settings import NORMALISERS, QuestionSettings
from lightning_seq.spec import AGREEMENT, ANNOTATED, CHOICES, KINDS, PICTURES, Answer, Batch
from lightning_seq.text.padding import pad_flat
from lightning_seq.text.vocabulary import Vocabulary
from lightning_seq.value_types import MAX_TOKENS, OneOf, Size, Workers


class QuestionDataset(Dataset[Batch]):
    """The batches of a split, `dataset[shard]`."""

    def __init__(self, split: QuestionSplit, inputs: PictureInputs) -> None:
        self.split, self.inputs = split, inputs

    def __getitem__(self, shard: BatchShard) -> Batch:
        split, (rows, real) = self.split, shard.rows()
        inputs, mask = pad_flat(split.flat, split.offsets, rows)
        extra = {
            PICTURES: self.inputs.take(split.picture[rows], shard, rows),
            KINDS: torch.from_numpy(split.kinds[rows]),
        }
        if split.annotated.size:
            extra[ANNOTATED] = torch.from_numpy(split.annotated[rows])
            extra[AGREEMENT] = torch.from_numpy(split.agreement[rows])
        if split.choices.size:
            extra[CHOICES] = torch.from_numpy(split.choices[rows])
        answers, counts = torch.from_numpy(split.answers[rows]), torch.from_numpy(real)
        return Batch(torch.from_numpy(rows), inputs, mask, answers, counts, shard.count, extra)


class VisualQuestionData(DataModule[PreparedQuestions, QuestionReader]):
    """Questions about pictures, prepared and batched.

    Give `prepared`, or a `source` and a `cache`.

    size, fit, channels: of pictures; level, lower, normalise, min_count, max_vocabulary, max_length: of questions; see
                         `CaptionSettings`; top_answers, normalise_answers: see `QuestionSettings`.

    features, features_precision: the encoder whose features replace the pictures, see `picture_inputs`.
    augment: the arguments of `Augment`.

    batch_size, eval_batch_size, seed, num_workers, licence, max_tokens: see `DataModule`.

    A batch's `extra` holds `pictures` `[B, channels, height, width]` uint8 or features `[B, S, F]`, and `kinds` `[B]`,
    the kind of each question; of sets with several annotators, `annotated` and `agreement` `[B, M]`, see `agreements`;
    of sets with choices, `choices` `[B, M]`, see `choice_ids`. A target that the model cannot give is the number of
    answers.

    The constructor reads or prepares all data. Raises UserError as the source and `prepare_questions` do.
    """

    def __init__(
        self,
        source: QuestionSource | None = None,
        cache: Path | str | None = None,
        *,
        prepared: PreparedQuestions | None = None,
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
        top_answers: Size | None = None,
        normalise_answers: Annotated[str, OneOf(tuple(NORMALISERS))] = "none",
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
        settings = QuestionSettings(
            size, fit, channels, level, lower, normalise, min_count, max_vocabulary, max_length, top_answers,
            normalise_answers,
        )  # fmt: skip
        self.prepared = prepared = prepared or prepare_questions(*self.required(source, cache), settings)
        settings = prepared.settings
        self.inputs = picture_inputs(prepared, features, features_precision, augment, seed)
        self.reader = QuestionReader(
            prepared.spec,
            prepared.vocabulary,
            prepared.segmenter,
            settings.fit,
            settings.max_length,
            settings.normalise_answers,
        )

    @property
    def vocabulary(self) -> Vocabulary:
        return self.prepared.vocabulary

    @property
    def train_labels(self) -> np.ndarray:
        """`[N]`, the ids of the answers of the training examples."""
        return self.prepared.splits["train"].answers

    def example_ids(self, split: str) -> ExampleIds:
        """The source's names of the questions of a split, in the order of a batch's `ids`."""
        return read_ids(self.prepared, split)

    def headline(self) -> str:
        prepared, (height, width) = self.prepared, self.prepared.settings.height_and_width
        pictures = sum(len(split.pictures) for split in prepared.splits.values())
        unknown = unknown_share(prepared.splits["test"].flat)
        return (
            f"{prepared.name}: {self.sizes()} questions about {pictures:,} pictures of {height} x {width}, "
            f"{len(prepared.spec.targets_as(Answer).names)} answers, {len(self.vocabulary):,} words "
            f"(unknown in test: {unknown:.1%} of the tokens)"
        )

    def batches(self, split: str) -> tuple[Dataset[Batch], Planner[BatchShard]]:
        questions = self.prepared.splits[split]
        return QuestionDataset(questions, self.inputs[split]), self.bucket_sampler(split, questions.lengths)
