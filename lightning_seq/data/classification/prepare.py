"""From a source to ids on disk: tokenised, numbered, and found again when nothing has changed."""

from __future__ import annotations

import hashlib
import json
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from lightning_seq.data.example_ids import origins_of, save_keys
from lightning_seq.data.kept_texts import KeptTexts, save_texts
from lightning_seq.data.sources.table import SPLITS, Loaded, Source, Table, empty_split
from lightning_seq.data.token_arrays import TokenNumbers, opened, read_corpus, reading, save_corpus, shortened
from lightning_seq.errors import UserError
from lightning_seq.files import LARGEST_CACHED, Plain, fingerprint, read_json, write_json
from lightning_seq.printable import number_of
from lightning_seq.sealed import cached
from lightning_seq.spec import Class, DataSpec, Tokens
from lightning_seq.text.tokenise import Tokeniser
from lightning_seq.text.vocabulary import UNK, Vocabulary

CODE_VERSION = 1
"""Increase it when the same input gives other ids: caches of an earlier version are then not used."""


@dataclass(frozen=True)
class EncodedSplit:
    """The sentences of one split, as one flat array.

    flat:    `[tokens]` int32 ids; sentence i is `flat[offsets[i]:offsets[i + 1]]`, never empty.
    offsets: `[N + 1]` int64.
    labels:  `[N]` int64 class ids.
    ids:     `[N]` int64, what the source calls each example.
    """

    flat: np.ndarray
    offsets: np.ndarray
    labels: np.ndarray
    ids: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    @cached_property
    def lengths(self) -> np.ndarray:
        return np.diff(self.offsets)


@dataclass(frozen=True)
class Prepared:
    """A data set ready for batches.

    spec:         Tokens to Class.
    vocabulary:   of the train split alone, cut by min count and size.
    splits:       by name: train, validation, test.
    fingerprints: `data` (texts, labels and everything done to them) and `split` (which example is where).
    report:       a line each on what was left out, cut short, or done that the user may not expect.
    name:         for people.
    revision:     of a public set, where it has one.
    directory:    in the cache.
    origins:      by split, the file, or the split of a public set, that holds the examples; empty without files.
    """

    spec: DataSpec
    vocabulary: Vocabulary
    tokeniser: Tokeniser
    splits: dict[str, EncodedSplit]
    fingerprints: dict[str, str]
    report: tuple[str, ...]
    name: str
    revision: str | None
    directory: Path
    max_length: int | None = None
    origins: dict[str, str] = field(default_factory=dict)

    @property
    def classes(self) -> tuple[str, ...]:
        targets = self.spec.targets
        return targets.names if isinstance(targets, Class) else ()

    def train_sentences(self) -> Iterator[list[str]]:
        """The sentences of the train split, whole and with all their words, for training word vectors."""
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
    """The source's examples as ids, from `<cache>/data/<fingerprint>/` where they are there and whole.

    max_vocabulary: words at most, specials not counted.
    max_length:     tokens of a sentence that are kept, from its beginning.

    Raises UserError for a mistake in the source, an empty split, a split with one class, and a label that
    no training example has.
    """
    if max_length is not None and max_length < 1:
        raise UserError(f"data.max_length is {max_length}, expected at least 1, or null for no limit")
    tokeniser = tokeniser or Tokeniser()
    settings = {
        "tokeniser": tokeniser.to_plain(),
        "min_count": min_count,
        "max_vocabulary": max_vocabulary,
        "max_length": max_length,
        "code": CODE_VERSION,
    }
    key = fingerprint({"source": source.identity(), "keeps": "test texts", **settings})

    def build(directory: Path) -> None:
        _build(directory, source.describe(), source.load(), tokeniser, min_count, max_vocabulary, max_length, settings)

    place = Path(cache).expanduser() / "data" / key
    return cached(
        place, build, lambda directory: _read(directory, source.describe(), origins_of(source), tokeniser, max_length)
    )


def _read(
    directory: Path, name: str, origins: dict[str, str], tokeniser: Tokeniser, max_length: int | None
) -> Prepared:
    meta = read_json(directory / "meta.json", dict, LARGEST_CACHED)
    vocabulary = Vocabulary.from_plain(meta["vocabulary"])
    splits = {
        split: EncodedSplit(*(opened(directory, f"{split}_{part}") for part in ("flat", "offsets", "labels", "ids")))
        for split in SPLITS
    }
    return Prepared(
        DataSpec(Tokens(vocabulary.words), Class(tuple(meta["classes"]))),
        vocabulary,
        tokeniser,
        splits,
        meta["fingerprints"],
        tuple(meta["report"]),
        name,
        meta["revision"],
        directory,
        max_length,
        origins,
    )


def _build(
    directory: Path,
    name: str,
    loaded: Loaded,
    tokeniser: Tokeniser,
    min_count: int,
    max_vocabulary: int | None,
    max_length: int | None,
    settings: Plain,
) -> None:
    tables = loaded.tables
    classes = _classes(name, loaded)
    numbers = {label: index for index, label in enumerate(classes)}
    spellings = TokenNumbers()
    encoded = {split: _flatten(spellings, tables[split], tokeniser, split) for split in SPLITS}
    train_flat, train_offsets = encoded["train"]
    counts = np.bincount(train_flat, minlength=len(spellings))
    by_word = {word: int(count) for word, count in zip(spellings, counts.tolist(), strict=True) if count}
    vocabulary = Vocabulary.from_counts(by_word, min_count, max_vocabulary)
    if len(vocabulary) == len(Vocabulary.from_counts({})):
        raise UserError(f"{name}: no word occurs {min_count} times in the train split: expected a lower data.min_count")
    known = np.array(vocabulary.encode(spellings), dtype=np.int32)
    report = list(loaded.notes)
    for split, (flat, offsets) in encoded.items():
        flat, offsets = _filled(known[flat], offsets, split, report)
        flat, offsets = shortened(flat, offsets, max_length, f"{split}: ", "sentences", report)
        _note_unknown(flat, offsets, split, report)
        table = tables[split]
        labels = np.array([numbers[label] for label in table.labels], dtype=np.int64)
        for part, values in {"flat": flat, "offsets": offsets, "labels": labels, "ids": np.array(table.ids)}.items():
            np.save(directory / f"{split}_{part}.npy", values)
        save_keys(directory, split, table.keys)
    save_texts(directory, "test_text", tables["test"].texts)
    save_corpus(directory, "", train_flat, train_offsets, list(spellings))
    content, membership = _digests(tables)
    write_json(
        directory / "meta.json",
        {
            "vocabulary": vocabulary.to_plain(),
            "classes": list(classes),
            "fingerprints": {"data": fingerprint({"content": content, **settings}), "split": membership},
            "revision": loaded.revision,
            "report": report,
        },
    )


def _flatten(numbers: TokenNumbers, table: Table, tokeniser: Tokeniser, split: str) -> tuple[np.ndarray, np.ndarray]:
    """The table's sentences as numbers `[tokens]` int32, and offsets `[N + 1]` int64.

    Raises UserError, with file and line, for a sentence without tokens in a file of the user's own.
    """
    flat, offsets = array("i"), np.zeros(len(table) + 1, dtype=np.int64)
    for row, text in enumerate(table.texts):
        flat.extend([numbers[token] for token in tokeniser(text)])
        offsets[row + 1] = len(flat)
        if table.origin and offsets[row + 1] == offsets[row]:
            raise UserError(
                f"{table.origin}, line {table.ids[row]}: the sentence is empty after tokenising: "
                "expected at least one word; fill it in or take the line out"
            )
    return np.frombuffer(flat, dtype=np.int32) if flat else np.zeros(0, dtype=np.int32), offsets


def _classes(name: str, loaded: Loaded) -> tuple[str, ...]:
    """The names of the classes: the source's order, or numbers by value and words by spelling."""
    for split, table in loaded.tables.items():
        found = sorted(set(table.labels))
        if not len(table):
            raise empty_split(name, split, "one example of every class")
        if len(found) == 1:
            raise UserError(
                f"{name}: the {split} split has one class, {found[0]!r}: expected at least two; "
                "check data.label_column, or give more examples"
            )
    trained = set(loaded.tables["train"].labels)
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


def unknown_share(split: EncodedSplit) -> float:
    """The part of a split's tokens that the vocabulary does not hold."""
    return float((split.flat == UNK).mean())
