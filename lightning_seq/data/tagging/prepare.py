"""Tagged sentences as numbers on disk."""

from __future__ import annotations

import hashlib
import json
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from lightning_seq.data.cache import CachedFields, prepared, train_vocabulary, write_meta
from lightning_seq.data.class_names import check_names
from lightning_seq.data.example_ids import save_names
from lightning_seq.data.sources.table import SPLITS, Loaded, empty_split
from lightning_seq.data.sources.tagged import TaggedSource, TaggedTable
from lightning_seq.data.tagging.prepared import PreparedTags, TaggedSplit
from lightning_seq.data.tagging.settings import TagSettings
from lightning_seq.data.tagging.spelling import Spellings, characters_of
from lightning_seq.data.token_arrays import TokenNumbers, as_ids, cut_to, read_arrays, save_arrays
from lightning_seq.errors import UserError
from lightning_seq.files import Plain, fingerprint, write_json
from lightning_seq.printable import number_of
from lightning_seq.spec import NOT_COUNTED, DataSpec, Tags, Tokens
from lightning_seq.text import bio_tags
from lightning_seq.text.vocabulary import Vocabulary

CODE_VERSION = 2
"""Increase it when the same input gives other numbers: caches of an earlier version are then not used."""


def prepare_tags(source: TaggedSource, cache: Path | str, settings: TagSettings | None = None) -> PreparedTags:
    """The source's sentences as numbers, from the cache where they are there and whole.

    Raises UserError for a mistake in the source: tokens and tags of unequal number, an empty split, only one tag,
    spans that are not well formed, a tag that training does not have.
    """
    settings = settings or TagSettings()
    plain = settings.to_plain() | {"code": CODE_VERSION}
    build, read = partial(_build, settings=settings, plain=plain), partial(_read, settings=settings)
    return prepared(source, cache, {"tagging": source.identity(), **plain}, build, read)


def _read(directory: Path, meta: dict[str, Plain], common: CachedFields, settings: TagSettings) -> PreparedTags:
    vocabulary = Vocabulary.from_plain(meta["vocabulary"])
    tags, characters, intents = (tuple(meta[name]) for name in ("tags", "characters", "intents"))
    parts = ("flat", "offsets", "tags", "ids", "intents")
    return PreparedTags(
        spec=DataSpec(Tokens(vocabulary.words, characters), Tags(tags, intents, meta["scheme"])),
        splits={split: TaggedSplit(*read_arrays(directory, split, *parts)) for split in SPLITS},
        vocabulary=vocabulary,
        characters=characters,
        intents=intents,
        scheme=meta["scheme"],
        own_scheme=meta["own_scheme"],
        settings=settings,
        spellings=Spellings(*read_arrays(directory, "spelling", "words", "cases", "characters", "widths")),
        **common,
    )


def _build(
    directory: Path, name: str, loaded: Loaded[TaggedTable], settings: TagSettings, plain: dict[str, Plain]
) -> None:
    report = list(loaded.notes)
    tables = {split: _checked(name, split, loaded.tables[split], report) for split in SPLITS}
    content, membership = _digests(tables)
    scheme, tables = _with_spans(name, tables, settings, report)
    read = "bio" if scheme == "iob1" else scheme
    tags = _tag_names(name, tables["train"], loaded.classes, read != "none")
    intents = tuple(sorted(set(tables["train"].intents or ())))

    numbers = TokenNumbers()
    flats = {split: numbers.flatten(table.tokens) for split, table in tables.items()}
    vocabulary, characters = _vocabulary(name, numbers.counts(flats["train"][0]), settings)
    spellings = Spellings.of(list(numbers), settings.form, vocabulary, characters, settings.max_word_length)

    for split, table in tables.items():
        flat, offsets = flats[split]
        tag_ids = _tag_ids(name, split, table, tags, settings, report)
        intent_ids = _intent_ids(name, split, table, intents, settings, report)
        kept, offsets, cut = cut_to(settings.max_length, offsets)
        if kept is not None:
            report.append(f"{split}: {cut:,} of {len(table):,} sentences cut to {settings.max_length} tokens")
            flat, tag_ids = flat[kept], tag_ids[kept]
        ids = np.array(table.ids, dtype=np.int64)
        save_arrays(directory, split, flat=flat, offsets=offsets, tags=tag_ids, ids=ids, intents=intent_ids)
        save_names(directory, split, table)
    save_arrays(directory, "spelling", **vars(spellings))
    flat, offsets = flats["train"]
    save_arrays(directory, "corpus", flat=flat, offsets=offsets)
    write_json(directory / "spellings.json", list(numbers))
    meta = {
        "vocabulary": vocabulary.to_plain(),
        "characters": list(characters),
        "tags": list(tags),
        "intents": list(intents),
        "scheme": read,
        "own_scheme": scheme,
        "fingerprints": {"data": fingerprint({"content": content, **plain}), "split": membership},
    }
    write_meta(directory, meta, loaded.revision, report)


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
        scheme = bio_tags.detected(tables["train"].tags)
        if scheme not in ("none", "bio"):
            report.append(f"tags are {scheme.upper()}: spans are scored by F1")
        tag = bio_tags.written_otherwise(tables["train"].tags) if scheme == "none" else None
        if tag is not None:
            report.append(f"tags such as {tag} are scored one by one: to mark spans they are written B-KIND, I-KIND, O")
    if scheme == "none":
        return scheme, tables
    title, read = scheme.upper(), "bio" if scheme == "iob1" else scheme
    letters = bio_tags.READ[scheme].letters
    changed = {}
    for split, table in tables.items():
        rows, count = [], 0
        for row, tags in enumerate(table.tags):
            for step, tag in enumerate(tags):
                if tag is not None and bio_tags.parted(tag, letters) is None:
                    raise UserError(
                        f"{table.place(name, split, row, step)}: {tag!r} is not {title}, "
                        f"expected {bio_tags.READ[scheme]}: data.scheme=none for tags that mark no spans"
                    )
            step_wrong = bio_tags.malformed(tags, read)
            if step_wrong is not None and not settings.repair and scheme != "iob1":
                raise UserError(
                    f"{table.place(name, split, row, min(step_wrong, len(tags) - 1))}: malformed {title}, "
                    f"{_wrong(tags, step_wrong, scheme)}; data.repair=true mends such tags, "
                    f"{'data.scheme=iob1 reads IOB1, ' if scheme == 'bio' else ''}data.scheme=none leaves all as is"
                )
            if step_wrong is None:
                rows.append(tags)
                continue
            rows.append(bio_tags.written(bio_tags.loosely(tags), tags, read))
            count += sum(old != new for old, new in zip(tags, rows[-1], strict=True))
        if count and read == "bio":
            how = "IOB1 read as BIO" if scheme == "iob1" else "malformed BIO repaired"
            report.append(f"{split}: {how}, {count:,} spans that began with I begin with B")
        elif count:
            report.append(f"{split}: malformed {title} repaired, {count:,} tags changed")
        changed[split] = replace(table, tags=rows)
    return scheme, changed


def _wrong(tags: Sequence[bio_tags.Tag], step: int, scheme: str) -> str:
    """The mistake at a step that `malformed` returns."""
    if step == len(tags):
        return f"{tags[-1]} is the end of the sentence"
    order = f"{tags[step]} follows {tags[step - 1] if step else 'the beginning'}"
    return order + (f": expected B{(tags[step] or '')[1:]} there" if scheme == "bio" else "")


def _tag_names(name: str, train: TaggedTable, order: Sequence[str] | None, spans: bool) -> tuple[str, ...]:
    """The tags of training, first those in the source's `order`, then the others by `in_order`."""
    trained = {tag for tags in train.tags for tag in tags if tag is not None}
    if len(trained) < 2:
        tags = f"one tag, {next(iter(trained))!r}" if trained else "no tag"
        raise UserError(
            f"{name}: the train split has {tags}: expected at least two; check data.tag_column, or give more sentences"
        )
    check_names(name, trained, "data.tag_column")
    ordered = tuple(tag for tag in order or () if tag in trained)
    return ordered + bio_tags.in_order(trained - set(ordered), spans)


def _vocabulary(name: str, counts: dict[str, int], settings: TagSettings) -> tuple[Vocabulary, tuple[str, ...]]:
    """Words and characters of training. counts: how often each token occurs there."""
    words, characters = Counter[str](), Counter[str]()
    for token, count in counts.items():
        words[settings.form(token)] += count
        for character in settings.form.spelt(token)[: settings.max_word_length]:
            characters[character] += count
    vocabulary = train_vocabulary(name, words, settings.min_count, settings.max_vocabulary)
    return vocabulary, characters_of(characters)


def _tag_ids(
    name: str, split: str, table: TaggedTable, tags: tuple[str, ...], settings: TagSettings, report: list[str]
) -> np.ndarray:
    """`[tokens]` int32, see `_label_ids`."""
    labels = ((tag, row, step) for row, sentence in enumerate(table.tags) for step, tag in enumerate(sentence))
    ids = as_ids(_label_ids("tag", labels, tags, partial(table.place, name, split), split, settings, report))
    if not (ids != NOT_COUNTED).any():
        raise UserError(f"{name}: the {split} split has no tag that counts: expected one of {', '.join(tags[:12])}")
    return ids


def _intent_ids(
    name: str, split: str, table: TaggedTable, intents: tuple[str, ...], settings: TagSettings, report: list[str]
) -> np.ndarray:
    """`[N]` int64, see `_label_ids`; -1 in a set without intents."""
    labels = ((intent, row, None) for row, intent in enumerate(table.intents or [None] * len(table)))
    ids = _label_ids("intent", labels, intents, partial(table.place, name, split), split, settings, report)
    return np.array(ids, dtype=np.int64)


def _label_ids(
    kind: str,
    labels: Iterable[tuple[str | None, int, int | None]],
    names: tuple[str, ...],
    place: Callable[[int, int | None], str],
    split: str,
    settings: TagSettings,
    report: list[str],
) -> array[int]:
    """The numbers of labels among `names`; -1 for None and, with `unseen_tags=ignore`, for other labels.

    kind:   `tag` or `intent`.
    labels: each with its row and, of a token, its step; place: from these to a position for people.
    """
    unit = {"tag": "tokens", "intent": "sentences"}[kind]
    numbers = {label: number for number, label in enumerate(names)}
    ids, unseen = array("i"), Counter[str]()
    for label, row, step in labels:
        if label is not None and label not in numbers:
            if settings.unseen_tags == "error":
                raise UserError(
                    f"{place(row, step)}: no training example has the {kind} {label!r}: "
                    f"expected one of {', '.join(names[:12])}{', …' if len(names) > 12 else ''}; "
                    f"data.unseen_tags=ignore leaves such {unit} out of the count"
                )
            unseen[label] += 1
        ids.append(numbers.get(label, NOT_COUNTED) if label is not None else NOT_COUNTED)
    if unseen:
        shown = ", ".join(name for name, _ in unseen.most_common(3)) + (", …" if len(unseen) > 3 else "")
        report.append(f"{split}: {unseen.total():,} {unit} whose {kind} training does not have ({shown}) do not count")
    return ids


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
