"""`speech.json`: some test utterances as a recogniser hears them, and its errors by speaker and by unit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from lightning_seq.builders.transcriptions import Transcription, transcriptions
from lightning_seq.callbacks.probe import spread
from lightning_seq.data.pictures import small_png
from lightning_seq.files import write_json
from lightning_seq.metrics.speech import TranscriptScores, confusions
from lightning_seq.records.speech import (
    HIGHEST,
    MOST_CONFUSIONS,
    MOST_SPEAKERS,
    MOST_UTTERANCES,
    WIDEST,
    Speech,
    Utterance,
)

if TYPE_CHECKING:
    from lightning_seq.data.speech.module import SpeechData
    from lightning_seq.tasks.speech_recognition import SpeechRecognition


def write_heard(
    path: Path,
    data: SpeechData,
    task: SpeechRecognition,
    texts: Sequence[str],
    references: Sequence[str],
    scores: TranscriptScores,
) -> None:
    """texts, references: of the whole test split, in its order."""
    lengths = data.prepared.splits["test"].transcripts.lengths
    rows = spread(sorted(range(len(lengths)), key=lambda row: (int(lengths[row]), row)), MOST_UTTERANCES)
    record = Speech(
        tuple(_utterance(data, row, best) for row, best in zip(rows, _heard(data, task, rows), strict=True)),
        _confusions(texts, references),
        _speakers(data, scores),
    )
    write_json(path, record.to_plain())


def _heard(data: SpeechData, task: SpeechRecognition, rows: Sequence[int]) -> list[Transcription]:
    batch = data.reader.batch([_frames(data, row) for row in rows]).to(task.device)
    was = task.model.training
    task.model.eval()
    try:
        with torch.no_grad():
            limits = task.limits(batch.mask)
            return [best[0] for best in transcriptions(task.model, data.reader, batch, limits, task.beam, task.fusion)]
    finally:
        task.model.train(was)


def _frames(data: SpeechData, row: int) -> np.ndarray:
    split = data.prepared.splits["test"]
    return split.steps[int(split.offsets[row]) : int(split.offsets[row + 1])]


def _utterance(data: SpeechData, row: int, best: Transcription) -> Utterance:
    split, words, frames = data.prepared.splits["test"], data.vocabulary.words, _frames(data, row)
    spans = []
    if split.spans is not None:
        first, last = (int(place) for place in split.transcripts.offsets[row : row + 2])
        pairs = zip(split.transcripts.flat[first:last].tolist(), split.spans[first:last].tolist(), strict=True)
        spans = [(words[unit], start, stop) for unit, (start, stop) in pairs if start == start]
    static = frames.shape[1] // (1 + data.prepared.settings.front_end.deltas)
    weights = (best.weights or [])[:HIGHEST]
    units = (*best.units, "<eos>")[: len(weights)] if weights else tuple(best.units[:HIGHEST])
    return Utterance(
        row,
        features_png(frames[:, :static]),
        len(frames) * data.hop,
        data.reference("test", row),
        best.text,
        tuple(spans),
        tuple(best.spikes or ()),
        units,
        attention_png(np.array(weights)[: len(units)]) if weights else None,
    )


def _confusions(texts: Sequence[str], references: Sequence[str]) -> tuple[tuple[str, str, int], ...]:
    """Of words, or of characters where no reference has several words; the most frequent first, errors alone."""
    counts = confusions(texts, references, by_words=any(" " in reference for reference in references))
    wrong = Counter({pair: count for pair, count in counts.items() if pair[0] != pair[1]})
    ordered = sorted(wrong.items(), key=lambda item: (-item[1], item[0]))[:MOST_CONFUSIONS]
    return tuple((one, other, count) for (one, other), count in ordered)


def _speakers(data: SpeechData, scores: TranscriptScores) -> tuple[tuple[str, int, int], ...]:
    """Empty where speakers are unknown."""
    sums: dict[str, list[int]] = {}
    for name, one in zip(data.example_ids("test").groups or (), scores.words, strict=False):
        mine = sums.setdefault(str(name), [0, 0])
        mine[0] += one.errors
        mine[1] += one.size
    return tuple((name, errors, words) for name, (errors, words) in sorted(sums.items()))[:MOST_SPEAKERS]


def features_png(frames: np.ndarray) -> str:
    """Features `[T, D]` as a grey picture, the first feature at the bottom."""
    picture = _pooled(_pooled(frames, WIDEST).T, HIGHEST)[::-1]
    low, high = np.quantile(picture, [0.02, 0.98])
    return _png(255 * (1 - (picture - low) / max(high - low, 1e-6)))


def attention_png(weights: np.ndarray) -> str:
    """Weights `[U, S]` as a grey picture with a row for each of U, dark where they are large."""
    picture = _pooled(weights.T, WIDEST).T
    return _png(255 * (1 - picture / max(picture.max(), 1e-6)))


def _pooled(rows: np.ndarray, most: int) -> np.ndarray:
    """At most so many rows, each the mean of neighbours."""
    return np.stack([part.mean(0) for part in np.array_split(rows, most)]) if len(rows) > most else rows


def _png(picture: np.ndarray) -> str:
    return small_png(np.rint(picture.clip(0, 255)).astype(np.uint8)[None], max(WIDEST, HIGHEST))
