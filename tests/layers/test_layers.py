"""Recurrent, bidirectional and stacked layers: what the conformance suite does not ask of each cell."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from jaxtyping import TypeCheckError

from lightning_seq import GRU, LSTM, Bidirectional, Elman, Recurrent, Stacked
from lightning_seq.cells.cell import Noise
from lightning_seq.cells.elman import ElmanCell
from lightning_seq.cells.gru import GRUCell
from lightning_seq.cells.lstm import LSTMCell
from lightning_seq.cells.minimal_gated import MinimalGatedCell
from lightning_seq.conformance import layers as check
from lightning_seq.conformance.suite import Subject, engines_of
from lightning_seq.engines.choice import choose
from lightning_seq.errors import UserError
from lightning_seq.layers.mask import lengths_of, reverse

from ..conformance.cells import CELLS
from ..conftest import fastest

D, H = 3, 4
EVERY = [(name, engine) for name, make in CELLS.items() for engine in engines_of(make)]


def layer(name: str, engine: str, backwards: bool = False) -> Recurrent:
    return Subject(CELLS[name], engine, backwards).layer()


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 7), min_size=1, max_size=5).filter(any), st.sampled_from(EVERY), st.booleans())
def test_any_lengths(lengths: list[int], pair: tuple[str, str], backwards: bool) -> None:
    check.check_alone_equals_batch(layer(*pair, backwards), lengths)


def test_the_lstm_holds_its_memory_over_a_long_padding() -> None:
    native, loop = layer("lstm", "native"), layer("lstm", "loop")
    x, mask, state = check.example(native.cell, [300, 2])
    for found, expected in zip(native(x, mask, state)[1], loop(x, mask, state)[1], strict=True):
        check.close(found, expected)


@pytest.mark.parametrize("engine", ["native", "loop"])
def test_trace_and_noise_choose_the_loop(engine: str) -> None:
    gru = layer("gru", engine)
    x, mask, state = check.example(gru.cell, [4, 2])
    noise = Noise(recurrent=torch.full((2, H), 0.5, dtype=torch.double))
    if engine == "native":
        with pytest.raises(UserError, match="engine=native cannot run this cell"):
            gru.run(x, mask, state, trace=True)
        with pytest.raises(UserError, match="dropout inside the recurrence"):
            gru.run(x, mask, state, noise=noise)
        return
    run = gru.run(x, mask, state, trace=True)
    check.close(run.trace.states[0][0], run.outputs[0])
    check.close(run.trace.states[0][1, -1], run.outputs[1, 1])
    z, n = run.trace.gates["z"][0], run.trace.gates["n"][0]
    before = torch.cat([state[0][:1], run.outputs[0, :-1]])
    check.close(z * before + (1 - z) * n, run.outputs[0])
    assert (gru.run(x, mask, state, noise=noise).outputs - run.outputs).abs().max() > 1e-3


def test_a_reversed_trace_stands_at_its_own_tokens() -> None:
    gru = layer("gru", "loop", backwards=True)
    x, mask, state = check.example(gru.cell, [4, 2])
    run = gru.run(x, mask, state, trace=True)
    check.close(run.trace.states[0][mask], run.outputs[mask])


def test_auto_takes_the_fastest_that_can() -> None:
    x = torch.randn(1, 2, D)
    assert choose("auto", LSTMCell(D, H), x).name == fastest(lstm=True)
    assert choose("auto", GRUCell(D, H), x).name == fastest()
    assert choose("auto", MinimalGatedCell(D, H), x).name == "loop"
    assert choose("native", LSTMCell(D, H), x).name == "native"
    with pytest.raises(UserError, match="take no token ids"):
        choose("native", LSTMCell(D, H), torch.zeros(1, 2, dtype=torch.int64))
    with pytest.raises(UserError, match="did you mean native"):
        choose("nativ", LSTMCell(D, H), x)


def test_a_changed_subclass_never_runs_on_its_parents_kernel() -> None:
    class Louder(LSTMCell):
        """Not the LSTM."""

    assert choose("auto", Louder(D, H), torch.randn(1, 2, D)).name == "loop"


@pytest.mark.parametrize(
    "mask", [torch.tensor([[True, False, True]]), torch.tensor([[1, 1, 0]]), torch.tensor([[True, True]])], ids=str
)
def test_other_masks_are_refused(mask: torch.Tensor) -> None:
    with pytest.raises((ValueError, TypeCheckError), match="mask"):  # under test, shapes are checked before we do
        LSTM(D, H)(torch.randn(1, 3, D), mask)
    with pytest.raises((ValueError, TypeError), match=r"mask (must be a prefix|is .* expected bool \[1, 3\])"):
        lengths_of.__wrapped__(torch.randn(1, 3, D), mask)


def test_no_steps_and_wrong_states_are_refused() -> None:
    with pytest.raises(ValueError, match="T of at least 1"):
        LSTM(D, H)(torch.randn(2, 0, D))
    with pytest.raises(ValueError, match=r"GRUCell: state\[0\] is float32 \[1, 4\], expected float32 \[2, 4\]"):
        GRU(D, H)(torch.randn(2, 3, D), None, (torch.randn(1, H),))


@pytest.mark.parametrize("merge", ["concat", "sum", "mean", "mul"])
def test_bidirectional_is_both_directions(merge: str) -> None:
    both = Bidirectional(ElmanCell(D, H), ElmanCell(D, H), merge)
    check.randomise(both)
    x, mask, _ = check.example(both.forwards.cell, [6, 3, 1])
    outputs, (forwards, backwards) = both(x, mask)
    one, end = Recurrent(both.forwards.cell)(x, mask)
    two, start = Recurrent(both.backwards.cell, reverse=True)(x, mask)
    expected = {"concat": torch.cat([one, two], -1), "sum": one + two, "mean": (one + two) / 2, "mul": one * two}[merge]
    check.close(outputs, expected)
    check.close(forwards[0], end[0])
    check.close(backwards[0], start[0])
    assert both.output_size == outputs.shape[-1]


def test_the_backward_direction_reads_backwards() -> None:
    both = Bidirectional(GRUCell(D, H), GRUCell(D, H))
    check.randomise(both)
    x = torch.randn(1, 5, D, dtype=torch.double)
    changed = x.clone()
    changed[:, -1] += 1
    before, after = both(x)[0], both(changed)[0]
    assert torch.equal(before[0, :-1, :H], after[0, :-1, :H])
    assert (before[0, 0, H:] - after[0, 0, H:]).abs().max() > 1e-9


def test_each_direction_starts_from_its_own_state() -> None:
    """Forwards before the first token, backwards behind each row's last, alone and in a stack."""
    both = Bidirectional(LSTMCell(D, H), LSTMCell(D, H)).double()
    x, mask, start = check.example(both.forwards.cell, [4, 2])
    end = check.example(both.backwards.cell, [4, 2], seed=2)[2]
    outputs, states = both(x, mask, (start, end))
    one, other = both.forwards(x, mask, start), both.backwards(x, mask, end)
    check.close(outputs, torch.cat([one[0], other[0]], -1))
    for found, expected in zip((*states[0], *states[1]), (*one[1], *other[1]), strict=True):
        check.close(found, expected)
    top = Bidirectional(GRUCell(2 * H, H), GRUCell(2 * H, H)).double()
    zeros = tuple((tensor,) for tensor in torch.zeros(2, 2, H, dtype=torch.double))
    stacked, _ = Stacked([both, top])(x, mask, ((start, end), zeros))
    check.close(stacked, top(outputs, mask)[0])
    with pytest.raises(ValueError, match="of 1, expected one for each of 2"):
        Stacked([both, top])(x, mask, ((start, end),))


def test_bidirectional_shares_when_told_and_takes_a_state_for_each_direction() -> None:
    cell = LSTMCell(D, H)
    shared = Bidirectional(cell, cell)
    assert len(list(shared.parameters())) == len(list(cell.parameters()))
    x = torch.randn(2, 3, D)
    _, states = shared(x)
    with pytest.raises(ValueError, match="1 parts, expected 2"):
        shared(x, None, states[:1])
    with pytest.raises(UserError, match="concat"):
        Bidirectional(cell, cell, merge="conct")


def test_a_stack_of_one_is_the_layer_and_of_two_is_both() -> None:
    one, two = layer("gru", "auto"), Recurrent(LSTMCell(H, 2).double())
    check.randomise(two, seed=4)
    x, mask, _ = check.example(one.cell, [5, 2])
    check.close(Stacked([one])(x, mask)[0], one(x, mask)[0])
    stack = Stacked([one, two], activation="relu")
    outputs, states = stack(x, mask)
    check.close(outputs, two(one(x, mask)[0].relu(), mask)[0])
    check.close(states[0][0][0], one(x, mask)[1][0])
    again, _ = stack(x[:, 2:], None, stack(x[:, :2], None)[1])
    check.close(again, stack(x)[0][:, 2:])


def test_dropout_between_layers_acts_in_training_alone() -> None:
    torch.manual_seed(0)
    stack = Stacked([Elman(D, H), Elman(H, H)], dropout=0.5)
    x = torch.randn(2, 5, D)
    assert not torch.equal(stack(x)[0], stack(x)[0])
    stack.eval()
    assert torch.equal(stack(x)[0], stack(x)[0])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"dropout": [0.1, 0.2]}, "expected 1"),
        ({"dropout": 1.5}, "less than 1"),
        ({"activation": "tnah"}, "did you mean tanh"),
    ],
)
def test_a_wrong_stack_says_what_is_wrong(arguments: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        Stacked([Elman(D, H), Elman(H, H)], **arguments)
    with pytest.raises(UserError, match="at least one layer"):
        Stacked([])


def test_residual_adds_what_a_layer_reads_and_layer_norm_normalises_what_it_gives() -> None:
    one, two = layer("gru", "loop"), Recurrent(GRUCell(H, H).double())
    check.randomise(two, seed=4)
    x, mask, _ = check.example(one.cell, [5, 2])
    low = one(x, mask)[0]
    check.close(Stacked([one, two], residual=True)(x, mask)[0], low + two(low, mask)[0])
    stack = Stacked([one, two], residual=True, layer_norm=True).double()
    check.randomise(stack.norms, seed=6)
    below = torch.where(mask[..., None], stack.norms[0](low), 0.0)
    expected = below + torch.where(mask[..., None], stack.norms[1](two(below, mask)[0]), 0.0)
    check.close(stack(x, mask)[0], expected)
    assert not stack(x, mask)[0][~mask].any()
    with pytest.raises(UserError, match="one width"):
        Stacked([one, Recurrent(GRUCell(H, 2))], residual=True)


@pytest.mark.parametrize("make", [lambda: LSTM(D, H), lambda: GRU(D, H, engine="loop"), lambda: Elman(D, H)])
def test_the_masked_path_can_be_exported_for_any_batch(make: Callable[[], Recurrent]) -> None:
    """The number of steps is fixed: torch.export unrolls them."""
    one = make().eval()
    x, mask = torch.randn(3, 6, D), torch.arange(6) < torch.tensor([6, 2, 5])[:, None]
    batch = torch.export.Dim("B", min=2, max=64)
    program = torch.export.export(one, (x, mask), dynamic_shapes=({0: batch}, {0: batch})).module()
    x, mask = torch.randn(5, 6, D), torch.arange(6) < torch.tensor([6, 0, 5, 1, 3])[:, None]
    torch.testing.assert_close(program(x, mask)[0], one(x, mask)[0])


def test_reverse_twice_is_nothing() -> None:
    x, lengths = torch.randn(4, 6, 2), torch.tensor([6, 3, 1, 0])
    assert torch.equal(reverse(reverse(x, lengths), lengths), x)
    assert torch.equal(reverse(x, lengths)[1, :3], x[1, :3].flip(0))
    assert torch.equal(reverse(x[..., 0], lengths), reverse(x, lengths)[..., 0])
