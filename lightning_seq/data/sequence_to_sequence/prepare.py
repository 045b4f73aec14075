"""From a source of pairs of texts to ids on disk, found again when nothing has changed."""

from __future__ import annotations

import hashlib
import json
from array import array
from collections import Counter
from collections.abc import Iterable
from itertools import chain
from pathlib import Path

import numpy as np

from lightning_seq.data.example_ids import origins_of, save_keys
from lightning_seq.data.kept_texts import save_texts
from lightning_seq.data.sequence_to_sequence.alignments import token_links
from lightning_seq.data.sequence_to_sequence.prepared import PairSplit, PreparedPairs, SideSplit
from lightning_seq.data.sequence_to_sequence.settings import SIDES, PairSettings
from lightning_seq.data.sources.pairs import Bilingual, PairSource, PairTable
from lightning_seq.data.sources.table import SPLITS, Loaded
from lightning_seq.data.token_arrays import TokenNumbers, opened, save_corpus, shortened
from lightning_seq.errors import UserError
from lightning_seq.files import LARGEST_CACHED, Plain, fingerprint, read_json, write_json, write_text
from lightning_seq.printable import number_of
from lightning_seq.sealed import cached
from lightning_seq.spec import DataSpec, Tokens, TokenSequence
from lightning_seq.text.segmenter import Segmenter
from lightning_seq.text.subwords import Subwords
from lightning_seq.text.vocabulary import EOS, SPECIALS, Vocabulary

CODE_VERSION = 2
"""Increase it when the same input gives other ids: caches of an earlier version are then not used."""


def prepare_pairs(source: PairSource, cache: Path | str, settings: PairSettings | None = None) -> PreparedPairs:
    """The source's pairs as ids, from `<cache>/data/<fingerprint>/` where they are there and whole.

    Raises UserError for a mistake in the source, for an empty split, and for subwords that cannot be.
    """
    settings = settings or PairSettings()
    plain = settings.to_plain() | {"code": CODE_VERSION}
    key = fingerprint({"pairs": source.identity(), **plain})

    def build(directory: Path) -> None:
        _build(directory, source.describe(), source.load(), settings, plain)

    place = Path(cache).expanduser() / "data" / key
    return cached(place, build, lambda directory: _read(directory, source, settings))


def _read(directory: Path, source: PairSource, settings: PairSettings) -> PreparedPairs:
    meta = read_json(directory / "meta.json", dict, LARGEST_CACHED)
    vocabulary = Vocabulary.from_plain(meta["vocabularies"]["source"])
    target_vocabulary = vocabulary
    if not settings.joint_vocabulary:
        target_vocabulary = Vocabulary.from_plain(meta["vocabularies"]["target"])
    splits = {}
    for split in SPLITS:
        sides = {
            side: SideSplit(*(opened(directory, f"{split}_{side}_{part}") for part in ("flat", "offsets")))
            for side in SIDES
        }
        links, offsets = None, None
        if meta["aligned"]:
            links, offsets = (opened(directory, f"{split}_{part}") for part in ("links", "link_offsets"))
        splits[split] = PairSplit(sides["source"], sides["target"], opened(directory, f"{split}_ids"), links, offsets)
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
        source.describe(),
        meta["revision"],
        directory,
        origins_of(source),
        source.language_pair if isinstance(source, Bilingual) else (None, None),
    )


def _segmenter(directory: Path, side: str, settings: PairSettings) -> Segmenter:
    model = directory / f"{side}_subwords.json"
    subwords = Subwords.read(model) if settings.levels[side] == "subword" else None
    return Segmenter(settings.levels[side], settings.lower, subwords, settings.normalise)


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
            save_texts(directory, f"{split}_{side}_text", table.sources if side == "source" else table.targets)
        np.save(directory / f"{split}_ids.npy", np.array(table.ids, dtype=np.int64))
        save_keys(directory, split, table.keys)
        if aligned:
            links, offsets = token_links(table, segmenters, {side: settings.limit(side) for side in SIDES})
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
            found[side] = Segmenter(level, settings.lower, normalise=settings.normalise)
        elif side == "target" and settings.joint_vocabulary:
            found[side] = found["source"]
        else:
            own: Iterable[str] = train.sources if side == "source" else train.targets
            texts = chain(train.sources, train.targets) if settings.joint_vocabulary else own
            spelling = Segmenter(lower=settings.lower, normalise=settings.normalise).prepared
            model = Subwords.train(map(spelling, texts), **options)
            found[side] = Segmenter(level, settings.lower, model, settings.normalise)
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
        report.append(f"{split}: {number_of(len(table) - len(kept), 'pair')} without a token on one side left out")
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
            vocabularies[side] = of_pieces(segmenter.subwords.pieces, counts[side])
        else:
            vocabularies[side] = Vocabulary.from_counts(counts[side], settings.min_count, settings.max_vocabulary)
        if len(vocabularies[side]) == len(SPECIALS):
            raise UserError(
                f"{name}: no {side} token occurs {settings.min_count} times in the train split: "
                "expected a lower data.min_count"
            )
    return vocabularies


def of_pieces(pieces: tuple[str, ...], counts: Counter[str]) -> Vocabulary:
    """All pieces of a model, also those that no train text needs: a new one may."""
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
