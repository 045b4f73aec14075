"""Cells whose output is not the first tensor of their state, and a cell that counts steps, in every kind of model."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from lightning_seq.attention.additive import AdditiveScorer
from lightning_seq.attention.bilinear import BilinearScorer
from lightning_seq.callbacks.gates import Gates
from lightning_seq.callbacks.gradient_flow import GradientFlow, flows
from lightning_seq.callbacks.states import States
from lightning_seq.cells.cell import Cell
from lightning_seq.cells.external import ExternalCell
from lightning_seq.cells.gru import GRUCell
from lightning_seq.cells.lstm import LSTMCell
from lightning_seq.embeddings.layer import Embedding, Vectors
from lightning_seq.errors import UserError
from lightning_seq.layers.dropout import Regularisation
from lightning_seq.layers.recurrent import Recurrent
from lightning_seq.models.bridge import Bridge
from lightning_seq.models.characters import CharacterRecurrent
from lightning_seq.models.encoder_decoder import EncoderDecoder
from lightning_seq.models.pooling import Last
from lightning_seq.models.recurrent import RecurrentEncoder
from lightning_seq.models.regressor import Regressor
from lightning_seq.models.search import BeamSearchConfig, beam_search
from lightning_seq.models.translator import Translator
from lightning_seq.tasks.carried import detached
from tests.callbacks.small_training import trained
from tests.conformance.other_cells import ClockworkCell, Outputs, ReadoutCell, SCRNCell
from tests.runs import crossed

V, D, H = 9, 3, 4
LENGTHS = torch.tensor([5, 2, 3])
MASK = torch.arange(5) < LENGTHS[:, None]
MakeCell = Callable[[int, int], Cell]
CELLS: dict[str, MakeCell] = {
    "scrn": SCRNCell,
    "readout": ReadoutCell,
    "external": lambda input_size, hidden_size: ExternalCell(input_size, hidden_size, Outputs),
    "clockwork": ClockworkCell,
    "clockwork, a real counter": partial(ClockworkCell, integer=False),
}


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("settings", [{}, {"bidirectional": True}, {"bidirectional": True, "merge": "mul"}])
def test_pooling_last_reads_the_output_of_the_last_step(name: str, settings: dict[str, Any]) -> None:
    torch.manual_seed(0)
    encoder = RecurrentEncoder(D, CELLS[name], H, num_layers=2, **settings)
    x = torch.randn(3, 5, D)
    found = Last(encoder)(encoder(x, MASK))
    below = encoder.stack.layers[0](x, MASK)[0]
    top = encoder.stack.layers[1]
    directions = [part for part in top.modules() if isinstance(part, Recurrent)]
    for row, length in enumerate(LENGTHS):
        ends = [0 if part.reverse else length - 1 for part in directions]
        alone = [part(below[row : row + 1, :length])[0][0, end] for part, end in zip(directions, ends, strict=True)]
        torch.testing.assert_close(found[row], torch.cat(alone))
    assert found.shape == (3, encoder.final_size)


@pytest.mark.parametrize("name", CELLS)
def test_a_classifier_learns_under_zoneout_and_is_looked_into(name: str, tmp_path: Path) -> None:
    """Two epochs with `callbacks=inside`: what is written of the gradient leaves the counter out."""
    looks = [partial(kind, tmp_path) for kind in (GradientFlow, Gates, States)]
    zoneout = [0.1, 0.0] if name == "clockwork, a real counter" else 0.1
    task, _ = trained(tmp_path, looks, CELLS[name], recurrent_dropout=0.0, zoneout=zoneout)
    assert all(torch.isfinite(weight).all() for weight in task.model.state_dict().values())
    assert (tmp_path / "states.json").is_file()
    assert (tmp_path / "gradient_flow.json").is_file()


def test_the_counter_of_a_clockwork_has_no_gradient() -> None:
    from tests.callbacks.test_gradient_flow import batch, classification

    for integer in (True, False):
        task = classification(RecurrentEncoder(4, partial(ClockworkCell, integer=integer), 5))
        (entry,) = [look.to_plain() for look in flows(task, batch())]
        assert "why" not in entry
        assert entry["tensors"] is None, "one tensor has a gradient"
        assert entry["rows"][0] == 4
        assert entry["share"] is not None
        assert sum(entry["share"]) == pytest.approx(1, abs=1e-3)
        assert len(entry["jacobian"]["norm"]) > 0


def optimised(parameters: Any, loss: Callable[[], Tensor], steps: int = 30) -> tuple[float, float]:
    optimizer = torch.optim.Adam(list(parameters), lr=0.05)
    first = float(loss().detach())
    for _ in range(steps):
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()
    return first, float(loss().detach())


@pytest.mark.parametrize("name", CELLS)
def test_a_regressor_learns(name: str) -> None:
    torch.manual_seed(1)
    model = Regressor(Vectors(D), RecurrentEncoder(D, CELLS[name], H), 1)
    x, wanted = torch.randn(3, 5, D), torch.tensor([[1.0], [-1.0], [0.5]])
    first, last = optimised(model.parameters(), lambda: (model(x, MASK) - wanted).square().mean())
    assert last < first / 2


DECODERS: dict[str, dict[str, Any]] = {
    "fixed": {},
    "every step": {"context": "both"},
    "bahdanau": {"attention": AdditiveScorer, "num_layers": 2},
    "luong": {"attention": BilinearScorer, "style": "luong", "input_feeding": True},
    "one vector": {"bridge": "copy", "bidirectional": False},
    "sum": {"bridge": "sum"},
}


@pytest.mark.parametrize(("name", "kind"), crossed(CELLS, DECODERS))
def test_an_encoder_decoder_learns_and_writes(name: str, kind: str) -> None:
    torch.manual_seed(1)
    model = EncoderDecoder(Embedding(V, D), Embedding(V, D), V, CELLS[name], hidden_size=H, **DECODERS[kind])
    ids = torch.randint(4, V, (3, 5), generator=torch.Generator().manual_seed(1)) * MASK

    def loss() -> Tensor:
        written = model(ids, MASK, ids, MASK)
        return model.softmax.loss_sum(written.hidden[MASK], ids[MASK]) / MASK.sum()

    first, last = optimised(model.parameters(), loss)
    assert last < first - 0.1
    stepper = Translator(model.eval(), model.encode(ids, MASK))
    for hypotheses in beam_search(stepper, torch.tensor([4, 4, 4]), BeamSearchConfig(3, n_best=2)):
        assert len(hypotheses) == 2


def test_a_counter_stays_behind_the_bridge() -> None:
    """The decoder's clock starts at 0, an integer, whatever the encoder's shows."""
    cells = [ClockworkCell(D, H)]
    for kind in ("linear", "copy", "sum", "zeros"):
        bridge = Bridge(kind, [cells], cells)
        h, t = bridge((((torch.randn(2, H), torch.tensor([7, 3])),),))[0]
        assert h.shape == (2, H)
        assert t.tolist() == [0, 0]
        assert t.dtype == torch.int64
    with_a_real_one = [ClockworkCell(D, H, integer=False)]
    h, t = Bridge("linear", [with_a_real_one], with_a_real_one)((((torch.randn(2, H), torch.ones(2)),),))[0]
    assert (h.shape, t.shape) == ((2, H), (2,))


def test_the_characters_vector_is_the_output() -> None:
    torch.manual_seed(0)
    module = CharacterRecurrent(6, SCRNCell, 3, 4)
    spelt = torch.tensor([[2, 3, 4], [5, 0, 0], [0, 0, 0]])
    found = module(spelt)
    assert found.shape == (3, module.output_size)
    outputs, _ = module.recurrent(module.embedding(spelt), spelt != 0)
    half = module.output_size // 2
    torch.testing.assert_close(found[0], torch.cat([outputs[0, 2, :half], outputs[0, 0, half:]]))
    torch.testing.assert_close(found[1], outputs[1, 0])
    assert not found[2].any()


def test_zoneout_leaves_a_counter_alone_and_says_so() -> None:
    cell = ClockworkCell(D, H)
    x = torch.randn(2, 5, D)
    _, (_, t) = Recurrent(cell, regularisation=Regularisation(zoneout=0.9))(x)
    assert t.tolist() == [5, 5]
    Recurrent(cell, regularisation=Regularisation(zoneout=[0.9, 0.0]))(x)
    with pytest.raises(UserError, match=r"zoneout is 0\.5 for tensor 2 of the state, which holds no real"):
        Recurrent(cell, regularisation=Regularisation(zoneout=[0.9, 0.5]))(x)


def test_zoneout_of_nothing_changes_no_output() -> None:
    """As little as possible is kept: an output that is none of the state's tensors is not replaced by one."""
    for name in CELLS:
        torch.manual_seed(0)
        cell = CELLS[name](D, H)
        x = torch.randn(2, 5, D)
        kept = Recurrent(cell, regularisation=Regularisation(zoneout=1e-9)).eval()(x)[0]
        torch.testing.assert_close(kept, Recurrent(cell)(x)[0])


def test_a_state_is_carried_and_detached_with_its_counter() -> None:
    encoder = RecurrentEncoder(D, ClockworkCell, H)
    x = torch.randn(2, 6, D)
    full = torch.ones(2, 6, dtype=torch.bool)
    whole = encoder(x, full).outputs
    first = encoder(x[:, :3], full[:, :3])
    second = encoder(x[:, 3:], full[:, 3:], detached(first.state))
    torch.testing.assert_close(torch.cat([first.outputs, second.outputs], 1), whole)


@pytest.mark.parametrize("cell", [GRUCell, LSTMCell])
def test_numbers_of_our_cells_are_what_they_were(cell: MakeCell) -> None:
    """The last output is the first tensor of the state, to the bit, under zoneout too."""
    for regularisation in (None, Regularisation(zoneout=0.3)):
        layer = Recurrent(cell(D, H), regularisation=regularisation)
        run = layer.run(torch.randn(3, 5, D), MASK)
        assert torch.equal(run.last, run.state[0])
