"""Pictures as arrays of one size on disk, captions as ids."""

from __future__ import annotations

import hashlib
import json
from functools import partial
from pathlib import Path

import numpy as np

from lightning_seq.data.cache import CachedFields, prepared, train_vocabulary, write_meta
from lightning_seq.data.captioning.prepared import CaptionSplit, PreparedCaptions
from lightning_seq.data.captioning.settings import CaptionSettings
from lightning_seq.data.disk_rows import DiskRows
from lightning_seq.data.example_ids import save_names
from lightning_seq.data.kept_texts import save_texts
from lightning_seq.data.pictures import Fitted, save_pictures
from lightning_seq.data.sequence_to_sequence.alignments import owners
from lightning_seq.data.sources.captions import CaptionSource, CaptionTable
from lightning_seq.data.sources.table import SPLITS, Loaded, empty_split
from lightning_seq.data.token_arrays import (
    Ragged,
    TokenNumbers,
    mapped,
    read_arrays,
    save_arrays,
    save_corpus,
    shortened,
)
from lightning_seq.errors import UserError
from lightning_seq.files import Plain, fingerprint, sha256
from lightning_seq.printable import number_of
from lightning_seq.spec import Caption, DataSpec, Picture
from lightning_seq.text.segmenter import Segmenter
from lightning_seq.text.vocabulary import EOS, Vocabulary

CODE_VERSION = 1
"""Increase it when the same input gives other arrays: caches of an earlier version are then not used."""


def prepare_captions(source: CaptionSource, cache: Path | str, settings: CaptionSettings) -> PreparedCaptions:
    """The source's pictures and captions, from the cache where they are there and whole.

    Raises UserError for a mistake in the source, for an empty split, and for a picture that cannot be read.
    """
    plain = settings.to_plain() | {"code": CODE_VERSION}
    build = partial(_build, settings=settings, plain=plain)
    read = partial(_read, settings=settings)
    return prepared(source, cache, {"captions": source.identity(), **plain}, build, read)


def _segmenter(settings: CaptionSettings) -> Segmenter:
    return Segmenter(settings.level, settings.lower, normalise=settings.normalise)


def _read(directory: Path, meta: dict[str, Plain], common: CachedFields, settings: CaptionSettings) -> PreparedCaptions:
    vocabulary, splits = Vocabulary.from_plain(meta["vocabulary"]), {}
    for split in SPLITS:
        flat, offsets, first, ids = read_arrays(directory, split, "flat", "offsets", "first", "ids")
        boxes = np.asarray(mapped(directory, f"{split}_boxes")) if meta["boxes"] else None
        pictures = DiskRows(directory, f"{split}_pictures")
        splits[split] = CaptionSplit(pictures, Ragged(flat, offsets), first, ids, boxes)
    return PreparedCaptions(
        spec=DataSpec(Picture(settings.channels, *settings.height_and_width), Caption(vocabulary.words)),
        splits=splits,
        vocabulary=vocabulary,
        segmenter=_segmenter(settings),
        settings=settings,
        **common,
    )


def _build(
    directory: Path, name: str, loaded: Loaded[CaptionTable], settings: CaptionSettings, plain: dict[str, Plain]
) -> None:
    report, segmenter, spelling = list(loaded.notes), _segmenter(settings), TokenNumbers()
    tables = {split: _with_tokens(loaded.tables[split], segmenter, name, split, report) for split in SPLITS}
    numbered = {
        split: spelling.flatten(segmenter(text) for texts in table.captions for text in texts)
        for split, table in tables.items()
    }
    counts = spelling.counts(numbered["train"][0])
    vocabulary = train_vocabulary(name, counts, settings.min_count, settings.max_vocabulary)
    known = np.array(vocabulary.encode(spelling), dtype=np.int32)
    has_boxes = all(table.regions is not None for table in tables.values())
    digest = hashlib.sha256()
    for split, table in tables.items():
        flat, offsets = numbered[split]
        flat, offsets = shortened(known[flat], offsets, settings.max_length, f"{split}: ", "captions", report)
        ended = np.insert(flat, offsets[1:], EOS), offsets + np.arange(len(offsets))
        save_arrays(
            directory,
            split,
            flat=ended[0],
            offsets=ended[1],
            ids=np.array(table.ids, dtype=np.int64),
            first=np.cumsum([0, *map(len, table.captions)], dtype=np.int64),
        )
        save_texts(directory, f"{split}_text", [text for texts in table.captions for text in texts])
        save_names(directory, split, table)
        file, size = directory / f"{split}_pictures.npy", settings.height_and_width
        fits = save_pictures(file, table.pictures, size, settings.channels, settings.fit, f"{split}: ", report)
        if has_boxes:
            np.save(directory / f"{split}_boxes.npy", _boxes(table, segmenter, settings.max_length, fits, ended[1]))
        digest.update(json.dumps([split, table.ids, table.captions, sha256(file)]).encode())
    save_corpus(directory, "", *numbered["train"], list(spelling))
    content = digest.hexdigest()[:16]
    meta = {
        "vocabulary": vocabulary.to_plain(),
        "fingerprints": {"data": fingerprint({"content": content, **plain}), "split": content},
        "boxes": has_boxes,
    }
    write_meta(directory, meta, loaded.revision, report)


def _with_tokens(table: CaptionTable, segmenter: Segmenter, name: str, split: str, report: list[str]) -> CaptionTable:
    """The pictures whose captions all have a token. Raises UserError for a split without one."""
    kept = [row for row, texts in enumerate(table.captions) if texts and all(map(segmenter, texts))]
    if not kept:
        raise empty_split(name, split, "a picture with a caption")
    if lost := len(table) - len(kept):
        report.append(f"{split}: {number_of(lost, 'picture')} without a word in a caption left out")
        return table.take(kept)
    return table


def _boxes(
    table: CaptionTable, segmenter: Segmenter, limit: int | None, fits: list[Fitted], offsets: np.ndarray
) -> np.ndarray:
    """`[tokens, 4]` float32, for captions that end with `<eos>`."""
    if table.regions is None:
        raise ValueError("the captions have no regions: expected a table with regions")
    boxes, caption = np.full((int(offsets[-1]), 4), np.nan, dtype=np.float32), 0
    for fit, texts, regions in zip(fits, table.captions, table.regions, strict=True):
        for text, named in zip(texts, regions, strict=True):
            numbers = owners(segmenter, text, limit)
            for first, last, box in named:
                if not (box[0] < box[2] and box[1] < box[3]):
                    raise UserError(f"{text!r}: the box {box} is empty: expected left, top, right, bottom")
                for token in set(numbers[first:last]) - {-1}:
                    boxes[offsets[caption] + token] = fit.box(box)
            caption += 1
    return boxes
