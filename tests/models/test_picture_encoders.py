"""Encoders of pictures: frozen layers, weights of files, networks of other packages (`external_encoders.py`)."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from lightning_seq.cells.init import Initialisation
from lightning_seq.errors import UserError
from lightning_seq.models.picture.cnn import ConvolutionalEncoder
from lightning_seq.models.picture.encoder import PictureEncoder
from lightning_seq.models.picture.external import Body, TimmEncoder, TorchvisionEncoder
from lightning_seq.models.picture.patches import PatchEncoder
from tests.models.external_encoders import Network, Transformer, install

SIZE = (16, 16)
PICTURES = torch.randint(0, 256, (3, 3, *SIZE), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch)


def started(encoder: PictureEncoder, seed: int = 1) -> PictureEncoder:
    Initialisation()(nn.ModuleDict({"picture": encoder}), seed)
    return encoder


def test_frozen_layers_get_no_gradient_and_their_reader_does() -> None:
    encoder = started(ConvolutionalEncoder(3, SIZE, (4, 8), frozen=True))
    encoder(PICTURES).sum().backward()
    gradients = {name for name, one in encoder.named_parameters() if one.grad is not None}
    assert gradients == {"projection.weight", "projection.bias", "places.vectors"}
    assert [one.training for one in (encoder.train(), encoder.layers, encoder.projection)] == [True, False, True]
    assert sum(one.numel() for one in encoder.parameters()) > sum(
        one.numel() for one in encoder.parameters() if one.requires_grad
    )


def test_features_made_before_give_the_same_places() -> None:
    encoder = started(ConvolutionalEncoder(3, SIZE, (4, 8), frozen=True))
    features = encoder.features(PICTURES)
    assert features.shape == (3, 64, 8)
    torch.testing.assert_close(encoder(features), encoder(PICTURES), rtol=0, atol=0)
    torch.testing.assert_close(encoder(features.half()), encoder(PICTURES), rtol=1e-3, atol=1e-3)


def test_features_of_another_size_are_refused() -> None:
    encoder = started(ConvolutionalEncoder(3, SIZE, (4, 8), frozen=True))
    with pytest.raises(UserError, match=r"features of a picture are \[64, 7\], expected \[64, 8\]"):
        encoder(torch.zeros(2, 64, 7))


def test_features_are_the_same_for_every_seed_and_their_reader_is_not() -> None:
    one, other = (started(ConvolutionalEncoder(3, SIZE, (4, 8), frozen=True), seed) for seed in (1, 2))
    assert not torch.equal(one.features(PICTURES), other.features(PICTURES))
    for encoder in (one, other):
        encoder.reset_features()
    assert torch.equal(one.features(PICTURES), other.features(PICTURES))
    assert not torch.equal(one(PICTURES), other(PICTURES))


@pytest.mark.parametrize("form", ["state.pt", "state.safetensors", "best.ckpt"])
def test_weights_of_a_file(tmp_path: Path, form: str) -> None:
    source, path = started(ConvolutionalEncoder(3, SIZE, (4, 8)), 5), tmp_path / form
    state = source.layers.state_dict()
    if form == "state.safetensors":
        save_file(state, path)
    elif form == "state.pt":
        torch.save(state, path)
    else:
        whole = {f"model.{name}": value for name, value in nn.ModuleDict({"picture": source}).state_dict().items()}
        torch.save({"state_dict": {**whole, "model.decoder.U": torch.zeros(2)}, "lightning_seq": {}}, path)
    encoder = started(ConvolutionalEncoder(3, SIZE, (4, 8), weights=str(path), frozen=True), 1)
    assert torch.equal(encoder.features(PICTURES), source.features(PICTURES))


def test_weights_that_do_not_fit(tmp_path: Path) -> None:
    path = tmp_path / "state.pt"
    torch.save(ConvolutionalEncoder(3, SIZE, (4, 8)).layers.state_dict(), path)
    for widths, message in (
        ((4, 9), r"4\.weight is \[8, 4, 3, 3\], expected \[9, 4, 3, 3\]"),
        ((4, 8, 8), r"8\.weight is missing"),
        ((4,), r"4\.weight is no part of it"),
    ):
        with pytest.raises(UserError, match=message):
            started(ConvolutionalEncoder(3, SIZE, widths, weights=str(path)))
    with pytest.raises(UserError, match="is no file"):
        started(PatchEncoder(3, SIZE, weights=str(tmp_path / "none.pt")))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"state_dict": None}, r"0\.weight is missing"),
        ({"state_dict": [1]}, r"0\.weight is missing"),
        ({1: torch.ones(2), ("a",): torch.ones(2)}, r"0\.weight is missing"),
        ([1], r"0\.weight is missing"),
    ],
)
def test_files_of_another_content_are_refused(content: object, message: str, tmp_path: Path) -> None:
    path = tmp_path / "state.pt"
    torch.save(content, path)
    with pytest.raises(UserError, match=message):
        started(ConvolutionalEncoder(3, SIZE, (4, 8), weights=str(path)))


@pytest.mark.parametrize(
    "change",
    [
        lambda weight: weight * float("nan"),
        lambda weight: weight.double().fill_(1e300),
        lambda weight: weight.to(torch.complex64),
        lambda weight: weight.long(),
        lambda weight: weight.to_sparse(),
        lambda weight: weight.to("meta"),
    ],
)
def test_weights_that_are_no_finite_numbers_are_refused(change: Callable[[Tensor], Tensor], tmp_path: Path) -> None:
    path = tmp_path / "state.pt"
    state = ConvolutionalEncoder(3, SIZE, (4, 8)).layers.state_dict()
    torch.save(state | {"1.bias": change(state["1.bias"])}, path)
    with pytest.raises(UserError, match=r"1\.bias is no dense tensor of finite numbers"):
        started(ConvolutionalEncoder(3, SIZE, (4, 8), weights=str(path)))


def test_a_path_that_no_file_can_have_is_refused() -> None:
    with pytest.raises(UserError, match=r"weights=aaa"):
        started(PatchEncoder(3, SIZE, weights="a" * 3000))


def test_a_file_that_would_run_code_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "whole.pt"
    torch.save(nn.Linear(2, 2), path)
    with pytest.raises(UserError, match="cannot be read safely"):
        started(PatchEncoder(3, SIZE, weights=str(path)))


@pytest.mark.usefixtures("libraries")
def test_an_encoder_of_torchvision_ends_before_its_pooling(tmp_path: Path) -> None:
    network, path = Network(), tmp_path / "resnet18.pth"
    torch.save(network.state_dict(), path)
    encoder = started(TorchvisionEncoder(3, SIZE, "resnet18", str(path), width=7))
    assert (encoder.grid, encoder.output_size, encoder.features_size) == ((4, 4), 7, 6)
    assert {name.split(".")[0] for name in encoder.state_dict()} == {"layers", "projection", "places"}
    mean = torch.tensor([0.485, 0.456, 0.406])[:, None, None]
    deviation = torch.tensor([0.229, 0.224, 0.225])[:, None, None]
    maps = network.eval().bn1(network.conv1((PICTURES / 255 - mean) / deviation)).relu()
    torch.testing.assert_close(encoder.features(PICTURES), maps.flatten(2).transpose(1, 2), rtol=1e-4, atol=1e-5)
    grey = TorchvisionEncoder(1, SIZE, "resnet18", str(path))
    grey.reset_layers()
    same = grey.features(PICTURES[:, :1]), encoder.features(PICTURES[:, :1].expand(-1, 3, -1, -1))
    torch.testing.assert_close(*same)


@pytest.mark.usefixtures("libraries")
@pytest.mark.parametrize(("name", "mean"), [("googlenet", 0.5), ("vit_tiny", 0.485)])
def test_options_and_colours_of_encoders_of_torchvision(name: str, mean: float) -> None:
    encoder = started(TorchvisionEncoder(3, SIZE, name, "pretrained"))
    assert float(encoder.get_buffer("layers.mean")[0]) == pytest.approx(mean)


@pytest.mark.usefixtures("libraries")
def test_weights_of_a_larger_network_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "resnet50.pth"
    torch.save({**Network().state_dict(), "layer4.weight": torch.zeros(2)}, path)
    with pytest.raises(UserError, match=r"layer4\.weight is no part of it"):
        started(TorchvisionEncoder(3, SIZE, "resnet18", str(path)))


@pytest.mark.usefixtures("libraries")
def test_pretrained_weights_of_a_tuned_encoder_keep_their_statistics() -> None:
    encoder = started(TorchvisionEncoder(3, SIZE, "resnet18", "pretrained", frozen=False)).train()
    body = encoder.layers.body
    assert torch.equal(body.conv1.weight, torch.full_like(body.conv1.weight, 0.5))  # type: ignore[union-attr]
    assert not body.bn1.training  # type: ignore[union-attr]
    assert encoder(PICTURES).requires_grad
    assert TorchvisionEncoder(3, SIZE, "resnet18", None, frozen=False).train().layers.body.bn1.training  # type: ignore[union-attr]


@pytest.mark.usefixtures("libraries")
def test_an_encoder_of_timm_leaves_the_class_token_out() -> None:
    encoder = started(TimmEncoder(3, (16, 32), "vit_tiny", None))
    network = encoder.layers.body
    assert isinstance(network, Transformer)
    assert (encoder.grid, encoder.output_size) == ((2, 4), 5)
    wide = PICTURES.repeat(1, 1, 1, 2)
    expected = network.embed(wide / 127.5 - 1).flatten(2).transpose(1, 2)
    torch.testing.assert_close(encoder.features(wide), expected, rtol=1e-4, atol=1e-5)
    assert started(TimmEncoder(3, SIZE, "vit_tiny", None), 2).places.vectors.shape == (4, 5)
    assert TimmEncoder(3, SIZE, "of_one_size", None).grid == (2, 2)


def test_a_map_with_the_features_last_is_turned() -> None:
    x = PICTURES[..., :8] / 127.5 - 1
    colours = (0.5,) * 3, (0.5,) * 3
    body = Body(nn.Identity(), lambda body, y: body(y).permute(0, 2, 3, 1), colours, 3, 0)
    torch.testing.assert_close(body(x), x)


@pytest.mark.usefixtures("libraries")
def test_random_weights_of_a_library_follow_the_seed() -> None:
    one, same, other = (started(TorchvisionEncoder(3, SIZE, "resnet18", None), seed) for seed in (1, 1, 2))
    assert torch.equal(one.features(PICTURES), same.features(PICTURES))
    assert not torch.equal(one.features(PICTURES), other.features(PICTURES))
    for seed, encoder in enumerate((one, other)):
        torch.manual_seed(seed)
        encoder.reset_features()
    assert torch.equal(one.features(PICTURES), other.features(PICTURES))


@pytest.mark.usefixtures("libraries")
def test_wrong_names_and_no_network() -> None:
    with pytest.raises(UserError, match="torchvision has no encoder 'resnet81'; did you mean resnet18"):
        TorchvisionEncoder(3, SIZE, "resnet81")
    with pytest.raises(UserError, match="timm has no encoder 'hf-hub:a/b'"):
        TimmEncoder(3, SIZE, "hf-hub:a/b")
    with pytest.raises(UserError, match=r"cannot be downloaded \(no network\): give weights=FILE"):
        started(TimmEncoder(3, SIZE, "vit_tiny"))


def test_without_the_library_one_line_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("torchvision", "torchvision.models", "timm"):
        monkeypatch.setitem(sys.modules, name, None)
    for encoder in (TorchvisionEncoder, TimmEncoder):
        with pytest.raises(UserError, match=r'need (torchvision|timm) .*pip install "\.\[vision\]"'):
            encoder(3, SIZE)
