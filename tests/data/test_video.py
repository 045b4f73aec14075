"""Clips as arrays: frames, targets, orders, changes, splits, own files, and the generated sets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lightning_seq.data.captioning import CaptioningData
from lightning_seq.data.sources.clip_files import ClipCaptions, ClipFiles, ClipTags, UnlabelledClips
from lightning_seq.data.sources.frame_order import CLASSES, FrameOrder, orders
from lightning_seq.data.sources.moving_digits import MovingDigits
from lightning_seq.data.sources.moving_shapes import MOVES, ShapeCaptions, ShapeEvents, caption
from lightning_seq.data.vectors.prepare import VectorSplit
from lightning_seq.data.video.module import NextFrameData, VideoData
from lightning_seq.data.video.settings import VideoSettings
from lightning_seq.errors import UserError
from lightning_seq.spec import Batch, Class, DataSpec, FilmStrip, Grid, NextFrame, Tags
from tests.data.given_clips import GivenClips, grey, save_animation, save_frames

PLAIN = {"frames": None, "size": 2, "channels": 1}


def frames_of(split: VectorSplit, row: int) -> np.ndarray:
    return split.flat[int(split.starts[row]) : int(split.stops[row])]


def only_batch(data: VideoData) -> Batch:
    (batch,) = list(data.test_dataloader())
    return batch


def given(
    tmp_path: Path, clips: list[np.ndarray], targets: list[Any], kind: type[VideoData] = VideoData, **settings: Any
) -> VideoData:
    return kind(GivenClips(clips=clips, targets=targets), tmp_path, **{**PLAIN, "batch_size": 8, **settings})


def test_picked_frames() -> None:
    assert VideoSettings(frames=4).picked(10).tolist() == [0, 3, 6, 9]
    assert VideoSettings(frames=4, take="first", stride=2).picked(10).tolist() == [0, 2, 4, 6]
    assert VideoSettings(frames=3, stride=2).picked(10).tolist() == [0, 4, 8]
    assert VideoSettings(frames=16).picked(3).tolist() == [0, 1, 2]
    with pytest.raises(UserError, match=r"data.size is 0"):
        VideoSettings(size=0)


def test_a_class_per_clip(tmp_path: Path) -> None:
    data = given(tmp_path, [grey(1, 2, 3), grey(9)], ["b", "a"])
    assert data.spec == DataSpec(Grid(1, (2, 2)), Class(("a", "b")))
    batch = only_batch(data)
    assert (batch.inputs.dtype, batch.inputs.shape) == (torch.uint8, (2, 3, 1, 2, 2))
    assert batch.inputs[batch.targets == 1][0, :, 0, 0, 0].tolist() == [1, 2, 3]
    assert batch.inputs[batch.targets == 0][0, :, 0, 0, 0].tolist() == [9, 0, 0]
    assert batch.mask.sum(1).tolist() == [3 - 2 * (target == 0) for target in batch.targets.tolist()]
    assert "test 2 clips of 1 to 3 frames of 2 x 2, 2 classes" in data.summary()
    assert "test: 1 clip of one frame" in data.summary()


def test_a_class_per_frame_is_taken_with_its_frame(tmp_path: Path) -> None:
    clips, targets = [grey(*range(10))], [[None, *"abcabcabc"]]
    data = given(tmp_path, clips, targets, frames=4)
    assert data.spec.targets == Tags(("a", "b", "c"), scheme="none")
    assert frames_of(data.splits["test"], 0)[:, 0, 0, 0].tolist() == [0, 3, 6, 9]
    assert data.splits["test"].targets.tolist() == [-1, 2, 2, 2]
    assert only_batch(data).target_mask.tolist() == [[False, True, True, True]]
    with pytest.raises(UserError, match=r"clip 0: 9 labels for 10 frames, expected one for each frame"):
        given(tmp_path, clips, [list("abcabcabc")])


def test_orders(tmp_path: Path) -> None:
    clips: list[np.ndarray] = [grey(10, 20, 60), grey(0, 1)]

    def values(order: str) -> list[list[int]]:
        batch = only_batch(given(tmp_path, clips, ["a", "b"], order=order))
        rows = zip(batch.inputs, batch.mask, strict=True)
        return sorted(row[mask][:, 0, 0, 0].tolist() for row, mask in rows)

    assert values("mean") == [[0], [30]]  # 0.5 is rounded to even
    assert values("middle") == [[1], [20]]
    assert values("last") == [[1], [60]]
    assert sorted(map(sorted, values("shuffled"))) == [[0, 1], [10, 20, 60]]
    with pytest.raises(UserError, match=r"data.order=mean leaves one step"):
        given(tmp_path, clips, [list("aab"), list("ab")], order="mean")


def test_all_frames_of_a_clip_change_alike(tmp_path: Path) -> None:
    still = np.random.default_rng(0).integers(0, 256, (1, 8, 8, 3), dtype=np.uint8).repeat(5, 0)
    changes = {"shift": 2, "brightness": 0.2, "rotate": 20.0, "zoom": 0.1}
    data = given(tmp_path, [still] * 6, ["a", "b"] * 3, size=8, channels=3, augment=changes)
    (batch,) = list(data.train_dataloader())
    assert (batch.inputs == batch.inputs[:, :1]).all()
    assert len({clip[0].numpy().tobytes() for clip in batch.inputs}) == 6
    unchanged = only_batch(data)
    assert (unchanged.inputs == unchanged.inputs[:1, :1]).all()
    with pytest.raises(UserError, match=r"data.augment.flip=true mirrors pictures"):
        VideoData(FrameOrder(examples=40), tmp_path, augment={"flip": True}, frames=8, size=16, channels=1)


def test_the_next_frames_are_the_targets(tmp_path: Path) -> None:
    data = given(tmp_path, [grey(1, 2, 3, side=6), grey(7, 8, side=6)], ["", ""], NextFrameData, size=6)
    assert data.spec.targets == NextFrame(1, 6, 6)
    batch = only_batch(data)
    row = int((batch.mask.sum(1) == 2).nonzero())
    assert batch.inputs[row, :, 0, 0, 0].tolist() == [1, 2]
    assert batch.targets[row, :, 0, 0, 0].tolist() == [2, 3]
    assert batch.target_mask.sum() == batch.count == 3
    with pytest.raises(UserError, match=r"clip 1: 1 frame, expected at least 2"):
        given(tmp_path, [grey(1, 2), grey(7)], ["", ""], NextFrameData)
    with pytest.raises(UserError, match=r"data.order=mean has no next frame"):
        given(tmp_path, [grey(1, 2, side=6)], [""], NextFrameData, size=6, order="mean")


def test_new_clips_are_read_as_in_training(tmp_path: Path) -> None:
    clips = [grey(0, 50, 100, 150, 200, 250), grey(3, 4)]
    data = given(tmp_path, clips, ["a", "b"], frames=3)
    folder = save_frames(tmp_path / "clip", clips[0])
    gif = save_animation(tmp_path / "b.gif", clips[1])
    batch = data.encode([str(folder), str(gif)])
    assert batch.inputs[:, :, 0, 0, 0].tolist() == [[0, 100, 250], [3, 4, 0]]
    assert batch.mask.tolist() == [[True] * 3, [True, True, False]]
    note = data.reader.note(str(tmp_path / "none.gif"))
    assert note is not None
    assert not note.readable


def test_a_folder_for_each_class_and_an_index(tmp_path: Path) -> None:
    for number in range(8):
        save_frames(tmp_path / "all" / "up" / f"clip{number}", grey(number, number + 1))
        save_animation(tmp_path / "all" / "down" / f"clip{number}.gif", grey(number + 1, number))
    by_folder = ClipFiles(train=str(tmp_path / "all")).load()
    assert by_folder.tables["train"].clips[0].name == "down/clip0.gif" or len(by_folder.tables["train"]) < 16
    assert sum(map(len, by_folder.tables.values())) == 16
    rows = [f"up/clip{n},rise,s{n // 2}" for n in range(8)] + [f"down/clip{n}.gif,fall,s{n // 2}" for n in range(8)]
    index = tmp_path / "index.csv"
    index.write_text("\n".join(["path,label,who", *rows]) + "\n")
    source = ClipFiles(train=str(index), clips=str(tmp_path / "all"), group_column="who", test_fraction=0.25)
    groups = {split: set(table.groups or ()) for split, table in source.load().tables.items()}
    assert all(groups.values())
    assert sum(map(len, groups.values())) == 4  # whole recordings
    data = VideoData(source, tmp_path / "cache", frames=2, size=2, channels=1)
    assert data.spec.targets == Class(("fall", "rise"))
    assert not any("too high" in line for line in data.summary().splitlines())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("path,label\nclip,\n", "index.csv, line 2: the label is missing"),
        ("path,label\nother,a\n", "index.csv, line 2: the clip other is not in"),
        ("path,kind\nclip,a\n", "has no column 'label' or 'class' or 'category': its columns are path, kind"),
        ("path,label\nclip,a,b\n", "index.csv, line 2: 3 values where the header has 2"),
    ],
)
def test_wrong_indexes(tmp_path: Path, text: str, message: str) -> None:
    save_frames(tmp_path / "clip", grey(1, 2))
    (tmp_path / "index.csv").write_text(text)
    with pytest.raises(UserError, match=message):
        ClipFiles(train=str(tmp_path / "index.csv")).load()


def test_tags_captions_and_plain_clips_of_the_user(tmp_path: Path) -> None:
    for name in "abcd":
        save_frames(tmp_path / "clips" / name, grey(1, 2, 3))
    (tmp_path / "tags.csv").write_text("path,tags\n" + "".join(f"clips/{name},- up down\n" for name in "abcd"))
    assert ClipTags(train=str(tmp_path / "tags.csv"), test_fraction=0.3, validation_fraction=0.3).load().tables[
        "train"
    ].targets[0] == [None, "up", "down"]
    (tmp_path / "captions.csv").write_text("path,caption\nclips/a,it grows\nclips/a,brighter\nclips/b,a b\nclips/c,c\n")
    source = ClipCaptions(train=str(tmp_path / "captions.csv"), test_fraction=0.3, validation_fraction=0.3)
    captions = [texts for table in source.load().tables.values() for texts in table.captions]
    assert sorted(captions) == [["a b"], ["c"], ["it grows", "brighter"]]
    plain = UnlabelledClips(train=str(tmp_path / "clips"), test_fraction=0.3, validation_fraction=0.3)
    assert sum(map(len, plain.load().tables.values())) == 4


def test_frame_order_is_in_the_order_alone(tmp_path: Path) -> None:
    """The four clips of a group have the same frames, so their means are equal and any answer is right for one."""
    data = VideoData(FrameOrder(examples=80), tmp_path, frames=8, size=16, channels=1)
    split, groups = data.splits["train"], data.example_ids("train").groups
    assert groups is not None
    for first in range(0, len(split), 4):
        assert len({*groups[first : first + 4]}) == 1
        assert split.targets[first : first + 4].tolist() == [0, 1, 2, 3]
        clips = [frames_of(split, row) for row in range(first, first + 4)]
        assert len({clip.tobytes() for clip in clips}) == 4
        frames = [sorted(frame.tobytes() for frame in clip) for clip in clips]
        assert frames[0] == frames[1] == frames[2] == frames[3]
    assert len({*groups} & {*(data.example_ids("test").groups or ())}) == 0
    assert [order.tolist() for order in orders(5)] == [
        [0, 1, 2, 3, 4], [4, 3, 2, 1, 0], [0, 2, 4, 3, 1], [1, 3, 4, 2, 0],
    ]  # fmt: skip
    means = VideoData(FrameOrder(examples=80), tmp_path, frames=8, size=16, channels=1, order="mean")
    batch = only_batch(means)
    order = torch.argsort(batch.ids)
    of_groups = batch.inputs[order].reshape(-1, len(CLASSES), 16 * 16)
    assert (of_groups == of_groups[:, :1]).all()


def test_events_change_their_frames() -> None:
    source = ShapeEvents(examples=40)
    for acted in source.acted("train"):
        changes = np.diff(acted.places, axis=0)
        for event in acted.events:
            down, right, growth = changes[event.start - 1 : event.stop - 1].T
            expected = MOVES.get(event.name, (0, 0))
            assert {*zip(down.tolist(), right.tolist(), strict=True)} == {expected}
            assert {*growth.tolist()} == {{"grows": 1, "shrinks": -1}.get(event.name, 0)}
        assert [event.start for event in acted.events] == [1, *(event.stop for event in acted.events[:-1])]
        assert acted.events[-1].stop == len(acted.places) == 16
        assert acted.places.min() >= 0
        assert (acted.places[:, :2].max(1) + acted.places[:, 2]).max() <= 24
    table = source.load().tables["test"]
    assert table.targets[0][0] is None
    assert len(table.targets[0]) == 16


def test_words_of_captions_are_linked_to_the_frames_of_their_events(tmp_path: Path) -> None:
    source = ShapeCaptions(examples=40)
    acted = source.acted("train")[0]
    text, regions = caption(acted)
    assert text == f"a {acted.colour} {acted.kind} " + ", then ".join(event.name for event in acted.events)
    for event, (first, last, box) in zip(acted.events, regions, strict=True):
        assert text[first:last] == event.name
        assert box == (event.start / 16, 0.0, event.stop / 16, 1.0)
    data = CaptioningData(source, tmp_path, size=24, frames=16)
    assert data.spec.inputs == FilmStrip(3, 24, 16 * 24, 16)
    split = data.prepared.splits["train"]
    boxes = split.boxes
    assert boxes is not None
    named = boxes[: split.captions.offsets[1]]
    named = named[~np.isnan(named).any(1)]
    assert {tuple(box) for box in named.tolist()} == {box for *_, box in regions}
    clip = np.stack([*source.clips("train", [acted])[0].frames(np.arange)])
    np.testing.assert_array_equal(data.picture("train", 0), np.concatenate([*clip], 1).transpose(2, 0, 1))


def test_strips_change_frame_by_frame(tmp_path: Path) -> None:
    """A shift moves every frame of a strip, and nothing from one frame into the next."""
    plain = CaptioningData(ShapeCaptions(examples=40), tmp_path, size=24, frames=16)
    changed = CaptioningData(ShapeCaptions(examples=40), tmp_path, size=24, frames=16, augment={"shift": 3})
    one, other = (next(iter(data.train_dataloader())) for data in (plain, changed))
    assert (one.ids == other.ids).all()
    for before, after in zip(one.inputs.unflatten(-1, (16, 24)), other.inputs.unflatten(-1, (16, 24)), strict=True):
        shifts = [
            (down, right)
            for down in range(-3, 4)
            for right in range(-3, 4)
            if (before[:, 3 + down : 21 + down, :, 3 + right : 21 + right] == after[:, 3:21, :, 3:21]).all()
        ]
        assert shifts


def test_digits_stay_inside_and_move(tmp_path: Path) -> None:
    source = MovingDigits(examples=30, length=40)
    for _ in range(20):
        path = source.path(source.generator(7, _))
        assert path.min() >= 0
        assert path.max() <= 10
        assert np.abs(np.diff(path, axis=0)).max() <= 3
        assert len({*map(tuple, path.tolist())}) > 3
    data = NextFrameData(source, tmp_path, frames=None, size=20, channels=1)
    clip = frames_of(data.splits["train"], 0)
    assert clip.shape == (40, 1, 20, 20)
    assert (clip.reshape(40, -1).max(1) > 150).all()
