"""Stand-ins for torchvision and timm, which need not be installed: the functions and the layout that we use."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn


class Network(nn.Module):
    """As torchvision's: a convolution, a pooling, a classifier."""

    def __init__(self, width: int = 6) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, width, 4, 4), nn.BatchNorm2d(width)
        self.avgpool, self.fc = nn.AdaptiveAvgPool2d(1), nn.Linear(width, 10)


class Cut(nn.Module):
    def __init__(self, network: Network, name: str) -> None:
        super().__init__()
        self.conv1, self.bn1, self.name = network.conv1, network.bn1, name

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        return {self.name: self.bn1(self.conv1(x)).relu()}


class Transformer(nn.Module):
    """As timm's: a class token before the patches."""

    num_features, num_prefix_tokens = 5, 1

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Conv2d(3, 5, 8, 8)
        self.pretrained_cfg = {"mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)}

    def forward_features(self, x: Tensor) -> Tensor:
        patches = self.embed(x).flatten(2).transpose(1, 2)
        return torch.cat([torch.full((len(x), 1, 5), 99.0), patches], 1)


def install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put both into `sys.modules`."""

    def create(name: str, pretrained: bool = False, num_classes: int = 1000, **options: Any) -> nn.Module:
        assert num_classes == 0
        if name == "of_one_size" and options:
            raise TypeError("unexpected keyword argument")
        assert list(options) == ["img_size"] * (name == "vit_tiny")
        if pretrained:
            raise OSError("no network")
        return Transformer()

    def get(name: str, weights: str | None = None, **options: object) -> nn.Module:
        of_name = {"vit_tiny": {"image_size": 16}, "googlenet": {"init_weights": False} if weights is None else {}}
        assert options == of_name.get(name, {})
        network = Network()
        if weights == "DEFAULT":
            with torch.no_grad():
                network.conv1.weight.fill_(0.5)
        return network

    names = ["x", "conv1", "bn1", "relu", "avgpool", "flatten", "fc"]

    def cut(network: Network, nodes: dict[str, str], suppress_diff_warning: bool) -> nn.Module:
        assert list(nodes) == ["relu"]
        return Cut(network, nodes["relu"])

    extraction = SimpleNamespace(
        get_graph_node_names=lambda network, suppress_diff_warning: (names, names), create_feature_extractor=cut
    )
    models = SimpleNamespace(
        list_models=lambda module: ["resnet18", "resnet50", "googlenet", "vit_tiny"], get_model=get
    )
    timm = SimpleNamespace(
        is_model=lambda name: name in ("vit_tiny", "of_one_size"), list_models=lambda: ["vit_tiny"], create_model=create
    )
    parts: dict[str, Any] = {
        "torchvision": ModuleType("torchvision"),
        "torchvision.models": models,
        "torchvision.models.feature_extraction": extraction,
        "timm": timm,
    }
    for name, part in parts.items():
        monkeypatch.setitem(sys.modules, name, part)
