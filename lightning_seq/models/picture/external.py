"""Encoders of torchvision and timm."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from types import ModuleType
from typing import TypeAlias

import torch
from torch import Tensor, nn

from lightning_seq.errors import UserError, first_line, install, near
from lightning_seq.models.picture.encoder import PictureEncoder, unfit
from lightning_seq.models.picture.weights import fill, load_weights
from lightning_seq.value_types import Size

PRETRAINED = "pretrained"
IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
HALF = (0.5,) * 3, (0.5,) * 3
POOLING = re.compile(r"(^|\.|_)(avgpool|adaptive_avg_pool2d|mean)(_\d+)?$")
"""Names of the layers that pool a map in torchvision's encoders."""
Colours: TypeAlias = tuple[tuple[float, ...], tuple[float, ...]]
"""Mean and standard deviation of red, green and blue in the library's training."""
Make: TypeAlias = Callable[[bool], nn.Module]
"""Makes a library's network, pretrained or with random weights."""


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


class LibraryEncoder(PictureEncoder, ABC):
    """An encoder of a library, up to its last map of features.

    name:    of the encoder in the library.
    weights: `pretrained`, the library's own, which it downloads; a file, see `PictureEncoder`; None: random ones.
    frozen, width: see `PictureEncoder`.

    Raises UserError without the library, and for a name that it does not have.
    """

    resets_submodules = True

    def __init__(
        self,
        channels: int,
        size: tuple[int, int],
        name: str = "resnet18",
        weights: str | None = PRETRAINED,
        frozen: bool = True,
        width: Size | None = None,
    ) -> None:
        make, body = self.of_library(name, size)
        super().__init__(channels, size, body, body.features, weights, frozen, width)
        self.make = make

    @staticmethod
    @abstractmethod
    def of_library(name: str, size: tuple[int, int]) -> tuple[Make, Body]:
        """The maker of the network with this name, and the body of one with random weights."""

    def reset_layers(self) -> None:
        network = self.layers.get_submodule("body")
        if self.weights not in (None, PRETRAINED):
            load_weights(network, str(self.weights))
            return
        try:
            made = self.make(self.weights is not None)
        except Exception as error:  # a library may raise anything when a download fails
            raise UserError(
                f"weights=pretrained cannot be downloaded ({first_line(error)}): give weights=FILE, a state dict of "
                "this encoder, or weights=null for random weights"
            ) from error
        fill(network, made.state_dict(), f"weights={self.weights}")


class TorchvisionEncoder(LibraryEncoder):
    """Any classifier of torchvision, such as `resnet18`, up to the map that it pools; a vision transformer up to its
    last layer."""

    @staticmethod
    def of_library(name: str, size: tuple[int, int]) -> tuple[Make, Body]:
        models = installed("torchvision.models")
        if name not in (names := models.list_models(module=models)):
            raise UserError(f"torchvision has no encoder {name!r}; {near(name, names)}")
        options = {"image_size": size[0]} if name.startswith("vit_") else {}
        of_inception = name in ("googlenet", "inception_v3")

        def make(pretrained: bool) -> nn.Module:
            fast = {"init_weights": False} if of_inception and not pretrained else {}
            made: nn.Module = models.get_model(name, weights="DEFAULT" if pretrained else None, **options, **fast)
            return made

        return make, _up_to_pooling(make(False), size, HALF if of_inception else IMAGENET)


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
    """Any encoder of timm, such as `convnext_atto` or `vit_tiny_patch16_224.augreg_in21k`, up to its last features."""

    @staticmethod
    def of_library(name: str, size: tuple[int, int]) -> tuple[Make, Body]:
        timm = installed("timm")
        if not timm.is_model(name) or ":" in name:  # a colon names a site that timm would download from
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
        return make, Body(network, _features_of, colours, int(network.num_features), before)  # type: ignore[arg-type]


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
