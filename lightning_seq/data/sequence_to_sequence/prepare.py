"""Pairs of texts as ids on disk."""

from __future__ import annotations

import hashlib
import json
from array import array
from collections import Counter
from functools import partial
from itertools import chain
from pathlib import Path

import numpy as np

from lightning_seq.data.cache import CachedFields, prepared, train_vocabulary, write_meta
from lightning_seq.data.example_ids import save_names
from lightning_seq.data.kept_texts import save_texts
from lightning_seq.data.sequence_to_sequence.alignments import token_links
from lightning_seq.data.sequence_to_sequence.prepared import PairSplit, PreparedPairs
from lightning_seq.data.sequence_to_sequence.settings import SIDES, PairSettings
from lightning_seq.data.sources.pairs import Bilingual, PairSource, PairTable
from lightning_seq.data.sources.table import SPLITS, Loaded
from lightning_seq.data.token_arrays import (
    Ragged,
    TokenNumbers,
    as_ids,
    read_arrays,
    save_arrays,
    save_corpus,
    shortened,
)
from lightning_seq.errors import UserError
from lightning_seq.files import Plain, fingerprint, write_text
from lightning_seq.printable import number_of
from lightning_seq.spec import DataSpec, Tokens, TokenSequence
from lightning_seq.text.segmenter import Segmenter
from lightning_seq.text.subwords import Subwords
from lightning_seq.text.vocabulary import EOS, SPECIALS, Vocabulary

CODE_VERSION = 2
"""Increase it when the same input gives other ids: caches of an earlier version are then not used."""

_Numbered = tuple[np.ndarray, np.ndarray]
"""Every token by the number of its spelling: `[tokens]` int32, and offsets `[N + 1]` int64."""


def prepare_pairs(source: PairSource, cache: Path | str, settings: PairSettings | None = None) -> PreparedPairs:
    """The source's pairs as ids, from the cache where they are there and whole.

    Raises UserError for a mistake in the source, for an empty split, and for subwords that cannot be trained.
    """
    settings = settings or PairSettings()
    plain = settings.to_plain() | {"code": CODE_VERSION}
    languages = source.language_pair if isinstance(source, Bilingual) else (None, None)
    build = partial(_build, settings=settings, plain=plain)
    read = partial(_read, settings=settings, languages=languages)
    return prepared(source, cache, {"pairs": source.identity(), **plain}, build, read)


def _read(
    directory: Path,
    meta: dict[str, Plain],
    common: CachedFields,
    settings: PairSettings,
    languages: tuple[str | None, str | None],
) -> PreparedPairs:
    vocabulary = Vocabulary.from_plain(meta["vocabularies"]["source"])
    target_vocabulary = vocabulary
    if not settings.joint_vocabulary:
        target_vocabulary = Vocabulary.from_plain(meta["vocabularies"]["target"])
    splits = {}
    for split in SPLITS:
        sources, targets = (Ragged(*read_arrays(directory, f"{split}_{side}", "flat", "offsets")) for side in SIDES)
        links = ("links", "link_offsets") if meta["aligned"] else ()
        splits[split] = PairSplit(sources, targets, *read_arrays(directory, split, "ids", *links))
    segmenters = {}
    for side, level in settings.levels.items():
        subwords = Subwords.read(directory / f"{side}_subwords.json") if level == "subword" else None
        segmenters[side] = Segmenter(level, settings.lower, subwords, settings.normalise)
    return PreparedPairs(
        spec=DataSpec(Tokens(vocabulary.words), TokenSequence(target_vocabulary.words)),
        splits=splits,
        vocabulary=vocabulary,
        target_vocabulary=target_vocabulary,
        source=segmenters["source"],
        target=segmenters["target"],
        settings=settings,
        languages=languages,
        **common,
    )


def _build(
    directory: Path, name: str, loaded: Loaded[PairTable], settings: PairSettings, plain: dict[str, Plain]
) -> None:
    report, tables = list(loaded.notes), loaded.tables
    for split in SPLITS:
        if not len(tables[split]):
            raise UserError(f"{name}: the {split} split has no pairs: expected some that have a text on both sides")
    segmenters = _segmenters(tables["train"], settings)
    for side, segmenter in segmenters.items():
        if segmenter.subwords is not None:
            write_text(directory / f"{side}_subwords.json", segmenter.subwords.model)

    spellings = {"source": TokenNumbers(), "target": TokenNumbers()}
    if settings.joint_vocabulary:
        spellings["target"] = spellings["source"]
    numbered: dict[str, dict[str, _Numbered]] = {}
    for split in SPLITS:
        tables[split], numbered[split] = _numbered(name, split, tables[split], segmenters, spellings, report)

    vocabularies = _vocabularies(name, numbered["train"], spellings, segmenters, settings)
    known = {side: np.array(vocabularies[side].encode(spellings[side]), dtype=np.int32) for side in SIDES}
    limits = {"source": settings.max_length, "target": settings.max_target_length}
    aligned = all(table.links is not None for table in tables.values())
    for split, table in tables.items():
        for side in SIDES:
            flat, offsets = numbered[split][side]
            flat, offsets = shortened(known[side][flat], offsets, limits[side], f"{split}: ", f"{side}s", report)
            if side == "target" or settings.source_eos:
                flat, offsets = np.insert(flat, offsets[1:], EOS), offsets + np.arange(len(offsets))
            save_arrays(directory, f"{split}_{side}", flat=flat, offsets=offsets)
            save_texts(directory, f"{split}_{side}_text", table.sources if side == "source" else table.targets)
        save_arrays(directory, split, ids=np.array(table.ids, dtype=np.int64))
        save_names(directory, split, table)
        if aligned:
            links, offsets = token_links(table, segmenters, limits)
            save_arrays(directory, split, links=links, link_offsets=offsets)
    for side in SIDES:
        save_corpus(directory, f"{side}_", *numbered["train"][side], list(spellings[side]))
    content = _digest(tables)
    models = [segmenter.subwords.model if segmenter.subwords else None for segmenter in segmenters.values()]
    data = fingerprint({"content": content, "subwords": models, **plain})
    meta = {
        "vocabularies": {side: vocabularies[side].to_plain() for side in SIDES},
        "fingerprints": {"data": data, "split": content},
        "aligned": aligned,
    }
    write_meta(directory, meta, loaded.revision, report)


def _segmenters(train: PairTable, settings: PairSettings) -> dict[str, Segmenter]:
    """From the text of each side to tokens; models of subwords are trained on the train split alone."""
    segmenters: dict[str, Segmenter] = {}
    for side in SIDES:
        level, options = settings.subwords(side)
        if options is None:
            segmenters[side] = Segmenter(level, settings.lower, normalise=settings.normalise)
        elif side == "target" and settings.joint_vocabulary:
            segmenters[side] = segmenters["source"]
        else:
            sides = SIDES if settings.joint_vocabulary else (side,)
            texts = chain.from_iterable(train.sources if name == "source" else train.targets for name in sides)
            spelling = Segmenter(lower=settings.lower, normalise=settings.normalise).prepared
            model = Subwords.train(map(spelling, texts), **options)
            segmenters[side] = Segmenter(level, settings.lower, model, settings.normalise)
    return segmenters


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
        pair = [segmenters[side](text) for side, text in zip(SIDES, texts, strict=True)]
        if all(pair):
            kept.append(row)
            for side, tokens in zip(SIDES, pair, strict=True):
                flats[side].extend(map(number[side], tokens))
                ends[side].append(len(flats[side]))
    if not kept:
        raise UserError(f"{name}: no pair of the {split} split has a token on both sides: check data.level")
    if len(kept) < len(table):
        report.append(f"{split}: {number_of(len(table) - len(kept), 'pair')} without a token on one side left out")
        table = table.take(kept)
    return table, {side: (as_ids(flats[side]), np.frombuffer(ends[side], dtype=np.int64)) for side in SIDES}


def _vocabularies(
    name: str,
    train: dict[str, _Numbered],
    spellings: dict[str, TokenNumbers],
    segmenters: dict[str, Segmenter],
    settings: PairSettings,
) -> dict[str, Vocabulary]:
    counts = {side: Counter(spellings[side].counts(train[side][0])) for side in SIDES}
    if settings.joint_vocabulary:
        counts["source"] = counts["target"] = counts["source"] + counts["target"]
    vocabularies: dict[str, Vocabulary] = {}
    for side, segmenter in segmenters.items():
        if side == "target" and settings.joint_vocabulary:
            vocabularies[side] = vocabularies["source"]
        elif segmenter.subwords is not None:
            vocabularies[side] = of_pieces(segmenter.subwords.pieces, counts[side])
        else:
            limits = settings.min_count, settings.max_vocabulary
            vocabularies[side] = train_vocabulary(name, counts[side], *limits, f"{side} token")
    return vocabularies


def of_pieces(pieces: tuple[str, ...], counts: Counter[str]) -> Vocabulary:
    """All pieces of a model, also those that only new texts may need."""
    ordered = sorted(pieces, key=lambda piece: (-counts[piece], piece))
    known = sum(counts[piece] for piece in ordered)
    return Vocabulary(
        SPECIALS + tuple(ordered), (0, counts.total() - known, 0, 0, *(counts[piece] for piece in ordered))
    )


def _digest(tables: dict[str, PairTable]) -> str:
    """Of which pair is in which split, and of its texts."""
    digest = hashlib.sha256()
    for split in SPLITS:
        for number, source, target in zip(tables[split].ids, tables[split].sources, tables[split].targets, strict=True):
            digest.update(json.dumps([split, number, source, target]).encode())
    return digest.hexdigest()[:16]
