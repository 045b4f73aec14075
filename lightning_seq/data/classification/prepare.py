"""Labelled texts as ids on disk, for classification."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from lightning_seq.data.cache import CachedFields, PreparedData, check_limits, prepared, train_vocabulary, write_meta
from lightning_seq.data.class_names import check_names
from lightning_seq.data.example_ids import save_names
from lightning_seq.data.kept_texts import KeptTexts, save_texts
from lightning_seq.data.sources.table import SPLITS, Loaded, Source, Table, empty_split
from lightning_seq.data.token_arrays import (
    Ragged,
    TokenNumbers,
    read_arrays,
    read_corpus,
    reading,
    save_arrays,
    save_corpus,
    shortened,
)
from lightning_seq.errors import UserError
from lightning_seq.files import Plain, fingerprint
from lightning_seq.printable import number_of
from lightning_seq.spec import Class, DataSpec, Tokens
from lightning_seq.text.tokenise import Tokeniser
from lightning_seq.text.vocabulary import UNK, Vocabulary

CODE_VERSION = 1
"""Increase it when the same input gives other ids: caches of an earlier version are then not used."""


@dataclass(frozen=True)
class EncodedSplit(Ragged):
    """The sentences of one split, as ids.

    labels: `[N]` int64 class ids.
    ids:    `[N]` int64, the source's number of each example.
    """

    labels: np.ndarray
    ids: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Prepared(PreparedData[EncodedSplit]):
    """Labelled texts, ready for batches. spec: Tokens to Class.

    vocabulary: of the train split alone, cut by min count and size.
    """

    vocabulary: Vocabulary
    tokeniser: Tokeniser
    max_length: int | None = None

    @property
    def classes(self) -> tuple[str, ...]:
        return self.spec.targets_as(Class).names

    def train_sentences(self) -> Iterator[list[str]]:
        return read_corpus(self.directory)

    def test_texts(self) -> KeptTexts:
        """The texts of the test split as the source has them."""
        with reading(self.directory):
            return KeptTexts(self.directory, "test_text")


def prepare(
    source: Source[Loaded[Table]],
    cache: Path | str,
    tokeniser: Tokeniser | None = None,
    min_count: int = 1,
    max_vocabulary: int | None = None,
    max_length: int | None = None,
) -> Prepared:
    """The source's examples as ids, from the cache where they are there and whole.

    max_vocabulary: words at most, specials not counted.
    max_length:     tokens of a sentence that are kept, from its beginning.

    Raises UserError for a mistake in the source, an empty split, a split with one class, and a label that
    no training example has.
    """
    check_limits(max_length=max_length)
    tokeniser = tokeniser or Tokeniser()
    settings = {
        "tokeniser": tokeniser.to_plain(),
        "min_count": min_count,
        "max_vocabulary": max_vocabulary,
        "max_length": max_length,
        "code": CODE_VERSION,
    }

    def read(directory: Path, meta: dict[str, Plain], common: CachedFields) -> Prepared:
        vocabulary = Vocabulary.from_plain(meta["vocabulary"])
        parts = ("flat", "offsets", "labels", "ids")
        return Prepared(
            spec=DataSpec(Tokens(vocabulary.words), Class(tuple(meta["classes"]))),
            splits={split: EncodedSplit(*read_arrays(directory, split, *parts)) for split in SPLITS},
            vocabulary=vocabulary,
            tokeniser=tokeniser,
            max_length=max_length,
            **common,
        )

    build = partial(_build, tokeniser=tokeniser, settings=settings)
    return prepared(source, cache, {"source": source.identity(), "keeps": "test texts", **settings}, build, read)


def _build(directory: Path, name: str, loaded: Loaded[Table], tokeniser: Tokeniser, settings: dict[str, Plain]) -> None:
    tables = loaded.tables
    classes = _classes(name, loaded)
    numbers = {label: index for index, label in enumerate(classes)}
    spellings = TokenNumbers()
    encoded = {split: _flatten(spellings, tables[split], tokeniser) for split in SPLITS}
    train_flat, train_offsets = encoded["train"]
    vocabulary = train_vocabulary(name, spellings.counts(train_flat), settings["min_count"], settings["max_vocabulary"])
    known = np.array(vocabulary.encode(spellings), dtype=np.int32)
    report = list(loaded.notes)
    for split, (flat, offsets) in encoded.items():
        flat, offsets = _filled(known[flat], offsets, split, report)
        flat, offsets = shortened(flat, offsets, settings["max_length"], f"{split}: ", "sentences", report)
        _note_unknown(flat, offsets, split, report)
        table = tables[split]
        labels = np.array([numbers[label] for label in table.labels], dtype=np.int64)
        save_arrays(directory, split, flat=flat, offsets=offsets, labels=labels, ids=np.array(table.ids))
        save_names(directory, split, table)
    save_texts(directory, "test_text", tables["test"].texts)
    save_corpus(directory, "", train_flat, train_offsets, list(spellings))
    content, membership = _digests(tables)
    meta = {
        "vocabulary": vocabulary.to_plain(),
        "classes": list(classes),
        "fingerprints": {"data": fingerprint({"content": content, **settings}), "split": membership},
    }
    write_meta(directory, meta, loaded.revision, report)


def _flatten(numbers: TokenNumbers, table: Table, tokeniser: Tokeniser) -> tuple[np.ndarray, np.ndarray]:
    """See `TokenNumbers.flatten`. Raises UserError for a sentence without tokens in a file of the user."""
    flat, offsets = numbers.flatten(map(tokeniser, table.texts))
    empty = np.flatnonzero(np.diff(offsets) == 0)
    if table.origin and len(empty):
        raise UserError(
            f"{table.origin}, line {table.ids[empty[0]]}: the sentence is empty after tokenising: "
            "expected at least one word; fill it in or take the line out"
        )
    return flat, offsets


def _classes(name: str, loaded: Loaded[Table]) -> tuple[str, ...]:
    """The names of the classes: the source's order, or numbers by value and words by spelling."""
    for split, table in loaded.tables.items():
        labels = sorted(set(table.labels))
        if not len(table):
            raise empty_split(name, split, "one example of every class")
        if len(labels) == 1:
            raise UserError(
                f"{name}: the {split} split has one class, {labels[0]!r}: expected at least two; "
                "check data.label_column, or give more examples"
            )
    trained = set(loaded.tables["train"].labels)
    check_names(loaded.tables["train"].origin or name, trained, "data.label_column")
    for split, table in loaded.tables.items():
        for label, number in zip(table.labels, table.ids, strict=True):
            if label not in trained:
                where = f"{table.origin}, line {number}" if table.origin else f"{name}, {split} split, example {number}"
                raise UserError(
                    f"{where}: label missing or out of range, no training example has {label!r}: "
                    f"expected one of {', '.join(sorted(trained)[:12])}"
                )
    if loaded.classes:
        return loaded.classes
    if all(label.isdecimal() for label in trained):
        return tuple(sorted(trained, key=lambda label: (int(label), label)))
    return tuple(sorted(trained))


def _filled(flat: np.ndarray, offsets: np.ndarray, split: str, report: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """A sentence without tokens becomes one `<unk>`, so that every example is counted."""
    empty = np.flatnonzero(np.diff(offsets) == 0)
    if len(empty):
        report.append(f"{split}: {number_of(len(empty), 'sentence')} without a word, kept as <unk>")
        flat = np.insert(flat, offsets[empty], UNK)
        offsets = offsets + np.concatenate([[0], np.cumsum(np.diff(offsets) == 0)])
    return flat, offsets


def _note_unknown(flat: np.ndarray, offsets: np.ndarray, split: str, report: list[str]) -> None:
    unknown = int((np.add.reduceat((flat != UNK).astype(np.int64), offsets[:-1]) == 0).sum())
    if unknown:
        report.append(f"{split}: {number_of(unknown, 'sentence')} of unknown words only")


def _digests(tables: dict[str, Table]) -> tuple[str, str]:
    """Of texts and labels by split; and of which example is in which split."""
    content, membership = hashlib.sha256(), hashlib.sha256()
    for split in SPLITS:
        table = tables[split]
        for text, label, number in zip(table.texts, table.labels, table.ids, strict=True):
            content.update(json.dumps([split, text, label]).encode())
            membership.update(json.dumps([split, number, label]).encode())
    return content.hexdigest()[:16], membership.hexdigest()[:16]
