"""The conformance suite: what every cell must do, on every engine, in either direction.

Used by the tests, where every cell joins by one line, and by `lightning-seq check my_package.MyCell`.
"""

from __future__ import annotations

import copy
import io
from collections.abc import Callable, Iterator
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional

from lightning_seq.cells.cell import Cell, Noise, State
from lightning_seq.conformance import refusals
from lightning_seq.conformance.check import DRAWS, RAGGED, SINGLE, Check, Result, failure, require
from lightning_seq.conformance.layers import (
    check_alone_equals_batch,
    close,
    example,
    outcome,
    randomise,
    real,
    weighed,
    with_gradients,
)
from lightning_seq.conformance.oracles import oracle_of, run_oracle
from lightning_seq.conformance.states import check_shapes, check_trace, check_zoneout
from lightning_seq.conformance.subject import Subject
from lightning_seq.engines.choice import engines
from lightning_seq.errors import UserError
from lightning_seq.layers.recurrent import Recurrent
from lightning_seq.layers.stacked import Stacked

LONG = 20_000


def check_oracle(subject: Subject) -> None:
    """Equal to NumPy written from the paper, to 1e-10."""
    layer = subject.layer()
    step = subject.oracle or oracle_of(layer.cell)
    if step is None:
        raise KeyError(type(layer.cell).__name__)
    x, _, state = example(layer.cell, [5, 5, 5])
    outputs, final = layer(x, None, state)
    expected, end = run_oracle(step, layer.cell, x.flip(1) if subject.reverse else x, state)
    close(outputs.flip(1) if subject.reverse else outputs, torch.from_numpy(expected))
    close(final, [torch.from_numpy(array) for array in end])


def check_single_precision(subject: Subject) -> None:
    """In float32 within 1e-5 of float64."""
    layer, x, mask, state = subject.example()
    with torch.no_grad():
        layer.load_state_dict({name: value / 3 for name, value in layer.state_dict().items()})
        outputs, final = layer(x, mask, state)
        single, end = copy.deepcopy(layer).float()(x.float(), mask, _single(state))
    for found, expected in zip((single, *end), (outputs, *final), strict=True):
        close(found.double(), expected.double(), SINGLE * max(1.0, float(expected.abs().max())))


def _single(state: State) -> State:
    return tuple(tensor.float() if tensor.is_floating_point() else tensor for tensor in state)


def check_gradients(subject: Subject) -> None:
    """The gradient of inputs, state and parameters is that of finite differences, through the mask."""
    layer, x, mask, state = subject.example([3, 1])
    names, parameters = zip(*layer.named_parameters(), strict=True)
    count = 1 + len(real(state))

    def run(*values: Tensor) -> tuple[Tensor, ...]:
        weights, moved = dict(zip(names, values[count:], strict=True)), iter(values[1:count])
        start = tuple(next(moved) if tensor.is_floating_point() else tensor for tensor in state)
        outputs, final = torch.func.functional_call(layer, weights, (values[0], mask, start))
        return outputs, *real(final)

    wanted = [tensor.detach().clone().requires_grad_() for tensor in (x, *real(state), *parameters)]
    torch.autograd.gradcheck(run, wanted, eps=1e-6, atol=1e-5, fast_mode=True)


def check_everything_counts(subject: Subject) -> None:
    """Every number of every parameter and of the first state changes the last step: none is lost on the way."""
    total: dict[str, Tensor] = {}
    for seed in range(DRAWS):  # a unit that is closed in one draw is open in another
        layer = subject.layer(seed)
        x, _, state = example(layer.cell, [4] * 12, seed + 1)
        state = with_gradients(state)
        outputs, final = layer(x, None, state)
        loss = weighed((outputs[:, 0] if subject.reverse else outputs[:, -1], *final))
        named = {}
        for index, tensor in enumerate(state):
            name = f"tensor {index} of the state"
            if tensor.is_floating_point():
                named[name] = tensor
            else:  # the effect of another number of a counter
                changed = ~tensor if tensor.dtype == torch.bool else tensor + 1
                again = layer(x, None, (*state[:index], changed, *state[index + 1 :]))[0]
                total[name] = total.get(name, 0) + (again - outputs).detach().abs()
        named.update(layer.named_parameters())
        for name, gradient in zip(named, torch.autograd.grad(loss, [*named.values()], allow_unused=True), strict=True):
            size = torch.zeros_like(named[name]) if gradient is None else gradient.abs()
            total[name] = total.get(name, 0) + size
    for name, size in total.items():
        if name.endswith("of the state"):
            require(size.any(), f"{name} changes nothing: it is not carried from step to step")
            continue
        rows = size.flatten(1).sum(1) if size.dim() > 1 else size
        dead = (rows == 0).nonzero().flatten().tolist()
        require(
            not dead,
            f"{name} gets no gradient in rows {_span(dead)} of {len(rows)}: "
            "what they act on is not there, or not carried from step to step",
        )


def _span(rows: list[int]) -> str:
    whole = len(rows) > 1 and rows == list(range(rows[0], rows[-1] + 1))
    return f"{rows[0]}-{rows[-1]}" if whole else ", ".join(map(str, rows))


def check_start(subject: Subject) -> None:
    """Without a state it starts from zeros; a call changes neither the layer nor its arguments."""
    layer, x, mask, state = subject.example()
    zeros = tuple(torch.zeros_like(tensor) for tensor in state)
    before = [tensor.clone() for tensor in (x, *state)]
    first = layer(x, mask, state)[0]
    close(layer(x, mask)[0], layer(x, mask, zeros)[0])
    close(layer(x, mask, state)[0], first)
    close((x, *state), before)


def check_noise(subject: Subject) -> None:
    """Recurrent dropout acts on h_{t-1} in its product with U alone: a mask of zeros equals a U of zeros."""
    layer = subject.recurrent(subject.layer().cell, subject.reverse, "loop")
    x, mask, state = example(layer.cell, RAGGED)
    (name, U), *_ = layer.cell.recurrent_weights().items()
    masked = layer.run(x, mask, state, noise=Noise(recurrent=torch.zeros_like(state[0])))
    without = layer.run(x, mask, state, noise=Noise(weights={name: torch.zeros_like(U)}))
    close((masked.outputs, *masked.state), (without.outputs, *without.state))
    require((masked.outputs - layer.run(x, mask, state).outputs).abs().max() > 0, "the mask changes nothing")


def check_chunks(subject: Subject) -> None:
    """Chunks of a sequence, cut anywhere, give the same as the whole if the state is carried."""
    layer, x, _, state = subject.example([5] * 3)
    whole, final = layer(x, None, state)
    for cut in range(1, x.shape[1]):
        first, second = (x[:, cut:], x[:, :cut]) if layer.reverse else (x[:, :cut], x[:, cut:])
        one, carried = layer(first, None, state)
        other, end = layer(second, None, carried)
        close(torch.cat([other, one] if layer.reverse else [one, other], 1), whole)
        close(end, final)


def check_alone(subject: Subject) -> None:
    """A sequence gives the same alone and in any batch; an empty one keeps its state."""
    check_alone_equals_batch(subject.layer(), RAGGED)


def check_padding(subject: Subject) -> None:
    """Padding has no effect, NaN included: the same values and gradients, and zero outputs there."""
    layer = subject.layer()
    clean, mask, state = example(layer.cell, RAGGED)
    padded, _, _ = example(layer.cell, RAGGED, padding=float("nan"))
    found = outcome(layer, padded, mask, state)
    close(found, outcome(layer, clean, mask, state))
    require(not found[0][~mask].any(), "outputs at padding are not zero")


def check_reverse(subject: Subject) -> None:
    """Reverse is flip, run, flip, on each row's own length."""
    forwards, backwards = (replace(subject, reverse=reverse).layer() for reverse in (False, True))
    lengths = [5, 2, 1, 4]
    x, mask, state = example(forwards.cell, lengths)
    outputs, final = backwards(x, mask, state)
    for row, length in enumerate(lengths):
        start = tuple(tensor[row : row + 1] for tensor in state)
        flipped, end = forwards(x[row : row + 1, :length].flip(1), None, start)
        close(outputs[row : row + 1, :length], flipped.flip(1))
        close([tensor[row : row + 1] for tensor in final], end)


def check_bidirectional(subject: Subject) -> None:
    """The forward half is the forward layer's, the backward half the reverse layer's; the last input reaches the first
    backward output; each direction starts from the state that it is given."""
    reached = [_check_halves(subject, seed) for seed in range(DRAWS)]
    require(any(reached), "the backward pass does not see the last input")


def _check_halves(subject: Subject, seed: int) -> bool:
    """Whether the last input changed the first backward output (a unit may be closed in one draw)."""
    forwards, backwards = subject.cells(seed)
    both = subject.bidirectional(forwards, backwards, subject.engine)
    forward_layer, backward_layer = (
        Recurrent(cell, reverse, subject.engine) for cell, reverse in ((forwards, False), (backwards, True))
    )
    x, mask, state = example(forwards, [5, 3], seed)
    other_state = example(backwards, [5, 3], seed + 1)[2]
    outputs, (forward_state, backward_state) = both(x, mask)
    size = forwards.output_shape[0]
    one, end = forward_layer(x, mask)
    other, begin = backward_layer(x, mask)
    close(outputs[:, :, :size], one)
    close(outputs[:, :, size:], other)
    close((*forward_state, *backward_state), (*end, *begin))
    changed = x.clone()
    changed[1, 2] += 1.0
    again = both(changed, mask)[0]
    close(again[1, 0, :size], outputs[1, 0, :size])
    begun, (end, begin) = both(x, mask, (state, other_state))
    forward_run, backward_run = forward_layer(x, mask, state), backward_layer(x, mask, other_state)
    close(begun, torch.cat([forward_run[0], backward_run[0]], 2))
    close((*end, *begin), (*forward_run[1], *backward_run[1]))
    return bool((again[1, 0, size:] - outputs[1, 0, size:]).any())


def check_stacked(subject: Subject) -> None:
    """A stack of one layer is the layer."""
    layer, x, mask, state = subject.example()
    (found, ((end,),)), (expected, final) = Stacked([layer])(x, mask, ((state,),)), layer(x, mask, state)
    close((found, *end), (expected, *final))


def check_one_hot(subject: Subject) -> None:
    """Token ids give the same as dense one-hot vectors: a column of W."""
    layer = subject.layer()
    ids = torch.tensor([[0, 2, 1], [1, 1, 0]])
    dense = functional.one_hot(ids, layer.cell.input_shape[0]).double()
    close(layer.cell.project(ids), layer.cell.project(dense))


def check_columns(subject: Subject) -> None:
    """The input's projection is the sum of its columns' projections."""
    cell = subject.layer().cell
    x, _, _ = example(cell, [4, 4])
    close(cell.project(x[..., :1]) + cell.project(x[..., 1:], start=1), cell.project(x))


def check_engine(subject: Subject) -> None:
    """The engine equals `loop` in value and gradient, ragged and full."""
    for lengths in (RAGGED, [4, 4]):
        layer = subject.layer()
        x, mask, state = example(layer.cell, lengths)
        reference = Recurrent(layer.cell, subject.reverse, "loop")
        close(outcome(layer, x, mask, state), outcome(reference, x, mask, state))


def check_copies(subject: Subject) -> None:
    """Saved and loaded, or copied, it is the same; and a copy shares nothing."""
    layer, x, mask, state = subject.example()
    expected = layer(x, mask, state)[0]
    file = io.BytesIO()
    torch.save(layer.state_dict(), file)
    file.seek(0)
    other = subject.layer(seed=7)
    require((other(x, mask, state)[0] - expected).abs().max() > 0, "other weights give the same outputs")
    other.load_state_dict(torch.load(file, weights_only=True))
    close(other(x, mask, state)[0], expected)
    twin = copy.deepcopy(layer)
    randomise(layer, 8)
    close(twin(x, mask, state)[0], expected)


def check_edges(subject: Subject) -> None:
    """One step, one row, a row of no tokens; a sequence of no steps is an error."""
    layer, x, _, state = subject.example([1])
    outputs, final = layer(x, None, state)
    wanted = (1, 1, *layer.cell.output_shape)
    require(outputs.shape == wanted, f"one step gives outputs {list(outputs.shape)}, expected {list(wanted)}")
    require(outputs.isfinite().all(), "the output of one step is not finite")
    nothing = torch.zeros(1, 1, dtype=torch.bool)
    outputs, final = layer(torch.full_like(x, float("nan")), nothing, state)
    require(not outputs.any(), "the output of a row of no tokens is not zero")
    close(final, state)
    refusals.refused("a sequence of no steps", layer, x[:, :0], None, state)


def check_refuses(subject: Subject) -> None:
    """An input, a mask or a state of another size, type or device raises ValueError or TypeError: in the layer, in two
    directions and in the cell alone."""
    layer = subject.layer()
    both = subject.bidirectional(*subject.cells(0), subject.engine)
    refusals.check_layer(layer, both, *example(layer.cell, RAGGED))


def check_long(subject: Subject) -> None:
    """20,000 steps forward and, in gradient, back: no recursion."""
    layer = subject.layer().float()
    x, _, state = example(layer.cell, [LONG])
    outputs, _ = layer(x.float(), None, _single(state))
    require(outputs.shape[1] == LONG, f"{outputs.shape[1]} outputs came, expected {LONG}")
    outputs[:, -1].sum().backward()


def _takes_ids(subject: Subject) -> bool:
    """Whether the cell reads ids, instead of a UserError for them."""
    cell = subject.make()
    try:
        cell.project(torch.zeros(1, 1, dtype=torch.int64))
    except UserError:
        return False
    except Exception:  # any error of a user's cell: the check that then runs reports it by name
        return True
    return True


CHECKS: tuple[Check[Subject], ...] = (
    Check("oracle", check_oracle, lambda s: (s.oracle or oracle_of(s.make())) is not None),
    Check("float32", check_single_precision),
    Check("gradients", check_gradients, lambda s: getattr(s.make(), "activation", None) != "relu"),
    Check("everything counts", check_everything_counts),
    Check("shapes", check_shapes),
    Check("start", check_start),
    Check("chunks", check_chunks),
    Check("alone", check_alone),
    Check("padding", check_padding),
    Check("reverse", check_reverse),
    Check("bidirectional", check_bidirectional),
    Check("stacked", check_stacked),
    Check("zoneout", check_zoneout, lambda s: s.engine in ("loop", "auto")),
    Check("noise", check_noise, lambda s: bool(s.make().recurrent_weights())),
    Check("one-hot", check_one_hot, _takes_ids),
    Check("columns", check_columns, lambda s: s.make().splits_input),
    Check("engine", check_engine, lambda s: s.engine != "loop"),
    Check("copies", check_copies),
    Check("edges", check_edges),
    Check("refuses what does not fit", check_refuses),
    Check("trace", check_trace),
)
SLOW: tuple[Check[Subject], ...] = (Check("long", check_long),)


def engines_of(make: Callable[[], Cell]) -> list[str]:
    """`loop`, and the other engines that can run this cell."""
    cell = make()
    x = torch.zeros(1, 1, *cell.input_shape, dtype=next(cell.parameters()).dtype)
    able = [name for name, engine in engines().items() if engine.refuses(cell, x, None, False) is None]
    return ["loop", *(name for name in able if name != "loop")]


def examine(make: Callable[[], Cell], slow: bool = False) -> Iterator[Result]:
    """Every check that applies, on every engine, in both directions."""
    for engine in engines_of(make):
        for reverse in (False, True):
            subject = Subject(make, engine, reverse)
            for check in (*CHECKS, *(SLOW if slow and not reverse else ())):
                if check.applies(subject):
                    yield Result(check.name, failure(check, subject), engine, reverse)
