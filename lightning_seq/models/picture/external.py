"""Encoders of torchvision and timm."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from types import ModuleType

import torch
from torch import Tensor, nn

from lightning_seq.errors import UserError, first_line, install, near
from lightning_seq.models.picture.encoder import PictureEncoder, unfit
from lightning_seq.models.picture.weights import fill, read_weights
from lightning_seq.value_types import Size

PRETRAINED = "pretrained"
IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
HALF = (0.5,) * 3, (0.5,) * 3
POOLING = re.compile(r"(^|\.|_)(avgpool|adaptive_avg_pool2d|mean)(_\d+)?$")
"""Names of the layers that pool a map in torchvision's encoders."""
Colours = tuple[tuple[float, ...], tuple[float, ...]]
"""Mean and standard deviation of red, green and blue in the library's training."""


class Body(nn.Module):
    """A library's network, from pictures in -1 to 1 to its last map of features `[B, F, R, K]`.

    body:      the network, its weights under the library's names.
    last:      from the network and pictures in the library's colours to vectors `[B, before + R K, F]`, or to a map
               `[B, F, R, K]` or `[B, R, K, F]`.
    features:  F. before: vectors before those of the places.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(
        self, body: nn.Module, last: Callable[[nn.Module, Tensor], Tensor], colours: Colours, features: int, before: int
    ) -> None:
        super().__init__()
        self.body, self.last, self.features, self.before = body, last, features, before
        for name, values in zip(("mean", "deviation"), colours, strict=True):
            self.register_buffer(name, torch.tensor(values)[:, None, None], persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[2:]
        y = self.last(self.body, ((x + 1) / 2 - self.mean) / self.deviation)  # grey becomes three equal colours
        if y.dim() == 3:
            y = y[:, self.before :].transpose(1, 2)
            return y.unflatten(2, (max(1, round((y.shape[2] * height / width) ** 0.5)), -1))
        return y if y.shape[1] == self.features else y.permute(0, 3, 1, 2)


class LibraryEncoder(PictureEncoder):
    """An encoder of a library, up to its last map of features.

    make:    makes the library's network, pretrained or with random weights.
    body:    see `Body`.
    weights: `pretrained`, the library's own, which it downloads; a file, see `PictureEncoder`; None: random ones.
    frozen, width: see `PictureEncoder`.
    """

    resets_submodules = True

    def __init__(
        self,
        channels: int,
        size: tuple[int, int],
        make: Callable[[bool], nn.Module],
        body: Body,
        weights: str | None,
        frozen: bool,
        width: int | None,
    ) -> None:
        super().__init__(channels, size, body, body.features, weights, frozen, width)
        self.make, self.network = make, body.body

    def reset_layers(self) -> None:
        if self.weights not in (None, PRETRAINED):
            fill(self.network, read_weights(str(self.weights)), f"weights={self.weights}")
            return
        try:
            made = self.make(self.weights is not None)
        except Exception as error:  # of the network, of a file on the way, of the library
            raise UserError(
                f"weights=pretrained cannot be downloaded ({first_line(error)}): give weights=FILE, a state dict of "
                "this encoder, or weights=null for random weights"
            ) from error
        fill(self.network, made.state_dict(), f"weights={self.weights}")


class TorchvisionEncoder(LibraryEncoder):
    """Any classifier of torchvision, up to the map that it pools; a vision transformer up to its last layer.

    name: such as `resnet18`; weights, frozen, width: see `LibraryEncoder`.

    Raises UserError without torchvision, and for a name that it does not have.
    """

    def __init__(
        self,
        channels: int,
        size: tuple[int, int],
        name: str = "resnet18",
        weights: str | None = PRETRAINED,
        frozen: bool = True,
        width: Size | None = None,
    ) -> None:
        models = installed("torchvision.models")
        if name not in (names := models.list_models(module=models)):
            raise UserError(f"torchvision has no encoder {name!r}; {near(name, names)}")
        options: dict[str, object] = {"image_size": size[0]} if name.startswith("vit_") else {}
        if name in ("googlenet", "inception_v3"):
            options["init_weights"] = False

        def make(pretrained: bool) -> nn.Module:
            if pretrained:
                options.pop("init_weights", None)
            made: nn.Module = models.get_model(name, weights="DEFAULT" if pretrained else None, **options)
            return made

        colours = HALF if "init_weights" in options else IMAGENET
        super().__init__(channels, size, make, _up_to_pooling(make(False), size, colours), weights, frozen, width)


def _up_to_pooling(network: nn.Module, size: tuple[int, int], colours: Colours) -> Body:
    extraction = import_module("torchvision.models.feature_extraction")
    nodes = extraction.get_graph_node_names(network, suppress_diff_warning=True)[1]
    modules = dict(network.named_modules())
    pools = [
        place
        for place, node in enumerate(nodes)
        if POOLING.search(node) or isinstance(modules.get(node), nn.AdaptiveAvgPool2d)
    ]
    last = nodes[pools[-1] - 1] if pools else "encoder.ln"
    cut = extraction.create_feature_extractor(network, {last: "map"}, suppress_diff_warning=True)
    try:
        with torch.no_grad():
            y = _map_of(cut.eval(), torch.zeros(1, 3, *size))
    except (RuntimeError, AssertionError) as error:
        raise unfit(size, type(network).__name__) from error
    return Body(cut, _map_of, colours, y.shape[1 if y.dim() == 4 else 2], 0 if pools else 1)


def _map_of(body: nn.Module, x: Tensor) -> Tensor:
    y: Tensor = body.forward(x)["map"]  # a call would print the code of the graph before an error
    return y


class TimmEncoder(LibraryEncoder):
    """Any encoder of timm, up to its last features.

    name: such as `convnext_atto` or `vit_tiny_patch16_224.augreg_in21k`; weights, frozen, width: see `LibraryEncoder`.

    Raises UserError without timm, and for a name that it does not have.
    """

    def __init__(
        self,
        channels: int,
        size: tuple[int, int],
        name: str = "resnet18",
        weights: str | None = PRETRAINED,
        frozen: bool = True,
        width: Size | None = None,
    ) -> None:
        timm = installed("timm")
        if not timm.is_model(name) or ":" in name:  # a colon names a place to download code's settings from
            raise UserError(f"timm has no encoder {name!r}; {near(name, timm.list_models())}")

        def make(pretrained: bool) -> nn.Module:
            settings = {"pretrained": pretrained, "num_classes": 0}
            try:  # some are made for one size of picture
                made: nn.Module = timm.create_model(name, img_size=size, **settings)
            except TypeError:
                made = timm.create_model(name, **settings)
            return made

        network = make(False)
        cfg: Mapping[str, Sequence[float]] = network.pretrained_cfg  # type: ignore[assignment]
        colours = tuple(cfg["mean"]), tuple(cfg["std"])
        before = getattr(network, "num_prefix_tokens", 0)
        body = Body(network, _features_of, colours, int(network.num_features), before)  # type: ignore[arg-type]
        super().__init__(channels, size, make, body, weights, frozen, width)


def _features_of(body: nn.Module, x: Tensor) -> Tensor:
    y: Tensor = body.forward_features(x)  # type: ignore[operator]
    return y


def installed(name: str) -> ModuleType:
    """The module of a library. Raises UserError if it cannot be imported."""
    try:
        return import_module(name)
    except Exception as error:  # torchvision raises RuntimeError if it was built for another torch
        package = name.partition(".")[0]
        raise UserError(
            f"encoders of {package} need {package} ({first_line(error)}): {install('vision')}, with the torchvision "
            "of your torch"
        ) from error
