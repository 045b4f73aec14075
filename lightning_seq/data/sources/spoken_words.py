"""Recordings of one class each, such as a word, as sequences of features."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from lightning_seq.data.front_end import FrontEnd
from lightning_seq.data.sources.columns import Reading, Sets, check_columns, class_of, names_of
from lightning_seq.data.sources.keys import NameColumns
from lightning_seq.data.sources.speech import SpeechSet, Utterance, undecoded_audio
from lightning_seq.data.sources.table import Cut, Loaded
from lightning_seq.data.sources.tones import RATE, SILENCE, WORDS, ToneRecording, Tones
from lightning_seq.data.sources.vector_table import Target, VectorTable
from lightning_seq.files import Plain


@dataclass(frozen=True)
class SpokenColumns(NameColumns, Reading[Loaded[VectorTable]], Cut):
    """Reads recordings with a class each, as features.

    audio_column: of recordings (`datasets.Audio`, or files as `{bytes, path}`).
    label_column: of classes.
    group_column: of speakers.
    front_end:    the arguments of `FrontEnd`.
    """

    audio_column: str = "audio"
    label_column: str = "label"
    front_end: Mapping[str, object] | None = None

    @property
    def front(self) -> FrontEnd:
        return FrontEnd(**(self.front_end or {}))  # type: ignore[arg-type]

    def to_plain(self) -> Plain:
        return {
            "audio": self.audio_column,
            "label": self.label_column,
            "front_end": self.front.to_plain(),
            "splits": self.own_splits,
            "cut": self.shares(),
            **self.names_to_plain(),
        }

    def read(self, sets: Sets, name: str, revision: str | None) -> Loaded[VectorTable]:
        """Raises UserError for a missing split or column, and for a label missing or out of range."""
        tables, classes = {}, None
        for split, rows, place in self.chosen(sets, name):
            check_columns(rows, {"audio_column": self.audio_column, "label_column": self.label_column}, place)
            names = getattr(rows.features[self.label_column], "names", None)
            labels = [class_of(label, names, place, row) for row, label in enumerate(rows[self.label_column])]
            numbers = [*range(len(labels))]
            keys, groups = names_of(rows, self, place, numbers)
            cells = undecoded_audio(rows, self.audio_column, place)
            read = features_of(cells, self.front)
            tables[split] = VectorTable(
                numbers, read, [*labels], numbers, keys=keys, groups=groups, names=self.front.names
            )
            classes = tuple(names) if names else None
        return self.loaded(tables, classes, revision)


def features_of(read: Callable[[int], Utterance], front_end: FrontEnd) -> Callable[[int], np.ndarray]:
    """From the argument of `read` to the features of its recording, or to its ready features."""

    def features(row: int) -> np.ndarray:
        utterance = read(row)
        return utterance if isinstance(utterance, np.ndarray) else front_end(utterance.read())

    return features


class SpokenWords(SpeechSet[Loaded[VectorTable]]):
    """Recordings with a class each."""

    reading = SpokenColumns


@dataclass(frozen=True)
class ToneFrames(Tones):
    """The utterances of `Tones` as features, and for each frame the digit that sounds in its middle, or silence.

    front_end: the arguments of `FrontEnd`.
    """

    front_end: Mapping[str, object] | None = None

    name = "tone_frames"

    @property
    def front(self) -> FrontEnd:
        return FrontEnd(**(self.front_end or {}))  # type: ignore[arg-type]

    def identity(self) -> Plain:
        return {**vars(self), "synthetic": self.name, "front_end": self.front.to_plain()}

    def load(self) -> Loaded[VectorTable]:  # type: ignore[override]
        tables, front = {}, self.front
        for split in self.sizes:
            table = self.table(split)
            tags: list[Target] = [frame_labels(one, front) for one in self.recordings(split)]
            read = features_of(table.read, front)
            tables[split] = VectorTable(table.rows, read, tags, table.ids, groups=table.groups, names=front.names)
        return Loaded(tables)


def frame_labels(said: ToneRecording, front: FrontEnd) -> list[str]:
    """The digit, in letters, that sounds in the middle of each frame."""
    frames = front.frames(round(round(said.seconds * RATE) * front.rate / RATE))
    middles = (np.arange(frames) * front.samples_of_hop + front.samples_of_window / 2) / front.rate
    labels = np.full(frames, SILENCE, dtype=object)
    for digit, (start, stop) in zip(said.digits, said.spans, strict=True):
        labels[(middles >= start) & (middles < stop)] = WORDS[int(digit)]
    return [*labels]
