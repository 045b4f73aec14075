"""Dialogs in files of the user, and in the columns of a public set."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from datasets import Dataset, DatasetDict
from PIL import Image

from lightning_seq.data.sources.dialog_files import DialogFiles
from lightning_seq.data.sources.dialogs import DialogColumns, Turn
from lightning_seq.data.visual_dialog import VisualDialogData
from lightning_seq.errors import UserError
from tests.data.given_dialogs import visdial


def test_files_of_visdial(tmp_path: Path) -> None:
    path = visdial(tmp_path)
    source = DialogFiles(str(path), validation=str(path), test=str(path))
    loaded = source.load()
    train = loaded.tables["train"]
    assert train.captions == ["a dog", "two cats"]
    assert train.keys == [11, 12]
    assert train.dialogs == [[Turn("is it big", 0, [1, 0, 2]), Turn("what colour", 2, [2, 1])],
                             [Turn("what colour", 1, [1, 0, 2])]]  # fmt: skip
    assert [picture.name for picture in train.pictures] == [
        "train2014/COCO_train2014_000000000011.jpg", "VisualDialog_val2018_000000000012.jpg"
    ]  # fmt: skip
    assert loaded.notes == [f"{split}: 1 turn without an answer left out" for split in ("train", "validation", "test")]
    assert DialogFiles(str(visdial(tmp_path, answer=-1))).load().tables["train"].dialogs[0][0].answer == 0
    assert DialogFiles(str(path)).identity() != DialogFiles(str(path), test_fraction=0.5).identity()
    data = VisualDialogData(source, tmp_path / "cache", size=8)
    assert list(data.example_ids("test").values) == ["11-1", "11-2", "12-1"]
    before = source.identity()
    Image.new("RGB", (9, 9), "blue").save(tmp_path / "VisualDialog_val2018_000000000012.jpg")
    assert DialogFiles(str(path), validation=str(path), test=str(path)).identity() != before


def test_dialogs_about_one_picture_are_a_group_and_have_ids_of_their_own(tmp_path: Path) -> None:
    path = visdial(tmp_path)
    content = json.loads(path.read_text())
    one, other = content["data"]["dialogs"]
    silent = {"image_id": 11, "dialog": []}
    content["data"]["dialogs"] = [one, other, silent, *[one, other] * 4]
    path.write_text(json.dumps(content))
    source = DialogFiles(str(path), validation=str(path), test_fraction=0.5)
    tables = source.load().tables
    groups = [{*(tables[split].groups or ())} for split in ("train", "test")]
    assert sorted(map(sorted, groups)) == [[11], [12]]
    assert "train: 1 dialog without turns left out" in source.load().notes
    ids = VisualDialogData(source, tmp_path / "cache", size=8).example_ids("test")
    assert len({*ids.values}) == len(ids.values)
    assert len({*ids.groups}) == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"question": 9}, "turn 1: expected a question, as its place in data.questions"),
        ({"answer": 7}, "turn 1: answer is 7"),
        ({"answer_options": [1, 5]}, "answer_options are not places in data.answers"),
        ({"gt_index": 3}, "gt_index is 3"),
        ({"answer_options": None}, "gt_index is 1, and there are no answer_options: give both, or answer alone"),
        ({"gt_index": 0}, "the answer 'no' is not the one"),
        ({"answer_options": [1, 2], "gt_index": None}, "the answer 'no' is not the one"),
    ],
)
def test_wrong_turns_of_a_file_are_one_line(changes: dict[str, object], message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message) as refused:
        DialogFiles(str(visdial(tmp_path, **changes))).load()
    assert "\n" not in str(refused.value)
    assert "dialog 0 (image_id 11)" in str(refused.value)


DENSE = [
    {"image_id": 11, "round_id": 1, "gt_relevance": [0.5, 1, 0]},
    {"image_id": 9, "round_id": 1, "gt_relevance": []},
]


def test_dense_annotations(tmp_path: Path) -> None:
    path, dense = visdial(tmp_path, answer_options=[1, 0, 1]), tmp_path / "dense.json"
    dense.write_text(json.dumps(DENSE))
    source = DialogFiles(str(path), str(path), str(path), relevances=str(dense))
    assert [turn.relevances for turn in source.load().tables["train"].dialogs[0]] == [[0.5, 1, 0], ()]
    assert "relevances of 1 picture without a dialog left out" in source.load().notes
    kept = VisualDialogData(source, tmp_path / "cache", size=8).prepared.splits["test"]
    assert kept.candidates.tolist() == [[1, 0, -1], [2, 1, -1], [1, 0, 2]]
    np.testing.assert_array_equal(kept.relevances, [[0.5, 1, np.nan]] + [[np.nan] * 3] * 2)
    without = VisualDialogData(DialogFiles(str(path), str(path), str(path)), tmp_path / "cache", size=8)
    assert without.prepared.splits["test"].relevances.shape == (3, 0)
    assert DialogFiles(str(path), str(path), str(path)).identity() != source.identity()
    for content, message in (
        ([DENSE[0] | {"gt_relevance": [1, 0]}], r"turn 1: data.relevances has 2 values, and there are 3 answer_opt"),
        ([DENSE[0] | {"gt_relevance": [1, 0, -1]}], r"dense.json, image_id 11, round 1: gt_relevance is no list"),
        ([{"image_id": 11}], r"dense.json is not in VisDial's form"),
        ({}, r"dense.json cannot be read"),
    ):
        dense.write_text(json.dumps(content))
        with pytest.raises(UserError, match=message):
            DialogFiles(str(path), str(path), str(path), relevances=str(dense)).load()
    with pytest.raises(UserError, match=r"data.relevances=nowhere is not there"):
        DialogFiles(str(path), relevances="nowhere").load()


def test_wrong_files_are_one_line(tmp_path: Path) -> None:
    path = visdial(tmp_path)
    content = json.loads(path.read_text())
    for change, message in (
        ({"data": {}}, "is not in VisDial's form"),
        ({"data": content["data"] | {"answers": "no"}}, "data.answers is no list of texts"),
        ({"data": content["data"] | {"dialogs": [{"image_id": 99, "dialog": []}]}}, None),
        ({"data": content["data"] | {"dialogs": [{"image_id": 99, "dialog": [{"question": 0, "answer": 0}]}]}},
         "no picture in .* ends with 99"),
        ({"data": content["data"] | {"dialogs": [{"image_id": 11, "caption": "\ud800", "dialog": []}]}},
         "holds half of a surrogate pair"),
        ({"split": "train"}, "both end with 12"),
    ):  # fmt: skip
        path.write_text(json.dumps(content | change))
        if message is None:
            assert len(DialogFiles(str(path)).given()) == 1
            continue
        with pytest.raises(UserError, match=message):
            DialogFiles(str(path)).load()
    path.write_text("{")
    with pytest.raises(UserError, match=r"cannot be read"):
        DialogFiles(str(path)).load()
    with pytest.raises(UserError, match=r"data.pictures=nowhere is not a directory"):
        DialogFiles(str(visdial(tmp_path)), pictures="nowhere").load()
    with pytest.raises(UserError, match=r"data.train is not given"):
        DialogFiles(None)


def test_a_public_set_without_candidates(tmp_path: Path) -> None:
    (tmp_path / "coco").mkdir()
    Image.new("RGB", (8, 8), "red").save(tmp_path / "coco" / "1.jpg")
    columns = {"image": ["coco/1.jpg"] * 2, "caption": ["a dog", "a cat"],
               "dialog": [[["is it big", "no"], ["what colour", "red"]], [["what colour", "no"]]]}  # fmt: skip
    rows = Dataset.from_dict(columns)
    sets = DatasetDict(dict.fromkeys(("train", "validation", "test"), rows))
    reading = DialogColumns(pictures=str(tmp_path))
    made = reading.read(sets, "set", None).tables["train"]
    assert made.answers == ("no", "red")
    assert made.dialogs == [[Turn("is it big", 0), Turn("what colour", 1)], [Turn("what colour", 0)]]
    assert made.captions == ["a dog", "a cat"]
    assert made.pictures[0].read().values.shape == (8, 8, 3)
    with pytest.raises(UserError, match=r"give the directory of the pictures as data.pictures=DIR"):
        DialogColumns().read(sets, "set", None)
    wrong = rows.remove_columns("dialog").add_column("dialog", [[["a"]], [["a"]]])
    with pytest.raises(UserError, match=r"row 0: 'dialog' is no dialog"):
        reading.read(DatasetDict(dict.fromkeys(sets, wrong)), "set", None)
    outside = rows.remove_columns("image").add_column("image", ["../secret.jpg"] * 2)
    with pytest.raises(UserError, match=r"expected a file in"):
        reading.read(DatasetDict(dict.fromkeys(sets, outside)), "set", None)
