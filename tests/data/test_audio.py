from __future__ import annotations

import struct
import wave
from pathlib import Path

import numpy as np
import pytest

from lightning_seq.data.audio import AudioFile, recording, resampled
from lightning_seq.errors import UserError

SAMPLES = np.array([0, 0.5, -0.5, 0.25, -1.0])


def wav(code: int, bits: int, body: bytes, channels: int = 1, rate: int = 8000, extensible: bool = False) -> bytes:
    width = bits // 8 * channels
    form = struct.pack("<HHIIHH", 0xFFFE if extensible else code, channels, rate, rate * width, width, bits)
    form += struct.pack("<HHIH14x", 22, bits, 4, code) if extensible else b""
    chunks = b"fmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", len(body)) + body
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


def whole(values: np.ndarray, bits: int) -> bytes:
    return b"".join(int(v * 2 ** (bits - 1)).to_bytes(bits // 8, "little", signed=True) for v in values)


FORMS = {
    "8 bits": wav(1, 8, bytes(int(v * 128 + 128) for v in SAMPLES)),
    "16 bits": wav(1, 16, whole(SAMPLES, 16)),
    "24 bits": wav(1, 24, whole(SAMPLES, 24)),
    "24 bits, extensible": wav(1, 24, whole(SAMPLES, 24), extensible=True),
    "32 bits": wav(1, 32, whole(SAMPLES, 32)),
    "float": wav(3, 32, SAMPLES.astype("<f4").tobytes()),
    "double": wav(3, 64, SAMPLES.astype("<f8").tobytes()),
}


@pytest.mark.parametrize("form", FORMS)
def test_plain_wav_files_are_read_exactly(form: str) -> None:
    sound = AudioFile("a.wav", FORMS[form]).read()
    assert sound.rate == 8000
    assert sound.change is None
    assert sound.samples.dtype == np.float32
    np.testing.assert_array_equal(sound.samples, SAMPLES.astype(np.float32))


def test_files_of_the_standard_library_are_read(tmp_path: Path) -> None:
    with wave.open(str(tmp_path / "b.wav"), "wb") as file:
        file.setparams((2, 2, 44100, 0, "NONE", ""))
        file.writeframes(np.array([[1000, 3000], [-2000, 0]], "<i2").tobytes())
    sound = recording(tmp_path / "b.wav").read()
    np.testing.assert_allclose(sound.samples * 32768, [2000, -1000], atol=1e-3)
    assert (sound.rate, sound.change) == (44100, "of 2 channels: their mean was taken")


def test_a_silent_recording_is_told() -> None:
    assert AudioFile("a.wav", wav(1, 16, bytes(20))).read().change == "silent"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "a.wav is empty"),
        (wav(1, 16, b""), "a.wav has no samples"),
        (FORMS["16 bits"][:-4], "a.wav is damaged: its header announces 10 bytes of sound and 6"),
        (FORMS["16 bits"][:30], "a.wav is damaged"),
        (wav(1, 16, bytes(8), rate=3), "a.wav has 3 samples a second"),
        (wav(3, 32, np.array([np.nan], "<f4").tobytes()), "a.wav has samples that are not finite"),
        (b"no sound at all", "a.wav is "),
        (wav(0x1234, 8, bytes(8)), "a.wav is "),
    ],
)
def test_other_content_is_refused_with_the_name(content: bytes, reason: str) -> None:
    with pytest.raises(UserError) as caught:
        AudioFile("a.wav", content).read()
    assert str(caught.value).startswith(reason)


def test_a_missing_file_and_a_directory_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not exist"):
        recording(tmp_path / "none.wav").read()
    with pytest.raises(UserError, match="is not a file"):
        recording(tmp_path).read()


def test_a_flac_file_is_the_wav_file(tmp_path: Path) -> None:
    soundfile = pytest.importorskip("soundfile")
    samples = (np.sin(np.arange(4000) * 0.1) * 20000).astype(np.int16)
    soundfile.write(tmp_path / "a.flac", samples, 16000)
    sound = recording(tmp_path / "a.flac").read()
    np.testing.assert_array_equal(np.rint(sound.samples * 32768), samples)
    content = (tmp_path / "a.flac").read_bytes()
    with pytest.raises(UserError, match=r"^cut\.flac "):
        AudioFile("cut.flac", content[: len(content) // 2]).read()


def test_a_resampled_tone_has_its_frequency() -> None:
    tone = np.sin(2 * np.pi * 440 * np.arange(16000) / 16000).astype(np.float32)
    made = resampled(tone, 16000, 8000)
    assert len(made) == 8000
    np.testing.assert_allclose(made[200:-200], np.sin(2 * np.pi * 440 * np.arange(8000) / 8000)[200:-200], atol=2e-3)
    assert resampled(tone, 16000, 16000) is tone
