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
from lightning_seq.data.language_modelling.surface import space_nats, spelling_nats
from lightning_seq.data.sources.corpus import Corpus, CorpusSource
from lightning_seq.data.sources.table import SPLITS
from lightning_seq.data.token_arrays import (
    LONGEST_SENTENCE,
    PART,
    NumbersOnDisk,
    Ragged,
    TokenNumbers,
    counts_of,
    parts,
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
from lightning_seq.text.vocabulary import EOS, UNK, Vocabulary

CODE_VERSION = 1
"""Increase it when the same input gives other ids: caches of an earlier version are then not used."""

SURFACE_VERSION = 1
"""As CODE_VERSION, for numbers that only `bits_per_character` needs: the fingerprint of the data stays the same."""


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

    characters:   of the text, as the tokeniser reads it (in its normal form, after `replace`, in small letters if
                  `lower`). Of words: their letters and marks, one space for white space between them, as typed, and a
                  line feed after each line; other white space and lines without a token are not counted.
    surface_nats: of what the tokens leave open about these characters (`surface.py`): the spelling of each unknown
                  token, and spaces next to marks; None if the text itself has `<unk>` instead of a word.
    firsts:       `[N, 2]`, the characters and surface nats of the first token of each line; `[0, 2]` if lines have an
                  end, so that first tokens are predicted too.
    """

    characters: int
    surface_nats: float | None
    firsts: np.ndarray


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
            flat, offsets, firsts = read_arrays(directory, split, "flat", "offsets", "firsts")
            splits[split] = TextSplit(flat, offsets, meta["characters"][split], meta["surface_nats"][split], firsts)
        spec = DataSpec(Tokens(vocabulary.words), NextToken(vocabulary.words))
        return PreparedText(spec=spec, splits=splits, vocabulary=vocabulary, reading=reading, **common)

    build = partial(_build, reading=reading, settings=settings)
    identity = {"source": source.identity(), **settings, "surface_code": SURFACE_VERSION}
    return prepared(source, cache, identity, build, read)


def _build(directory: Path, name: str, corpus: Corpus, reading: LineReading, settings: dict[str, Plain]) -> None:
    spellings = TokenNumbers()
    numbered = {split: _number_lines(spellings, corpus.lines[split], reading, directory / split) for split in SPLITS}
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
    written, unknown = list(spellings), (known == UNK) & vocabulary.has_specials
    nats, letters = spelling_nats(written, unknown, counts), np.array(list(map(len, written)))
    spaces = space_nats(written, numbered) if reading.tokeniser.level == "word" else dict.fromkeys(SPLITS, 0.0)
    line_end, characters, surface = reading.line_end(vocabulary), {}, {}
    ended = not reading.by_character and line_end is not None
    for split, (flat, ends, spaced) in numbered.items():
        often = counts_of(flat, len(written))
        spaces_inside = sum(int(part.sum()) for part in parts(spaced))
        characters[split] = int(often @ letters) + spaces_inside + (0 if reading.by_character else len(ends) - 1)
        total = float(often[often > 0] @ nats[often > 0]) + spaces[split]
        surface[split] = None if np.isnan(total) else total
        lines = ends + np.arange(len(ends)) if ended else np.unique(ends)
        size = len(flat) + ended * (len(ends) - 1)
        save_parts(directory / f"{split}_flat.npy", size, _ids(flat, ends, known, ended))
        firsts = flat.at(lines[:-1]) if line_end is None else flat[0:0]
        save_arrays(directory, split, offsets=lines, firsts=np.stack([letters[firsts], nats[firsts]], 1))
    save_corpus(directory, "", train, offsets, written)
    for flat, _, spaced in numbered.values():
        flat.path.unlink()
        spaced.path.unlink()
    content = _digest(corpus)
    meta = {
        "vocabulary": vocabulary.to_plain(),
        "characters": characters,
        "surface_nats": surface,
        "fingerprints": {"data": fingerprint({"content": content, **settings}), "split": content},
    }
    write_meta(directory, meta, corpus.revision, corpus.notes)


def _number_lines(
    numbers: TokenNumbers, lines: Iterable[str], reading: LineReading, place: Path
) -> tuple[NumbersOnDisk, np.ndarray, NumbersOnDisk]:
    """The tokens as numbers `[tokens]`, the offsets of the lines `[lines + 1]`, and whether white space that is no
    token precedes each token in its line, `[tokens]` int8. place: the beginning of the paths of both files."""
    flat, spaced = NumbersOnDisk(Path(f"{place}_numbers")), NumbersOnDisk(Path(f"{place}_spaces"), np.int8)
    part, spaces, begun, offsets = array("i"), array("b"), 0, array("q", [0])
    number, tokeniser, blank = numbers.__getitem__, reading.tokeniser, reading.blank_lines and reading.eos
    for line in lines:
        tokens = tokeniser(line)
        if tokens:
            part.extend(map(number, tokens))
            if tokeniser.level == "word":
                spaces.extend([False, *tokeniser.spaces_before(line, tokens)[1:]])
            else:
                spaces.extend([False] + [tokeniser.level == "spaced"] * (len(tokens) - 1))
        if tokens or (blank and not reading.by_character):
            offsets.append(begun + len(part))
        if len(part) > PART:
            flat.append(part)
            spaced.append(spaces)
            begun, part, spaces = begun + len(part), array("i"), array("b")
    flat.append(part)
    spaced.append(spaces)
    return flat, np.frombuffer(offsets, dtype=np.int64), spaced


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
