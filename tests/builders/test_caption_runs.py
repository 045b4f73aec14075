"""Captioners as a user trains them: a run, its files, captions of new pictures, and wrong pictures."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from pyarrow import parquet
from torch.nn import functional

from lightning_seq.builders.captioning import Description, further_baselines
from lightning_seq.cli.main import main
from lightning_seq.data.captioning import CaptioningData
from lightning_seq.data.sources.scenes import Scenes
from lightning_seq.inference import caption
from lightning_seq.inference.load import load
from lightning_seq.records.captions import TRAINED_ENCODER, Captions, ScoredCaptions
from lightning_seq.records.record import read
from tests.runs import TINY, write_csv

Refused = Callable[..., str]
SCENES = ("data=scenes", "data.examples=200", "data.most=2", "task.beam=2")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    place = tmp_path_factory.mktemp("captioners")
    for model in ("captioner", "captioner_attention"):
        words = [*TINY, *SCENES, f"model={model}", f"runs={place}", f"cache={place / 'cache'}", "name=scenes"]
        assert main(["train", *words]) == 0
    return {name: place / "scenes" / f"{name}-seed1" for name in ("captioner", "captioner_attention")}


def test_the_nearest_picture_by_the_trained_encoder(trained: dict[str, Path], tmp_path: Path) -> None:
    data = CaptioningData(Scenes(examples=200, most=2), tmp_path, size=48)
    for run in trained.values():
        model = load(run).model
        with torch.inference_mode():
            train, test = (
                model.picture(torch.from_numpy(data.prepared.splits[split].pictures[:])).mean(1).double()
                for split in ("train", "test")
            )
        train, test = train - train.mean(0), test - train.mean(0)
        likeness = functional.normalize(test, dim=1) @ functional.normalize(train, dim=1).T
        right = [
            data.captions("train", best)[0] in data.captions("test", row)
            for row, best in enumerate(likeness.argmax(1).tolist())
        ]
        assert read(run).further_baselines[TRAINED_ENCODER]["test/exact_match"] == pytest.approx(np.mean(right))
    table = (run.parent / "table.md").read_text()
    assert f"{TRAINED_ENCODER} (mean of 2 runs)" in table
    blind: Any = SimpleNamespace(model=SimpleNamespace(sees_pictures=False), text=SimpleNamespace(tokenize="13a"))
    assert list(further_baselines(data, blind)) == ["nearest picture by 8 x 8 pixels"]


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (60, 90, 3), dtype=np.uint8)).save(path)
    return path


def test_a_run_and_what_it_leaves(trained: dict[str, Path]) -> None:
    run = trained["captioner_attention"]
    record = read(run)
    assert {"captions", "test_captions", "predictions"} <= set(record.artifacts)
    rows = parquet.read_table(run / "predictions.parquet").to_pylist()
    assert len(rows) == 20
    for name in ("cider", "exact_match", "loss"):
        mean = sum(row[name] for row in rows) / 20
        assert mean == pytest.approx(record.metrics[f"test/{name}"], abs=0.05 if name == "loss" else 1e-6)
    scored = ScoredCaptions.read(run / "test_captions.json")
    assert (scored.n, len(scored.pictures)) == (20, 20)
    assert [one.cider for one in scored.pictures] == sorted(round(row["cider"], 4) for row in rows)
    by_row = {row["row"]: row for row in rows}
    assert all(one.caption == by_row[one.number]["prediction"] for one in scored.pictures)
    held = Captions.read(run / "captions.json")
    assert held.grid == (6, 6)
    assert [one.epoch for one in held.pictures[0].captions] == [1, 2]
    assert Captions.read(trained["captioner"] / "captions.json").grid is None


def test_the_difficulty_is_that_of_the_first_caption(tmp_path: Path) -> None:
    lines = ["image,caption"]
    for number in range(12):
        Image.new("RGB", (12, 12), (20 * number, 0, 0)).save(tmp_path / f"{number}.png")
        lines += [f"{number}.png,{' '.join(['red'] * (1 + number % 4))}", f"{number}.png,one two three four five six"]
    lines.append("11.png,seven")
    (tmp_path / "captions.csv").write_text("\n".join(lines))
    place = [f"data.train={tmp_path / 'captions.csv'}", f"runs={tmp_path}", f"cache={tmp_path / 'cache'}", "name=own"]
    more = ["data=captions", "data.size=12", "data.test_fraction=0.5", "model=captioner", "task.beam=1"]
    assert main(["train", *TINY, *more, *place]) == 0
    rows = parquet.read_table(tmp_path / "own" / "captioner-seed1" / "predictions.parquet").to_pylist()
    assert len({row["length"] for row in rows}) > 1
    assert all(row["length"] == len(row["target"].split()) for row in rows)
    assert {row["unknown"] for row in rows} == {0.0}
    assert len({row["rarity"] for row in rows}) == 1


def test_one_picture(trained: dict[str, Path], photo: Path, tmp_path: Path, capsys: Any) -> None:
    checkpoint = f"checkpoint={trained['captioner_attention']}"
    numbers, frames, rows = tmp_path / "maps.json", tmp_path / "maps.png", tmp_path / "rows.jsonl"
    assert main(["caption", checkpoint, f"image={photo}", f"attention_out={numbers}", "n_best=2"]) == 0
    said = capsys.readouterr().out.splitlines()
    held, second = json.loads(numbers.read_text())
    assert said == [" ".join(one["words"]) for one in (held, second)]
    assert (held["image"], held["grid"]) == (str(photo), [6, 6])
    assert len(held["weights"]) == len(held["words"])
    assert all(len(row) == 36 and sum(row) == pytest.approx(1, abs=0.02) for row in held["weights"])
    assert main(["caption", checkpoint, f"image={photo}", f"attention_out={frames}"]) == 0
    image = Image.open(frames)
    columns = min(8, 1 + len(held["words"]))
    assert image.format == "PNG"
    assert image.width == columns * (168 + 8) + 8
    capsys.readouterr()
    assert main(["caption", checkpoint, f"image={photo}", "n_best=3", "scores=true"]) == 0
    lines = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert [float(score) for score, _ in lines] == sorted((float(score) for score, _ in lines), reverse=True)
    assert len(lines) == 3
    assert main(["caption", checkpoint, f"image={photo}", "n_best=3", f"output={rows}"]) == 0
    (row,) = map(json.loads, rows.read_text().splitlines())
    assert [one["caption"] for one in row["predictions"]] == [text for _, text in lines]


def test_a_directory(trained: dict[str, Path], photo: Path, tmp_path: Path, capsys: Any) -> None:
    place = tmp_path / "photos"
    place.mkdir()
    for name in ("b.png", ".hidden.png"):
        (place / name).write_bytes(photo.read_bytes())
    (place / "a.txt").write_text("no picture")
    (place / "c.jpg").write_bytes(photo.read_bytes()[:200])
    Image.open(photo).convert("CMYK").save(place / "d.tif")
    (place / "inner").mkdir()
    frames = tmp_path / "maps.png"
    words = [f"checkpoint={trained['captioner_attention']}", f"image={place}", f"attention_out={frames}"]
    assert main(["caption", *words, "batch_size=2"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [Path(row["image"]).name for row in rows] == ["a.txt", "b.png", "c.jpg", "d.tif"]
    assert [len(row["predictions"]) for row in rows] == [0, 1, 0, 1]
    assert "a.txt is no picture that can be read" in rows[0]["note"]
    assert "c.jpg is damaged" in rows[2]["note"]
    assert rows[3]["note"] == "the picture is of mode CMYK: converted to RGB"
    assert "note" not in rows[1]
    assert Image.open(frames).height >= 2 * (168 // 2)
    (place / "b.png").unlink()
    (place / "d.tif").unlink()
    with pytest.raises(SystemExit):
        main(["caption", *words[:2]])
    said = capsys.readouterr()
    assert said.out == ""
    assert "holds no picture in 2 files; the first: " in said.err


def test_pictures_that_are_converted_have_a_note(
    trained: dict[str, Path], tmp_path: Path, capsys: Any, caplog: pytest.LogCaptureFixture
) -> None:
    checkpoint, made = f"checkpoint={trained['captioner']}", Image.new("RGB", (20, 20), "red")
    made.convert("CMYK").save(tmp_path / "ink.jpg")
    made.save(tmp_path / "moving.gif", save_all=True, append_images=[Image.new("RGB", (20, 20), "blue")])
    Image.fromarray(np.full((20, 20), 40_000, np.uint16)).save(tmp_path / "deep.png")
    notes = {"ink.jpg": "of mode CMYK", "moving.gif": "of several frames", "deep.png": "of 16 bits"}
    for name, note in notes.items():
        caplog.clear()
        assert main(["caption", checkpoint, f"image={tmp_path / name}"]) == 0
        assert capsys.readouterr().out.count("\n") == 1
        assert f"{tmp_path / name}: the picture is {note}" in caplog.text


def test_an_empty_caption_has_a_note(
    trained: dict[str, Path], photo: Path, tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(caption, "described", lambda loaded, pictures, search: [[Description("", -2.0, -2.0, [])]])
    rows = tmp_path / "rows.jsonl"
    assert main(["caption", f"checkpoint={trained['captioner']}", f"image={photo}", f"output={rows}"]) == 0
    note = "the likeliest caption is empty: train longer, or read more with n_best=3"
    assert json.loads(rows.read_text())["note"] == note
    Image.new("CMYK", (20, 20)).save(tmp_path / "ink.jpg")
    words = [f"checkpoint={trained['captioner']}", f"image={tmp_path / 'ink.jpg'}", f"output={rows}"]
    assert main(["caption", *words]) == 0
    assert json.loads(rows.read_text())["note"] == f"the picture is of mode CMYK: converted to RGB; {note}"


def test_wrong_pictures_are_one_line(trained: dict[str, Path], photo: Path, tmp_path: Path, refused: Refused) -> None:
    words = ["caption", f"checkpoint={trained['captioner']}"]
    (tmp_path / "nothing.png").write_bytes(b"")
    (tmp_path / "half.png").write_bytes(photo.read_bytes()[:5000])
    (tmp_path / "words.png").write_text("a red three")
    (tmp_path / "empty").mkdir()
    assert "is not there; did you mean photo.png" in refused(*words, f"image={tmp_path / 'foto.png'}")
    assert "nothing.png is empty" in refused(*words, f"image={tmp_path / 'nothing.png'}")
    assert "half.png is damaged" in refused(*words, f"image={tmp_path / 'half.png'}")
    assert "words.png is no picture that can be read" in refused(*words, f"image={tmp_path / 'words.png'}")
    assert "holds no file" in refused(*words, f"image={tmp_path / 'empty'}")
    assert "caption needs image=PATH" in refused(*words)
    assert "there is no key 'imag' for caption; did you mean image" in refused(*words, f"imag={photo}")
    out = tmp_path / "maps.png"
    assert "this model has no attention" in refused(*words, f"image={photo}", f"attention_out={out}")
    assert "ends in .png or .json" in refused(*words, f"image={photo}", "attention_out=maps.jpg")
    assert "is the picture that is read" in refused(*words, f"image={photo}", f"attention_out={photo}")
    assert "is the file that is read" in refused(*words, f"image={photo}", f"output={photo}")
    assert not out.exists()


def test_a_model_of_texts_is_refused(photo: Path, tmp_path: Path, refused: Refused) -> None:
    rows = [(f"{word} {number}", word) for number in range(20) for word in ("good", "bad")]
    words = [f"data.train={write_csv(tmp_path / 'mine.csv', rows)}", f"runs={tmp_path}", f"cache={tmp_path / 'cache'}"]
    assert main(["train", "model=lstm", "data=csv", *TINY, *words, "trainer.max_steps=1"]) == 0
    line = refused("caption", f"checkpoint={tmp_path / 'csv' / 'lstm-seed1'}", f"image={photo}")
    assert "caption is for a captioner, and this checkpoint is a classifier: use predict" in line


def test_predict_takes_paths(trained: dict[str, Path], photo: Path, capsys: Any) -> None:
    assert main(["predict", f"checkpoint={trained['captioner']}", f"text={photo}", "top_k=2"]) == 0
    row = json.loads(capsys.readouterr().out)
    assert (row["text"], len(row["predictions"])) == (str(photo), 2)
