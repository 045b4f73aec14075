"""What a `_target_` may name."""

from __future__ import annotations

import pytest

from lightning_seq.cells.lstm import LSTMCell
from lightning_seq.errors import UserError
from lightning_seq.experiment.targets import factory, resolve

REFUSED = [
    "os.system", "subprocess.Popen", "builtins.eval", "builtins.exec", "pickle.loads", "importlib.import_module",
    "torch.load", "torch.hub.load", "shutil.rmtree",
    "lightning_seq.files.os.system", "lightning_seq.files.shutil.rmtree",
    "lightning_seq.cli.main", "lightning_seq.experiment.launch.subprocess.Popen", "lightning_seq.files.write_text",
    "torch.optim.lr_scheduler.types.FunctionType", "hydra.utils.call", "numpy.load", "eval", "", "lightning_seq",
]  # fmt: skip


@pytest.mark.parametrize("path", REFUSED)
def test_nothing_else_is_admitted(path: str) -> None:
    with pytest.raises(UserError, match="_target_="):
        resolve(path)


def test_our_own_and_the_optimisers_are() -> None:
    assert resolve("lightning_seq.cells.lstm.LSTMCell") is LSTMCell
    assert resolve("torch.optim.AdamW").__name__ == "AdamW"
    assert resolve("lightning.pytorch.callbacks.EarlyStopping").__name__ == "EarlyStopping"


def test_a_module_of_the_users_own_is_admitted_by_name(tmp_path, monkeypatch) -> None:
    (tmp_path / "their_cells.py").write_text("import os\nclass MyCell:\n    def __init__(self, a): self.a = a\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UserError, match=r"allow=\[your_module\]"):
        resolve("their_cells.MyCell")
    assert factory({"_target_": "their_cells.MyCell", "a": 3}, ["their_cells"])().a == 3
    with pytest.raises(UserError, match="not admitted"):
        resolve("their_cells.os", ["their_cells"])


def test_a_misspelt_class_module_or_argument_is_named() -> None:
    with pytest.raises(UserError, match="did you mean LSTMCell"):
        resolve("lightning_seq.cells.lstm.LSTMCel")
    with pytest.raises(UserError, match="no module"):
        resolve("lightning_seq.cells.lsmt.LSTMCell")
    with pytest.raises(UserError, match="did you mean bias"):
        factory({"_target_": "lightning_seq.cells.lstm.LSTMCell", "bais": True})
