from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from lightning_seq.data.captioning import CaptioningData
from lightning_seq.data.sources.caption_files import CaptionFiles
from lightning_seq.data.sources.public import CaptionedPictures
from lightning_seq.data.sources.scenes import Scenes, Thing, caption
from lightning_seq.data.sources.synthetic import Synthetic
from lightning_seq.errors import UserError
from tests.data.given_pictures import write_set

THINGS = (Thing("three", "red", 0, 0, 1, 2, 12, 0), Thing("circle", "blue", 0, 2, 34, 2, 12, -1),
          Thing("seven", "purple", 2, 1, 17, 35, 12, 5))  # fmt: skip


def scenes(cache: Path, **keys: object) -> CaptioningData:
    return CaptioningData(Scenes(examples=40, **keys), cache, batch_size=8)  # type: ignore[arg-type]


def test_captions_of_scenes() -> None:
    text, regions = caption(THINGS, "en", 48)
    assert text == "a red three left of a blue circle above a purple seven"
    assert [text[first:last] for first, last, _ in regions] == ["red three", "blue circle", "purple seven"]
    assert regions[0][2] == (1 / 48, 2 / 48, 13 / 48, 14 / 48)
    german, regions = caption(THINGS, "de", 48)
    assert german == "eine rote Drei links von einem blauen Kreis über einer lila Sieben"
    assert [german[first:last] for first, last, _ in regions] == ["rote Drei", "blauen Kreis", "lila Sieben"]


def test_a_scene_shows_its_things(tmp_path: Path) -> None:
    data = scenes(tmp_path)
    split = data.prepared.splits["train"]
    for row in range(5):
        picture = data.picture("train", row)
        boxes = split.boxes[split.captions.offsets[row] : split.captions.offsets[row + 1]]
        outside = np.ones((48, 48), dtype=bool)
        for left, top, right, bottom in boxes[~np.isnan(boxes).any(1)] * 48:
            part = picture[:, round(top) : round(bottom), round(left) : round(right)]
            assert part.min() < 200
            outside[round(top) : round(bottom), round(left) : round(right)] = False
        assert (picture[:, outside] == 255).all()


def test_splits_have_other_digits(tmp_path: Path) -> None:
    source, drawings = Scenes(examples=200), dict[str, set[int]]()
    for split in source.sizes:
        drawn = source.scenes(split, 50, set())
        drawings[split] = {thing.drawing for scene in drawn for thing in scene.things} - {-1}
    assert max(drawings["train"]) < min(drawings["validation"]) <= max(drawings["validation"]) < min(drawings["test"])
    assert isinstance(source, Synthetic)


def test_batches(tmp_path: Path) -> None:
    data = scenes(tmp_path)
    batch = next(iter(data.train_dataloader()))
    assert batch.inputs.shape == (8, 3, 48, 48)
    assert batch.inputs.dtype == torch.uint8
    assert batch.mask.shape == (8, 1)
    assert batch.extra["boxes"].shape == (*batch.targets.shape, 4)
    assert batch.count == int(batch.target_mask.sum())
    row = int(batch.ids[0])
    assert data.reader.decode(batch.targets[0].tolist()) == data.captions("train", row)[0]
    named = [word not in ("a", "left", "of", "above") for word in data.captions("train", row)[0].split()]
    assert (~batch.extra["boxes"][0].isnan().any(-1))[: len(named)].tolist() == named


def test_same_cache_same_data(tmp_path: Path) -> None:
    first, again = scenes(tmp_path), scenes(tmp_path)
    assert first.fingerprints == again.fingerprints
    assert scenes(tmp_path, split_seed=2).fingerprints != first.fingerprints
    assert len(list((tmp_path / "data").glob("[!.]*"))) == 2


@pytest.mark.parametrize(
    ("keys", "message"),
    [({"fewest": 3, "most": 2}, "data.most is 2"), ({"fewest": 1, "most": 1, "examples": 100_000}, "different scenes")],
)
def test_wrong_scenes(keys: dict[str, int], message: str) -> None:
    with pytest.raises(UserError, match=message):
        Scenes(**keys)  # type: ignore[arg-type]


@pytest.fixture
def album(tmp_path: Path) -> Path:
    (tmp_path / "pictures").mkdir()
    for number in range(12):
        Image.new("RGB", (10, 6), (20 * number, 0, 0)).save(tmp_path / "pictures" / f"{number}.png")
    return tmp_path


def of_files(album: Path, name: str, text: str, **keys: str) -> CaptioningData:
    (album / name).write_text(text, encoding="utf-8")
    source = CaptionFiles(str(album / name), pictures=str(album / "pictures"), **keys)  # type: ignore[arg-type]
    return CaptioningData(source, album / "cache", size=8)


KARPATHY = {
    "images": [
        {"filename": f"{n}.png", "split": ("train", "restval", "val", "test")[n % 4],
         "sentences": [{"raw": f"picture {n}"}, {"tokens": ["the", "same"]}]}
        for n in range(12)
    ]
}  # fmt: skip
COCO = {
    "images": [{"id": n, "file_name": f"{n}.png"} for n in range(12)],
    "annotations": [{"image_id": n % 12, "caption": f"picture {n}"} for n in range(24)],
}


@pytest.mark.parametrize(
    ("name", "text", "pictures", "captions"),
    [
        ("a.csv", "image,caption\n" + "".join(f'{n % 12}.png,"one, {n}"\n' for n in range(24)), 12, 24),
        (
            "a.jsonl",
            "".join(json.dumps({"file_name": f"{n}.png", "text": ["x", "y z"]}) + "\n" for n in range(12)),
            12,
            24,
        ),
        ("a.txt", "".join(f"{n % 12}.png#{n // 12}\tpicture {n}\n" for n in range(24)), 12, 24),
        ("captions_train.json", json.dumps(COCO), 12, 24),
        ("dataset_own.json", json.dumps(KARPATHY), 12, 24),
    ],
)
def test_files_of_every_form(album: Path, name: str, text: str, pictures: int, captions: int) -> None:
    splits = of_files(album, name, text).prepared.splits.values()
    assert sum(map(len, splits)) == pictures
    assert sum(len(split.captions) for split in splits) == captions


def test_karpathys_splits(album: Path) -> None:
    data = of_files(album, "dataset_own.json", json.dumps(KARPATHY))
    assert {name: len(split) for name, split in data.prepared.splits.items()} == {
        "train": 6,
        "validation": 3,
        "test": 3,
    }
    assert data.captions("test", 0) == ["picture 3", "the same"]
    assert data.drawn == ()


def test_a_directory_with_metadata(album: Path) -> None:
    lines = "".join(json.dumps({"file_name": f"{n}.png", "text": f"p {n}"}) + "\n" for n in range(12))
    (album / "pictures" / "metadata.jsonl").write_text(lines)
    data = CaptioningData(CaptionFiles(str(album / "pictures")), album / "cache", size=8)
    assert sum(map(len, data.prepared.splits.values())) == 12


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        (
            "a.csv",
            "image,caption\n99.png,x\n",
            r"line 2: the picture 99.png is not in .* \(1 of 1 are missing\)",
        ),
        ("a.csv", "image,caption\n../a.csv,x\n", "names the picture '../a.csv'"),
        ("a.csv", "file,words\n1.png,x\n", "no column 'file_name' or 'image' or 'picture' or 'path' or 'filename'"),
        ("a.csv", "image,caption\n1.png,x,y\n", "line 2: 3 values where the header has 2"),
        ("a.txt", "1.png a picture\n", "a.txt, line 1: no tab"),
        ("a.doc", "x", r"ends in .doc: expected csv"),
        ("a.json", "[]", "cannot be read"),
        ("a.json", '{"images": [], "annotations": [{"image_id": 1, "caption": "x"}]}', "not in COCO's form"),
        ("a.jsonl", '{"file_name": 3, "text": "x"}\n', "line 1: expected the name of a picture and a text"),
        (
            "a.json",
            '{"images": [{"id": 1, "file_name": "1.png"}], "annotations": [{"image_id": 1, "caption": null}]}',
            "a.json, image 0: a caption is None: expected a text",
        ),
        (
            "a.json",
            '{"images": [{"id": 1, "file_name": "1.png"}, {"id": 1, "file_name": "2.png"}], "annotations": []}',
            "a.json, image 1: the id 1 is there twice: expected it once",
        ),
        (
            "a.json",
            '{"images": [{"id": 1, "file_name": "99.png"}], "annotations": [{"image_id": 1, "caption": "x"}]}',
            "a.json, image 0: the picture 99.png is not in",
        ),
        (
            "a.json",
            '{"images": [{"filename": "1.png", "split": "train", "sentences": [{"raw": 7}]}]}',
            "a.json, image 0: a caption is 7: expected a text",
        ),
        (
            "a.json",
            '{"images": [{"filename": "1.png", "split": "train", "sentences": [{"tokens": "ab"}]}]}',
            "a.json, image 0: a caption is None: expected a text",
        ),
    ],
)
def test_wrong_files(album: Path, name: str, text: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        of_files(album, name, text)


def test_a_damaged_picture_is_named(album: Path) -> None:
    (album / "pictures" / "3.png").write_bytes(b"nothing")
    with pytest.raises(UserError, match=r"3.png is no picture"):
        of_files(album, "a.txt", "".join(f"{n}.png#0\tpicture {n}\n" for n in range(12)))


def test_another_content_of_a_picture_is_prepared_again(album: Path) -> None:
    text = "".join(f"{n}.png#0\tpicture {n}\n" for n in range(12))
    first = of_files(album, "a.txt", text).fingerprints
    Image.new("RGB", (10, 7), "blue").save(album / "pictures" / "3.png")
    assert of_files(album, "a.txt", text).fingerprints != first


def test_rows_of_one_picture_are_one_example(tmp_path: Path) -> None:
    write_set(tmp_path / "mirror" / "own" / "set", 24)
    splits = {"train": "train", "validation": None, "test": None}
    keys = {"splits": splits, "picture_id_column": "number"}
    source = CaptionedPictures({"id": "own/set"}, str(tmp_path / "mirror"), **keys)
    data = CaptioningData(source, tmp_path / "cache", size=8)
    assert sum(map(len, data.prepared.splits.values())) == 12
    for row, number in enumerate(data.prepared.splits["train"].ids.tolist()):
        assert data.captions("train", row) == [f"picture {number}", f"picture {number + 1}"]
        assert data.picture("train", row)[0].max() == 20 * number % 256
    with pytest.raises(UserError, match=r"data\.picture_id_column"):
        CaptionedPictures({"id": "own/set"}, str(tmp_path / "mirror"), splits=splits, picture_id_column="no").load()


def test_columns_and_languages_of_a_public_set(tmp_path: Path) -> None:
    write_set(tmp_path / "mirror" / "own" / "set", 12)

    def source(**keys: object) -> CaptionedPictures:
        splits = {"train": "train", "validation": None, "test": None}
        return CaptionedPictures({"id": "own/set"}, str(tmp_path / "mirror"), splits=splits, **keys)

    data = CaptioningData(source(language="de"), tmp_path / "cache", size=8)
    assert data.captions("train", 0)[0].startswith("bild")
    several = CaptioningData(source(caption_column=["caption", "other"]), tmp_path / "cache", size=8)
    assert [len(several.captions("train", row)) for row in range(2)] == [2, 2]
    even = source(label_column="kind", label="even").load().tables["train"]
    assert {text for texts in even.captions for text in texts} <= {f"picture {row}" for row in range(0, 12, 2)}
    with pytest.raises(UserError, match="no row has kind=neither"):
        source(label_column="kind", label="neither").load()
    with pytest.raises(UserError, match=r"no language 'fr' \(data.language\)"):
        source(language="fr").load()
    with pytest.raises(UserError, match="holds no pictures"):
        source(picture_column="caption").load()
