"""Batches for language modelling."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import Dataset

from lightning_seq.data.bucket_sampler import BatchShard
from lightning_seq.data.cache import check_limits
from lightning_seq.data.columns_sampler import SHORTEST, ColumnsSampler
from lightning_seq.data.language_modelling.column_chunks import ColumnChunkDataset
from lightning_seq.data.language_modelling.prepare import LineReading, PreparedText, TextSplit, prepare_text
from lightning_seq.data.language_modelling.reader import LanguageReader
from lightning_seq.data.module import DataModule
from lightning_seq.data.planner import Planner
from lightning_seq.data.sources.corpus import CorpusSource
from lightning_seq.data.token_arrays import counts_of, unknown_share
from lightning_seq.errors import UserError, near
from lightning_seq.spec import Batch
from lightning_seq.text.padding import pad_flat
from lightning_seq.text.tokenise import Tokeniser
from lightning_seq.text.vocabulary import PAD, Vocabulary
from lightning_seq.value_types import MAX_TOKENS, Size, Workers

LAYOUTS = ("columns", "sequences")


class LineDataset(Dataset[Batch]):
    """The batches of a text whose lines are separate sequences, `dataset[shard]`.

    before: the id before each line; None: the first token of a line is not predicted, and is the first input.
    """

    def __init__(self, split: TextSplit, before: int | None) -> None:
        self.flat, self.before = split.flat, before
        rows = np.flatnonzero(np.diff(split.offsets) > (before is None))
        self.starts, self.ends, self.ids = split.offsets[rows], split.offsets[rows + 1], rows

    @cached_property
    def targets(self) -> np.ndarray:
        """`[N]`, predicted tokens of each line."""
        return self.ends - self.starts - (self.before is None)

    def __getitem__(self, shard: BatchShard) -> Batch:
        rows, real = shard.rows()
        # The start and the end of each row as two offsets of `pad_flat`.
        bounds = np.stack([self.starts[rows], self.ends[rows]], 1).reshape(-1)
        tokens, mask = pad_flat(self.flat, bounds, np.arange(0, len(bounds), 2))
        if self.before is None:
            inputs, targets, mask = tokens[:, :-1], tokens[:, 1:], mask[:, 1:]
            inputs = inputs.masked_fill(~mask, PAD)
        else:
            first = torch.full((len(rows), 1), self.before)
            inputs, targets = torch.cat([first, tokens[:, :-1]], 1).masked_fill(~mask, PAD), tokens
        counts = mask & torch.from_numpy(real)[:, None]
        return Batch(torch.from_numpy(self.ids[rows]), inputs, mask, targets, counts, shard.count)


class LanguageModellingData(DataModule[PreparedText, LanguageReader]):
    """Running text, prepared and batched for predicting the next token.

    Give `prepared`, or a `source` and a `cache`.

    level, lower, normalise, replace: see `Tokeniser`.
    eos, blank_lines: see `LineReading`.
    min_count, max_vocabulary: see `prepare_text`.

    layout: `columns`: a split is one long text, cut into one column for each row of a batch; batches are successive
            windows of all columns, and a task carries the state from one batch to the next. `sequences`: every line is
            a sequence, and a batch holds lines of similar length.

    For columns:

    chunk_length:      k1, new tokens of a window; `random_chunks` draws their number in training, see `random_lengths`.
    backward_length:   k2, all tokens of a window in training, which ends with the new ones; None: only the new ones.
    eval_chunk_length: as chunk_length, for validation, test and prediction; None: the same.

    batch_size:      of the global batch, over all ranks; of columns a multiple of the number of ranks.
    seed:            of drawn lengths, or of the order of lines.
    eval_batch_size, num_workers, licence: see `DataModule`.

    Every token of a split is the target of exactly one batch of a pass: no token is dropped, and where a column is one
    token shorter the last step is masked. The end of a line (`LineReading.line_end`) precedes the first token of a
    split; if lines have no end, the first token is not predicted. The ids of a batch of columns are the positions of
    the first targets of its windows in the split. Its `extra` holds

    advance: int64, 0-d: from the start of this window to the start of the next one (0 while a k2 window grows). The
             next batch starts from the state after that many inputs.
    new:     int64, 0-d: steps of this window whose tokens are new, the same on every rank.
    fresh:   bool, 0-d: the first of a pass.

    The constructor reads or prepares all data. Raises UserError as the sources and `prepare_text` do, for k2 < k1, and
    for a text shorter than one batch.
    """

    def __init__(
        self,
        source: CorpusSource | None = None,
        cache: Path | str | None = None,
        *,
        prepared: PreparedText | None = None,
        licence: str | None = None,
        level: str = "word",
        lower: bool = True,
        normalise: str = "nfc",
        replace: Mapping[str, str] | None = None,
        eos: bool = True,
        blank_lines: bool = False,
        min_count: Size = 1,
        max_vocabulary: Size | None = None,
        layout: str = "columns",
        chunk_length: Size = 35,
        backward_length: Size | None = None,
        random_chunks: bool = False,
        eval_chunk_length: Size | None = None,
        batch_size: Size = 32,
        eval_batch_size: Size | None = None,
        seed: int = 1,
        num_workers: Workers = 0,
        max_tokens: Size = MAX_TOKENS,
    ) -> None:
        super().__init__(batch_size, eval_batch_size, seed, num_workers, licence, max_tokens)
        if layout not in LAYOUTS:
            raise UserError(f"data.layout is {layout!r}; {near(str(layout), LAYOUTS)}")
        check_limits(chunk_length=chunk_length, eval_chunk_length=eval_chunk_length)
        _check_chunks(layout, chunk_length, backward_length, random_chunks)
        if prepared is None:
            spaces = "keep" if level == "character" else "join"
            tokeniser = Tokeniser(level, lower, dict(replace or {}), spaces, normalise)
            reading = LineReading(tokeniser, eos, blank_lines)
            prepared = prepare_text(*self.required(source, cache), reading, min_count, max_vocabulary)
        self.prepared, self.layout = prepared, layout
        self.chunk_length, self.backward_length, self.random_chunks = chunk_length, backward_length, random_chunks
        self.eval_chunk_length = eval_chunk_length or chunk_length
        self.reader = LanguageReader(prepared.spec, prepared.vocabulary, prepared.reading, layout)
        self._check_lengths()

    def _check_lengths(self) -> None:
        for split, tokens in self.tokens.items():
            if self.layout == "sequences":
                if tokens < 1:
                    raise UserError(
                        f"{self.prepared.name}: the {split} split has no line with a token to predict: "
                        "expected lines of at least two tokens"
                    )
                continue
            train = split == "train"
            rows, length = (self.batch_size, self.chunk_length) if train else (self.eval_batch_size, 1)
            if tokens < rows * length:
                setting = "data.batch_size" if train else "data.eval_batch_size"
                fitting = [f"{setting}={tokens // length}"] if tokens >= length else []
                fitting += [f"data.chunk_length={tokens // rows}"] if train and tokens >= rows else []
                raise UserError(
                    f"{self.prepared.name}: the {split} split has {tokens:,} tokens to predict, fewer than a batch, "
                    f"{setting} {rows:,}{f' x data.chunk_length {length:,}' if train else ''} = {rows * length:,}: "
                    f"give more text, or set {' or '.join(fitting) or f'{setting}=1 and data.chunk_length lower'}"
                )

    @property
    def vocabulary(self) -> Vocabulary:
        return self.prepared.vocabulary

    @cached_property
    def tokens(self) -> dict[str, int]:
        """By split, the targets of a pass."""
        return {split: len(text.flat) - len(self._given(text)) for split, text in self.prepared.splits.items()}

    def target_counts(self, split: str) -> np.ndarray:
        """`[V]`, how often each token is a target in a pass."""
        text = self.prepared.splits[split]
        counts = [counts_of(ids, len(self.vocabulary)) for ids in (text.flat, self._given(text))]
        return counts[0] - counts[1]

    @cached_property
    def characters(self) -> dict[str, int]:
        """By split, the characters of its targets, see `TextSplit`; the space after a first word that is not predicted
        is not counted either."""
        space = 0 if self.prepared.reading.by_character else 1
        return {
            split: text.characters - int(text.firsts[self._unpredicted, 0].sum()) - space * len(self._given(text))
            for split, text in self.prepared.splits.items()
        }

    @cached_property
    def surface_nats(self) -> dict[str, float]:
        """By split, what its tokens leave open about these characters, see `TextSplit`; without splits that hide words
        behind `<unk>`."""
        return {
            split: text.surface_nats - float(text.firsts[self._unpredicted, 1].sum())
            for split, text in self.prepared.splits.items()
            if text.surface_nats is not None
        }

    def hidden(self) -> list[str]:
        """A line that says why splits have no bits per character; empty if all have."""
        hidden = [split for split in ("validation", "test") if split not in self.surface_nats]
        why = "the text has <unk> instead of some words, so their letters are not known"
        return [f"{' and '.join(hidden)}: no bits per character, because {why}"] if hidden else []

    @property
    def _unpredicted(self) -> slice:
        """The lines whose first token is not predicted, as no token precedes it."""
        if self.prepared.line_end is not None:
            return slice(0)
        return slice(None) if self.layout == "sequences" else slice(1)

    def _given(self, text: TextSplit) -> np.ndarray:
        """The first tokens that are not predicted."""
        return text.flat[text.offsets[:-1][self._unpredicted]]

    def headline(self) -> str:
        prepared, unit = self.prepared, "characters" if self.prepared.reading.by_character else "words"
        sizes = ", ".join(f"{split} {count:,}" for split, count in self.tokens.items())
        head = f"{prepared.name}: {sizes} tokens to predict, {len(self.vocabulary):,} {unit}"
        if self.vocabulary.has_specials:
            head += f" (unknown in test: {unknown_share(prepared.splits['test'].flat):.1%} of the tokens)"
        return head

    def notes(self) -> list[str]:
        report = [*self.prepared.report, *self.hidden()]
        if self.layout == "sequences":
            return [*super().notes(), *self.hidden()]
        sampler, about = self._columns_sampler("train"), "about " if self.random_chunks else ""
        columns = f"train: {self.batch_size:,} columns of {sampler.length:,}"
        return [*report, f"{columns}, {len(sampler):,} batches of {about}{self.chunk_length} a column"]

    def batches(self, split: str) -> tuple[Dataset[Batch], Planner[object]]:
        line_end, text = self.prepared.line_end, self.prepared.splits[split]
        if self.layout == "sequences":
            lines = LineDataset(text, line_end)
            return lines, self.bucket_sampler(split, lines.targets, lines.targets)
        rank, world = self.rank_and_world
        columns = self.batch_size if split == "train" else self.eval_batch_size
        if split == "train" and columns % world:
            raise UserError(
                f"data.batch_size is {columns} for {world} processes, which share the columns: "
                f"expected a multiple of {world}, such as data.batch_size={-(-columns // world) * world}"
            )
        return ColumnChunkDataset(text.flat, columns, line_end, rank, world), self._columns_sampler(split)

    def _columns_sampler(self, split: str) -> ColumnsSampler:
        if split == "train":
            lengths = self.chunk_length, self.backward_length, self.random_chunks
            return ColumnsSampler(-(-self.tokens[split] // self.batch_size), *lengths, self.seed, self.accumulated)
        return ColumnsSampler(-(-self.tokens[split] // self.eval_batch_size), self.eval_chunk_length)


def _check_chunks(layout: str, chunk_length: int, backward_length: int | None, random_chunks: bool) -> None:
    if layout == "sequences":
        for name, is_set in (("backward_length", backward_length is not None), ("random_chunks", random_chunks)):
            if is_set:
                raise UserError(f"data.{name} needs data.layout=columns: the layout `sequences` has no chunks")
        return
    if backward_length is not None and backward_length < chunk_length:
        raise UserError(
            f"data.backward_length (k2) is {backward_length}, less than data.chunk_length (k1) {chunk_length}: "
            f"expected at least {chunk_length}, to learn from every new token; null for the same"
        )
    if random_chunks and chunk_length < 2 * SHORTEST:
        raise UserError(
            f"data.chunk_length is {chunk_length}, expected at least {2 * SHORTEST} with data.random_chunks=true: "
            f"the shortest chunk that is drawn has {SHORTEST} tokens"
        )
