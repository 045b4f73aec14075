"""Dialogs as ids, and each picture once, on disk."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain, pairwise
from pathlib import Path

import numpy as np

from lightning_seq.data.cache import CachedFields, prepared, train_vocabulary, write_meta
from lightning_seq.data.captioning.settings import CaptionSettings
from lightning_seq.data.disk_rows import DiskRows
from lightning_seq.data.example_ids import save_names
from lightning_seq.data.kept_texts import KeptTexts, save_texts
from lightning_seq.data.pictures import save_pictures
from lightning_seq.data.prepared_pictures import PreparedPictures
from lightning_seq.data.sources.dialogs import DialogSource, DialogTable, Turn, dialogs_of
from lightning_seq.data.sources.table import SPLITS, Keys, Loaded, empty_split
from lightning_seq.data.token_arrays import (
    Ragged,
    TokenNumbers,
    mapped,
    read_arrays,
    save_arrays,
    save_corpus,
    shortened,
)
from lightning_seq.data.visual_questions.answers import NOTHING, padded
from lightning_seq.data.visual_questions.prepare import each_once
from lightning_seq.errors import UserError
from lightning_seq.files import Plain, fingerprint, sha256
from lightning_seq.spec import DataSpec, Question, Reply
from lightning_seq.text.segmenter import Segmenter
from lightning_seq.text.vocabulary import BOS, EOS, Vocabulary

CODE_VERSION = 3
"""Increase it when the same input gives other arrays: caches of an earlier version are then not used."""


@dataclass(frozen=True)
class DialogSplit(Ragged):
    """The turns of one split: their questions as ids.

    facts:      what is known before a turn: of each dialog the caption with `<eos>` (without one `<bos>`), then of each
                of its turns the question with `<eos>` and the answer with `<eos>`.
    pictures:   `[P, channels, height, width]` uint8, on disk, each once.
    picture:    `[N]` int64, the picture of each turn.
    dialog:     `[N]` int64, its dialog; turn: `[N]` int64, its place in that dialog, from 0.
    answers:    `[N]` int64, the number of the right answer.
    candidates: `[N, C]` int32, on disk, the numbers of the candidate answers; -1 for none.
    relevances: `[N, C]` float32, on disk, of the candidates, NaN for turns without; C is 0 where no turn has them.
    kinds:      `[N]` int64, ids of the kinds of questions, all 0 where they are unknown.
    ids:        `[N]` int64, the source's number of each turn's dialog.
    """

    facts: Ragged
    pictures: DiskRows
    candidates: np.ndarray
    relevances: np.ndarray
    picture: np.ndarray
    dialog: np.ndarray
    turn: np.ndarray
    answers: np.ndarray
    kinds: np.ndarray
    ids: np.ndarray

    @property
    def known(self) -> tuple[np.ndarray, np.ndarray]:
        """`[N]` and `[N]`, the first of each turn's facts, and their number."""
        return np.arange(len(self)) - self.turn + self.dialog, self.turn + 1


@dataclass(frozen=True, kw_only=True)
class PreparedDialogs(PreparedPictures[DialogSplit]):
    """Dialogs about pictures, ready for batches. spec: Question to Reply.

    vocabulary: of captions, questions and answers of the train split alone.
    answers:    all different answers and candidates as ids, each with `<eos>`.
    kinds:      names of the kinds of questions; empty where they are unknown.
    """

    answers: Ragged
    kinds: tuple[str, ...] = ()

    def answer_texts(self) -> KeptTexts:
        """The texts of `answers`."""
        return self.kept("answers_text")

    def frequencies(self) -> np.ndarray:
        """`[A]`, how often the train split has each answer."""
        return np.bincount(self.splits["train"].answers, minlength=len(self.answers))


def prepare_dialogs(source: DialogSource, cache: Path | str, settings: CaptionSettings) -> PreparedDialogs:
    """The source's dialogs and pictures, from the cache where they are there and whole. `max_length` of the settings
    is of captions, questions and answers.

    Raises UserError for a mistake in the source, an empty split, an empty question or answer, and a picture that cannot
    be read.
    """
    plain = settings.to_plain() | {"code": CODE_VERSION}
    build = partial(_build, settings=settings, plain=plain)
    read = partial(_read, settings=settings)
    return prepared(source, cache, {"visual_dialog": source.identity(), **plain}, build, read)


def _read(directory: Path, meta: dict[str, Plain], common: CachedFields, settings: CaptionSettings) -> PreparedDialogs:
    vocabulary, splits = Vocabulary.from_plain(meta["vocabulary"]), {}
    for split in SPLITS:
        flat, offsets, facts, fact_offsets, *others = read_arrays(
            directory, split, "flat", "offsets", "facts_flat", "facts_offsets", "picture", "dialog", "turn", "answers",
            "kinds", "ids",
        )  # fmt: skip
        pictures = DiskRows(directory, f"{split}_pictures")
        of_turns = (np.asarray(mapped(directory, f"{split}_{name}")) for name in ("candidates", "relevances"))
        splits[split] = DialogSplit(flat, offsets, Ragged(facts, fact_offsets), pictures, *of_turns, *others)
    inputs = Question(vocabulary.words, (), settings.channels, *settings.height_and_width)
    return PreparedDialogs(
        spec=DataSpec(inputs, Reply(vocabulary.words, meta["candidates"], meta["turns"])),
        splits=splits,
        vocabulary=vocabulary,
        segmenter=Segmenter(settings.level, settings.lower, normalise=settings.normalise),
        settings=settings,
        answers=Ragged(*read_arrays(directory, "answers", "flat", "offsets")),
        kinds=tuple(meta["kinds"]),
        **common,
    )


@dataclass(frozen=True)
class _Names:
    keys: Keys | None
    groups: Keys | None


def _names(table: DialogTable) -> _Names:
    """The names of the turns: of dialogs with several, their place in the dialog, and the dialog as a group."""
    if all(len(turns) == 1 for turns in table.dialogs):
        return _Names(table.keys, table.groups)
    own = table.keys or table.ids
    places = [range(1, len(turns) + 1) for turns in table.dialogs]
    keys = [f"{name}-{place}" for name, turns in zip(own, places, strict=True) for place in turns]
    return _Names([*keys], _each_turn(table, table.groups or own))


def _each_turn(table: DialogTable, values: Sequence[int | str]) -> Keys:
    """A value of each dialog, for each of its turns."""
    return [value for value, turns in zip(values, table.dialogs, strict=True) for _ in turns]


def _build(
    directory: Path, name: str, loaded: Loaded[DialogTable], settings: CaptionSettings, plain: dict[str, Plain]
) -> None:
    loaded = dialogs_of(loaded)
    report, spelling, digest = list(loaded.notes), TokenNumbers(), hashlib.sha256()
    segmenter = Segmenter(settings.level, settings.lower, normalise=settings.normalise)
    turns = {split: [*chain.from_iterable(table.dialogs)] for split, table in loaded.tables.items()}
    for split in SPLITS:
        if not turns[split]:
            raise empty_split(name, split, "a dialog")
    answers = [*dict.fromkeys(chain.from_iterable(table.answers for table in loaded.tables.values()))]
    number_of = {text: number for number, text in enumerate(answers)}
    kinds = sorted({turn.kind for part in turns.values() for turn in part})
    if "" in kinds:
        if len(kinds) > 1:
            report.append("kinds of questions are left out: not every question has one")
        kinds = []
    numbered = {
        split: [
            spelling.flatten(map(segmenter, texts))
            for texts in (table.captions, [turn.question for turn in turns[split]])
        ]
        for split, table in loaded.tables.items()
    }
    in_answers = spelling.flatten(map(segmenter, answers))
    for split, table in loaded.tables.items():
        _check(name, split, table, turns[split], numbered[split][1][1], in_answers[1], number_of)
    of_train = [number_of[loaded.tables["train"].answers[turn.answer]] for turn in turns["train"]]
    corpus = _joined([*numbered["train"], _taken(*in_answers, of_train)])
    vocabulary = train_vocabulary(name, spelling.counts(corpus[0]), settings.min_count, settings.max_vocabulary)
    known = np.array(vocabulary.encode(spelling), dtype=np.int32)

    def ids(numbers: tuple[np.ndarray, np.ndarray], what: str, notes: list[str]) -> list[list[int]]:
        flat, offsets = shortened(known[numbers[0]], numbers[1], settings.max_length, "", what, notes)
        return [flat[start:stop].tolist() for start, stop in pairwise(offsets.tolist())]

    in_ids = [[*tokens, EOS] for tokens in ids(in_answers, "answers", report)]
    save_arrays(directory, "answers", **_ragged(in_ids))
    save_texts(directory, "answers_text", answers)
    counts = {len({*turn.candidates}) for part in turns.values() for turn in part}
    if min(counts) < 2 <= max(counts):
        report.append("some turns have no candidate answers: answers are not ranked")
    most = 0 if min(counts) < 2 else max(counts)
    for split in SPLITS:
        table, part, notes = loaded.tables[split], turns[split], list[str]()
        captions = ids(numbered[split][0], "captions", notes)
        questions = ids(numbered[split][1], "questions", notes)
        report += [f"{split}: {note}" for note in notes]
        numbers = np.array([number_of[text] for text in table.answers], dtype=np.int32)
        right = [int(numbers[turn.answer]) for turn in part]
        facts, row = list[list[int]](), 0
        for caption, own in zip(captions, table.dialogs, strict=True):
            facts.append([*caption, EOS] if caption else [BOS])
            facts += [[*questions[place], EOS, *in_ids[right[place]]] for place in range(row, row + len(own))]
            row += len(own)
        pictures, picture = each_once(table.pictures)
        file, size = directory / f"{split}_pictures.npy", settings.height_and_width
        save_pictures(file, pictures, size, settings.channels, settings.fit, f"{split}: ", report)
        save_arrays(
            directory, split, **_ragged(questions), **_ragged(facts, "facts_"),
            picture=np.array(_each_turn(table, picture.tolist()), dtype=np.int64),
            dialog=np.array(_each_turn(table, range(len(table))), dtype=np.int64),
            turn=np.array([place for own in table.dialogs for place in range(len(own))], dtype=np.int64),
            answers=np.array(right, dtype=np.int64),
            kinds=np.array([kinds.index(turn.kind) if kinds else 0 for turn in part], dtype=np.int64),
            ids=np.array(_each_turn(table, table.ids), dtype=np.int64),
            **_candidates(part, numbers, most),
        )  # fmt: skip
        save_texts(directory, f"{split}_text", [turn.question for turn in part])
        save_names(directory, split, _names(table))
        columns = [table.ids, table.captions, [turn.question for turn in part], right, [turn.kind for turn in part]]
        marks = [
            sha256(directory / f"{split}_{name}.npy")
            for name in ("pictures", "picture", "candidates", "relevances", "turn")
        ]
        digest.update(json.dumps([split, *columns, marks]).encode())
    digest.update(json.dumps(answers).encode())
    save_corpus(directory, "", *corpus, list(spelling))
    content = digest.hexdigest()[:16]
    meta = {
        "vocabulary": vocabulary.to_plain(),
        "candidates": most,
        "turns": max(len(own) for table in loaded.tables.values() for own in table.dialogs),
        "kinds": kinds,
        "fingerprints": {"data": fingerprint({"content": content, **plain}), "split": content},
    }
    write_meta(directory, meta, loaded.revision, report)


def _check(
    name: str,
    split: str,
    table: DialogTable,
    turns: Sequence[Turn],
    questions: np.ndarray,
    answers: np.ndarray,
    number_of: Mapping[str, int],
) -> None:
    """Raises UserError for a question or an answer without a word. questions, answers: the offsets of their tokens."""
    own = [number_of[table.answers[turn.answer]] for turn in turns]
    for what, lengths in (("question", np.diff(questions)), ("answer", np.diff(answers)[own])):
        if len(empty := np.flatnonzero(lengths == 0)):
            row = _each_turn(table, table.keys or table.ids)[int(empty[0])]
            raise UserError(f"{name}, {split} split, dialog {row}: the {what} is empty: expected at least one word")


def _candidates(turns: Sequence[Turn], numbers: np.ndarray, most: int) -> dict[str, np.ndarray]:
    """The arrays `candidates` and `relevances` of `DialogSplit`: each candidate once, with its highest relevance."""
    own, relevances = list[list[int]](), list[list[float]]()
    for turn in turns:
        candidates, best = numbers[[*turn.candidates]].tolist() if most else [], dict[int, float]()
        own_relevances = turn.relevances or [np.nan] * len(turn.candidates)
        for candidate, relevance in zip(candidates, own_relevances, strict=False):
            best[candidate] = max(relevance, best.get(candidate, relevance))
        own.append([*best])
        relevances.append([*best.values()])
    known = any(turn.relevances for turn in turns) and most
    return {
        "candidates": padded(own, NOTHING, np.int32, most),
        "relevances": padded(relevances, np.nan, np.float32, most) if known else np.zeros((len(turns), 0), np.float32),
    }


def _ragged(rows: Sequence[Sequence[int]], prefix: str = "") -> dict[str, np.ndarray]:
    return {
        f"{prefix}flat": np.fromiter(chain.from_iterable(rows), dtype=np.int32),
        f"{prefix}offsets": np.cumsum([0, *map(len, rows)], dtype=np.int64),
    }


def _taken(flat: np.ndarray, offsets: np.ndarray, rows: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Some texts, in another order, or several times."""
    parts = [flat[offsets[row] : offsets[row + 1]] for row in rows]
    return np.concatenate(parts), np.cumsum([0, *map(len, parts)], dtype=np.int64)


def _joined(parts: Sequence[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """All texts of several arrays, one after the other."""
    lengths = np.concatenate([np.diff(offsets) for _, offsets in parts])
    return np.concatenate([flat for flat, _ in parts]), np.cumsum([0, *lengths], dtype=np.int64)
