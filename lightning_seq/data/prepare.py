"""From texts to ids on disk: tokenise, build the vocabulary on train, cache as flat arrays."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lightning_seq.data.sources.table import SPLITS, Loaded, Source, Table, cut
from lightning_seq.errors import UserError, near
from lightning_seq.files import fingerprint, sealed_directory, write_json
from lightning_seq.spec import Class, DataSpec, Tokens
from lightning_seq.text.tokenise import Tokeniser
from lightning_seq.text.vocabulary import UNK, Vocabulary

VERSION = 1
"""Of the arrays and how they are made: raised when either changes, so that old caches are not read."""


@dataclass(frozen=True)
class Settings:
    """How texts become ids.

    tokeniser:  how a text is split.
    min_count, max_vocabulary: which words the vocabulary keeps.
    max_length: tokens after which a text is cut, or None.
    split_seed, validation_fraction, test_fraction: how splits that are not there are cut from train.
    """

    tokeniser: Tokeniser
    min_count: int = 1
    max_vocabulary: int | None = None
    max_length: int | None = None
    split_seed: int = 1
    validation_fraction: float = 0.1
    test_fraction: float = 0.1

    def to_plain(self) -> dict[str, Any]:
        return {**vars(self), "tokeniser": self.tokeniser.to_plain()}


@dataclass(frozen=True)
class EncodedSplit:
    """Ids of a split, one text after the other.

    flat:    `[tokens]` int32.
    offsets: `[N + 1]` int64; text i is `flat[offsets[i] : offsets[i + 1]]`.
    labels:  `[N]` int64.
    """

    flat: np.ndarray
    offsets: np.ndarray
    labels: np.ndarray

    @property
    def lengths(self) -> np.ndarray:
        return np.diff(self.offsets)

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Prepared:
    """A data set as models see it.

    notes: what a person should know, as lines: what was cut, what was unknown.
    """

    spec: DataSpec
    vocabulary: Vocabulary
    splits: dict[str, EncodedSplit]
    fingerprints: dict[str, str]
    origin: dict[str, Any]
    notes: list[str]

    def train_sentences(self) -> Iterator[list[str]]:
        """Tokens of the train split, unknown ones left out: what word vectors are trained on."""
        split = self.splits["train"]
        words = self.vocabulary.words
        for start, end in zip(split.offsets[:-1], split.offsets[1:], strict=True):
            yield [words[index] for index in split.flat[start:end].tolist() if index != UNK]


def prepare(source: Source, settings: Settings, cache: Path) -> Prepared:
    """The prepared data, from `cache/data/<fingerprint>/` where it is there and whole.

    Raises UserError for a split that is missing, empty or of one class, and for a label that train does not have.
    """
    key = fingerprint({"version": VERSION, "source": source.identity(), "settings": settings.to_plain()})
    place = sealed_directory(cache / "data" / key, lambda directory: _build(source, settings, directory))
    meta = json.loads((place / "meta.json").read_text(encoding="utf-8"))
    vocabulary = Vocabulary.from_plain(meta["vocabulary"])
    splits = {
        split: EncodedSplit(
            *(np.load(place / f"{split}.{part}.npy", allow_pickle=False) for part in ("flat", "offsets", "labels"))
        )
        for split in SPLITS
    }
    spec = DataSpec(Tokens(vocabulary.words), Class(tuple(meta["names"])))
    marks = {"data": key, "split": meta["split"]}
    return Prepared(spec, vocabulary, splits, marks, meta["origin"], meta["notes"])


def complete(loaded: Loaded, settings: Settings) -> dict[str, Table]:
    """Train, validation and test: what the source does not have is cut from train."""
    splits = dict(loaded.splits)
    if "train" not in splits or not len(splits["train"]):
        raise UserError("the train split is empty: give a file or a set with examples to train on")
    for split, fraction in (("test", settings.test_fraction), ("validation", settings.validation_fraction)):
        if split not in splits:
            splits["train"], splits[split] = cut(splits["train"], fraction, settings.split_seed, f"{split}_fraction")
        if not len(splits[split]):
            raise UserError(f"the {split} split is empty: give one with examples, or leave it out to cut it from train")
    return {split: splits[split] for split in SPLITS}


def _build(source: Source, settings: Settings, directory: Path) -> None:
    loaded = source.load()
    splits = complete(loaded, settings)
    names = _names(loaded, splits)
    tokens = {split: [settings.tokeniser(text) for text in table.texts] for split, table in splits.items()}
    notes = _notes(tokens, settings.max_length)
    tokens = {split: [row[: settings.max_length] for row in rows] for split, rows in tokens.items()}
    vocabulary = Vocabulary.build(tokens["train"], settings.min_count, settings.max_vocabulary)
    index = {name: number for number, name in enumerate(names)}
    split_digest = hashlib.sha256()
    for split, rows in tokens.items():
        ids = [vocabulary.encode(row) or [UNK] for row in rows]
        unknown = sum(all(i == UNK for i in row) for row in ids)
        if unknown:
            notes.append(f"{split}: {unknown:,} texts have no known word")
        flat = np.fromiter((i for row in ids for i in row), np.int32)
        offsets = np.concatenate([[0], np.cumsum([len(row) for row in ids])]).astype(np.int64)
        labels = np.array([index[label] for label in splits[split].labels], np.int64)
        for part, array in (("flat", flat), ("offsets", offsets), ("labels", labels)):
            np.save(directory / f"{split}.{part}.npy", array, allow_pickle=False)
        for text, label in zip(splits[split].texts, splits[split].labels, strict=True):
            split_digest.update(f"{split}\0{text}\0{label}\0".encode(errors="surrogatepass"))
    meta = {
        "names": list(names),
        "vocabulary": vocabulary.to_plain(),
        "origin": loaded.origin,
        "notes": notes,
        "split": split_digest.hexdigest()[:16],
    }
    write_json(directory / "meta.json", meta)


def _names(loaded: Loaded, splits: dict[str, Table]) -> tuple[str, ...]:
    """The classes, in the source's order or by alphabet; every split has labels of train's, and two of them at least."""
    present = set(splits["train"].labels)
    for split, table in splits.items():
        if len(set(table.labels)) < 2:
            raise UserError(f"the {split} split has one class only ({table.labels[0]!r}): expected two or more")
        for row, label in enumerate(table.labels):
            if label not in present:
                where = table.places[row] if table.places else f"{split}, row {row}"
                raise UserError(f"{where}: the label {label!r} is not in the train split; {near(label, present)}")
    return loaded.names or tuple(sorted(present))


def _notes(tokens: dict[str, list[list[str]]], max_length: int | None) -> list[str]:
    if max_length is None:
        return []
    if max_length < 1:
        raise UserError(f"data.max_length is {max_length}, expected at least 1")
    cuts = {split: sum(len(row) > max_length for row in rows) for split, rows in tokens.items()}
    said = ", ".join(f"{split} {count:,}" for split, count in cuts.items() if count)
    return [f"cut after {max_length} tokens: {said}"] if said else []
