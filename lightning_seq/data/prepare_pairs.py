"""From a source of pairs of texts to ids on disk, found again when nothing has changed."""

from __future__ import annotations

import hashlib
import json
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from lightning_seq.data.numbered import TokenNumbers, save_corpus, shortened
from lightning_seq.data.sources.pairs import Link, PairSource, PairTable
from lightning_seq.data.sources.table import SPLITS, Loaded
from lightning_seq.errors import UserError, near
from lightning_seq.files import Plain, fingerprint, sealed_directory, write_json, write_text
from lightning_seq.spec import DataSpec, Tokens, TokenSequence
from lightning_seq.text.segmenter import Segmenter, check_level
from lightning_seq.text.subwords import Subwords
from lightning_seq.text.vocabulary import EOS, SPECIALS, UNK, Vocabulary

CODE_VERSION = 2
"""Goes up whenever the same input would give other ids: caches of before are then left aside."""

SIDES = ("source", "target")
LONGEST_SENTENCE = 1000
"""Tokens that word vectors are given at a time: gensim reads no more than 10,000 of a sentence."""

_SUBWORD = {"kind": "bpe", "size": 8000}


@dataclass(frozen=True)
class PairSettings:
    """What is done to the texts of a source.

    level, target_level:           of each side, see `Segmenter`; target_level None: the source's.
    subword, target_subword:       of level `subword`: `{kind, size}`, see `Subwords.train`; target_subword None: the
                                   source's.
    lower:                         small letters only, on both sides.
    min_count, max_vocabulary:     of words or characters, in training; the others are unknown. Subwords have a size.
    joint_vocabulary:              one vocabulary, and one model of subwords, for both sides.
    max_length, max_target_length: tokens of a text that are kept, from its beginning; None for all.
    source_eos:                    whether `<eos>` stands behind a source, as it does behind every target.

    Raises UserError for values that cannot be.
    """

    level: str = "word"
    target_level: str | None = None
    subword: Mapping[str, Any] = field(default_factory=lambda: dict(_SUBWORD), hash=False)
    target_subword: Mapping[str, Any] | None = field(default=None, hash=False)
    lower: bool = True
    min_count: int = 1
    max_vocabulary: int | None = None
    joint_vocabulary: bool = False
    max_length: int | None = None
    max_target_length: int | None = None
    source_eos: bool = False

    def __post_init__(self) -> None:
        check_level("level", self.level)
        if self.target_level is not None:
            check_level("target_level", self.target_level)
        for name in ("subword", "target_subword"):
            for key in getattr(self, name) or ():
                if key not in _SUBWORD:
                    raise UserError(f"data.{name} has no key {key!r}; {near(str(key), _SUBWORD)}")
        for name in ("max_length", "max_target_length"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise UserError(f"data.{name} is {value}, expected at least 1, or null for no limit")
        if self.joint_vocabulary and self.subwords("source") != self.subwords("target"):
            raise UserError(
                "data.joint_vocabulary=true needs both sides made of the same: expected data.target_level and "
                f"data.target_subword as of the source (level {self.levels['source']}), or null"
            )

    @property
    def levels(self) -> dict[str, str]:
        return {"source": self.level, "target": self.target_level or self.level}

    def limit(self, side: str) -> int | None:
        return self.max_length if side == "source" else self.max_target_length

    def subwords(self, side: str) -> tuple[str, dict[str, Any] | None]:
        """The level of a side and, where that is `subword`, what `Subwords.train` takes."""
        level = self.levels[side]
        own = self.subword if side == "source" or self.target_subword is None else self.target_subword
        return level, ({**_SUBWORD, **own} if level == "subword" else None)

    def to_plain(self) -> Plain:
        given = {name: value for name, value in vars(self).items() if name not in ("subword", "target_subword")}
        return given | {"subwords": [self.subwords(side)[1] for side in SIDES]}


@dataclass(frozen=True)
class SideSplit:
    """One side of the pairs of one split, as one flat array; text i is `flat[offsets[i]:offsets[i + 1]]`.

    flat:    `[tokens]` int32 ids, `<eos>` among them where texts end with it.
    offsets: `[N + 1]` int64.
    """

    flat: np.ndarray
    offsets: np.ndarray

    @cached_property
    def lengths(self) -> np.ndarray:
        return np.diff(self.offsets)


@dataclass(frozen=True)
class PairSplit:
    """The pairs of one split.

    ids:          `[N]` int64, what the source calls each.
    links:        `[L, 2]` int32, tokens (target, source) that belong together, pair after pair; None where nobody
                  knows.
    link_offsets: `[N + 1]` int64.
    """

    source: SideSplit
    target: SideSplit
    ids: np.ndarray
    links: np.ndarray | None = None
    link_offsets: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True)
class PreparedPairs:
    """A data set ready for batches.

    spec:         Tokens to TokenSequence.
    vocabulary, target_vocabulary: of the train split alone; the same one where they are joint.
    source, target: how each side's text becomes tokens.
    splits:       by name: train, validation, test.
    fingerprints: `data` (texts and everything done to them) and `split` (which pair is where).
    report:       a line each on what was left out, cut short, or done that the user may not expect.
    name:         for people.
    revision:     of a public set, where it has one.
    directory:    in the cache.
    """

    spec: DataSpec
    vocabulary: Vocabulary
    target_vocabulary: Vocabulary
    source: Segmenter
    target: Segmenter
    settings: PairSettings
    splits: dict[str, PairSplit]
    fingerprints: dict[str, str]
    report: tuple[str, ...]
    name: str
    revision: str | None
    directory: Path

    @property
    def aligned(self) -> bool:
        """Whether it is known which tokens of a target come from which of its source."""
        return self.splits["train"].links is not None

    def text(self, split: str, side: str, row: int) -> str:
        """The text of pair `row` of a split as the source has it. side: `source` or `target`."""
        offsets, content = self._texts(split, side)
        return content[offsets[row] : offsets[row + 1]].tobytes().decode("utf-8")

    def _texts(self, split: str, side: str) -> tuple[np.ndarray, np.ndarray]:
        found = self._opened.get((split, side))
        if found is None:
            paths = (self.directory / f"{split}_{side}_{part}.npy" for part in ("text_offsets", "text"))
            offsets, content = (np.load(path, mmap_mode="r", allow_pickle=False) for path in paths)
            found = self._opened[split, side] = offsets, content
        return found

    @cached_property
    def _opened(self) -> dict[tuple[str, str], tuple[np.ndarray, np.ndarray]]:
        return {}

    def train_sentences(self, side: str = "source") -> Iterator[list[str]]:
        """The tokens of the train split's texts, whole and with all their words, for training word vectors.

        With a joint vocabulary those of both sides, whichever is asked for. Long texts come in parts.
        """
        for each in SIDES if self.settings.joint_vocabulary else (side,):
            words = json.loads((self.directory / f"{each}_corpus_words.json").read_text(encoding="utf-8"))
            flat, offsets = (_array(self.directory, f"{each}_corpus_{part}") for part in ("flat", "offsets"))
            spelling = np.array(words, dtype=object)
            for start, stop in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True):
                for part in range(start, stop, LONGEST_SENTENCE):
                    yield spelling[flat[part : min(part + LONGEST_SENTENCE, stop)]].tolist()


def prepare_pairs(source: PairSource, cache: Path | str, settings: PairSettings | None = None) -> PreparedPairs:
    """The source's pairs as ids, from `<cache>/data/<fingerprint>/` where they are there and whole.

    Raises UserError for whatever is wrong with the source, for an empty split, and for subwords that cannot be.
    """
    settings = settings or PairSettings()
    plain = settings.to_plain() | {"code": CODE_VERSION}
    key = fingerprint({"pairs": source.identity(), **plain})

    def build(directory: Path) -> None:
        _build(directory, source.describe(), source.load(), settings, plain)

    directory = sealed_directory(Path(cache).expanduser() / "data" / key, build)
    return _read(directory, source.describe(), settings)


def _read(directory: Path, name: str, settings: PairSettings) -> PreparedPairs:
    meta = json.loads((directory / "meta.json").read_text(encoding="utf-8"))
    vocabulary = Vocabulary.from_plain(meta["vocabularies"]["source"])
    target_vocabulary = vocabulary
    if not settings.joint_vocabulary:
        target_vocabulary = Vocabulary.from_plain(meta["vocabularies"]["target"])
    splits = {}
    for split in SPLITS:
        sides = {
            side: SideSplit(*(_array(directory, f"{split}_{side}_{part}") for part in ("flat", "offsets")))
            for side in SIDES
        }
        links, offsets = None, None
        if meta["aligned"]:
            links, offsets = (_array(directory, f"{split}_{part}") for part in ("links", "link_offsets"))
        splits[split] = PairSplit(sides["source"], sides["target"], _array(directory, f"{split}_ids"), links, offsets)
    return PreparedPairs(
        DataSpec(Tokens(vocabulary.words), TokenSequence(target_vocabulary.words)),
        vocabulary,
        target_vocabulary,
        _segmenter(directory, "source", settings),
        _segmenter(directory, "target", settings),
        settings,
        splits,
        meta["fingerprints"],
        tuple(meta["report"]),
        name,
        meta["revision"],
        directory,
    )


def _segmenter(directory: Path, side: str, settings: PairSettings) -> Segmenter:
    model = directory / f"{side}_subwords.json"
    subwords = Subwords(model.read_text(encoding="utf-8")) if settings.levels[side] == "subword" else None
    return Segmenter(settings.levels[side], settings.lower, subwords)


def _array(directory: Path, name: str) -> np.ndarray:
    # A plain array on the mapped file: `np.memmap` itself is slow to index.
    return np.asarray(np.load(directory / f"{name}.npy", mmap_mode="r", allow_pickle=False))


def _build(directory: Path, name: str, loaded: Loaded[PairTable], settings: PairSettings, plain: Plain) -> None:
    report, tables = list(loaded.notes), loaded.tables
    for split in SPLITS:
        if not len(tables[split]):
            raise UserError(f"{name}: the {split} split has no pairs: expected some that have a text on both sides")
    segmenters = _segmenters(tables["train"], settings)
    for side, segmenter in segmenters.items():
        if segmenter.subwords is not None:
            write_text(directory / f"{side}_subwords.json", segmenter.subwords.model)

    sources, targets = TokenNumbers(), TokenNumbers()
    if settings.joint_vocabulary:
        targets = sources
    spellings = {"source": sources, "target": targets}
    numbered: dict[str, dict[str, _Numbered]] = {}
    for split in SPLITS:
        tables[split], numbered[split] = _numbered(name, split, tables[split], segmenters, spellings, report)

    vocabularies = _vocabularies(name, numbered["train"], spellings, segmenters, settings)
    known = {side: np.array(vocabularies[side].encode(spellings[side]), dtype=np.int32) for side in SIDES}
    aligned = all(table.links is not None for table in tables.values())
    for split, table in tables.items():
        for side in SIDES:
            flat, offsets = numbered[split][side]
            flat, offsets = shortened(
                known[side][flat], offsets, settings.limit(side), f"{split}: ", f"{side}s", report
            )
            if side == "target" or settings.source_eos:
                flat, offsets = np.insert(flat, offsets[1:], EOS), offsets + np.arange(len(offsets))
            np.save(directory / f"{split}_{side}_flat.npy", flat)
            np.save(directory / f"{split}_{side}_offsets.npy", offsets)
            _save_texts(directory, f"{split}_{side}_text", table.sources if side == "source" else table.targets)
        np.save(directory / f"{split}_ids.npy", np.array(table.ids, dtype=np.int64))
        if aligned:
            links, offsets = _token_links(table, segmenters, settings)
            np.save(directory / f"{split}_links.npy", links)
            np.save(directory / f"{split}_link_offsets.npy", offsets)
    for side in SIDES:
        save_corpus(directory, f"{side}_", *numbered["train"][side], list(spellings[side]))
    content = _digest(tables)
    models = [segmenter.subwords.model if segmenter.subwords else None for segmenter in segmenters.values()]
    write_json(
        directory / "meta.json",
        {
            "vocabularies": {side: vocabularies[side].to_plain() for side in SIDES},
            "fingerprints": {
                "data": fingerprint({"content": content, "subwords": models, **plain}),
                "split": content,
            },
            "aligned": aligned,
            "revision": loaded.revision,
            "report": report,
        },
    )


def _segmenters(train: PairTable, settings: PairSettings) -> dict[str, Segmenter]:
    """How each side's text becomes tokens; models of subwords are trained on the train split alone."""
    found: dict[str, Segmenter] = {}
    for side in SIDES:
        level, options = settings.subwords(side)
        if options is None:
            found[side] = Segmenter(level, settings.lower)
        elif side == "target" and settings.joint_vocabulary:
            found[side] = found["source"]
        else:
            own: Iterable[str] = train.sources if side == "source" else train.targets
            texts = chain(train.sources, train.targets) if settings.joint_vocabulary else own
            model = Subwords.train((text.lower() if settings.lower else text for text in texts), **options)
            found[side] = Segmenter(level, settings.lower, model)
    return found


_Numbered = tuple[np.ndarray, np.ndarray]
"""Every token by the number of its spelling: `[tokens]` int32, and offsets `[N + 1]` int64."""


def _numbered(
    name: str,
    split: str,
    table: PairTable,
    segmenters: dict[str, Segmenter],
    spellings: dict[str, TokenNumbers],
    report: list[str],
) -> tuple[PairTable, dict[str, _Numbered]]:
    """The pairs that have a token on both sides, and their tokens."""
    flats, ends = {side: array("i") for side in SIDES}, {side: array("q", [0]) for side in SIDES}
    number = {side: spellings[side].__getitem__ for side in SIDES}
    kept = []
    for row, texts in enumerate(zip(table.sources, table.targets, strict=True)):
        found = [segmenters[side](text) for side, text in zip(SIDES, texts, strict=True)]
        if all(found):
            kept.append(row)
            for side, tokens in zip(SIDES, found, strict=True):
                flats[side].extend(map(number[side], tokens))
                ends[side].append(len(flats[side]))
    if not kept:
        raise UserError(f"{name}: no pair of the {split} split has a token on both sides: check data.level")
    if len(kept) < len(table):
        report.append(f"{split}: {len(table) - len(kept):,} pairs without a token on one side left out")
        table = table.take(kept)
    arrays = {
        side: (np.frombuffer(flats[side], dtype=np.int32), np.frombuffer(ends[side], dtype=np.int64)) for side in SIDES
    }
    return table, arrays


def _vocabularies(
    name: str,
    train: dict[str, _Numbered],
    spellings: dict[str, TokenNumbers],
    segmenters: dict[str, Segmenter],
    settings: PairSettings,
) -> dict[str, Vocabulary]:
    counts: dict[str, Counter[str]] = {}
    for side in SIDES:
        found = np.bincount(train[side][0], minlength=len(spellings[side])).tolist()
        counts[side] = Counter({token: count for token, count in zip(spellings[side], found, strict=True) if count})
    if settings.joint_vocabulary:
        counts["source"] = counts["target"] = counts["source"] + counts["target"]
    vocabularies: dict[str, Vocabulary] = {}
    for side, segmenter in segmenters.items():
        if side == "target" and settings.joint_vocabulary:
            vocabularies[side] = vocabularies["source"]
        elif segmenter.subwords is not None:
            vocabularies[side] = _of_pieces(segmenter.subwords.pieces, counts[side])
        else:
            vocabularies[side] = Vocabulary.from_counts(counts[side], settings.min_count, settings.max_vocabulary)
        if len(vocabularies[side]) == len(SPECIALS):
            raise UserError(
                f"{name}: no {side} token occurs {settings.min_count} times in the train split: "
                "expected a lower data.min_count"
            )
    return vocabularies


def _of_pieces(pieces: tuple[str, ...], counts: Counter[str]) -> Vocabulary:
    """All pieces of a model, also those that no train text needs: a new one may."""
    ordered = sorted(pieces, key=lambda piece: (-counts[piece], piece))
    known = sum(counts[piece] for piece in ordered)
    return Vocabulary(
        SPECIALS + tuple(ordered), (0, counts.total() - known, 0, 0, *(counts[piece] for piece in ordered))
    )


def _token_links(
    table: PairTable, segmenters: dict[str, Segmenter], settings: PairSettings
) -> tuple[np.ndarray, np.ndarray]:
    """Which tokens belong together, given which characters do: `[L, 2]` int32 (target, source), and offsets."""
    found, offsets = array("i"), np.zeros(len(table) + 1, dtype=np.int64)
    limits = {side: settings.limit(side) for side in SIDES}
    assert table.links is not None
    for row, links in enumerate(table.links):
        source = _owners(segmenters["source"], table.sources[row], limits["source"])
        target = _owners(segmenters["target"], table.targets[row], limits["target"])
        pairs = sorted(_linked(links, target, source))
        found.extend(chain.from_iterable(pairs))
        offsets[row + 1] = offsets[row] + len(pairs)
    return np.frombuffer(found, dtype=np.int32).reshape(-1, 2), offsets


def _linked(links: list[Link], target: list[int], source: list[int]) -> set[tuple[int, int]]:
    pairs = set()
    for first, last, begin, end in links:
        targets, sources = set(target[first:last]) - {-1}, set(source[begin:end]) - {-1}
        pairs |= {(to, origin) for to in targets for origin in sources}
    return pairs


def _owners(segmenter: Segmenter, text: str, limit: int | None) -> list[int]:
    """For each character of a text the token it is in; -1 for space between tokens, and for tokens cut off.

    Aligned texts have one space at a time, and as many small letters as letters: a token stands in them as it is.
    """
    plain, place = text.lower() if segmenter.lower else text, 0
    owners = [-1] * len(text)
    for number, token in enumerate(segmenter(text)[:limit]):
        token = segmenter.join([token]) if segmenter.level == "subword" else token
        start = plain.find(token, place)
        if start < 0:
            continue
        place = start + len(token)
        owners[start:place] = [number] * len(token)
    return owners


def _save_texts(directory: Path, name: str, texts: list[str]) -> None:
    encoded = [text.encode("utf-8") for text in texts]
    np.save(directory / f"{name}.npy", np.frombuffer(b"".join(encoded), dtype=np.uint8))
    np.save(directory / f"{name}_offsets.npy", np.cumsum([0, *map(len, encoded)], dtype=np.int64))


def _digest(tables: dict[str, PairTable]) -> str:
    """Of which pair is in which split, and of its texts."""
    digest = hashlib.sha256()
    for split in SPLITS:
        for number, source, target in zip(tables[split].ids, tables[split].sources, tables[split].targets, strict=True):
            digest.update(json.dumps([split, number, source, target]).encode())
    return digest.hexdigest()[:16]


def unknown_share(split: SideSplit) -> float:
    """The part of a side's tokens, `<eos>` not counted, that the vocabulary does not hold."""
    ordinary = split.flat != EOS
    return float((split.flat[ordinary] == UNK).mean())
