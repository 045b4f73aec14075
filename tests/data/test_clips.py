"""Clips of folders, animated pictures, strips and videos, and the errors of unreadable ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lightning_seq.data import clips
from lightning_seq.data.clips import ClipFile, ClipPicture, Strip, by_number, evenly
from lightning_seq.data.pictures import PictureFile
from lightning_seq.errors import UserError
from tests.data.given_clips import grey, save_animation, save_frames

CLIP = np.random.default_rng(0).integers(0, 256, (12, 6, 8, 3), dtype=np.uint8)


def read(path: Path, *numbers: int) -> np.ndarray:
    return np.stack([*ClipFile(path.name, path).frames(lambda count: np.array(numbers or range(count)))])


def test_a_folder_is_read_in_the_order_of_its_numbers(tmp_path: Path) -> None:
    """frame_10 comes after frame_9; hidden files and texts are left out."""
    folder = save_frames(tmp_path / "clip", CLIP)
    (folder / ".hidden.png").write_bytes(b"")
    (folder / "notes.txt").write_text("no frame")
    np.testing.assert_array_equal(read(folder), CLIP)
    np.testing.assert_array_equal(read(folder, 2, 11), CLIP[[2, 11]])
    assert sorted(["a10", "a9", "b1", "a9b"], key=by_number) == ["a9", "a9b", "a10", "b1"]


@pytest.mark.parametrize("ending", ["webp", "png"])
def test_animations_without_loss(tmp_path: Path, ending: str) -> None:
    path = save_animation(tmp_path / f"a.{ending}", CLIP)
    np.testing.assert_array_equal(read(path), CLIP)
    np.testing.assert_array_equal(read(path, 0, 7), CLIP[[0, 7]])


def test_a_gif_of_grey_frames(tmp_path: Path) -> None:
    clip = grey(0, 100, 200, 50)
    np.testing.assert_array_equal(read(save_animation(tmp_path / "a.gif", clip)), clip)


def test_a_video_by_pyav(tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    clip = np.repeat(np.array([20, 120, 220], np.uint8), 32 * 32 * 3).reshape(3, 32, 32, 3)
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        for frame in clip:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    np.testing.assert_allclose(read(path).mean((1, 2, 3)), [20, 120, 220], atol=4)
    np.testing.assert_allclose(read(path, 1).mean(), 120, atol=4)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.gif", b"", "a.gif is empty: expected a clip"),
        ("a.gif", b"GIF89a nothing", "a.gif is (no animated picture|damaged)"),
        ("a.txt", b"text", r"a.txt ends in .txt: expected a folder of frames, an animated picture \(.gif"),
        ("a.mp4", b"no video", "a.mp4 is (damaged|a video file, and PyAV is not installed)"),
        ("b.gif", None, "b.gif does not exist"),
    ],
)
def test_unreadable_files(tmp_path: Path, name: str, content: bytes | None, message: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=message):
        read(tmp_path / name)


def test_a_cut_animation_is_damaged(tmp_path: Path) -> None:
    path = save_animation(tmp_path / "a.png", CLIP)
    path.write_bytes(path.read_bytes()[:-1500])
    with pytest.raises(UserError, match=r"a.png is damaged"):
        read(path)


def test_an_empty_folder_and_a_damaged_frame(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="empty holds no pictures: expected frames"):
        read(tmp_path / "empty")
    folder = save_frames(tmp_path / "clip", CLIP[:2])
    (folder / "frame_1.png").write_bytes(b"broken")
    with pytest.raises(UserError, match=r"clip/frame_1.png is no picture"):
        read(folder)


def test_huge_frames_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clips, "MOST_PIXELS", 40)
    with pytest.raises(UserError, match=r"a.gif has frames of 8 x 6 pixels: expected at most 40 in all"):
        read(save_animation(tmp_path / "a.gif", CLIP))


def test_strips(tmp_path: Path) -> None:
    """A strip of frames is a clip, and a clip is a strip, whose frames are taken evenly, those of a short one again."""
    path = tmp_path / "strip.png"
    Image.fromarray(np.concatenate([*CLIP], 1)).save(path)
    strip = Strip(PictureFile("strip", path), 12)
    np.testing.assert_array_equal(np.stack([*strip.frames(np.arange)]), CLIP)
    made = ClipPicture(strip, 4, (6, 8)).read().values
    np.testing.assert_array_equal(made, np.concatenate([*CLIP[[0, 4, 7, 11]]], 1))
    short = ClipPicture(strip, 24, (6, 8)).read().values
    np.testing.assert_array_equal(short, np.concatenate([*CLIP[evenly(12, 24)]], 1))
    with pytest.raises(UserError, match=r"96 pixels wide: expected a multiple of data.frames=13"):
        ClipPicture(Strip(PictureFile("strip", path), 13), 13, (6, 8)).read()
