"""Clips as a user runs them: classes, tags, next frames and captions, their files, and new clips."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pyarrow import parquet

from lightning_seq.cli.main import main
from lightning_seq.data.sources.moving_digits import MovingDigits
from lightning_seq.data.video.module import NextFrameData
from lightning_seq.records.next_frames import PredictedFrames
from lightning_seq.records.record import Record, read
from lightning_seq.records.segments import Timeline
from tests.data.given_clips import save_animation

Refused = Callable[..., str]
TINY = (
    "model.hidden_size=8", "trainer.max_epochs=1", "trainer.progress=false", "trainer.threads=1", "logger=none",
    "callbacks=none",
)  # fmt: skip
SMALL = ("embedding.size=8", "embedding.picture.widths=[4,8]")


def done(place: Path, label: str) -> tuple[Path, Record]:
    run = place / "clips" / f"{label}-seed1"
    record = read(run)
    assert record.status == "done", record.error
    return run, record


def words(place: Path, *more: str) -> list[str]:
    return [*TINY, f"runs={place}", f"cache={place / 'cache'}", "name=clips", *more]


def output(capsys: pytest.CaptureFixture[str], *command: str) -> Any:
    capsys.readouterr()
    assert main([*command]) == 0
    return json.loads(capsys.readouterr().out)


def clip_file(place: Path, size: int, frames: int = 8) -> str:
    clip = np.random.default_rng(0).integers(0, 256, (frames, size, size, 3), dtype=np.uint8)
    return str(save_animation(place / "new.webp", clip))


def test_a_class_for_each_clip(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A mean over frames is right for exactly one of four; a match of sizes counts a clip."""
    own = [
        word for word in words(tmp_path, "data=frame_order", "data.examples=80", *SMALL, "launcher=inline", "seeds=1")
        if not word.startswith("model.")
    ]  # fmt: skip
    assert main(["compare", *own, "model=gru", "data.order=as_is,mean", "match=flops", "match.target=5k"]) == 0
    for label in ("gru-orderas_is", "gru-ordermean"):
        run, record = done(tmp_path, label)
        assert record.baseline["test/accuracy"] == pytest.approx(0.25)
    assert record.metrics["test/accuracy"] == pytest.approx(0.25)
    table = parquet.read_table(run / "predictions.parquet").to_pydict()
    assert len({*table["group"]}) == 2
    assert table["target"][:2] == ["left to right", "right to left"]
    row = output(capsys, "predict", f"checkpoint={run / 'checkpoints' / 'best.ckpt'}",
                 f"text={clip_file(tmp_path, 16)}")  # fmt: skip
    assert len(row["predictions"]) == 3 or len(row["predictions"]) == 4
    assert sum(one["probability"] for one in row["predictions"]) <= 1 + 1e-4


def test_a_class_for_each_frame(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", *words(tmp_path, "data=moving_shapes_events", "data.examples=40", *SMALL, "model=gru")]) == 0
    run, record = done(tmp_path, "gru")
    assert {"test/accuracy", "test/macro_f1", "test/edit"} <= set(record.metrics)
    timeline = Timeline.read(run / "segments.json")
    bands = timeline.sequences[0]
    assert bands.truth[0] == (-1, 1)
    assert Image.open(BytesIO(base64.b64decode(bands.png))).size == (16 * 24, 24)
    row = output(capsys, "predict", f"checkpoint={run / 'checkpoints' / 'best.ckpt'}",
                 f"text={clip_file(tmp_path, 24)}")  # fmt: skip
    assert [one["frame"] for one in row["predictions"]] == [*range(1, 9)]


def test_the_next_frames(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = words(tmp_path, "data=moving_digits", "data.examples=20", "data.length=5")
    assert main(["train", *own, "model=conv_lstm", "model.hidden_size=4"]) == 0
    run, record = done(tmp_path, "conv_lstm")
    data = NextFrameData(MovingDigits(examples=20, length=5), tmp_path / "cache", frames=None, size=20, channels=1)
    test = data.splits["test"]
    clips = [test.flat[int(a) : int(b)] / 255 for a, b in zip(test.starts, test.stops, strict=True)]
    copied = np.mean([np.diff(clip, axis=0) ** 2 for clip in clips])
    assert record.baseline["test/mse"] == pytest.approx(copied, rel=1e-5)
    rows = parquet.read_table(run / "predictions.parquet").to_pydict()
    assert np.mean(rows["mse"]) == pytest.approx(record.metrics["test/mse"], rel=1e-5)
    shown = PredictedFrames.read(run / "next_frames.json").clips
    assert len(shown) == 2
    for png in (shown[0].true, shown[0].predicted):
        assert Image.open(BytesIO(base64.b64decode(png))).size == (5 * 20, 20)
    row = output(capsys, "predict", f"checkpoint={run / 'checkpoints' / 'best.ckpt'}",
                 f"text={clip_file(tmp_path, 20)}")  # fmt: skip
    assert row["predictions"][0]["frame"] == 9
    assert Image.open(BytesIO(base64.b64decode(row["predictions"][0]["png"]))).size == (20, 20)


def test_captions_of_clips(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = words(tmp_path, "data=moving_shapes", "data.examples=40", "model.picture.widths=[4,8]", "task.beam=2")
    assert main(["train", *own, "model=captioner_attention", "attention=scaled_dot", "model.read_places=true"]) == 0
    run, record = done(tmp_path, "captioner_attention")
    assert 0 < record.metrics["test/uniform"] < 1
    assert 0 <= record.metrics["test/on_target"] <= 1
    checkpoint, clip = f"checkpoint={run / 'checkpoints' / 'best.ckpt'}", clip_file(tmp_path, 24)
    maps = tmp_path / "maps.json"
    assert main(["caption", checkpoint, f"image={clip}", f"attention_out={maps}"]) == 0
    looks = json.loads(maps.read_text())[0]
    assert looks["grid"] == [1, 16]
    assert len(looks["weights"][0]) == 16
    row = output(capsys, "predict", checkpoint, f"text={clip}")
    assert isinstance(row["predictions"][0]["caption"], str)


def test_words_that_do_not_fit(refused: Refused, tmp_path: Path) -> None:
    own = words(tmp_path, "data.examples=40")
    assert "embedding=word2vec is for words, these inputs are clips" in refused(
        "train", "data=frame_order", "embedding=word2vec", "model=gru", *own
    )
    assert "model=conv_lstm reads maps" in refused("train", "data=frame_order", "model=conv_lstm", *own)
    assert "this model sees it" in refused("train", "data=moving_digits", "model=bilstm", *own)
    assert "embedding=frames is for clips, words came" in refused("train", "data=dates", "embedding=frames", *own)
