"""Features that a frozen encoder makes once, and pictures that change at random, in both kinds of data."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
import torch

from lightning_seq.data.bucket_sampler import BatchShard
from lightning_seq.data.captioning import CaptioningData
from lightning_seq.data.picture_inputs import mean_features, small_pixels
from lightning_seq.data.sources.scene_questions import SceneQuestions
from lightning_seq.data.sources.scenes import Scenes
from lightning_seq.data.visual_questions import VisualQuestionData
from lightning_seq.errors import UserError
from lightning_seq.spec import PICTURES


class Means:
    """The mean of each quarter of a picture, times a factor, for each channel."""

    name, shape = "means", (4, 3)

    def __init__(self, factor: float = 1.0) -> None:
        self.factor, self.fingerprint, self.calls = factor, f"means {factor}", 0

    def __call__(self, pictures: np.ndarray) -> np.ndarray:
        self.calls += 1
        B, C, H, W = pictures.shape
        quarters = pictures.reshape(B, C, 2, H // 2, 2, W // 2).mean((3, 5), dtype=np.float32)
        return self.factor * quarters.reshape(B, C, 4).transpose(0, 2, 1)


def captions(cache: Path, **keys: object) -> CaptioningData:
    return CaptioningData(Scenes(examples=100), cache, batch_size=8, **keys)  # type: ignore[arg-type]


@pytest.mark.parametrize("precision", ["float32", "float16"])
def test_features_are_made_once(tmp_path: Path, precision: str) -> None:
    encoder, shard = Means(), BatchShard([4, 0, 7], 3)
    data = captions(tmp_path, features=lambda channels, size: encoder, features_precision=precision)
    assert encoder.calls == 4  # 100, 10 and 10 pictures, 64 at a time
    plain = captions(tmp_path).batches("train")[0][shard].inputs.numpy()
    batch = data.batches("train")[0][shard]
    assert batch.inputs.dtype == getattr(torch, precision)
    np.testing.assert_allclose(batch.inputs.numpy(), Means()(plain), rtol=1e-3)
    again, other = Means(), Means(2.0)
    captions(tmp_path, features=lambda channels, size: again, features_precision=precision)
    assert again.calls == 0
    doubled = captions(tmp_path, features=lambda channels, size: other, features_precision=precision)
    captions(tmp_path, size=24, features=lambda channels, size: again, features_precision=precision)
    assert (again.calls, other.calls) == (4, 4)  # for the pictures of another size
    np.testing.assert_allclose(doubled.batches("train")[0][shard].inputs, 2 * Means()(plain), rtol=1e-3)
    assert np.array_equal(data.picture("train", 4), plain[0])


def test_damaged_features_are_made_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    captions(tmp_path, features=lambda channels, size: Means())
    (file,) = tmp_path.glob("features/*/train_features.npy")
    file.write_bytes(file.read_bytes()[:-8])
    encoder = Means()
    with caplog.at_level(logging.WARNING):
        captions(tmp_path, features=lambda channels, size: encoder)
    assert encoder.calls == 4
    assert "is damaged" in caplog.text


def test_features_beyond_a_precision_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"not finite in float16: .* data\.features_precision=float32"):
        captions(tmp_path, features=lambda channels, size: Means(1e4), features_precision="float16")
    assert not list(tmp_path.glob("features/*/*.npy"))


def test_features_of_questions_are_those_of_their_pictures(tmp_path: Path) -> None:
    source, shard = SceneQuestions(examples=80, canvas=24), BatchShard([7, 3], 2)
    data = VisualQuestionData(source, tmp_path, size=24, features=lambda channels, size: Means())
    plain = VisualQuestionData(source, tmp_path, size=24)
    made, pictures = (one.batches("test")[0][shard].extra[PICTURES].numpy() for one in (data, plain))
    np.testing.assert_allclose(made, Means()(pictures), rtol=1e-6)


def test_only_training_changes_at_random(tmp_path: Path) -> None:
    changed, plain = captions(tmp_path, augment={"shift": 3}, seed=5), captions(tmp_path, seed=5)
    for split in ("train", "validation"):
        one, other = (data.batches(split)[0] for data in (changed, plain))
        batches = [one[BatchShard([3, 1], 2, epoch)].inputs for epoch in (0, 1, 0)]
        assert torch.equal(batches[0], batches[2])
        assert torch.equal(batches[0], batches[1]) is (split == "validation")
        assert torch.equal(batches[0], other[BatchShard([3, 1], 2)].inputs) is (split == "validation")
        alone = one[BatchShard([1], 2)].inputs
        assert torch.equal(alone[0], batches[0][1])
    one, other = (captions(tmp_path, augment={"shift": 3}, seed=seed).batches("train")[0] for seed in (5, 6))
    assert not torch.equal(one[BatchShard([3, 1], 2)].inputs, other[BatchShard([3, 1], 2)].inputs)
    sampler = changed.batches("train")[1]
    sampler.set_epoch(4)
    assert {shard.epoch for shard in sampler} == {4}


def test_what_does_not_fit(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"data\.augment changes pictures at random, and data\.features"):
        captions(tmp_path, augment={"shift": 1}, features=lambda channels, size: Means())
    with pytest.raises(UserError, match=r"flip=true mirrors pictures, and \d+% of the training texts name a side"):
        captions(tmp_path, augment={"flip": True})
    with pytest.raises(UserError, match=r"shift is 48, and pictures have 48 x 48 pixels"):
        VisualQuestionData(SceneQuestions(examples=80), tmp_path, augment={"shift": 48})


def test_vectors_of_pictures() -> None:
    pictures = np.random.default_rng(1).integers(0, 256, (3, 3, 16, 24), dtype=np.uint8)
    blocks = pictures.reshape(3, 3, 8, 2, 8, 3).mean((3, 5))
    np.testing.assert_allclose(small_pixels(pictures), blocks.reshape(3, -1), rtol=1e-5)
    features = Means()(pictures).astype(np.float16)
    np.testing.assert_allclose(mean_features(features), features.mean(1, dtype=np.float32), rtol=1e-5)
