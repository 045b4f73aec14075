"""From a source of tagged sentences to numbers on disk, found again when nothing has changed."""

from __future__ import annotations

import hashlib
import json
from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from lightning_seq.data.example_ids import origins_of, save_keys
from lightning_seq.data.sources.table import SPLITS, Loaded, empty_split
from lightning_seq.data.sources.tagged import TaggedSource, TaggedTable
from lightning_seq.data.tagging.prepared import PreparedTags, TaggedSplit
from lightning_seq.data.tagging.settings import TagSettings
from lightning_seq.data.tagging.spelling import Spellings, characters_of
from lightning_seq.data.token_arrays import cut_to, opened
from lightning_seq.errors import UserError
from lightning_seq.files import LARGEST_CACHED, Plain, fingerprint, read_json, write_json
from lightning_seq.printable import number_of
from lightning_seq.sealed import cached
from lightning_seq.spec import NOT_COUNTED, DataSpec, Tags, Tokens
from lightning_seq.text.bio_tags import (  # fmt: skip
    READ,
    Tag,
    detected,
    in_order,
    loosely,
    malformed,
    parted,
    written,
    written_otherwise,
)
from lightning_seq.text.vocabulary import Vocabulary

CODE_VERSION = 2
"""Increase it when the same input gives other numbers: caches of an earlier version are then not used."""

_SPELLING_PARTS = ("words", "cases", "characters", "widths")
_SPLIT_PARTS = ("flat", "offsets", "tags", "ids", "intents")


def prepare_tags(source: TaggedSource, cache: Path | str, settings: TagSettings | None = None) -> PreparedTags:
    """The source's sentences as numbers, from `<cache>/data/<fingerprint>/` where they are there and whole.

    Raises UserError for a mistake in the source: tokens and tags of unequal number, an empty split, one tag
    alone, spans that are not well formed, a tag that training does not have.
    """
    settings = settings or TagSettings()
    plain = settings.to_plain() | {"code": CODE_VERSION}
    key = fingerprint({"tagging": source.identity(), **plain})

    def build(directory: Path) -> None:
        _build(directory, source.describe(), source.load(), settings, plain)

    place = Path(cache).expanduser() / "data" / key
    return cached(place, build, lambda directory: _read(directory, source.describe(), origins_of(source), settings))


def _read(directory: Path, name: str, origins: dict[str, str], settings: TagSettings) -> PreparedTags:
    meta = read_json(directory / "meta.json", dict, LARGEST_CACHED)
    vocabulary = Vocabulary.from_plain(meta["vocabulary"])
    return PreparedTags(
        DataSpec(
            Tokens(vocabulary.words, tuple(meta["characters"])),
            Tags(tuple(meta["tags"]), tuple(meta["intents"]), meta["scheme"]),
        ),
        vocabulary,
        tuple(meta["characters"]),
        tuple(meta["intents"]),
        meta["scheme"],
        meta["own_scheme"],
        settings,
        Spellings(*(opened(directory, f"spelling_{part}") for part in _SPELLING_PARTS)),
        {split: TaggedSplit(*(opened(directory, f"{split}_{part}") for part in _SPLIT_PARTS)) for split in SPLITS},
        meta["fingerprints"],
        tuple(meta["report"]),
        name,
        meta["revision"],
        directory,
        origins,
    )


def _build(directory: Path, name: str, loaded: Loaded[TaggedTable], settings: TagSettings, plain: Plain) -> None:
    report = list(loaded.notes)
    tables = {split: _checked(name, split, loaded.tables[split], report) for split in SPLITS}
    digests = _digests(tables)
    scheme, tables = _with_spans(name, tables, settings, report)
    read = "bio" if scheme == "iob1" else scheme
    tags = _tag_names(name, tables["train"], loaded.classes, read != "none")
    intents = tuple(sorted(set(tables["train"].intents or ())))

    numbers: dict[str, int] = {}
    flats = {split: _numbered(table.tokens, numbers) for split, table in tables.items()}
    written = list(numbers)
    counts = np.bincount(flats["train"][0], minlength=len(written)).tolist()
    vocabulary, characters = _vocabulary(name, written, counts, settings)
    spellings = Spellings.of(written, settings.form, vocabulary, characters, settings.max_word_length)

    for split, table in tables.items():
        flat, offsets = flats[split]
        rows = _tag_numbers(name, split, table, tags, settings, report)
        found = _intent_numbers(name, split, table, intents, settings, report)
        kept, offsets, cut = cut_to(settings.max_length, offsets)
        if kept is not None:
            report.append(f"{split}: {cut:,} of {len(table):,} sentences cut to {settings.max_length} tokens")
            flat, rows = flat[kept], rows[kept]
        parts = (flat, offsets, rows, np.array(table.ids, dtype=np.int64), found)
        for part, values in zip(_SPLIT_PARTS, parts, strict=True):
            np.save(directory / f"{split}_{part}.npy", values)
        save_keys(directory, split, table.keys)
    for part in _SPELLING_PARTS:
        np.save(directory / f"spelling_{part}.npy", getattr(spellings, part))
    for part, values in zip(("flat", "offsets"), flats["train"], strict=True):
        np.save(directory / f"corpus_{part}.npy", values)
    write_json(directory / "spellings.json", written)
    content, membership = digests
    write_json(
        directory / "meta.json",
        {
            "vocabulary": vocabulary.to_plain(),
            "characters": list(characters),
            "tags": list(tags),
            "intents": list(intents),
            "scheme": read,
            "own_scheme": scheme,
            "fingerprints": {"data": fingerprint({"content": content, **plain}), "split": membership},
            "revision": loaded.revision,
            "report": report,
        },
    )


def _checked(name: str, split: str, table: TaggedTable, report: list[str]) -> TaggedTable:
    """The sentences that have tokens, each with as many tags."""
    kept = []
    for row, (tokens, tags) in enumerate(zip(table.tokens, table.tags, strict=True)):
        if len(tokens) != len(tags):
            raise UserError(
                f"{table.place(name, split, row)}: {len(tokens)} tokens and {len(tags)} tags: "
                "expected a tag for every token"
            )
        for step, token in enumerate(tokens):
            if not token.strip():
                raise UserError(f"{table.place(name, split, row, step)}: the token is empty, expected text")
        if tokens:
            kept.append(row)
    if not kept:
        raise empty_split(name, split, "one sentence")
    if len(kept) == len(table):
        return table
    report.append(f"{split}: {number_of(len(table) - len(kept), 'sentence')} without a token left out")
    return table.take(kept)


def _with_spans(
    name: str, tables: dict[str, TaggedTable], settings: TagSettings, report: list[str]
) -> tuple[str, dict[str, TaggedTable]]:
    """The scheme of the tags, and the tables with well-formed tags; IOB1 as BIO."""
    scheme = settings.scheme
    if scheme == "auto":
        scheme = detected(tables["train"].tags)
        if scheme not in ("none", "bio"):
            report.append(f"tags are {scheme.upper()}: spans are scored by F1")
        odd = written_otherwise(tables["train"].tags) if scheme == "none" else None
        if odd is not None:
            report.append(f"tags such as {odd} are scored one by one: to mark spans they are written B-KIND, I-KIND, O")
    if scheme == "none":
        return scheme, tables
    title, read = scheme.upper(), "bio" if scheme == "iob1" else scheme
    letters = READ[scheme].letters
    changed = {}
    for split, table in tables.items():
        rows, count = [], 0
        for row, tags in enumerate(table.tags):
            for step, tag in enumerate(tags):
                if tag is not None and parted(tag, letters) is None:
                    raise UserError(
                        f"{table.place(name, split, row, step)}: {tag!r} is not {title}, expected {READ[scheme]}: "
                        "data.scheme=none for tags that mark no spans"
                    )
            step_wrong = malformed(tags, read)
            if step_wrong is not None and not settings.repair and scheme != "iob1":
                raise UserError(
                    f"{table.place(name, split, row, min(step_wrong, len(tags) - 1))}: malformed {title}, "
                    f"{_wrong(tags, step_wrong, scheme)}; data.repair=true mends such tags, "
                    f"{'data.scheme=iob1 reads IOB1, ' if scheme == 'bio' else ''}data.scheme=none leaves all as is"
                )
            if step_wrong is None:
                rows.append(tags)
                continue
            rows.append(written(loosely(tags), tags, read))
            count += sum(old != new for old, new in zip(tags, rows[-1], strict=True))
        if count and read == "bio":
            how = "IOB1 read as BIO" if scheme == "iob1" else "malformed BIO repaired"
            report.append(f"{split}: {how}, {count:,} spans that began with I begin with B")
        elif count:
            report.append(f"{split}: malformed {title} repaired, {count:,} tags changed")
        changed[split] = replace(table, tags=rows)
    return scheme, changed


def _wrong(tags: Sequence[Tag], step: int, scheme: str) -> str:
    """What is wrong with the tag at a place that `malformed` names."""
    if step == len(tags):
        return f"{tags[-1]} is the end of the sentence"
    said = f"{tags[step]} follows {tags[step - 1] if step else 'the beginning'}"
    return said + (f": expected B{(tags[step] or '')[1:]} there" if scheme == "bio" else "")


def _tag_names(name: str, train: TaggedTable, given: Sequence[str] | None, spans: bool) -> tuple[str, ...]:
    """The tags of training: in the source's order, or in one of their own."""
    trained = {tag for tags in train.tags for tag in tags if tag is not None}
    if len(trained) < 2:
        found = f"one tag, {next(iter(trained))!r}" if trained else "no tag"
        raise UserError(
            f"{name}: the train split has {found}: expected at least two; check data.tag_column, or give more sentences"
        )
    ordered = tuple(tag for tag in given or () if tag in trained)
    return ordered + in_order(trained - set(ordered), spans)


def _numbered(sentences: list[list[str]], numbers: dict[str, int]) -> tuple[np.ndarray, np.ndarray]:
    """Every token by number, new ones numbered as they come: `[tokens]` int32, and offsets `[N + 1]` int64."""
    flat, offsets = array("i"), np.zeros(len(sentences) + 1, dtype=np.int64)
    for row, tokens in enumerate(sentences):
        flat.extend([numbers.setdefault(token, len(numbers)) for token in tokens])
        offsets[row + 1] = len(flat)
    return np.frombuffer(flat, dtype=np.int32), offsets


def _vocabulary(
    name: str, written: list[str], counts: list[int], settings: TagSettings
) -> tuple[Vocabulary, tuple[str, ...]]:
    """Words and characters of training, given how often each token occurs there."""
    words: Counter[str] = Counter()
    characters: Counter[str] = Counter()
    for token, count in zip(written, counts, strict=True):
        if count:
            words[settings.form(token)] += count
            for character in settings.form.spelt(token)[: settings.max_word_length]:
                characters[character] += count
    vocabulary = Vocabulary.from_counts(words, settings.min_count, settings.max_vocabulary)
    if len(vocabulary) == len(Vocabulary.from_counts({})):
        raise UserError(
            f"{name}: no word occurs {settings.min_count} times in the train split: expected a lower data.min_count"
        )
    return vocabulary, characters_of(characters)


def _tag_numbers(
    name: str,
    split: str,
    table: TaggedTable,
    tags: tuple[str, ...],
    settings: TagSettings,
    report: list[str],
) -> np.ndarray:
    """`[tokens]` int32, -1 where a tag is not known or, if that is asked for, training does not have it."""
    numbers: dict[Tag, int] = {tag: number for number, tag in enumerate(tags)}
    found, unseen = array("i"), Counter[str]()
    numbers[None] = NOT_COUNTED
    for row, sentence in enumerate(table.tags):
        for step, tag in enumerate(sentence):
            number = numbers.get(tag)
            if number is None and tag is not None:
                if settings.unseen_tags == "error":
                    raise UserError(
                        f"{table.place(name, split, row, step)}: no training example has the tag {tag!r}: "
                        f"expected one of {', '.join(tags[:12])}{', …' if len(tags) > 12 else ''}; "
                        "data.unseen_tags=ignore leaves such tokens out of the count"
                    )
                unseen[tag] += 1
            found.append(NOT_COUNTED if number is None else number)
    _note_unseen(split, "tag", unseen, report)
    if all(number == NOT_COUNTED for number in found):
        raise UserError(f"{name}: the {split} split has no tag that counts: expected one of {', '.join(tags[:12])}")
    return np.frombuffer(found, dtype=np.int32)


def _intent_numbers(
    name: str,
    split: str,
    table: TaggedTable,
    intents: tuple[str, ...],
    settings: TagSettings,
    report: list[str],
) -> np.ndarray:
    """`[N]` int64, -1 where there is none or, if that is asked for, training does not have it."""
    numbers = {intent: number for number, intent in enumerate(intents)}
    unseen = Counter[str]()
    if table.intents is None:
        return np.full(len(table), NOT_COUNTED, dtype=np.int64)
    for row, intent in enumerate(table.intents):
        if intent not in numbers:
            if settings.unseen_tags == "error":
                raise UserError(
                    f"{table.place(name, split, row)}: no training example has the intent {intent!r}: expected one of "
                    f"{', '.join(intents[:12])}; data.unseen_tags=ignore leaves such intents out of the count"
                )
            unseen[intent] += 1
    _note_unseen(split, "intent", unseen, report)
    return np.array([numbers.get(intent, NOT_COUNTED) for intent in table.intents], dtype=np.int64)


def _note_unseen(split: str, kind: str, unseen: Counter[str], report: list[str]) -> None:
    if unseen:
        shown = ", ".join(name for name, _ in unseen.most_common(3)) + (", …" if len(unseen) > 3 else "")
        what = {"tag": "tokens", "intent": "sentences"}[kind]
        report.append(f"{split}: {unseen.total():,} {what} whose {kind} training does not have ({shown}) do not count")


def _digests(tables: dict[str, TaggedTable]) -> tuple[str, str]:
    """Of tokens, tags and intents by split; and of which sentence is in which split."""
    content, membership = hashlib.sha256(), hashlib.sha256()
    for split in SPLITS:
        table = tables[split]
        for row, number in enumerate(table.ids):
            intent = table.intents[row] if table.intents is not None else None
            content.update(json.dumps([split, table.tokens[row], table.tags[row], intent]).encode())
            membership.update(json.dumps([split, number, intent, len(table.tokens[row])]).encode())
    return content.hexdigest()[:16], membership.hexdigest()[:16]
