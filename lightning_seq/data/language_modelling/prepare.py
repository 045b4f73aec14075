"""Running text as ids on disk, one array per split."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from lightning_seq.data.cache import CachedFields, PreparedData, prepared, train_vocabulary, write_meta
from lightning_seq.data.sources.corpus import Corpus, CorpusSource
from lightning_seq.data.sources.table import SPLITS
from lightning_seq.data.token_arrays import (
    LONGEST_SENTENCE,
    PART,
    NumbersOnDisk,
    Ragged,
    TokenNumbers,
    read_arrays,
    read_corpus,
    save_arrays,
    save_corpus,
    save_parts,
)
from lightning_seq.errors import UserError
from lightning_seq.files import Plain, fingerprint
from lightning_seq.spec import DataSpec, NextToken, Tokens
from lightning_seq.text.tokenise import Tokeniser
from lightning_seq.text.vocabulary import EOS, Vocabulary

CODE_VERSION = 1
"""Increase it when the same input gives other ids: caches of an earlier version are then not used."""


@dataclass(frozen=True)
class LineReading:
    """How running text becomes tokens, in training and after.

    tokeniser:   of words or of characters; characters keep every space and line feed.
    eos:         of words: whether a line ends with `<eos>`. Characters have their own line feed for that.
    blank_lines: of words: whether a line without a word becomes an `<eos>`; else it is left out.
    """

    tokeniser: Tokeniser
    eos: bool = True
    blank_lines: bool = False

    @property
    def by_character(self) -> bool:
        return self.tokeniser.level == "character"

    def line_end(self, vocabulary: Vocabulary) -> int | None:
        """The id that ends every line and precedes the first token of a text: `<eos>` for words, the line feed for
        characters. None if lines have no end: the first token of a text is then never predicted."""
        if self.by_character:
            return vocabulary.words.index("\n") if "\n" in vocabulary.words else None
        return EOS if self.eos and vocabulary.has_specials else None

    def to_plain(self) -> dict[str, Plain]:
        return {"tokeniser": self.tokeniser.to_plain(), "eos": self.eos, "blank_lines": self.blank_lines}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Plain]) -> LineReading:
        """The inverse of `to_plain`."""
        return cls(Tokeniser.from_plain(plain["tokeniser"]), plain["eos"], plain["blank_lines"])


@dataclass(frozen=True)
class TextSplit(Ragged):
    """The lines of one split, as ids, with the ends of lines.

    characters: of the text as typed: of words with one space between them and a line feed after a line.
    """

    characters: int


@dataclass(frozen=True, kw_only=True)
class PreparedText(PreparedData[TextSplit]):
    """Running text, ready for batches. spec: Tokens to NextToken.

    vocabulary: of the train split alone, cut by min count and size; or the source's own.
    """

    vocabulary: Vocabulary
    reading: LineReading

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
    """The source's text as ids, from the cache where it is there and whole.

    max_vocabulary: words at most, specials not counted.

    Raises UserError for a mistake in the source, and for a split without a token.
    """
    settings = {
        "reading": reading.to_plain(),
        "min_count": min_count,
        "max_vocabulary": max_vocabulary,
        "text_code": CODE_VERSION,
    }

    def read(directory: Path, meta: dict[str, Plain], common: CachedFields) -> PreparedText:
        vocabulary = Vocabulary.from_plain(meta["vocabulary"])
        splits = {}
        for split in SPLITS:
            flat, offsets = read_arrays(directory, split, "flat", "offsets")
            splits[split] = TextSplit(flat, offsets, meta["characters"][split])
        spec = DataSpec(Tokens(vocabulary.words), NextToken(vocabulary.words))
        return PreparedText(spec=spec, splits=splits, vocabulary=vocabulary, reading=reading, **common)

    build = partial(_build, reading=reading, settings=settings)
    return prepared(source, cache, {"source": source.identity(), **settings}, build, read)


def _build(directory: Path, name: str, corpus: Corpus, reading: LineReading, settings: dict[str, Plain]) -> None:
    spellings = TokenNumbers()
    numbered = {
        split: _number_lines(spellings, corpus.lines[split], reading, NumbersOnDisk(directory / f"{split}_numbers"))
        for split in SPLITS
    }
    for split, (flat, _, _) in numbered.items():
        if not len(flat):
            raise UserError(f"{name}: the {split} split has no text: expected some lines that are not blank")
    train, offsets, _ = numbered["train"]
    counts = spellings.counts(train)
    if corpus.symbols:
        vocabulary = Vocabulary.of(corpus.symbols, counts)
    else:
        vocabulary = train_vocabulary(name, counts, settings["min_count"], settings["max_vocabulary"])
    known = np.array(vocabulary.encode(spellings), dtype=np.int32)
    ended = not reading.by_character and reading.line_end(vocabulary) is not None
    for split, (flat, ends, _) in numbered.items():
        lines = ends + np.arange(len(ends)) if ended else np.unique(ends)
        size = len(flat) + ended * (len(ends) - 1)
        save_parts(directory / f"{split}_flat.npy", size, _ids(flat, ends, known, ended))
        save_arrays(directory, split, offsets=lines)
    save_corpus(directory, "", train, offsets, list(spellings))
    for flat, _, _ in numbered.values():
        flat.path.unlink()
    content = _digest(corpus)
    meta = {
        "vocabulary": vocabulary.to_plain(),
        "characters": {split: characters for split, (_, _, characters) in numbered.items()},
        "fingerprints": {"data": fingerprint({"content": content, **settings}), "split": content},
    }
    write_meta(directory, meta, corpus.revision, corpus.notes)


def _number_lines(
    numbers: TokenNumbers, lines: Iterable[str], reading: LineReading, flat: NumbersOnDisk
) -> tuple[NumbersOnDisk, np.ndarray, int]:
    """The tokens as numbers `[tokens]`, the offsets of the lines `[lines + 1]`, and how many characters."""
    part, begun, offsets, characters = array("i"), 0, array("q", [0]), 0
    number, words, blank = numbers.__getitem__, not reading.by_character, reading.blank_lines and reading.eos
    for line in lines:
        part.extend(map(number, reading.tokeniser(line)))
        size = begun + len(part) - offsets[-1]
        if size or blank:
            characters += len(" ".join(line.split())) + 1 if words else size
            offsets.append(begun + len(part))
        if len(part) > PART:
            flat.append(part)
            begun, part = begun + len(part), array("i")
    flat.append(part)
    return flat, np.frombuffer(offsets, dtype=np.int64), characters


def _ids(flat: NumbersOnDisk, ends: np.ndarray, known: np.ndarray, ended: bool) -> Iterator[np.ndarray]:
    """The ids of a split in parts of whole lines, with `<eos>` after each line if they are ended."""
    first = 0
    while first < len(ends) - 1:
        last = max(first + 1, int(np.searchsorted(ends, ends[first] + PART, side="right")) - 1)
        ids = known[flat[int(ends[first]) : int(ends[last])]]
        yield np.insert(ids, ends[first + 1 : last + 1] - ends[first], EOS) if ended else ids
        first = last


def _digest(corpus: Corpus) -> str:
    digest = hashlib.sha256()
    for split in SPLITS:
        digest.update(f"{split} {len(corpus.lines[split])} ".encode())
        for line in corpus.lines[split]:
            digest.update(line.encode("utf-8", "surrogatepass"))
    return digest.hexdigest()[:16]
