"""Recordings as arrays: decoded, in one channel, and resampled."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from io import BytesIO
from math import gcd
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from lightning_seq.errors import UserError, first_line, install
from lightning_seq.files import place

SUFFIXES = (".wav", ".flac", ".mp3", ".ogg", ".opus", ".aiff", ".aif", ".au")
"""Of files of sound."""
LOWEST_RATE, HIGHEST_RATE = 1000, 768_000
_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_WIDTHS = {_PCM: (8, 16, 24, 32), _FLOAT: (32, 64)}


class Sound(NamedTuple):
    """samples: `[N]` float32, from -1 to 1; rate: samples per second; change: of the own sound, for people, or None."""

    samples: np.ndarray
    rate: int
    change: str | None = None


class Recording(Protocol):
    """A recording that is decoded when it is needed."""

    @property
    def name(self) -> str:
        """For people."""
        ...

    def read(self) -> Sound:
        """Raises UserError, with the name, for a recording that cannot be read."""
        ...


@dataclass(frozen=True)
class AudioFile:
    """A recording in a file, or in the bytes of one: WAV, or with the extra `speech` FLAC, MP3, Ogg and others."""

    name: str
    content: bytes | Path

    def read(self) -> Sound:
        content = self.content if isinstance(self.content, bytes) else self._bytes(self.content)
        if not content:
            raise UserError(f"{self.name} is empty: expected a recording")
        sound = None
        if content[:4] == b"RIFF" and content[8:12] == b"WAVE":
            sound = _wave(content, self.name)
        samples, rate = sound or _decoded(content, self.name)
        if not len(samples):
            raise UserError(f"{self.name} has no samples: expected a recording of at least one")
        if not LOWEST_RATE <= rate <= HIGHEST_RATE:
            raise UserError(f"{self.name} has {rate:,} samples a second: expected {LOWEST_RATE:,} to {HIGHEST_RATE:,}")
        if not np.isfinite(samples).all():
            raise UserError(f"{self.name} has samples that are not finite: expected numbers from -1 to 1")
        channels = samples.shape[1]
        samples = np.ascontiguousarray(samples.mean(1, dtype=np.float64), dtype=np.float32)
        changes = [f"of {channels} channels: their mean was taken"] if channels > 1 else []
        changes += [] if samples.any() else ["silent"]
        return Sound(samples, rate, "; ".join(changes) or None)

    def _bytes(self, path: Path) -> bytes:
        if path.exists() and not path.is_file():
            raise UserError(f"{self.name} is not a file: expected a recording")
        try:
            return path.read_bytes()
        except FileNotFoundError:
            raise UserError(f"{self.name} does not exist: expected a recording") from None
        except OSError as error:
            raise UserError(f"{self.name} cannot be read ({error.strerror}): expected a recording") from None


def recording(path: str | Path) -> AudioFile:
    """The recording in a file of the user."""
    return AudioFile(str(path), place(path, "audio"))


def _wave(content: bytes, name: str) -> tuple[np.ndarray, int] | None:
    """Samples `[N, channels]` and their rate; None for a compressed WAV file."""
    form, at = None, 12
    while at + 8 <= len(content):
        kind, size = content[at : at + 4], int.from_bytes(content[at + 4 : at + 8], "little")
        body = content[at + 8 : at + 8 + size]
        if kind == b"fmt " and len(body) >= 16:
            code, channels, rate, _, _, bits = struct.unpack("<HHIIHH", body[:16])
            code = int.from_bytes(body[24:26], "little") if code == _EXTENSIBLE and len(body) >= 26 else code
            form = code, channels, rate, bits
        if kind == b"data":
            if form is None:
                break
            code, channels, rate, bits = form
            if bits not in _WIDTHS.get(code, ()):
                return None
            if not channels or len(body) < min(size, 0xFFFFFFFE):
                raise UserError(
                    f"{name} is damaged: its header announces {size:,} bytes of sound and {len(body):,} are there; "
                    "expected a whole recording"
                )
            return _numbers(body, code, bits, channels), rate
        at += 8 + size + size % 2
    raise UserError(f"{name} is damaged (it has no sound after its header): expected a whole WAV file")


def _numbers(body: bytes, code: int, bits: int, channels: int) -> np.ndarray:
    width = bits // 8
    count = len(body) // (width * channels) * channels
    body = body[: count * width]
    if code == _FLOAT:
        values = np.frombuffer(body, dtype=f"<f{width}").astype(np.float64)
    elif bits == 8:
        values = (np.frombuffer(body, dtype=np.uint8).astype(np.float64) - 128) / 128
    elif bits == 24:
        three = np.frombuffer(body, dtype=np.uint8).reshape(-1, 3)
        four = np.concatenate([np.zeros((len(three), 1), np.uint8), three], 1)
        values = four.reshape(-1).view("<i4") / 2.0**31
    else:
        values = np.frombuffer(body, dtype=f"<i{width}") / 2.0 ** (bits - 1)
    return values.reshape(-1, channels)


def _decoded(content: bytes, name: str) -> tuple[np.ndarray, int]:
    try:
        import soundfile
    except (ImportError, OSError) as error:  # OSError: the library of C is missing
        raise UserError(
            f"{name} is not a plain WAV file, and other files of sound need the package soundfile "
            f"({first_line(error)}): {install('speech')}"
        ) from None
    try:
        with soundfile.SoundFile(BytesIO(content)) as file:
            samples = file.read(dtype="float64", always_2d=True)
            announced, rate = file.frames, int(file.samplerate)
    except Exception as error:  # decoders raise anything for damaged content
        raise UserError(
            f"{name} is no recording that can be read, or it is damaged ({first_line(error)}): expected WAV, FLAC, MP3 "
            "or Ogg"
        ) from None
    if len(samples) < announced < 2**62:
        raise UserError(
            f"{name} is damaged: it announces {announced:,} samples and {len(samples):,} are there; expected a whole "
            "recording"
        )
    return samples, rate


def resampled(samples: np.ndarray, rate: int, to: int) -> np.ndarray:
    """Samples `[N]` at another rate, by a polyphase filter against aliases."""
    if rate == to:
        return samples
    from scipy.signal import resample_poly

    common = gcd(rate, to)
    made: np.ndarray = resample_poly(samples.astype(np.float64), to // common, rate // common).astype(np.float32)
    return made
