"""What a `_target_` may name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lightning_seq.cells.lstm import LSTMCell
from lightning_seq.config.targets import GROUPS, factory, resolve
from lightning_seq.errors import UserError

REFUSED = [
    "os.system", "subprocess.Popen", "builtins.eval", "builtins.exec", "pickle.loads", "importlib.import_module",
    "torch.load", "torch.hub.load", "shutil.rmtree", "runpy.run_path", "ctypes.CDLL", "webbrowser.open",
    "lightning_seq.files.os.system", "lightning_seq.files.shutil.rmtree", "lightning_seq.cells.cell.torch.load",
    "lightning_seq.cli.main", "lightning_seq.launch.local.subprocess.Popen",
    "lightning_seq.files.write_text",
    "lightning_seq.launch.fork_server.ForkServer", "torch.optim.lr_scheduler.types.FunctionType",
    "torch.optim.optimizer.functools.partial", "hydra.utils.call", "hydra.utils.instantiate", "numpy.load",
    "lightning.pytorch.Trainer", "eval", "", "lightning_seq", "..os.system", "lightning_seq.cells..os.system",
]  # fmt: skip
"""Ways to something that runs code or writes files, among them those known to lead around a list of forbidden names."""


@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize("path", REFUSED)
def test_nothing_else_is_admitted(path: str, group: str) -> None:
    with pytest.raises(UserError, match=r"_target_=.*(is not admitted|no class|no module)"):
        resolve(path, group)


def test_each_group_has_its_own_room() -> None:
    assert resolve("lightning_seq.cells.lstm.LSTMCell", "cell") is LSTMCell
    assert resolve("torch.optim.AdamW", "optimizer").__name__ == "AdamW"
    for group in set(GROUPS) - {"cell", "init"}:
        with pytest.raises(UserError, match=rf"{group}\._target_=.*expected a class of {GROUPS[group]}"):
            resolve("lightning_seq.cells.lstm.LSTMCell", group)
    with pytest.raises(UserError, match="not admitted"):
        resolve("lightning_seq.data.classification.ClassificationData", "model")


@pytest.mark.parametrize("value", [None, 3, ["os", "system"], {"_target_": "os.system"}])
def test_a_target_is_a_text(value: Any) -> None:
    with pytest.raises(UserError, match="not admitted"):
        resolve(value, "cell")


def test_what_is_nested_stays_plain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No argument is made an object of, however deep its `_target_` stands."""
    (tmp_path / "holder.py").write_text("class Holder:\n    def __init__(self, given): self.given = given\n")
    monkeypatch.syspath_prepend(tmp_path)
    touched = tmp_path / "touched"
    nested = {"_target_": "pathlib.Path.touch", "_args_": [str(touched)], "inner": [{"_target_": "os.mkdir"}]}
    made = factory({"_target_": "holder.Holder", "given": nested}, "model", ["holder"])()
    assert made.given == nested
    assert not touched.exists()


@pytest.mark.parametrize("path", ["os.system", "subprocess.Popen", "torch.load", "lightning_seq.cells.lstm.LSTMCell"])
def test_an_argument_that_is_a_class_has_its_own_list(path: str) -> None:
    with pytest.raises(UserError, match=r"path=.*not admitted"):
        factory({"_target_": "lightning_seq.cells.external.ExternalCell", "path": path}, "cell")


def test_a_module_of_the_users_own_is_admitted_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "their_cells.py").write_text("import os\nclass MyCell:\n    def __init__(self, a): self.a = a\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UserError, match=r"allow=\[your_module\]"):
        resolve("their_cells.MyCell", "cell")
    assert factory({"_target_": "their_cells.MyCell", "a": 3}, "model", ["their_cells"])().a == 3
    with pytest.raises(UserError, match="not admitted"):
        resolve("their_cells.os", "cell", ["their_cells"])


def test_a_misspelt_class_module_or_argument_is_named() -> None:
    with pytest.raises(UserError, match="did you mean LSTMCell"):
        resolve("lightning_seq.cells.lstm.LSTMCel", "cell")
    with pytest.raises(UserError, match="no module"):
        resolve("lightning_seq.cells.lsmt.LSTMCell", "cell")
    with pytest.raises(UserError, match="did you mean bias"):
        factory({"_target_": "lightning_seq.cells.lstm.LSTMCell", "bais": True}, "cell")


@pytest.mark.parametrize(
    ("group", "path", "message"),
    [
        ("cell", "lightning_seq.cells.init.Initialisation", "is no cell: expected .*Cell; .*cell=external"),
        ("init", "lightning_seq.cells.lstm.LSTMCell", "is no initialisation: expected .*Initialisation"),
        ("attention", "lightning_seq.attention.coverage.Coverage", "is no scorer: expected .*Scorer"),
        ("task", "lightning_seq.tasks.schedule.Schedule", "is no task: expected .*Task"),
        ("data", "lightning_seq.data.note.Note", "is no DataModule: expected .*LightningDataModule"),
    ],
)
def test_a_class_of_another_kind_is_refused(group: str, path: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        factory({"_target_": path}, group)


def test_missing_arguments_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "fills.py").write_text("class Fill:\n    def __init__(self, low, high, *, mean=0): self.low = low\n")
    monkeypatch.syspath_prepend(tmp_path)
    make = factory({"_target_": "fills.Fill", "low": 1}, "init", ["fills"])
    with pytest.raises(UserError, match=r"fills\.Fill cannot be made .*: it also needs high$"):
        make()
    with pytest.raises(UserError, match=r"fills\.Fill cannot be made .*multiple values"):
        make(2, high=3)
    assert make(high=3).low == 1


def test_arguments_that_may_be_left_out_are_not_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "takes.py").write_text(
        "class Any:\n    def __init__(self, low, *more, mean=0, **named): self.low = low\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UserError, match=r"it also needs low$"):
        factory({"_target_": "takes.Any", "other": 1}, "init", ["takes"])()
