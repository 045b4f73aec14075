"""`check`, `explain`, every preset of `model=`, and cells from elsewhere, as a user meets them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import pytest
import torch

from lightning_seq.builders.build import takes_a_cell
from lightning_seq.builders.match import nearest
from lightning_seq.cli.docstrings import evaluate, parameters_of, read_docstring, sizes_of
from lightning_seq.cli.explain import known_models
from lightning_seq.cli.find_cell import find, known_cells
from lightning_seq.cli.main import main
from lightning_seq.comparison.grid import entries
from lightning_seq.config.compose import compose
from lightning_seq.config.groups import groups
from lightning_seq.errors import UserError
from lightning_seq.models.recurrent import RecurrentEncoder
from lightning_seq.records.record import read
from tests.runs import TINY

Refused = Callable[..., str]


@pytest.mark.parametrize("name", known_cells())
def test_every_cell_explains_itself_and_its_parameter_formula_is_its_count(name: str) -> None:
    for D, H in ((7, 5), (3, 4)):
        options = {"proj_size": 2} if name == "projected_lstm" else {"peepholes": True} if name == "conv_lstm" else {}
        make = find(name)[name]
        cell = type(make(D, H))(D, H, space=(6,), **options) if name == "conv_lstm" else make(D, H, **options)
        explained = read_docstring(type(cell))
        assert explained.equations
        assert {"State", "Parameters"} <= set(explained.fields)
        formula = parameters_of(type(cell))
        assert formula is not None
        assert evaluate(formula, sizes_of(cell)) == sum(parameter.numel() for parameter in cell.parameters())
        assert explained.fields["State"].count(",") >= len(cell.state_shapes) - 1


def test_explain_prints_the_equations_and_the_arithmetic(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "gru", "input_size=10", "hidden_size=20"]) == 0
    out = capsys.readouterr().out
    assert "h_t = z_t ⊙ h_{t-1} + (1 - z_t) ⊙ n_t" in out
    assert "3*(D*H + H*H + H) + H = 3*(10*20 + 20*20 + 20) + 20 = 1,880" in out
    assert main(["explain", "Bidirectional"]) == 0
    assert "Schuster" in capsys.readouterr().out
    assert main(["explain", "--list"]) == 0
    out = capsys.readouterr().out
    assert all(f"\n{name} " in f"\n{out}" for name in (*known_cells(), "CBRNN", "Stacked"))


@pytest.mark.parametrize("name", known_models())
def test_every_model_explains_its_layers_and_its_cell(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    config = compose([f"model={name}"])
    assert main(["explain", name, "input_size=10"]) == 0
    out = capsys.readouterr().out
    assert f"model={name}" in out
    if not takes_a_cell(config):
        return
    cell = config["choices"]["cell"]
    assert f"the cell {cell}" in out
    if "hidden_size=128" in out:
        kind = type(find(cell)[cell](10, 128))
        assert all(line in out for line in read_docstring(kind).equations)
        assert f"--- cell {cell}" in out


def test_a_model_explained_is_the_one_that_is_built(
    capsys: pytest.CaptureFixture[str], refused: Callable[..., str]
) -> None:
    assert main(["explain", "bilstm", "input_size=10", "hidden_size=20"]) == 0
    out = capsys.readouterr().out
    assert "model=bilstm: 1 layer Bidirectional over the cell lstm" in out
    assert "model.bidirectional=true" in out
    assert f"{2 * 4 * (10 * 20 + 20 * 20 + 20):,} at input_size=10 hidden_size=20" in out
    assert "Schuster" in out
    assert main(["explain", "irnn"]) == 0
    assert "cell.activation=relu init.recurrent=identity" in capsys.readouterr().out
    assert main(["explain", "stacked_lstm"]) == 0
    assert "2 layers Recurrent over the cell lstm" in capsys.readouterr().out
    assert "model=cnn has no hidden_size" in refused("explain", "cnn", "hidden_size=3")
    assert "made of the cell lstm: give lstm" in refused("check", "bilstm")


USERS_CELLS = '''
from lightning_seq import GRUCell, LSTMCell
from lightning_seq.cells.cell import Step


class SlowCell(GRUCell):
    """A cell of a user.

        h_t = f(x_t)

    Parameters: D*S + 2*(H.
    """


class OtherCell(SlowCell):
    """Another one.

    Parameters: D*S + H.
    """


class TurnedCell(LSTMCell):
    """An LSTM whose output gate reads c."""

    def step(self, projected_t, state, noise=None):
        step = super().step(projected_t, state, noise)
        h_t = step.gates["o"] * step.state[1].tanh().tanh()
        return Step(h_t, (h_t, step.state[1]), step.gates)


class EvenCell(GRUCell):
    """A GRU of an even number of units, and of no fewer than six."""

    def __init__(self, input_size, hidden_size):
        if hidden_size % 2 or hidden_size < 6:
            raise ValueError(f"hidden_size is {hidden_size}, expected an even number of at least 6")
        super().__init__(input_size, hidden_size)
'''


@pytest.fixture
def users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "cells_of_a_user.py").write_text(USERS_CELLS)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "cells_of_a_user", raising=False)
    return "cells_of_a_user"


def test_a_formula_with_a_letter_of_its_own_is_text(users: str, capsys: pytest.CaptureFixture[str]) -> None:
    for name, formula in (("OtherCell", "D*S + H"), ("SlowCell", "D*S + 2*(H")):
        assert main(["explain", f"{users}.{name}", "input_size=3", "hidden_size=4"]) == 0
        out = capsys.readouterr().out
        assert f"Parameters:  {formula}: here {3 * (3 * 4 + 4 * 4 + 4) + 4}" in out


def test_a_subclass_is_not_held_against_the_oracle_of_its_parent(
    users: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", f"{users}.TurnedCell"]) == 0
    assert "oracle" not in capsys.readouterr().out
    assert main(["check", "lstm"]) == 0
    assert "oracle" in capsys.readouterr().out


def test_a_size_that_a_cell_refuses_is_named_and_passed_over(users: str, refused: Callable[..., str]) -> None:
    assert "refuses input_size=100 hidden_size=5 (hidden_size is 5, expected an even" in refused(
        "explain", f"{users}.EvenCell", "hidden_size=5"
    )
    even = import_module(users).EvenCell
    sizes = [6, 8, 10, 12, 20, 64]

    def count(size: int) -> int | None:
        try:
            return sum(weight.numel() for weight in even(4, size).parameters())
        except ValueError:
            return None

    for size in sizes:
        total = count(size)
        assert total is not None
        assert nearest(count, total) == (size, True)
        assert nearest(count, total + 1) == (size, True)
    assert nearest(count, 3) == (6, False)
    assert nearest(count, 10**9, largest=99) == (98, False)
    assert nearest(lambda size: None, 10) is None
    assert nearest(lambda size: size if size == 100 else None, 100) == (100, True)
    assert nearest(lambda size: size if size == 100 else None, 101) == (100, False)


def test_external_cells_are_called_by_their_class() -> None:
    def labels(*words: str) -> list[str]:
        return [entry.label for entry in entries(["data=hello", "model=recurrent", "cell=external", *words])]

    assert labels("cell.path=torch.nn.GRUCell,torch.nn.LSTMCell") == ["GRUCell", "LSTMCell"]
    assert labels("cell.path=torch.nn.GRUCell", "model.bidirectional=true") == ["biGRUCell"]
    assert labels("cell.path=torch.nn.GRUCell", "optimizer.lr=0.1,0.2") == ["GRUCell-lr0.1", "GRUCell-lr0.2"]
    twice = labels("cell.path=torch.nn.GRUCell,torch.nn.modules.rnn.GRUCell,torch.nn.LSTMCell")
    assert twice == ["nn.GRUCell", "rnn.GRUCell", "LSTMCell"]


def test_a_formula_is_arithmetic_and_nothing_else() -> None:
    assert evaluate("4*(D*H + H) - 1", {"D": 2, "H": 3}) == 35
    for formula in ("__import__('os')", "D**9", "Q", "D.real"):
        with pytest.raises(ValueError, match="not a formula"):
            evaluate(formula, {"D": 2})


def test_check_passes_a_cell_and_says_what_was_proven(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "minimal_gated"]) == 0
    out = capsys.readouterr().out
    assert "FAILED" not in out
    assert "oracle" in out
    passed, total = out.strip().splitlines()[-1].split(" checks")[0].split(" of ")
    assert passed == total


def test_check_finds_what_is_wrong_with_a_users_cell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "published_cells.py").write_text(
        "import torch\nfrom torch import nn\n"
        "class GoodCell(nn.GRUCell):\n    pass\n"
        "class ForgetfulCell(nn.GRUCell):\n"
        "    def forward(self, x, h=None):\n        return super().forward(x, None)\n",
        encoding="utf-8",
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    assert main(["check", "published_cells.ForgetfulCell"]) == 1
    out = capsys.readouterr().out
    assert "tensor 0 of the state changes nothing" in out
    assert main(["check", "published_cells"]) == 1
    out = capsys.readouterr().out
    assert "ForgetfulCell" in out
    assert "1 of 2 cells conform" in out
    assert "not examined" not in out
    assert main(["check", "torch.nn.LSTMCell", "hidden_size=2"]) == 0


def test_check_names_the_one_cell_of_a_module_and_what_it_passes_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "one_cell.py").write_text(
        "from torch import nn\nclass MyCell(nn.GRUCell):\n    pass\nclass Broken(nn.GRUCell):\n    pass\n",
        encoding="utf-8",
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    assert main(["check", "one_cell"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "one_cell.MyCell"
    assert lines[-1] == ("not examined, as the name does not end in Cell: Broken (lightning-seq check one_cell.Broken)")


def test_check_tells_a_published_cell_that_loses_its_state(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("torchrecurrent")
    assert main(["check", "torchrecurrent.tauGRUCell"]) == 1
    assert "weight_hh gets no gradient in rows 4-7 of 16" in capsys.readouterr().out
    assert main(["check", "torchrecurrent.LEMCell"]) == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["check"], "check takes one cell"),
        (["check", "lsmt"], "did you mean lstm"),
        (["check", "nowhere.MyCell"], "there is no cell"),
        (["check", "torch.nn.Linear"], "cannot be used"),
        (["check", "math"], "the module math has no class whose name ends in 'Cell'; choose from: additive"),
        (["explain", "json"], "the module json has no class whose name ends in 'Cell'; did you mean jordan?"),
        (["check", "lstm", "hidden=3"], "there is no key"),
        (["check", "lstm", "hidden_size=0"], "at least 1"),
        (["check", "lstm", "slow=yes"], "true or false"),
        (["explain"], "explain takes one"),
        (["explain", "lsmt"], "did you mean lstm"),
        (["explain", "gru", "hiden_size=3"], "did you mean hidden_size"),
        (["train", "model=recurrent", "cell=external"], "give cell.path"),
        (["train", "model=recurrent", "cell=external", "cell.path=os.system"], "not admitted"),
        (["train", "model=recurrent", "cell=external", "cell.path=torch.nn.Linear"], "called as cell"),
        (["train", "model=recurrent", "model.combined=true"], "two directions"),
        (["train", "model=recurrent", "cell=gru", "cell.bias={q: 1}"], "this cell has no such gate"),
        (["train", "model=recurrent", "model.zoneout=2.0"], "model.zoneout=2.0: expected a number from 0 to 1"),
    ],
)
def test_mistakes(words: list[str], message: str, own: list[str], refused: Refused) -> None:
    assert message in refused(*words, *([*own, *TINY] if words[0] == "train" else []))


PRESETS = tuple(name for name in groups()["model"])


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_composes_and_says_its_cell(preset: str) -> None:
    config = compose([f"model={preset}"])
    assert config["model"]["_target_"].startswith("lightning_seq.models.")
    if preset == "irnn":
        assert (config["cell"]["activation"], config["init"]["recurrent"]) == ("relu", "identity")
    if preset == "lstm_cifg":
        assert config["cell"]["coupled"]


def test_the_presets_that_were_promised_are_there() -> None:
    promised = (
        "rnn irnn jordan lstm peephole_lstm gru gru_reset_before lstm_cifg lstm_layernorm birnn bilstm bigru "
        "stacked_lstm deep_bilstm cbrnn cnn_bilstm cnn window_mlp bag_of_embeddings transformer"
    )
    assert set(promised.split()) <= set(PRESETS)


def test_every_recurrent_preset_trains(own: list[str]) -> None:
    """One short run of each, in one process; what differs is the model alone."""
    recurrent = [
        name for name in PRESETS if compose([f"model={name}"])["model"]["_target_"].endswith("RecurrentEncoder")
    ]
    words = [*own, *TINY, "trainer.max_epochs=1", "callbacks=none", "launcher=inline", "seeds=1"]
    assert main(["compare", f"model={','.join(recurrent)}", *words]) == 0
    records = {path.parent.name: read(path.parent) for path in Path(own[2][5:]).glob("csv/*/record.json")}
    assert len(records) == len(recurrent) > 15
    assert {record.status for record in records.values()} == {"done"}
    assert len({record.fingerprints["batches"] for record in records.values()}) == 1
    assert records["lstm_cifg-seed1"].cell == "greff_lstm"


def test_a_cell_of_torch_and_one_of_a_package_compare(own: list[str]) -> None:
    paths = ["torch.nn.GRUCell"]
    try:
        import torchrecurrent  # noqa: F401

        paths.append("torchrecurrent.LEMCell")
    except ImportError:
        pass
    words = ["cell=external", f"cell.path={','.join(paths)}", "launcher=inline", "seeds=1", *own, *TINY]
    assert main(["compare", "model=recurrent", *words]) == 0
    records = [read(path.parent) for path in Path(own[2][5:]).glob("csv/*/record.json")]
    assert {(record.status, record.engine) for record in records} == {("done", "loop")}
    assert len(records) == len(paths)


def test_regularised_and_ablated_cells_train_from_the_command_line(own: list[str]) -> None:
    noisy = ["model.locked=true", "model.input_dropout=0.2", "model.recurrent_dropout=0.2", "model.zoneout=[0.1,0.1]"]
    words = ["model=recurrent", "cell=greff_lstm", "cell.output_gate=true,false", "cell.bias={f: 1.0}", *noisy]
    assert main(["compare", *words, "model.weight_drop=0.2", "launcher=inline", "seeds=1", *own, *TINY]) == 0


def test_the_encoder_takes_only_cells_over_vectors() -> None:
    with pytest.raises(UserError, match="gives maps"):
        RecurrentEncoder(3, find("conv_lstm")["conv_lstm"], 4)


def test_find_takes_a_layer_of_torch_and_refuses_what_is_no_module() -> None:
    assert isinstance(find("torch.nn.GRUCell")["torch.nn.GRUCell"](3, 4).module, torch.nn.GRUCell)  # type: ignore[union-attr]
    with pytest.raises(UserError, match="is not a torch module"):
        find("pathlib.Path")
