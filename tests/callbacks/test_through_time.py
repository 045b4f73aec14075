"""Gradients through time against derivations by hand, autograd on the whole graph, and what theory says of them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, autograd

from lightning_seq.callbacks.jacobian import bound
from lightning_seq.callbacks.through_time import (
    doubling_spans,
    hands_on_its_state,
    kept_product,
    kept_share,
    meetings,
    memory_length,
    norms,
    shares,
    state_gradients,
    unroll,
    weight_gradients,
)
from lightning_seq.cells.cell import Cell, Noise
from lightning_seq.cells.combined import CombinedCell
from lightning_seq.cells.elman import ElmanCell
from lightning_seq.cells.external import ExternalCell
from lightning_seq.cells.greff_lstm import GreffLSTMCell
from lightning_seq.cells.gru import GRUCell
from lightning_seq.cells.gru_reset_before import GRUResetBeforeCell
from lightning_seq.cells.jordan import JordanCell
from lightning_seq.cells.layer_norm_lstm import LayerNormLSTMCell
from lightning_seq.cells.lstm import LSTMCell
from lightning_seq.cells.minimal_gated import MinimalGatedCell
from lightning_seq.cells.peephole_lstm import PeepholeLSTMCell
from lightning_seq.cells.projected_lstm import ProjectedLSTMCell
from lightning_seq.layers.recurrent import Recurrent, Seen, watched

B, T, D, H = 4, 6, 3, 5
LENGTHS = torch.tensor([6, 2, 5, 1])
CELLS: dict[str, Callable[[], Cell]] = {
    "elman": lambda: ElmanCell(D, H),
    "logistic": lambda: ElmanCell(D, H, "logistic"),
    "jordan": lambda: JordanCell(D, H, 4),
    "lstm": lambda: LSTMCell(D, H),
    "peephole": lambda: PeepholeLSTMCell(D, H, peephole="full"),
    "layernorm": lambda: LayerNormLSTMCell(D, H),
    "projected": lambda: ProjectedLSTMCell(D, H, 2),
    "odyssey": lambda: GreffLSTMCell(D, H, coupled=True, full_gate_recurrence=True),
    "gru": lambda: GRUCell(D, H),
    "reset before": lambda: GRUResetBeforeCell(D, H),
    "minimal": lambda: MinimalGatedCell(D, H),
}


def ran(cell: Cell, reverse: bool = False, ragged: bool = True, steps: int = T, seed: int = 0) -> Seen:
    torch.manual_seed(seed)
    cell = cell.double()
    for parameter in cell.parameters():
        torch.nn.init.normal_(parameter, std=0.7)
    layer = Recurrent(cell, reverse)
    x = torch.randn(B, steps, *cell.input_shape, dtype=torch.double)
    mask = torch.arange(steps) < LENGTHS[:, None] if ragged else None
    with watched() as seen:
        layer(x, mask)
    return seen[0]


def ends(seen: Seen) -> Tensor:
    return torch.full((B,), seen.x.shape[1]) if seen.lengths is None else seen.lengths


def random_like(tensor: Tensor, seed: int = 3) -> Tensor:
    return torch.randn(tensor.shape, dtype=tensor.dtype, generator=torch.Generator().manual_seed(seed))


def steps_of(seen: Seen, row: int) -> list[int]:
    """The tokens of a row in the order in which they were read."""
    tokens = list(range(int(ends(seen)[row])))
    return tokens[::-1] if seen.layer.reverse else tokens


@pytest.mark.parametrize("ragged", [True, False])
@pytest.mark.parametrize("reverse", [True, False])
def test_elman_by_hand(reverse: bool, ragged: bool) -> None:
    """λ_T = v, λ_{t-1} = Uᵀ diag(1 - h_t²) λ_t, and dL/dU = Σ_k diag(1 - h_k²) λ_k h_{k-1}ᵀ."""
    seen = ran(ElmanCell(D, H), reverse, ragged)
    cell, outputs = seen.layer.cell, seen.run.outputs
    assert isinstance(cell, ElmanCell)
    v = random_like(seen.run.state[0])
    (meeting,) = meetings((seen.run.state[0] * v).sum(), [seen])
    assert meeting.last.tolist() == (ends(seen) - 1).tolist()
    assert meeting.at_one_step
    unrolled = unroll(seen, meeting)
    assert unrolled is not None
    (found,) = state_gradients(unrolled)
    parts = weight_gradients(unrolled)
    expected_parts = torch.zeros(len(parts), H, H, dtype=torch.double)
    for row in range(B):
        tokens, λ = steps_of(seen, row), v[row]
        for d, token in enumerate(reversed(tokens)):
            torch.testing.assert_close(found[row, -1 - d], λ)
            h = outputs[row, token]
            place = tokens.index(token)
            before = outputs[row, tokens[place - 1]] if place else torch.zeros_like(h)
            expected_parts[d] += torch.outer((1 - h**2) * λ, before).detach()
            λ = cell.U.t() @ ((1 - h**2) * λ)
    torch.testing.assert_close(torch.stack([part["U"] for part in parts]), expected_parts)
    torch.testing.assert_close(norms([found])[0, 0], v[0].norm())
    assert float(norms([found])[3, 1:].abs().max()) > 0, "the first state's own gradient goes on to the initial one"
    assert unrolled.alive.sum(1).tolist() == ends(seen).tolist()


@pytest.mark.parametrize("ragged", [True, False])
@pytest.mark.parametrize("name", CELLS)
def test_the_lags_sum_to_autograds_gradient(name: str, ragged: bool) -> None:
    seen = ran(CELLS[name](), ragged=ragged)
    loss = sum((tensor * random_like(tensor)).sum() for tensor in seen.run.state[:2])
    weights = seen.layer.cell.recurrent_weights()
    expected = dict(zip(weights, autograd.grad(loss, list(weights.values()), retain_graph=True), strict=True))
    (meeting,) = meetings(loss, [seen])
    unrolled = unroll(seen, meeting)
    assert unrolled is not None
    parts = weight_gradients(unrolled)
    assert len(parts) == T
    for key in weights:
        torch.testing.assert_close(torch.stack([part[key] for part in parts]).sum(0), expected[key])
    found = shares(parts)
    assert found is not None
    assert sum(found) == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("ragged", [True, False])
@pytest.mark.parametrize("reverse", [True, False])
@pytest.mark.parametrize("name", ["elman", "lstm", "odyssey", "gru"])
def test_where_a_loss_meets_it(name: str, reverse: bool, ragged: bool) -> None:
    """What a loss reads of outputs and final state is found again, each for itself, in the order of the steps.

    What it reads of padding, which is always zero, is nothing.
    """
    seen = ran(CELLS[name](), reverse, ragged)
    h, *others = seen.run.state
    at_outputs = random_like(seen.run.outputs, 1)
    read = [random_like(h, 2), *(random_like(tensor, 4) for tensor in others[:1])]
    loss = (seen.run.outputs * at_outputs).sum()
    loss = loss + sum((tensor * weight).sum() for tensor, weight in zip(seen.run.state, read, strict=False))
    (meeting,) = meetings(loss, [seen])
    for row in range(B):
        for place, token in enumerate(steps_of(seen, row)):
            torch.testing.assert_close(meeting.outputs[row, place], at_outputs[row, token])
        assert float(meeting.outputs[row, len(steps_of(seen, row)) :].abs().sum()) == 0
    for found, expected in zip(meeting.state, read, strict=False):
        torch.testing.assert_close(found, expected)
    assert not meeting.at_one_step
    assert meeting.last.tolist() == (ends(seen) - 1).tolist()


@pytest.mark.parametrize("name", ["elman", "lstm", "gru"])
def test_with_what_the_loss_reads_beside_it_is_the_whole_gradient(name: str) -> None:
    """Where every row is T long, the gradient of the very tensors that the steps read."""
    seen = ran(CELLS[name](), ragged=False)
    loss = (seen.run.outputs * random_like(seen.run.outputs)).sum()
    expected = autograd.grad(loss, [state[0] for state in seen.run.trace.steps], retain_graph=True)
    (meeting,) = meetings(loss, [seen])
    unrolled = unroll(seen, meeting)
    assert unrolled is not None
    torch.testing.assert_close(state_gradients(unrolled, direct=True)[0], torch.stack(expected, 1))
    alone = state_gradients(unrolled)[0]
    torch.testing.assert_close(alone[:, -1], torch.stack(expected, 1)[:, -1])
    assert not torch.allclose(alone[:, 0], expected[0])


def test_a_loss_that_reads_an_earlier_step() -> None:
    """Distances are counted from the last step that it reads; a row that it does not read has no gradient."""
    seen = ran(LSTMCell(D, H), ragged=False)
    places = torch.tensor([3, 1, 5])
    loss = seen.run.outputs[torch.arange(3), places].sum()
    (meeting,) = meetings(loss, [seen])
    assert meeting.last.tolist() == [3, 1, 5, -1]
    unrolled = unroll(seen, meeting)
    assert unrolled is not None
    assert unrolled.alive.sum(1).tolist() == [4, 2, 6, 0]
    found = norms(state_gradients(unrolled)[:1])
    torch.testing.assert_close(found[:3, 0], torch.full((3,), H**0.5, dtype=torch.double))
    assert float(found[3].max()) == 0
    nothing = meetings(seen.x.sum() * 0 + seen.run.outputs.sum() * 0, [seen])[0]
    assert unroll(seen, nothing) is None


@pytest.mark.parametrize("ragged", [True, False])
def test_a_loss_that_reads_the_memory_alone(ragged: bool) -> None:
    seen = ran(LSTMCell(D, H), ragged=ragged)
    (meeting,) = meetings(seen.run.state[1].sum(), [seen])
    assert meeting.last.tolist() == (ends(seen) - 1).tolist()
    assert float(meeting.state[0].abs().max()) == 0
    torch.testing.assert_close(meeting.state[1], torch.ones_like(meeting.state[1]))


def test_what_cannot_be_run_again_is_refused() -> None:
    torch.manual_seed(0)
    layer, x = Recurrent(ElmanCell(D, H)), torch.randn(B, T, D)
    for given in ({"state": (torch.ones(B, H),)}, {"noise": Noise(zoneout=(torch.full((B, T, H), 0.3),))}):
        with watched() as seen:
            layer.run(x, **given)
        (meeting,) = meetings(seen[0].run.state[0].sum(), seen)
        with pytest.raises(ValueError, match="ElmanCell did not start from its initial state, or there was noise"):
            unroll(seen[0], meeting)


class Doubled(torch.nn.Module):
    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.inner = torch.nn.GRUCell(input_size, hidden_size)

    def forward(self, x: Tensor, h: Tensor | None = None) -> tuple[Tensor, Tensor]:
        if isinstance(h, tuple):
            raise TypeError("expected a tensor")
        state = self.inner(x, h)
        return 2 * state, state


def test_an_output_that_is_not_the_state() -> None:
    for make, expected in ((Doubled, False), (torch.nn.GRUCell, True)):
        cell = ExternalCell(D, H, make)
        with watched() as seen:
            Recurrent(cell)(torch.randn(B, T, D))
        assert hands_on_its_state(seen[0]) is expected


def test_spans_take_far_lags_together() -> None:
    assert doubling_spans(3) == [(0, 0), (1, 1), (2, 2)]
    assert doubling_spans(40)[14:] == [(14, 14), (15, 15), (16, 31), (32, 39)]
    seen = ran(LSTMCell(D, H), ragged=False, steps=40)
    (meeting,) = meetings(seen.run.state[0].sum(), [seen])
    single, together = unroll(seen, meeting), unroll(seen, meeting, doubling_spans)
    assert single is not None
    assert together is not None
    parts, spans = weight_gradients(single), weight_gradients(together)
    for (first, last), part in zip(together.spans, spans, strict=True):
        torch.testing.assert_close(part["U"], torch.stack([each["U"] for each in parts[first : last + 1]]).sum(0))


def test_shares_of_parts_that_pull_apart() -> None:
    parts = [{"U": torch.tensor([3.0, 0.0])}, {"U": torch.tensor([-1.0, 0.0])}, {"U": torch.tensor([0.0, 0.0])}]
    assert shares(parts) == pytest.approx([1.5, -0.5, 0.0])
    assert shares([{"U": torch.zeros(2)}]) is None


def orthogonal(cell: ElmanCell, scale: float) -> ElmanCell:
    torch.nn.init.orthogonal_(cell.double().U)
    with torch.no_grad():
        cell.U.mul_(scale)
    return cell


def fall(seen: Seen) -> Tensor:
    """log10 norms by distance, the mean over rows, from 0 at distance 0."""
    (meeting,) = meetings(seen.run.state[0].sum(), [seen])
    unrolled = unroll(seen, meeting)
    assert unrolled is not None
    logs = norms(state_gradients(unrolled)).log10().mean(0)
    return logs - logs[0]


def run_again(cell: Cell, steps: int = 40) -> Seen:
    torch.manual_seed(1)
    with watched() as seen:
        Recurrent(cell.double())(torch.randn(8, steps, D, dtype=torch.double))
    return seen[0]


@pytest.mark.parametrize("scale", [0.5, 1.0, 1.25])
def test_vanishing_and_exploding_are_powers(scale: float) -> None:
    """Without an activation ‖λ_{T-d}‖ = scale^d ‖λ_T‖ for a U of `scale` times an orthogonal matrix."""
    cell = orthogonal(ElmanCell(D, H, "identity"), scale)
    found = fall(run_again(cell))
    expected = torch.arange(40, dtype=torch.double) * torch.tensor(scale, dtype=torch.double).log10()
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)
    assert memory_length(found) == (7 if scale == 0.5 else None)


@pytest.mark.parametrize("activation", ["tanh", "logistic"])
def test_the_bound_holds(activation: str) -> None:
    cell = orthogonal(ElmanCell(D, H, activation), 0.9)
    slope = 1 if activation == "tanh" else 0.25
    assert bound(cell) == pytest.approx(0.9 * slope, rel=1e-6)
    found = fall(run_again(cell))
    limit = torch.arange(40, dtype=torch.double) * torch.tensor(0.9 * slope, dtype=torch.double).log10()
    assert bool((found <= limit + 1e-6).all())
    assert float(found[-1]) < float(limit[-1]) - 0.5, "inputs drive the units into where the slope is less"


def test_an_open_forget_gate_keeps_the_gradient() -> None:
    torch.manual_seed(0)
    falls = {value: fall(run_again(LSTMCell(D, H, forget_bias=value))) for value in (-3.0, 1.0, 6.0)}
    lengths = {value: memory_length(logs) for value, logs in falls.items()}
    assert lengths[6.0] is None, "a hundredth is left over all of 39 steps"
    assert lengths[-3.0] is not None
    assert lengths[1.0] is not None
    assert lengths[-3.0] + 5 < lengths[1.0] < 30


def test_what_is_kept_is_the_product_of_the_gates() -> None:
    for cell, share_of in ((LSTMCell(D, H), lambda gate: gate), (MinimalGatedCell(D, H), lambda gate: 1 - gate)):
        seen = run_again(cell, 5)
        share = kept_share(cell, seen.run.trace.gates)
        assert share is not None
        torch.testing.assert_close(share, share_of(seen.run.trace.gates["f"]))
        found = kept_product(share)
        torch.testing.assert_close(found[:, 0], torch.ones(8, dtype=torch.double))
        torch.testing.assert_close(found[:, 2], (share[:, 4] * share[:, 3]).mean(1))
        torch.testing.assert_close(found[:, 4], (share[:, 4] * share[:, 3] * share[:, 2] * share[:, 1]).mean(1))
    assert kept_share(ElmanCell(D, H), {}) is None
    assert kept_share(CombinedCell(H), {}) is None


def test_memory_length() -> None:
    assert memory_length(torch.tensor([1.0, 0.0, -0.99, -1.0, -5.0])) == 3
    assert memory_length(torch.tensor([0.0, 1.0, 2.0])) is None
    assert memory_length(torch.tensor([0.0, -1.0, float("-inf")])) == 2
    assert memory_length(torch.tensor([float("nan"), -1.0])) is None
