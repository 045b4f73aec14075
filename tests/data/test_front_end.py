from __future__ import annotations

import numpy as np
import pytest

from lightning_seq.data.audio import Sound
from lightning_seq.data.front_end import FrontEnd, with_deltas
from lightning_seq.errors import UserError

GENERATOR = np.random.default_rng(0)
SAMPLES = (GENERATOR.standard_normal(8000) * 0.1 + np.sin(np.arange(8000) * 0.3) * 0.2).astype(np.float32)
KALDI = {
    ("mel", 16000): (
        (48, 40), [14.166961669921875, 15.507917404174805, 15.64738941192627, 16.776124954223633],
        [25.26841926574707, 25.18025016784668],
    ),
    ("mel", 8000): (
        (98, 40), [14.332538604736328, 14.393348693847656, 15.635984420776367, 16.26328468322754],
        [22.66574478149414, 23.781448364257812],
    ),
    ("mfcc", 16000): (
        (48, 13), [137.66175842285156, -40.99270248413086, -14.036849021911621, -31.24930763244629],
        [-19.03512954711914, -10.702384948730469],
    ),
}  # fmt: skip
"""kaldi-native-fbank 1.23: 40 bands from 20 Hz to half of the rate, no dither, no energy; shape, the first four numbers
of frame 3, the last two of the last frame."""


@pytest.mark.parametrize(("kind", "rate"), KALDI)
def test_features_are_those_of_kaldi(kind: str, rate: int) -> None:
    shape, first, last = KALDI[kind, rate]
    made = FrontEnd(kind, rate)(Sound(SAMPLES, rate))
    assert made.shape == shape
    assert made.dtype == np.float32
    np.testing.assert_allclose(made[3, :4], first, atol=2e-4)
    np.testing.assert_allclose(made[-1, -2:], last, atol=2e-4)


def test_every_number_is_that_of_the_package() -> None:
    kaldi = pytest.importorskip("kaldi_native_fbank")
    options = kaldi.FbankOptions()
    options.frame_opts.samp_freq, options.frame_opts.dither = 16000, 0
    options.mel_opts.num_bins, options.mel_opts.high_freq = 23, 7000
    bank = kaldi.OnlineFbank(options)
    bank.accept_waveform(16000, (SAMPLES * 32768).tolist())
    bank.input_finished()
    expected = np.stack([bank.get_frame(number) for number in range(bank.num_frames_ready)])
    made = FrontEnd("mel", 16000, bands=23, high=7000.0)(Sound(SAMPLES, 16000))
    np.testing.assert_allclose(made, expected, atol=2e-4)


def test_long_recordings_in_parts_have_the_frames_of_short_ones() -> None:
    front, sound = FrontEnd("mel", 8000, bands=8), np.tile(SAMPLES, 30)
    whole = front(Sound(sound, 8000))
    assert len(whole) == front.frames(len(sound)) == 1 + (240_000 - 200) // 80
    np.testing.assert_allclose(whole[2500], front(Sound(sound[2500 * 80 : 2500 * 80 + 200], 8000))[0], rtol=1e-6)


def test_a_short_and_a_silent_recording_have_finite_features() -> None:
    front = FrontEnd("mfcc", 8000, deltas=2)
    assert front(Sound(SAMPLES[:7], 8000)).shape == (1, 39)
    assert front.width == len(front.names) == 39
    assert np.isfinite(front(Sound(np.zeros(800, np.float32), 8000))).all()


def test_deltas_are_slopes() -> None:
    line = np.arange(10.0)[:, None] * 3
    made = with_deltas(line, 2)
    np.testing.assert_allclose(made[2:-2, 1], 3)
    np.testing.assert_allclose(made[0, 1], (1 * 3 + 2 * 6) / 10)
    np.testing.assert_allclose(made[4:-4, 2], 0)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"kind": "mfcc", "bands": 10, "cepstra": 13}, "data.front_end.cepstra is 13"),
        ({"rate": 8000, "high": 5000.0}, "expected low < high <= half"),
        ({"bands": 200, "window": 10.0}, "more than the spectrum"),
        ({"kind": "mels"}, "data.front_end.kind is 'mels'"),
    ],
)
def test_impossible_settings_are_refused(settings: dict[str, object], reason: str) -> None:
    with pytest.raises(UserError, match=reason):
        FrontEnd(**settings)  # type: ignore[arg-type]
