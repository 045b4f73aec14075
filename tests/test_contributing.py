"""CONTRIBUTING's example, done as it says."""

from __future__ import annotations

import re
import textwrap
import tomllib
from pathlib import Path

import numpy as np
import pytest
import yaml

from lightning_seq.cli.explain import read_docstring
from lightning_seq.config.targets import factory
from lightning_seq.conformance.suite import CHECKS, Subject, engines_of
from lightning_seq.layers.recurrent import Recurrent

TEXT = (Path(__file__).parent.parent / "CONTRIBUTING.md").read_text(encoding="utf-8")
PRELUDE = """
import torch
from torch import Tensor
from torch.nn import functional
from lightning_seq.cells.cell import Bias, DenseCell, Noise, State, Step, recurrent_input, recurrent_weight
"""


def block(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)
    assert found is not None
    return textwrap.dedent(found[1])


def test_extras_are_installed_from_the_source_and_exist() -> None:
    """The project is on no package index: `pip install lightning-seq[…]` would fetch somebody else's package."""
    root = Path(__file__).parent.parent
    extras = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    texts = [root / "README.md", root / "CONTRIBUTING.md", root / "SECURITY.md", *root.glob("docs/**/*.md")]
    texts += [*root.glob("conf/**/*.yaml"), *root.glob("lightning_seq/**/*.py"), *root.glob("notebooks/*.ipynb")]
    said = "\n".join(path.read_text(encoding="utf-8") for path in texts)
    assert not re.search(r"lightning[-_]seq\[", said)
    assert {*re.findall(r"install\([\"'](\w+)[\"']\)|[\"']\.\[(\w+)\]", said)} >= {("slurm", ""), ("", "cells")}
    for found in re.findall(r"install\([\"'](\w+)[\"']\)|[\"']\.\[(\w+)\]", said):
        assert "".join(found) in extras


def test_the_example_of_a_new_cell_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "leaky.py").write_text(PRELUDE + block("python"), encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    node = yaml.safe_load(block("yaml"))
    node["_target_"] = node["_target_"].replace("lightning_seq.cells.", "")
    make = factory(node, "cell", ["leaky"])
    assert engines_of(lambda: make(3, 4)) == ["loop"]
    for check in CHECKS:
        if check.applies(subject := Subject(lambda: make(3, 4))):
            check.run(subject)
    cell = make(3, 4)
    explained = read_docstring(type(cell))
    assert explained.equations == ["h_t = (1 - a) h_{t-1} + a tanh(W x_t + U h_{t-1} + b)"]
    x = np.random.default_rng(0).normal(size=(1, 3))
    W, U, b = (parameter.detach().double().numpy() for parameter in (cell.W, cell.U, cell.b))
    h = np.zeros((1, 4))
    for _ in range(3):
        h = 0.5 * h + 0.5 * np.tanh(x @ W.T + h @ U.T + b)
    import torch

    found = Recurrent(cell.double())(torch.tensor(x)[:, None].expand(1, 3, 3))[0][0, -1]
    np.testing.assert_allclose(found.detach().numpy(), h[0], rtol=0, atol=1e-6)
