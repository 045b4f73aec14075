"""The front end of speech recognition: log-mel filterbanks and cepstra."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Annotated

import numpy as np

from lightning_seq.data.audio import Sound, resampled
from lightning_seq.errors import UserError
from lightning_seq.field_checks import check_fields
from lightning_seq.files import Plain
from lightning_seq.value_types import OneOf, Range, Size

KINDS = ("mel", "mfcc")
FULL_SCALE = 32768.0
"""Samples are taken in the range of 16 bits, as Kaldi takes them."""
PREEMPHASIS, LIFTER = 0.97, 22
FLOOR = float(np.finfo(np.float32).eps)
"""The least energy of a band before the logarithm."""
REACH = 2
"""Frames on either side from which a delta is computed."""
_AT_ONCE = 2048
"""Frames of a spectrum in memory."""


@dataclass(frozen=True)
class FrontEnd:
    """From samples to frames of features, as Kaldi computes them without dither.

    Each frame of `window` milliseconds, one every `hop`: the mean is subtracted, x_n ← x_n - 0.97 x_{n-1}, Povey's
    window (0.5 - 0.5 cos(2πn/(N-1)))^0.85, the power spectrum, `bands` triangles on the mel scale 1127 ln(1 + f/700)
    from `low` to `high` hertz, and the logarithm. There are only whole frames; a shorter recording is padded to one.

    kind:    `mel`, the log energies; or `mfcc`, the first `cepstra` of their cosine transform, with a lifter of 22.
    rate:    samples per second; other recordings are resampled.
    high:    None: half of `rate`.
    deltas:  1: with d_t = Σ_n n (c_{t+n} - c_{t-n}) / (2 Σ_n n²), n = 1, 2, edges repeated; 2: with those of these too.

    Raises UserError for values out of their range.
    """

    kind: Annotated[str, OneOf(KINDS)] = "mel"
    rate: Annotated[int, Range(1000, 192_000)] = 16_000
    window: Annotated[float, Range(1, 1000)] = 25.0
    hop: Annotated[float, Range(1, 1000)] = 10.0
    bands: Annotated[int, Range(2, 1024)] = 40
    low: Annotated[float, Range(0, 96_000)] = 20.0
    high: Annotated[float, Range(1, 96_000)] | None = None
    cepstra: Size = 13
    deltas: Annotated[int, Range(0, 2)] = 0

    def __post_init__(self) -> None:
        check_fields(self, "data.front_end")
        if self.kind == "mfcc" and self.cepstra > self.bands:
            raise UserError(
                f"data.front_end.cepstra is {self.cepstra}, expected at most data.front_end.bands={self.bands}"
            )
        if not self.low < self.top <= self.rate / 2:
            raise UserError(
                f"data.front_end.low is {self.low:g} and high {self.top:g}: expected low < high <= half of "
                f"data.front_end.rate={self.rate}"
            )
        if not (self._filters > 0).any(1).all():
            raise UserError(
                f"data.front_end.bands={self.bands} are more than the spectrum of a window of {self.window:g} ms can "
                "tell apart: give fewer bands, or a longer data.front_end.window"
            )

    @property
    def top(self) -> float:
        return self.rate / 2 if self.high is None else self.high

    @property
    def static(self) -> int:
        """The numbers of a frame without deltas."""
        return self.bands if self.kind == "mel" else self.cepstra

    @property
    def width(self) -> int:
        return self.static * (1 + self.deltas)

    @property
    def names(self) -> tuple[str, ...]:
        own = [f"{self.kind}{number}" for number in range(self.static)]
        return tuple("Δ" * order + name for order in range(self.deltas + 1) for name in own)

    @property
    def samples_of_window(self) -> int:
        return round(self.rate * self.window / 1000)

    @property
    def samples_of_hop(self) -> int:
        return round(self.rate * self.hop / 1000)

    def frames(self, samples: int) -> int:
        """Of a recording with so many samples, at `rate`."""
        return 1 + max(0, samples - self.samples_of_window) // self.samples_of_hop

    def __call__(self, sound: Sound) -> np.ndarray:
        """`[T, width]` float32."""
        samples = resampled(sound.samples, sound.rate, self.rate).astype(np.float64) * FULL_SCALE
        N, hop = self.samples_of_window, self.samples_of_hop
        samples = np.pad(samples, (0, max(0, N - len(samples))))
        windows = np.lib.stride_tricks.sliding_window_view(samples, N)[::hop]
        energies = [self._energies(windows[first : first + _AT_ONCE]) for first in range(0, len(windows), _AT_ONCE)]
        features = np.log(np.maximum(np.concatenate(energies), FLOOR))
        if self.kind == "mfcc":
            features = features @ self._cosines
        return with_deltas(features, self.deltas).astype(np.float32)

    def _energies(self, windows: np.ndarray) -> np.ndarray:
        frames = windows - windows.mean(1, keepdims=True)
        frames = frames - PREEMPHASIS * np.concatenate([frames[:, :1], frames[:, :-1]], 1)
        power = np.abs(np.fft.rfft(frames * self._povey, self._points)) ** 2
        return power[:, :-1] @ self._filters.T

    @property
    def _points(self) -> int:
        """Of the Fourier transform: a power of two."""
        return 1 << (self.samples_of_window - 1).bit_length()

    @cached_property
    def _povey(self) -> np.ndarray:
        N = self.samples_of_window
        return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(N) / max(N - 1, 1))) ** 0.85

    @cached_property
    def _filters(self) -> np.ndarray:
        """`[bands, points / 2]`, the triangles."""
        low, high = _mel(self.low), _mel(self.top)
        edges = low + np.arange(self.bands + 2) * (high - low) / (self.bands + 1)
        mel = _mel(np.arange(self._points // 2) * self.rate / self._points)
        left, middle, right = edges[:-2, None], edges[1:-1, None], edges[2:, None]
        return np.maximum(0, np.minimum((mel - left) / (middle - left), (right - mel) / (right - middle)))

    @cached_property
    def _cosines(self) -> np.ndarray:
        """`[bands, cepstra]`, the cosine transform with its lifter."""
        band, order = np.arange(self.bands)[:, None], np.arange(self.cepstra)
        cosines = np.sqrt(2 / self.bands) * np.cos(np.pi / self.bands * (band + 0.5) * order)
        cosines[:, 0] = np.sqrt(1 / self.bands)
        return cosines * (1 + 0.5 * LIFTER * np.sin(np.pi * order / LIFTER))

    def to_plain(self) -> dict[str, Plain]:
        return asdict(self)

    @classmethod
    def from_plain(cls, plain: dict[str, Plain]) -> FrontEnd:
        return cls(**plain)


def _mel(hertz: float | np.ndarray) -> np.ndarray:
    return 1127.0 * np.log1p(np.asarray(hertz) / 700.0)


def with_deltas(features: np.ndarray, order: int) -> np.ndarray:
    """Features `[T, D]` and their deltas, `[T, D · (1 + order)]`."""
    parts = [features]
    for _ in range(order):
        last = np.pad(parts[-1], ((REACH, REACH), (0, 0)), mode="edge")
        T, scale = len(features), 2 * sum(n * n for n in range(1, REACH + 1))
        slopes = (n * (last[REACH + n : REACH + n + T] - last[REACH - n : REACH - n + T]) for n in range(1, REACH + 1))
        parts.append(sum(slopes, start=np.zeros_like(features)) / scale)
    return np.concatenate(parts, 1)
