"""Strings of spoken digits made of formants and tones, whose alignment is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, NamedTuple

import numpy as np

from lightning_seq.data.audio import Sound
from lightning_seq.data.sources.speech import SpeechTable
from lightning_seq.data.sources.synthetic import Synthetic
from lightning_seq.data.sources.table import Loaded
from lightning_seq.errors import UserError
from lightning_seq.value_types import Range

RATE = 8000
WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
DIGITS = "0123456789"
SILENCE = "silence"
_VOWELS = {"a": (730, 1090), "e": (530, 1840), "i": (270, 2290), "o": (570, 840), "u": (300, 870)}
"""The first two formants in hertz (Peterson & Barney 1952, men)."""
_CONTOURS = {"level": (1.0, 1.0), "rising": (0.8, 1.25), "falling": (1.25, 0.8)}
"""The pitch at the beginning and at the end, as a factor of the speaker's."""
_SOUNDS = {
    "0": ("i", "o", "level"), "1": ("o", "a", "rising"), "2": ("u", "u", "level"), "3": ("i", "i", "rising"),
    "4": ("o", "o", "falling"), "5": ("a", "i", "falling"), "6": ("i", "i", "falling"), "7": ("e", "u", "level"),
    "8": ("e", "i", "rising"), "9": ("a", "e", "falling"),
}  # fmt: skip
"""Of each digit the vowel at its beginning, the vowel at its end, and the contour of its pitch."""
_STREAMS = {"train": 0, "validation": 1, "test": 2}
_SPEAKERS = {"train": (0, 24), "validation": (24, 28), "test": (28, 36)}
"""The numbers of the speakers of each split."""
_FORMANT_WIDTH = 90.0


class Voice(NamedTuple):
    """pitch: in hertz; tract: a factor of all formants; speed: a factor of durations; name."""

    pitch: float
    tract: float
    speed: float
    name: str


@dataclass(frozen=True)
class ToneRecording:
    """An utterance that is synthesised when it is needed.

    digits: the string; spans: of each digit the seconds from and to; seconds: of all; seed: of the noise.
    """

    name: str
    digits: str
    spans: tuple[tuple[float, float], ...]
    seconds: float
    voice: Voice
    noise: float
    seed: tuple[int, ...]

    def read(self) -> Sound:
        generator = np.random.default_rng(np.random.SeedSequence([*self.seed]))
        samples = np.zeros(round(self.seconds * RATE))
        for digit, (start, stop) in zip(self.digits, self.spans, strict=True):
            first, last = round(start * RATE), round(stop * RATE)
            samples[first:last] += _digit(digit, last - first, self.voice)
        samples += self.noise * generator.standard_normal(len(samples))
        return Sound((0.3 * samples).clip(-1, 1).astype(np.float32), RATE)


@dataclass(frozen=True)
class Tones(Synthetic):
    """Utterances of digits, each a glide between two vowels with a contour of its pitch: 2, 3 and others differ in the
    vowel, 3 and 6 in the tone alone, 5 is the beginning of no other digit.

    Each speaker has a pitch, a length of the vocal tract and a speed, and is in one split alone; pauses, durations and
    noise vary. The seconds of each digit are known.

    fewest, most: digits of an utterance.
    noise:        the deviation of the white noise, of a voice with amplitude about 1.
    """

    examples: Annotated[int, Range(10, 1_000_000)] = 1000
    fewest: Annotated[int, Range(1, 50)] = 2
    most: Annotated[int, Range(1, 50)] = 5
    noise: Annotated[float, Range(0, 10)] = 0.1

    name = "tones"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.most < self.fewest:
            raise UserError(f"data.most is {self.most}, expected at least data.fewest={self.fewest}")

    def load(self) -> Loaded[SpeechTable]:
        return Loaded({split: self.table(split) for split in self.sizes})

    def table(self, split: str) -> SpeechTable:
        said = self.recordings(split)
        return SpeechTable(
            [*range(len(said))],
            lambda row: said[row],
            [one.digits for one in said],
            [*range(len(said))],
            [[*one.spans] for one in said],
            groups=[one.voice.name for one in said],
        )

    def recordings(self, split: str) -> list[ToneRecording]:
        first, last = _SPEAKERS[split]
        voices = [self._voice(number) for number in range(first, last)]
        generator = self.generator(_STREAMS[split])
        return [self._utterance(split, row, voices, generator) for row in range(self.sizes[split])]

    def _voice(self, number: int) -> Voice:
        pitch, tract, speed = self.generator(10, number).random(3).tolist()
        return Voice(90 + 130 * pitch, 0.9 + 0.25 * tract, 0.8 + 0.5 * speed, f"speaker {number}")

    def _utterance(self, split: str, row: int, voices: list[Voice], generator: np.random.Generator) -> ToneRecording:
        voice = voices[row % len(voices)]
        digits = "".join(
            DIGITS[digit] for digit in generator.integers(10, size=generator.integers(self.fewest, self.most + 1))
        )
        at, spans = 0.05 + 0.1 * generator.random(), []
        for _ in digits:
            stop = at + voice.speed * (0.12 + 0.06 * generator.random())
            spans.append((round(at, 4), round(stop, 4)))
            at = stop + 0.02 + 0.08 * generator.random()
        name = f"utterance {row} of {split}"
        seed = (self.split_seed, 11, _STREAMS[split], row)
        return ToneRecording(name, digits, tuple(spans), at + 0.05, voice, self.noise, seed)


def _digit(digit: str, size: int, voice: Voice) -> np.ndarray:
    """`[size]`, harmonics of the voice's pitch, louder near the two formants, which move from vowel to vowel."""
    begins, ends, contour = _SOUNDS[digit]
    part = np.linspace(0, 1, size)
    low, high = _CONTOURS[contour]
    pitch = voice.pitch * (low + (high - low) * part)
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    made, turn, wave = np.zeros(size), np.exp(1j * phase), np.ones(size, dtype=complex)
    formants = [
        voice.tract * (one + (two - one) * part) for one, two in zip(_VOWELS[begins], _VOWELS[ends], strict=True)
    ]
    for harmonic in range(1, int(RATE / 2 / pitch.max())):
        wave *= turn
        strength = sum(1 / (1 + ((harmonic * pitch - formant) / _FORMANT_WIDTH) ** 2) for formant in formants)
        made += strength * wave.imag / np.sqrt(harmonic)
    edge = np.minimum(1, np.minimum(np.arange(size), np.arange(size)[::-1]) / (0.01 * RATE))
    return made * edge
