"""Which pictures captions are recorded of, what their words name, and what a resumed run keeps."""

from __future__ import annotations

import base64
import json
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from lightning_seq.attention.additive import AdditiveScorer
from lightning_seq.callbacks.captions import FILE, CaptionWriter, chosen, named_things
from lightning_seq.cells.gru import GRUCell
from lightning_seq.data.captioning import CaptioningData
from lightning_seq.data.pictures import small_png
from lightning_seq.data.sources.scenes import Scenes
from lightning_seq.embeddings.layer import Embedding
from lightning_seq.models.captioner import Captioner
from lightning_seq.models.picture.cnn import ConvolutionalEncoder
from lightning_seq.models.search import Hypothesis
from lightning_seq.records.captions import Captions, NamedThing
from lightning_seq.records.pictures import pooled


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> CaptioningData:
    return CaptioningData(Scenes(examples=120), tmp_path_factory.mktemp("scenes"))


def looked(callback: CaptionWriter, epoch: int, attends: bool = True) -> None:
    """After an epoch, at a model that is another one in each."""
    torch.manual_seed(epoch)
    V = len(callback.data.vocabulary)
    picture = ConvolutionalEncoder(3, (48, 48), (4, 4, 4))
    model = Captioner(Embedding(V, 4), V, GRUCell, picture, AdditiveScorer if attends else None, hidden_size=4)
    task = SimpleNamespace(model=model, device=torch.device("cpu"), limits=lambda mask: mask.sum(1) + 6)
    fit = SimpleNamespace(state=SimpleNamespace(fn="fit"), is_global_zero=True, current_epoch=epoch)
    callback.on_validation_epoch_end(fit, task)  # type: ignore[arg-type]
    assert model.training


def test_an_empty_caption_has_no_maps(data: CaptioningData, tmp_path: Path) -> None:
    found = CaptionWriter(tmp_path, data)._caption(0, Hypothesis([], 0.0, 0.0, torch.zeros(0, 12)), (3, 4), 1)
    assert (found.words, found.weights, found.shares) == ((), (), ())
    assert pooled(np.zeros((0, 400)), (20, 20)).shape == (0, 256)


def test_pictures_of_captions_of_all_lengths(data: CaptioningData) -> None:
    rows = chosen(data)
    lengths = [len(data.captions("validation", row)[0].split()) for row in rows]
    assert len(rows) == len(set(rows)) == 6
    assert lengths == sorted(lengths)
    assert lengths[0] < lengths[-1]


def test_words_are_linked_to_the_things_of_the_scene(data: CaptioningData) -> None:
    row = max(range(12), key=lambda row: len(data.captions("validation", row)[0]))
    things, words = named_things(data, "validation", row)
    text = data.captions("validation", row)[0]
    assert " ".join(thing.words for thing in things) == " ".join(
        word for word in text.split() if word not in ("a", "left", "of", "above")
    )
    for number, thing in enumerate(things):
        assert all(number in words[word] for word in thing.words.split())
        left, top, right, bottom = (round(48 * side) for side in thing.box)
        inside = data.picture("validation", row)[:, top:bottom, left:right]
        assert (inside < 200).any(), "ink"


def test_a_word_has_the_share_of_its_own_thing(data: CaptioningData, tmp_path: Path) -> None:
    """A word that comes twice names the first thing with it, then the second; a third time it names nothing."""
    writer = CaptionWriter(tmp_path, data)
    writer.things[0] = [NamedThing("red one", (0.0, 0.0, 0.5, 1.0)), NamedThing("red two", (0.75, 0.0, 1.0, 1.0))]
    writer.named[0] = {"red": [0, 1], "two": [1]}
    words = data.vocabulary.words
    red, a = words.index("red"), words.index("a")
    weights = torch.tensor([[0.1, 0.2, 0.3, 0.4], [0.1, 0.2, 0.3, 0.4], [0.25] * 4, [1.0, 0.0, 0.0, 0.0]])
    found = writer._caption(0, Hypothesis([red, red, red, a], 0.0, 0.0, weights), (1, 4), 3)
    assert (found.epoch, found.words, found.things) == (3, ("red", "red", "red", "a"), (0, 1, None, None))
    assert found.shares == (pytest.approx(0.3), pytest.approx(0.4), None, None)


def test_a_fine_grid_is_added_up() -> None:
    weights = np.random.default_rng(0).random((2, 32 * 48))
    small = pooled(weights, (32, 48))
    assert small.shape == (2, 256)
    assert small[0, 0] == pytest.approx(weights[0].reshape(32, 48)[:2, :3].sum())
    assert small[1, -1] == pytest.approx(weights[1].reshape(32, 48)[-2:, -3:].sum())
    assert np.array_equal(pooled(weights[:, :12], (3, 4)), weights[:, :12])


def test_a_resumed_run_keeps_its_captions(data: CaptioningData, tmp_path: Path) -> None:
    for name in ("whole", "resumed"):
        (tmp_path / name).mkdir()
    whole, broken_off = (CaptionWriter(tmp_path / name, data) for name in ("whole", "resumed"))
    looked(whole, 0)
    looked(whole, 1)
    looked(broken_off, 0)
    torch.save(broken_off.state_dict(), tmp_path / "state")
    resumed = CaptionWriter(tmp_path / "resumed", data)
    resumed.load_state_dict(torch.load(tmp_path / "state", weights_only=True))
    looked(resumed, 1)
    found, expected = (json.loads((tmp_path / name / FILE).read_text()) for name in ("resumed", "whole"))
    assert found == expected
    held = Captions.read(tmp_path / "whole" / FILE)
    assert held.grid == (12, 12)
    assert [picture.number for picture in held.pictures] == chosen(data)
    for picture in held.pictures:
        assert picture.references == tuple(data.captions("validation", picture.number))
        image = np.array(Image.open(BytesIO(base64.b64decode(picture.png))))
        assert np.array_equal(image.transpose(2, 0, 1), data.picture("validation", picture.number))
        assert [one.epoch for one in picture.captions] == [1, 2]
        assert all(len(row) == 144 for one in picture.captions for row in one.weights)


def test_a_model_without_attention_leaves_words_alone(data: CaptioningData, tmp_path: Path) -> None:
    looked(CaptionWriter(tmp_path, data), 0, attends=False)
    held = Captions.read(tmp_path / FILE)
    assert held.grid is None
    assert {one.weights for picture in held.pictures for one in picture.captions} == {()}
    assert any(one.words for picture in held.pictures for one in picture.captions)


@pytest.mark.parametrize(("shape", "size", "mode"), [((3, 200, 100), (48, 96), "RGB"), ((1, 10, 12), (12, 10), "L")])
def test_a_small_picture(shape: tuple[int, ...], size: tuple[int, int], mode: str) -> None:
    image = Image.open(BytesIO(base64.b64decode(small_png(np.zeros(shape, np.uint8)))))
    assert (image.size, image.mode, image.format) == (size, mode, "PNG")
