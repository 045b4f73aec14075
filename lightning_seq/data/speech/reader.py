"""The reader of new recordings for a speech recogniser."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from lightning_seq.data.audio import recording
from lightning_seq.data.front_end import FrontEnd, with_deltas
from lightning_seq.data.note import EMPTY, Note
from lightning_seq.data.reader import Reader, check_some
from lightning_seq.data.sources.speech import frames_of
from lightning_seq.data.speech.prepare import moments_of
from lightning_seq.errors import UserError
from lightning_seq.spec import Batch, Features
from lightning_seq.text.segmenter import Segmenter
from lightning_seq.text.vocabulary import BOS, EOS, PAD, Vocabulary


class Heard(NamedTuple):
    """features: `[T, D]`, normalised; seconds; change: of the own sound, for people, or None."""

    features: np.ndarray
    seconds: float
    change: str | None


@dataclass(frozen=True)
class SpeechReader(Reader):
    """Reads recordings in files as batches, and ids as text.

    normalise, mean, scale, is_audio: see `SpeechSettings` and `PreparedSpeech`; a file for a model of ready features is
    a `.npy` file `[T, D]`.
    """

    KIND = "speech"
    vocabulary: Vocabulary
    segmenter: Segmenter
    front_end: FrontEnd
    normalise: str
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    is_audio: bool

    @property
    def tokenized(self) -> bool:
        """Whether `decode` puts a space between all units."""
        return self.segmenter.tokenised

    def hear(self, path: str | Path) -> Heard:
        """Raises UserError for a file that cannot be read."""
        if self.is_audio:
            sound = recording(path).read()
            features, seconds, change = self.front_end(sound), len(sound.samples) / sound.rate, sound.change
        else:
            features = with_deltas(_ready(Path(path).expanduser()), self.front_end.deltas).astype(np.float32)
            seconds, change = len(features) * self.front_end.hop / 1000, None
        width = self.spec.inputs_as(Features).width
        if features.shape[1] != width:
            raise UserError(f"{path} has frames of {features.shape[1]} numbers, the model reads {width}")
        if self.normalise in ("sequence", "group"):
            mean, scale = moments_of(features)
        else:
            mean, scale = np.array(self.mean or (0.0,)), np.array(self.scale or (1.0,))
        return Heard(((features - mean) / scale).astype(np.float32), seconds, change)

    def encode(self, texts: Sequence[str], first: int = 1) -> Batch:
        """One batch of the recordings in these files; `targets` are one `<eos>` each.

        Raises UserError for a file that cannot be read.
        """
        check_some(texts, "recording")
        return self.batch([self.hear(name).features for name in texts])

    def batch(self, features: Sequence[np.ndarray]) -> Batch:
        N = len(features)
        inputs, mask = padded(features)
        targets, counts = torch.full((N, 1), EOS), torch.zeros(N, 1, dtype=torch.bool)
        return Batch(torch.arange(N), inputs, mask, targets, counts, count=0)

    def note(self, text: str) -> Note | None:
        if not text.strip():
            return EMPTY
        try:
            change = self.hear(text).change
        except UserError as error:
            return Note(str(error), False)
        return Note(f"the recording is {change}", True) if change else None

    def target_tokens(self, ids: Iterable[int]) -> list[str]:
        """The units up to `<eos>`."""
        words = self.vocabulary.words
        return [words[number] for number in takewhile(EOS.__ne__, map(int, ids)) if number not in (PAD, BOS)]

    def decode(self, ids: Iterable[int]) -> str:
        """The text of the ids up to `<eos>`."""
        return " ".join(self.segmenter.join(self.target_tokens(ids)).split())

    def reference(self, text: str) -> str:
        """A transcript as `decode` would write it if every unit were known."""
        return self.segmenter.plain(text)


def _ready(path: Path) -> np.ndarray:
    try:
        return frames_of(np.load(path, allow_pickle=False), str(path))
    except FileNotFoundError:
        raise UserError(f"{path} does not exist: expected a .npy file of features [T, D]") from None
    except (OSError, ValueError) as error:
        if isinstance(error, UserError):
            raise
        raise UserError(f"{path} cannot be read: expected a .npy file of features [T, D]") from None


def padded(features: Sequence[np.ndarray]) -> tuple[Tensor, Tensor]:
    """`[B, T, D]` float32, zero after the end of each, and the mask `[B, T]`."""
    lengths = np.array([len(one) for one in features])
    inputs = np.zeros((len(features), int(lengths.max()), features[0].shape[1]), dtype=np.float32)
    for row, one in enumerate(features):
        inputs[row, : len(one)] = one
    return torch.from_numpy(inputs), torch.from_numpy(np.arange(inputs.shape[1]) < lengths[:, None])
