"""From running text to one array of ids per split on disk, found again when nothing has changed."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lightning_seq.data.sources.corpus import Corpus, CorpusSource
from lightning_seq.data.sources.table import SPLITS
from lightning_seq.data.token_arrays import LONGEST_SENTENCE, TokenNumbers, opened, read_corpus, save_corpus
from lightning_seq.errors import UserError
from lightning_seq.files import LARGEST_CACHED, Plain, fingerprint, read_json, write_json
from lightning_seq.sealed import cached
from lightning_seq.spec import DataSpec, NextToken, Tokens
from lightning_seq.text.tokenise import Tokeniser
from lightning_seq.text.vocabulary import EOS, UNK, Vocabulary

CODE_VERSION = 1
"""Increase it when the same input gives other ids: caches of an earlier version are then not used."""


@dataclass(frozen=True)
class LineReading:
    """How running text becomes tokens, in training and after.

    tokeniser:   its level says what a token is; characters keep every space and line feed.
    eos:         of words: whether a line ends with `<eos>`. Characters have their own line feed for that.
    blank_lines: of words: whether a line without any is an `<eos>` alone; else it is left out.
    """

    tokeniser: Tokeniser
    eos: bool = True
    blank_lines: bool = False

    @property
    def by_character(self) -> bool:
        return self.tokeniser.level == "character"

    def line_end(self, vocabulary: Vocabulary) -> int | None:
        """The id that every line ends with, which also stands before the first token of a text: `<eos>` for words, the
        line feed for characters. None where there is none: a text's first token is then never predicted."""
        if self.by_character:
            return vocabulary.words.index("\n") if "\n" in vocabulary.words else None
        return EOS if self.eos and vocabulary.has_specials else None

    def to_plain(self) -> dict[str, Any]:
        return {"tokeniser": self.tokeniser.to_plain(), "eos": self.eos, "blank_lines": self.blank_lines}

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> LineReading:
        """The inverse of `to_plain`."""
        return cls(Tokeniser.from_plain(plain["tokeniser"]), plain["eos"], plain["blank_lines"])


@dataclass(frozen=True)
class TextSplit:
    """The text of one split.

    flat:       `[N]` int32 ids, line ends among them.
    offsets:    `[lines + 1]` int64; line i, with its end, is `flat[offsets[i]:offsets[i + 1]]`, never empty.
    characters: as it would be typed: of words with one space between them and a line feed after a line.
    """

    flat: np.ndarray
    offsets: np.ndarray
    characters: int


@dataclass(frozen=True)
class PreparedText:
    """Running text ready for batches.

    spec:         Tokens to NextToken.
    vocabulary:   of the train split alone, cut by min count and size; or the source's own.
    splits:       by name: train, validation, test.
    fingerprints: `data` (text and everything done to it) and `split` (which text is where).
    report:       a line each on what was done that the user may not expect.
    name:         for people.
    revision:     of a public set, where it has one.
    directory:    in the cache.
    """

    spec: DataSpec
    vocabulary: Vocabulary
    reading: LineReading
    splits: dict[str, TextSplit]
    fingerprints: dict[str, str]
    report: tuple[str, ...]
    name: str
    revision: str | None
    directory: Path

    @property
    def line_end(self) -> int | None:
        return self.reading.line_end(self.vocabulary)

    def train_sentences(self) -> Iterator[list[str]]:
        """The lines of the train split with all their words and no `<eos>`, long ones in parts, for word vectors."""
        return read_corpus(self.directory, longest=LONGEST_SENTENCE)


def prepare_text(
    source: CorpusSource,
    cache: Path | str,
    reading: LineReading,
    min_count: int = 1,
    max_vocabulary: int | None = None,
) -> PreparedText:
    """The source's text as ids, from `<cache>/data/<fingerprint>/` where it is there and whole.

    max_vocabulary: words at most, specials not counted.

    Raises UserError for a mistake in the source, and for a split without a token.
    """
    settings = {
        "reading": reading.to_plain(),
        "min_count": min_count,
        "max_vocabulary": max_vocabulary,
        "text_code": CODE_VERSION,
    }
    key = fingerprint({"source": source.identity(), **settings})

    def build(directory: Path) -> None:
        _build(directory, source.describe(), source.load(), reading, min_count, max_vocabulary, settings)

    place = Path(cache).expanduser() / "data" / key
    return cached(place, build, lambda directory: _read(directory, source.describe(), reading))


def _read(directory: Path, name: str, reading: LineReading) -> PreparedText:
    meta = read_json(directory / "meta.json", dict, LARGEST_CACHED)
    vocabulary = Vocabulary.from_plain(meta["vocabulary"])
    splits = {
        split: TextSplit(
            opened(directory, f"{split}_flat"),
            opened(directory, f"{split}_offsets"),
            meta["characters"][split],
        )
        for split in SPLITS
    }
    return PreparedText(
        DataSpec(Tokens(vocabulary.words), NextToken(vocabulary.words)),
        vocabulary,
        reading,
        splits,
        meta["fingerprints"],
        tuple(meta["report"]),
        name,
        meta["revision"],
        directory,
    )


def _build(
    directory: Path,
    name: str,
    corpus: Corpus,
    reading: LineReading,
    min_count: int,
    max_vocabulary: int | None,
    settings: Plain,
) -> None:
    spellings = TokenNumbers()
    read = {split: _number_lines(spellings, corpus.lines[split], reading) for split in SPLITS}
    for split, (flat, _, _) in read.items():
        if not len(flat):
            raise UserError(f"{name}: the {split} split has no text: expected some lines that are not blank")
    train, offsets, _ = read["train"]
    counts = np.bincount(train, minlength=len(spellings))
    by_word = {word: int(count) for word, count in zip(spellings, counts.tolist(), strict=True) if count}
    vocabulary = (
        Vocabulary.of(corpus.symbols, by_word)
        if corpus.symbols
        else Vocabulary.from_counts(by_word, min_count, max_vocabulary)
    )
    if len(vocabulary) == len(Vocabulary.from_counts({})) and not corpus.symbols:
        raise UserError(f"{name}: no word occurs {min_count} times in the train split: expected a lower data.min_count")
    known = np.array(vocabulary.encode(spellings), dtype=np.int32)
    ended = not reading.by_character and reading.line_end(vocabulary) is not None
    for split, (flat, ends, _) in read.items():
        ids, lines = known[flat], np.unique(ends)
        if ended:
            lines = ends + np.arange(len(ends))
            ids = np.insert(ids, ends[1:], EOS)
        np.save(directory / f"{split}_flat.npy", ids)
        np.save(directory / f"{split}_offsets.npy", lines)
    save_corpus(directory, "", train, offsets, list(spellings))
    content = _digest(corpus)
    write_json(
        directory / "meta.json",
        {
            "vocabulary": vocabulary.to_plain(),
            "characters": {split: characters for split, (_, _, characters) in read.items()},
            "fingerprints": {"data": fingerprint({"content": content, **settings}), "split": content},
            "revision": corpus.revision,
            "report": list(corpus.notes),
        },
    )


def _number_lines(
    numbers: TokenNumbers, lines: Iterable[str], reading: LineReading
) -> tuple[np.ndarray, np.ndarray, int]:
    """The tokens as numbers `[tokens]` int32, where each line begins and ends `[lines + 1]`, and the characters."""
    flat, offsets, characters = array("i"), array("q", [0]), 0
    number, words, kept = numbers.__getitem__, not reading.by_character, reading.blank_lines and reading.eos
    for line in lines:
        flat.extend(map(number, reading.tokeniser(line)))
        size = len(flat) - offsets[-1]
        if size or kept:
            characters += len(" ".join(line.split())) + 1 if words else size
            offsets.append(len(flat))
    ids = np.frombuffer(flat, dtype=np.int32) if flat else np.zeros(0, dtype=np.int32)
    return ids, np.frombuffer(offsets, dtype=np.int64), characters


def _digest(corpus: Corpus) -> str:
    """Of the text of each split."""
    digest = hashlib.sha256()
    for split in SPLITS:
        digest.update(f"{split} {len(corpus.lines[split])} ".encode())
        for line in corpus.lines[split]:
            digest.update(line.encode("utf-8", "surrogatepass"))
    return digest.hexdigest()[:16]


def unknown_share(split: TextSplit) -> float:
    """The part of a split's tokens that the vocabulary does not hold."""
    return float((split.flat == UNK).mean())
