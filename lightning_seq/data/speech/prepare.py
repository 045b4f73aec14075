"""Recordings as frames of features on disk, transcripts as ids."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from lightning_seq.data.cache import CachedFields, PreparedData, prepared, train_vocabulary, write_meta
from lightning_seq.data.disk_rows import DiskRows
from lightning_seq.data.example_ids import save_names
from lightning_seq.data.front_end import with_deltas
from lightning_seq.data.kept_texts import KeptTexts, save_texts
from lightning_seq.data.sources.speech import SpeechSource, SpeechTable
from lightning_seq.data.sources.table import SPLITS, Loaded, empty_split
from lightning_seq.data.speech.settings import SpeechSettings
from lightning_seq.data.token_arrays import Ragged, TokenNumbers, mapped, read_arrays, reading, save_arrays
from lightning_seq.errors import UserError
from lightning_seq.files import Plain, fingerprint
from lightning_seq.printable import number_of
from lightning_seq.spec import DataSpec, Features, Transcript
from lightning_seq.text.segmenter import Segmenter
from lightning_seq.text.vocabulary import EOS, Vocabulary

CODE_VERSION = 1
"""Increase it when the same input gives other arrays: caches of an earlier version are then not used."""


@dataclass(frozen=True)
class SpeechSplit:
    """The utterances of one split.

    steps:       `[frames, D]` float32 on disk, those of utterance i from `offsets[i]` to `offsets[i + 1]`.
    transcripts: ids; each ends with `<eos>`.
    ids:         `[N]` int64, the source's number of each utterance.
    spans:       `[tokens, 2]` float32, the seconds of each symbol; None if they are unknown.
    """

    steps: DiskRows
    offsets: np.ndarray
    transcripts: Ragged
    ids: np.ndarray
    spans: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def lengths(self) -> np.ndarray:
        """`[N]`, frames."""
        return np.diff(self.offsets)


@dataclass(frozen=True, kw_only=True)
class PreparedSpeech(PreparedData[SpeechSplit]):
    """Utterances with transcripts, ready for batches. spec: Features to Transcript.

    mean, scale: of each feature in training, for `normalise=global`; else empty.
    is_audio:    whether the source has recordings, and not ready features.
    """

    vocabulary: Vocabulary
    segmenter: Segmenter
    settings: SpeechSettings
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    is_audio: bool

    def texts(self, split: str) -> KeptTexts:
        """The transcripts of a split as the source has them."""
        with reading(self.directory):
            return KeptTexts(self.directory, f"{split}_text")


class Moments:
    """The mean and the deviation of each feature over frames."""

    def __init__(self, width: int) -> None:
        self._count, self._sums = 0, np.zeros((2, width))
        self._origin: np.ndarray | None = None

    def update(self, frames: np.ndarray) -> None:
        if self._origin is None:  # near the values, so that their squares do not cancel
            self._origin = frames[0].astype(np.float64)
        values = frames - self._origin
        self._count += len(frames)
        self._sums += values.sum(0), (values**2).sum(0)

    def result(self) -> tuple[np.ndarray, np.ndarray]:
        """`[D]` each; the deviation is 1 for a feature that does not vary."""
        mean, square = self._sums / max(self._count, 1)
        deviation = np.sqrt(np.maximum(square - mean**2, 0))
        origin = 0.0 if self._origin is None else self._origin
        return mean + origin, np.where(deviation > 1e-6, deviation, 1.0)


def moments_of(frames: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The mean and the deviation of each feature of frames `[T, D]`."""
    moments = Moments(frames.shape[1])
    moments.update(frames)
    return moments.result()


def prepare_speech(source: SpeechSource, cache: Path | str, settings: SpeechSettings) -> PreparedSpeech:
    """The source's utterances, from the cache where they are there and whole.

    Raises UserError for a mistake in the source, for an empty split, and for a recording that cannot be read.
    """
    plain = settings.to_plain() | {"code": CODE_VERSION}
    build = partial(_build, settings=settings, plain=plain)
    identity = {"speech": source.identity(), **plain}
    return prepared(source, cache, identity, build, partial(_read, settings=settings))


def segmenter_of(settings: SpeechSettings) -> Segmenter:
    return Segmenter(settings.level, settings.lower, normalise="nfc")


def _read(directory: Path, meta: dict[str, Plain], common: CachedFields, settings: SpeechSettings) -> PreparedSpeech:
    vocabulary, splits = Vocabulary.from_plain(meta["vocabulary"]), {}
    for split in SPLITS:
        flat, starts, offsets, ids = read_arrays(directory, split, "flat", "starts", "offsets", "ids")
        spans = np.asarray(mapped(directory, f"{split}_spans")) if meta["spans"] else None
        steps = DiskRows(directory, f"{split}_steps")
        splits[split] = SpeechSplit(steps, offsets, Ragged(flat, starts), ids, spans)
    return PreparedSpeech(
        spec=DataSpec(Features(splits["train"].steps.shape[1], tuple(meta["names"])), Transcript(vocabulary.words)),
        splits=splits,
        vocabulary=vocabulary,
        segmenter=segmenter_of(settings),
        settings=settings,
        mean=tuple(meta["mean"]),
        scale=tuple(meta["scale"]),
        is_audio=meta["is_audio"],
        **common,
    )


def _build(
    directory: Path, name: str, loaded: Loaded[SpeechTable], settings: SpeechSettings, plain: dict[str, Plain]
) -> None:
    report, segmenter, spelling, digest = list(loaded.notes), segmenter_of(settings), TokenNumbers(), hashlib.sha256()
    tokens = {split: _tokens(loaded.tables[split], segmenter, name, split) for split in SPLITS}
    numbered = {split: spelling.flatten(own) for split, own in tokens.items()}
    counts = spelling.counts(numbered["train"][0])
    vocabulary = train_vocabulary(name, counts, settings.min_count, None, settings.level)
    known = np.array(vocabulary.encode(spelling), dtype=np.int32)
    if settings.normalise == "group" and any(loaded.tables[split].groups is None for split in SPLITS):
        raise UserError(
            f"{name}: data.normalise=group needs the speaker of each utterance: give data.group_column, or "
            "data.normalise=sequence"
        )
    has_spans = all(loaded.tables[split].spans is not None for split in SPLITS)
    overall, is_audio = dict[str, tuple[np.ndarray, np.ndarray]](), True
    width = None
    for split in SPLITS:
        table, (flat, starts) = loaded.tables[split], numbered[split]
        writer = _Frames(directory, split, settings, width)
        writer.extract(table, name, report)
        width, is_audio = writer.width, writer.is_audio
        writer.normalise(table, overall)
        ended = np.insert(known[flat], starts[1:], EOS), starts + np.arange(len(starts))
        ids = np.array(table.ids, dtype=np.int64)
        save_arrays(directory, split, flat=ended[0], starts=ended[1], offsets=writer.offsets, ids=ids)
        save_texts(directory, f"{split}_text", table.texts)
        save_names(directory, split, table)
        if has_spans and table.spans is not None:
            np.save(directory / f"{split}_spans.npy", _spans(table.spans, tokens[split]))
        unknown = int((known[flat] == 1).sum())
        if unknown:
            report.append(f"{split}: {number_of(unknown, 'unit')} that training does not have")
        for row, text in enumerate(table.texts):
            digest.update(f"{split} {table.ids[row]} {text} {writer.digests[row]}\n".encode())
    _warn_of_shared_speakers(loaded.tables, report)
    if settings.normalise == "group":
        report.append("features are normalised by speaker, over the utterances of a split (data.normalise=group)")
    content = digest.hexdigest()[:16]
    mean, scale = overall.get("train", (np.zeros(0), np.zeros(0)))
    names = settings.front_end.names if is_audio else ()
    meta = {
        "vocabulary": vocabulary.to_plain(),
        "fingerprints": {"data": fingerprint({"content": content, **plain}), "split": content},
        "spans": has_spans,
        "mean": mean.tolist(),
        "scale": scale.tolist(),
        "names": list(names),
        "is_audio": is_audio,
    }
    write_meta(directory, meta, loaded.revision, report)


def _tokens(table: SpeechTable, segmenter: Segmenter, name: str, split: str) -> list[list[str]]:
    """Raises UserError for an empty split, and for an utterance whose transcript has no unit."""
    if not len(table):
        raise empty_split(name, split, "one utterance")
    tokens = [segmenter(text) for text in table.texts]
    for row, own in enumerate(tokens):
        if not own:
            raise UserError(
                f"{_place(table, row, name, split)}: the transcript is empty: expected at least one {segmenter.level}"
            )
    return tokens


def _place(table: SpeechTable, row: int, name: str, split: str) -> str:
    return f"{name}, {split} split, utterance {table.keys[row] if table.keys else table.ids[row]}"


def _spans(spans: Sequence[Sequence[tuple[float, float]]], tokens: Sequence[Sequence[str]]) -> np.ndarray:
    """`[tokens, 2]` with a NaN for each `<eos>`; of symbols in a text of several characters or words that are not one
    symbol each, all NaN."""
    rows: list[tuple[float, float]] = []
    for own, symbols in zip(spans, tokens, strict=True):
        rows += [*own] if len(own) == len(symbols) else [(np.nan, np.nan)] * len(symbols)
        rows.append((np.nan, np.nan))
    return np.array(rows, dtype=np.float32).reshape(-1, 2)


def _warn_of_shared_speakers(tables: dict[str, SpeechTable], report: list[str]) -> None:
    groups = {split: Counter(tables[split].groups or ()) for split in SPLITS}
    if shared := set(groups["train"]) & set(groups["test"]):
        report.append(
            f"{number_of(len(shared), 'speaker')} in train and in test: the scores are of known speakers; official "
            "splits are kept"
        )


class _Frames:
    """The features of a split: first as they come into a temporary file, then normalised into an array."""

    def __init__(self, directory: Path, split: str, settings: SpeechSettings, width: int | None) -> None:
        self.directory, self.split, self.settings, self.width = directory, split, settings, width
        self.is_audio = True
        self.digests: list[str] = []
        self._raw = directory / f"{split}.raw"

    def extract(self, table: SpeechTable, name: str, report: list[str]) -> None:
        """Raises UserError for a recording that cannot be read, and for features of unequal width."""
        lengths, changed = [0], dict[str, list[str]]()
        with self._raw.open("wb") as file:
            for row, number in enumerate(table.rows):
                utterance = table.read(number)
                if isinstance(utterance, np.ndarray):
                    self.is_audio = False
                    features = with_deltas(utterance, self.settings.front_end.deltas).astype(np.float32)
                else:
                    sound = utterance.read()
                    features = self.settings.front_end(sound)
                    if sound.change:
                        changed.setdefault(sound.change, []).append(utterance.name)
                if self.width not in (None, features.shape[1]):
                    raise UserError(
                        f"{_place(table, row, name, self.split)}: frames of {features.shape[1]} numbers, others have "
                        f"{self.width}: expected equally many in every frame"
                    )
                self.width = features.shape[1]
                lengths.append(len(features))
                self.digests.append(hashlib.sha256(features.tobytes()).hexdigest()[:16])
                features.tofile(file)
        self.offsets = np.cumsum(lengths, dtype=np.int64)
        for change, names in changed.items():
            report.append(f"{self.split}: {number_of(len(names), 'recording')} {change}; the first: {names[0]}")

    def normalise(self, table: SpeechTable, overall: dict[str, tuple[np.ndarray, np.ndarray]]) -> None:
        """overall: gets the mean and the scale of the train split, for `normalise=global`."""
        kind, width = self.settings.normalise, int(self.width or 0)
        bounds = list(zip(self.offsets[:-1].tolist(), self.offsets[1:].tolist(), strict=True))
        by_name: dict[str, Sequence[object]] = {"group": table.groups or [], "sequence": range(len(bounds))}
        names = by_name.get(kind, [0] * len(bounds))
        moments: dict[object, Moments] = {}
        if kind == "group" or (kind == "global" and self.split == "train"):
            for name, (start, stop) in zip(names, bounds, strict=True):
                moments.setdefault(name, Moments(width)).update(self._frames(start, stop))
        if kind == "global" and self.split == "train":
            overall["train"] = moments[0].result()
        results = {name: one.result() for name, one in moments.items()}
        form = {"descr": "<f4", "fortran_order": False, "shape": (int(self.offsets[-1]), width)}
        with (self.directory / f"{self.split}_steps.npy").open("wb") as file:
            np.lib.format.write_array_header_1_0(file, form)
            for name, (start, stop) in zip(names, bounds, strict=True):
                frames = self._frames(start, stop)
                if kind == "sequence":
                    results = {name: moments_of(frames)}
                mean, scale = overall["train"] if kind == "global" else results.get(name, (0.0, 1.0))
                ((frames - mean) / scale).astype("<f4").tofile(file)
        self._raw.unlink()

    def _frames(self, start: int, stop: int) -> np.ndarray:
        width = int(self.width or 0)
        values = np.fromfile(self._raw, np.float32, (stop - start) * width, offset=4 * start * width)
        return values.reshape(-1, width)
