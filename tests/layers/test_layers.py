"""Recurrent, bidirectional and stacked layers: the conformance checks, over every cell, engine and direction."""

from __future__ import annotations

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lightning_seq import GRU, LSTM, Bidirectional, Elman, Recurrent, Stacked
from lightning_seq.cells.cell import Noise
from lightning_seq.cells.elman import ElmanCell
from lightning_seq.cells.gru import GRUCell
from lightning_seq.cells.lstm import LSTMCell
from lightning_seq.conformance import layers as check
from lightning_seq.engines.engine import choose
from lightning_seq.errors import UserError
from lightning_seq.layers.mask import reverse

D, H = 3, 4
RAGGED = [6, 2, 0, 1, 4]
CELLS = {
    "elman": lambda: ElmanCell(D, H),
    "relu": lambda: ElmanCell(D, H, activation="relu"),
    "logistic": lambda: ElmanCell(D, H, activation="logistic"),
    "identity": lambda: ElmanCell(D, H, activation="identity"),
    "lstm": lambda: LSTMCell(D, H),
    "lstm_without_bias": lambda: LSTMCell(D, H, bias=False),
    "gru": lambda: GRUCell(D, H),
    "gru_without_bias": lambda: GRUCell(D, H, bias=False),
}
NATIVE = ("elman", "relu", "lstm", "lstm_without_bias", "gru", "gru_without_bias")
EVERY = [(name, "loop") for name in CELLS] + [(name, "native") for name in NATIVE]
both_directions = pytest.mark.parametrize("backwards", [False, True], ids=["forward", "reverse"])


def layer(name: str, engine: str, backwards: bool = False) -> Recurrent:
    cell = CELLS[name]()
    check.randomise(cell)
    return Recurrent(cell, reverse=backwards, engine=engine)


@both_directions
@pytest.mark.parametrize("name", NATIVE)
@pytest.mark.parametrize("lengths", [RAGGED, [5, 5]], ids=["ragged", "full"])
def test_native_equals_loop_in_value_and_gradient(name: str, backwards: bool, lengths: list[int]) -> None:
    check.check_engines_agree(layer(name, "native", backwards), layer(name, "loop", backwards), lengths)


@both_directions
@pytest.mark.parametrize(("name", "engine"), EVERY)
def test_alone_equals_batch(name: str, engine: str, backwards: bool) -> None:
    check.check_alone_equals_batch(layer(name, engine, backwards), RAGGED)


@both_directions
@pytest.mark.parametrize(("name", "engine"), EVERY)
def test_padding_never_spreads(name: str, engine: str, backwards: bool) -> None:
    check.check_padding_is_ignored(layer(name, engine, backwards), RAGGED)


@both_directions
@pytest.mark.parametrize(("name", "engine"), EVERY)
def test_chunks_equal_the_whole(name: str, engine: str, backwards: bool) -> None:
    check.check_chunks_equal_whole(layer(name, engine, backwards), 5)


@pytest.mark.parametrize(("name", "engine"), EVERY)
def test_reverse_is_flipped(name: str, engine: str) -> None:
    check.check_reverse_is_flipped(layer(name, engine), layer(name, engine, True), [6, 2, 1, 4])


@pytest.mark.parametrize(("name", "engine"), [pair for pair in EVERY if "relu" not in pair])
def test_gradients_against_finite_differences(name: str, engine: str) -> None:
    check.check_gradients(layer(name, engine), [3, 1])


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 7), min_size=1, max_size=5).filter(any), st.sampled_from(EVERY), st.booleans())
def test_any_lengths(lengths: list[int], pair: tuple[str, str], backwards: bool) -> None:
    check.check_alone_equals_batch(layer(*pair, backwards), lengths)


def test_the_lstm_holds_its_memory_over_a_long_padding() -> None:
    native, loop = layer("lstm", "native"), layer("lstm", "loop")
    x, mask, state = check.example(native.cell, [300, 2])
    for found, expected in zip(native(x, mask, state)[1], loop(x, mask, state)[1], strict=True):
        check.close(found, expected)


def test_long_sequences_need_no_recursion() -> None:
    x = torch.randn(1, 20_000, D)
    assert LSTM(D, H)(x)[0].shape == (1, 20_000, H)


@pytest.mark.parametrize("engine", ["native", "loop"])
def test_trace_and_noise_choose_the_loop(engine: str) -> None:
    gru = layer("gru", engine)
    x, mask, state = check.example(gru.cell, [4, 2])
    noise = Noise(recurrent=torch.full((2, H), 0.5, dtype=torch.double))
    if engine == "native":
        with pytest.raises(UserError, match="engine=native cannot run this"):
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


def test_zoneout_of_everything_holds_the_state() -> None:
    lstm = layer("lstm", "loop")
    x, mask, state = check.example(lstm.cell, [4, 3])
    keep = torch.ones(2, H, dtype=torch.bool)
    held = lstm.run(x, mask, state, noise=Noise(zoneout=(keep, keep))).state
    for found, expected in zip(held, state, strict=True):
        check.close(found, expected)
    only_c = lstm.run(x, mask, state, noise=Noise(zoneout=(None, keep))).state
    check.close(only_c[1], state[1])
    assert (only_c[0] - state[0]).abs().max() > 1e-3


def test_auto_takes_the_fastest_that_can() -> None:
    x = torch.randn(1, 2, D)
    assert choose("auto", LSTMCell(D, H), x).name == "native"
    assert choose("auto", ElmanCell(D, H, activation="identity"), x).name == "loop"
    assert choose("auto", LSTMCell(D, H), torch.zeros(1, 2, dtype=torch.int64)).name == "loop"
    with pytest.raises(UserError, match="did you mean native"):
        choose("nativ", LSTMCell(D, H), x)


def test_a_changed_subclass_never_runs_on_its_parents_kernel() -> None:
    class Louder(LSTMCell):
        """Not the LSTM."""

    assert choose("auto", Louder(D, H), torch.randn(1, 2, D)).name == "loop"


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (torch.tensor([[True, False, True]]), "prefix of every row"),
        (torch.tensor([[1, 1, 0]]), "torch.bool"),
        (torch.tensor([[True, True]]), "expected"),
    ],
)
def test_other_masks_are_refused(mask: torch.Tensor, message: str) -> None:
    with pytest.raises(Exception, match=message if mask.dtype == torch.bool and mask.shape[1] == 3 else ""):
        LSTM(D, H)(torch.randn(1, 3, D), mask)


def test_no_steps_and_wrong_states_are_refused() -> None:
    with pytest.raises(ValueError, match="T of at least 1"):
        LSTM(D, H)(torch.randn(2, 0, D))
    with pytest.raises(ValueError, match="state has shapes"):
        GRU(D, H)(torch.randn(2, 3, D), None, (torch.randn(1, H),))


@pytest.mark.parametrize("merge", ["concat", "sum", "mean"])
def test_bidirectional_is_both_directions(merge: str) -> None:
    both = Bidirectional(ElmanCell(D, H), ElmanCell(D, H), merge)
    check.randomise(both)
    x, mask, _ = check.example(both.forwards.cell, [6, 3, 1])
    outputs, (forwards, backwards) = both(x, mask)
    one, end = Recurrent(both.forwards.cell)(x, mask)
    two, start = Recurrent(both.backwards.cell, reverse=True)(x, mask)
    expected = {"concat": torch.cat([one, two], -1), "sum": one + two, "mean": (one + two) / 2}[merge]
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


def test_bidirectional_refuses_a_carried_state_and_shares_when_told() -> None:
    cell = LSTMCell(D, H)
    shared = Bidirectional(cell, cell)
    assert len(list(shared.parameters())) == len(list(cell.parameters()))
    x = torch.randn(2, 3, D)
    _, states = shared(x)
    with pytest.raises(ValueError, match="cannot carry a state"):
        shared(x, None, states)
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


def test_reverse_twice_is_nothing() -> None:
    x, lengths = torch.randn(4, 6, 2), torch.tensor([6, 3, 1, 0])
    assert torch.equal(reverse(reverse(x, lengths), lengths), x)
    assert torch.equal(reverse(x, lengths)[1, :3], x[1, :3].flip(0))
    assert torch.equal(reverse(x[..., 0], lengths), reverse(x, lengths)[..., 0])


def test_layers_survive_saving_and_copying() -> None:
    one = layer("lstm", "auto")
    x, mask, state = check.example(one.cell, [4, 2])
    other = layer("lstm", "auto")
    check.randomise(other, seed=9)
    other.load_state_dict(one.state_dict())
    for twin in (other, copy.deepcopy(one)):
        check.close(twin(x, mask, state)[0], one(x, mask, state)[0])
