"""Runs on features that are made once, on frozen layers and on weights of a file, and their checkpoints."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from lightning_seq.builders.features import FrozenFeatures
from lightning_seq.cli.main import main
from lightning_seq.inference.load import load
from lightning_seq.models.picture.cnn import ConvolutionalEncoder
from lightning_seq.models.picture.patches import PatchEncoder
from lightning_seq.records.captions import TRAINED_ENCODER
from lightning_seq.records.record import read
from tests.runs import TINY

Refused = Callable[..., str]
SCENES = ("data=scenes", "data.examples=200", "data.most=2", "task.beam=2", "model=captioner_attention", "data.size=24")
QUESTIONS = ("data=scene_questions", "data.examples=100", "data.canvas=24", "data.size=24", "model=answerer")


def train(place: Path, name: str, *words: str) -> Path:
    assert main(["train", *TINY, *words, f"runs={place}", f"cache={place / 'cache'}", f"name={name}"]) == 0
    return next((place / name).glob("*-seed*"))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("features")


@pytest.fixture(scope="module")
def photo(place: Path) -> Path:
    path = place / "photo.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (60, 90, 3), dtype=np.uint8)).save(path)
    return path


def test_a_captioner_on_features(place: Path, photo: Path, capsys: Any) -> None:
    words = "data.features=cnn", "data.features.widths=[4,6]"
    one, two = (train(place, f"features{seed}", *SCENES, *words, f"seed={seed}") for seed in (1, 2))
    layers = [load(run).model.picture.layers.state_dict() for run in (one, two)]
    assert layers[0].keys() == layers[1].keys()
    assert all(torch.equal(value, layers[1][name]) for name, value in layers[0].items())
    assert len(list(place.glob("cache/features/*/train_features.npy"))) == 1
    record = read(one)
    names = ["nearest picture by 8 x 8 pixels", "nearest picture by features of ConvolutionalEncoder", TRAINED_ENCODER]
    assert list(record.further_baselines) == names
    assert all(read(two).further_baselines[name] == record.further_baselines[name] for name in names[:2])
    for scores in record.further_baselines.values():
        assert {"test/bleu", "test/cider", "test/exact_match", "test/distinct"} <= set(scores)
        assert scores["test/distinct"] > 0.5
    assert all(name in (place / "features1" / "table.md").read_text() for name in names)
    frozen = sum(value.numel() for value in layers[0].values())
    assert record.parameters["total"] == sum(one.numel() for one in load(one).model.parameters()) > frozen
    capsys.readouterr()
    assert main(["caption", f"checkpoint={one}", f"image={photo}", "n_best=2"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert main(["predict", f"checkpoint={one}", f"text={photo}", "top_k=2"]) == 0
    (row,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert [best["caption"] for best in row["predictions"]] == said


def test_the_fingerprint_of_features_covers_settings_and_weights(tmp_path: Path) -> None:
    paths = [tmp_path / f"{name}.pt" for name in ("one", "same", "other")]
    for path, value in zip(paths, (1.0, 1.0, 2.0), strict=True):
        torch.save({"weight": torch.full((4, 3, 8, 8), value), "bias": torch.zeros(4)}, path)

    def fingerprint(path: Path, **settings: object) -> str:
        encoder = PatchEncoder(3, (16, 16), 8, 4, str(path), frozen=True)
        return FrozenFeatures(encoder, {"weights": str(path), **settings}).fingerprint

    one, same, other = map(fingerprint, paths)
    assert one == same != other
    assert fingerprint(paths[0], fit="crop") != one


def test_weights_of_a_captioner_in_an_answerer(place: Path, photo: Path, capsys: Any) -> None:
    source = train(place, "captioner", *SCENES, "model.picture.widths=[4,6]")
    checkpoint = source / "checkpoints" / "best.ckpt"
    encoder = "data.features=cnn", "data.features.widths=[4,6]", f"data.features.weights={checkpoint}"
    run = train(place, "answerer", *QUESTIONS, *encoder)
    model, own = load(run).model.picture, load(source).model.picture
    assert isinstance(model, ConvolutionalEncoder)
    assert model.frozen
    assert all(torch.equal(value, own.layers.state_dict()[name]) for name, value in model.layers.state_dict().items())
    assert set(read(run).files) == {"data.features.weights"}
    tuned = train(place, "tuned", *QUESTIONS, "task.picture.widths=[4,6]", f"task.picture.weights={checkpoint}")
    changed = load(tuned).model.picture.layers.state_dict()
    assert not all(torch.equal(value, changed[name]) for name, value in own.layers.state_dict().items())
    checkpoint.unlink()  # the answerer holds its encoder
    capsys.readouterr()
    assert main(["answer", f"checkpoint={run}", f"image={photo}", "question=is there a red circle?"]) == 0
    assert capsys.readouterr().out.strip()


def test_dialogs_on_features(place: Path, photo: Path, capsys: Any) -> None:
    words = "data=scene_dialog", "data.examples=30", "data.turns=3", "data.canvas=24", "data.size=24", "model=gru"
    run = train(place, "dialogs", *words, "data.features=cnn", "data.features.widths=[4,6]")
    assert load(run).model.picture.frozen
    capsys.readouterr()
    assert main(["answer", f"checkpoint={run}", f"image={photo}", "question=is there a red thing|what is it"]) == 0
    assert [line.split("\t")[0] for line in capsys.readouterr().out.splitlines()] == [
        "is there a red thing",
        "what is it",
    ]
    changed = train(place, "changed", *words, "data.augment.shift=2")
    assert read(changed).config["data"]["augment"]["shift"] == 2


def test_wrong_encoders(refused: Refused, tmp_path: Path) -> None:
    for word, message in (
        ("data.features=cmn", "data.features=cmn: there is no such encoder of pictures; did you mean cnn"),
        ("data.features.widths=[4]", "data.features.widths"),
        ("data.features_precision=float64", "float64 is unknown: did you mean float16 or float32"),
        ("data.augment.shift=-1", "expected a whole number from 0 to 4096"),
        ("data.augment.shift=24", "shift is 24, and pictures have 24 x 24 pixels"),
        ("data.augment.flip=true", "name a side, such as left"),
        ("model.picture.width=3", "there is no key 'width' in model.picture"),
        (f"model.picture.weights={tmp_path / 'none.pt'}", "is no file: expected a state dict"),
    ):
        assert message in refused("train", *TINY, *SCENES, word, f"runs={tmp_path}", f"cache={tmp_path / 'cache'}")
    both = "data.features=cnn", "model.picture=resnet"
    assert "model.picture=resnet changes nothing here: the pictures are read as data.features" in refused(
        "train", *TINY, *SCENES, *both
    )
