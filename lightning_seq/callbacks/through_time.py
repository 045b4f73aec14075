"""How a loss's gradient travels back through a recurrence: its norm by distance, and the share of each lag."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor, autograd

from lightning_seq.cells.cell import Cell, Noise, State
from lightning_seq.layers.mask import reverse, zero_beyond
from lightning_seq.layers.recurrent import Seen

SINGLE_LAGS = 16
"""Lags of their own, before they are taken together in spans that double."""

FADED = 2.0
"""Decimal places by which a gradient has fallen where a memory ends: to a hundredth."""


@dataclass(frozen=True)
class Meeting:
    """Where a loss meets a recurrence: its gradient with respect to what the recurrence hands out.

    outputs: `[B, T, *output_shape]`, in the order of the steps; what a later step makes of an output is not in it.
    state:   of the final state, each tensor for itself.
    last:    `[B]`, the last step that the loss of a row reads; -1 where it reads none.
    """

    outputs: Tensor
    state: State
    last: Int[Tensor, "B"]

    @property
    def at_one_step(self) -> bool:
        """Whether the loss meets the recurrence at each row's last step alone."""
        steps = torch.arange(self.outputs.shape[1], device=self.outputs.device)
        return not bool((_any(self.outputs, 2) & (steps != self.last[:, None])).any())


def meetings(loss: Float[Tensor, ""], seen: Sequence[Seen]) -> list[Meeting]:
    """Where `loss` meets each of the recurrences that ran on the way to it (and hand on their state)."""
    if not seen:
        return []
    wanted = [tensor for each in seen for tensor in (each.run.outputs, *each.run.state)]
    found = iter(_gradients([loss], wanted))
    return [_meeting(each, next(found), [next(found) for _ in each.run.state]) for each in seen]


def hands_on_its_state(seen: Seen) -> bool:
    """Whether the output is the first tensor of the state; the gradient of another one says nothing of the state."""
    last = seen.run.last
    return last.shape == seen.run.state[0].shape and torch.allclose(last, seen.run.state[0], equal_nan=True)


def _meeting(seen: Seen, outputs: Tensor, state: list[Tensor]) -> Meeting:
    T = outputs.shape[1]
    outputs = zero_beyond(outputs, seen.lengths)
    if seen.layer.reverse:
        outputs = reverse(outputs, seen.lengths)
    if seen.lengths is None:
        # The final state is then what the last step itself made: h is its output, and was made of the other tensors.
        final = seen.run.state
        moving = [place for place, tensor in enumerate(final) if tensor.requires_grad]
        for number, place in enumerate(moving[1:], start=1):
            before = moving[:number]
            (through,) = _gradients([final[p] for p in before], [final[place]], [state[p] for p in before])
            state[place] = state[place] - through
        state[0] = state[0] - outputs[:, -1]
    read = _any(outputs, 2)
    steps = torch.arange(T, device=outputs.device)
    last = torch.where(read, steps, -1).amax(1)
    ends = torch.full_like(last, T - 1) if seen.lengths is None else seen.lengths - 1
    of_state = torch.stack([_any(tensor, 1) for tensor in state]).any(0)
    return Meeting(outputs, tuple(state), torch.where(of_state, ends, last))


def _any(tensor: Tensor, start: int) -> Tensor:
    return (tensor != 0).reshape(*tensor.shape[:start], -1).any(start)


def _gradients(of: Sequence[Tensor], wanted: Sequence[Tensor], weights: Sequence[Tensor] | None = None) -> list[Tensor]:
    """Zero for a tensor that has no gradient: a step counter, say."""
    asked = [tensor for tensor in wanted if tensor.requires_grad]
    found = iter(autograd.grad(list(of), asked, weights, retain_graph=True, allow_unused=True) if asked else ())
    each = [next(found) if tensor.requires_grad else None for tensor in wanted]
    return [torch.zeros_like(w) if f is None else f for f, w in zip(each, wanted, strict=True)]


@dataclass(frozen=True)
class Unrolled:
    """A recurrence run again, step by step, each row held back so long that all end at one step T.

    Column N - 1 - d of everything here stands d steps before a row's end, whatever its length.

    projected: `[B, N, …]`, what the cell made of the inputs.
    states:    N + 1 of them, before the first step and after each, each tensor for itself: what a step read.
    places:    of the tensors of a state that have a gradient; a step counter has none.
    gates:     by name, `[B, N, H]`.
    alive:     `[B, N]`, whether a row has begun.
    arriving:  the loss's gradient where it meets the last state.
    direct:    its gradient where it meets the states before it directly, `[B, N, …]`; zero at the last.
    weights:   for each span of lags the recurrent matrices that its steps used, by name.
    spans:     first and last lag of each.
    """

    projected: Tensor
    states: tuple[State, ...]
    places: tuple[int, ...]
    gates: dict[str, Tensor]
    alive: Bool[Tensor, "B N"]
    arriving: State
    direct: Tensor
    weights: tuple[dict[str, Tensor], ...]
    spans: tuple[tuple[int, int], ...]

    @property
    def steps(self) -> int:
        return self.alive.shape[1]


def unroll(
    seen: Seen, meeting: Meeting, spans: Callable[[int], Sequence[tuple[int, int]]] | None = None
) -> Unrolled | None:
    """The recurrence again, up to where the loss reads it last; None where the loss does not read it.

    spans: makes of a number of steps the spans of lags that share a copy of the recurrent matrices; each lag has its
           own without it.

    Raises ValueError where the states come out differently: it did not start at zero, or there was noise.
    """
    layer, cell, last = seen.layer, seen.layer.cell, meeting.last
    N = int(last.max()) + 1
    if N == 0:
        return None
    steps = torch.arange(N, device=last.device)
    late = N - 1 - last
    alive = steps >= late[:, None]
    with torch.no_grad():
        x = reverse(seen.x, seen.lengths) if layer.reverse else seen.x
        projected = _taken(cell.project(x), (steps - late[:, None]).clamp(min=0))
        start = tuple(tensor.clone() for tensor in cell.initial_state(x))
    leaves = {name: weight.detach().requires_grad_() for name, weight in cell.recurrent_weights().items()}
    chosen = tuple(spans(N) if spans is not None else [(lag, lag) for lag in range(N)])
    # A view of its own for each span, so that each has a gradient of its own.
    drawn = tuple({name: leaf.view_as(leaf) for name, leaf in leaves.items()} for _ in chosen)
    span_of = {lag: place for place, (first, final) in enumerate(chosen) for lag in range(first, final + 1)}
    places = tuple(place for place, tensor in enumerate(seen.run.state) if tensor.requires_grad)
    state: State = tuple(tensor.requires_grad_(place in places) for place, tensor in enumerate(start))
    states, gates = [state], []
    for t in range(N):
        step = cell.step(projected[:, t], state, Noise(weights=drawn[span_of[N - 1 - t]]))
        state = tuple(
            torch.where(_like(alive[:, t], new), new, old) for new, old in zip(step.state, state, strict=True)
        )
        states.append(state)
        gates.append(step.gates)
    _same(seen, last, state[0])
    arriving = [_at(meeting.outputs, last), *(torch.zeros_like(tensor) for tensor in meeting.state[1:])]
    arriving = [a + b for a, b in zip(arriving, meeting.state, strict=True)]
    direct = _taken(meeting.outputs, (steps - late[:, None]).clamp(min=0))
    direct = torch.where(_like(alive & (steps < N - 1), direct), direct, torch.zeros_like(direct))
    named = {name: torch.stack([gate[name] for gate in gates], 1).detach() for name in gates[0]}
    return Unrolled(projected, tuple(states), places, named, alive, tuple(arriving), direct, drawn, chosen)


def _like(which: Tensor, value: Tensor) -> Tensor:
    return which.reshape(*which.shape, *(1,) * (value.dim() - which.dim()))


def _taken(tensor: Shaped[Tensor, "B T *size"], index: Int[Tensor, "B N"]) -> Shaped[Tensor, "B N *size"]:
    return tensor[torch.arange(len(tensor), device=tensor.device)[:, None], index]


def _at(tensor: Shaped[Tensor, "B T *size"], step: Int[Tensor, "B"]) -> Shaped[Tensor, "B *size"]:
    """Each row at its own step; zero for -1."""
    found = tensor[torch.arange(len(tensor), device=tensor.device), step.clamp(min=0)]
    return torch.where(_like(step >= 0, found), found, torch.zeros_like(found))


def _same(seen: Seen, last: Tensor, h: Tensor) -> None:
    outputs = reverse(seen.run.outputs, seen.lengths) if seen.layer.reverse else seen.run.outputs
    kept = last >= 0
    tolerance = torch.finfo(h.dtype).eps ** 0.5
    if not torch.allclose(h[kept], _at(outputs, last)[kept], rtol=tolerance, atol=tolerance, equal_nan=True):
        name = type(seen.layer.cell).__name__
        raise ValueError(f"{name} did not start from its initial state, or there was noise in it")


def doubling_spans(steps: int) -> list[tuple[int, int]]:
    """Lags 0 to 15 each by itself, then 16 to 31, 32 to 63 and so on: first and last of each."""
    spans = [(lag, lag) for lag in range(min(steps, SINGLE_LAGS))]
    first = SINGLE_LAGS
    while first < steps:
        spans.append((first, min(2 * first, steps) - 1))
        first *= 2
    return spans


def state_gradients(unrolled: Unrolled, direct: bool = False) -> tuple[Tensor, ...]:
    """For each tensor of the state that has a gradient `[B, N, …]`: dL_T/ds_t at each step t, where L_T is the loss as
    it meets step T.

        λ_T = ∂L/∂s_T,  λ_{t-1} = (∂s_t/∂s_{t-1})ᵀ λ_t

    The tensors of a state are taken for independent: h_t is no function of c_t here, but s_{t+1} is one of both.

    direct: add what the loss reads of the states before T directly.
    """
    tensors = [state[place] for state in unrolled.states[1:] for place in unrolled.places]
    found = _gradients(*_seeds(unrolled, direct, tensors))
    n = len(unrolled.places)
    return tuple(torch.stack(found[place::n], 1) for place in range(n))


def _seeds(
    unrolled: Unrolled, direct: bool, wanted: Sequence[Tensor]
) -> tuple[list[Tensor], Sequence[Tensor], list[Tensor]]:
    of = [unrolled.states[-1][place] for place in unrolled.places]
    weights = [unrolled.arriving[place] for place in unrolled.places]
    if direct:
        of += [state[0] for state in unrolled.states[1:-1]]
        weights += list(unrolled.direct[:, :-1].unbind(1))
    return of, wanted, weights


def weight_gradients(unrolled: Unrolled) -> tuple[dict[str, Tensor], ...]:
    """For each span of lags the part of dL_T/dU that its steps give, by the matrix's name; together they are dL_T/dU.

        dL_T/dU = Σ_k λ_kᵀ ∂⁺s_k/∂U

    with ∂⁺ the immediate derivative, s_{k-1} held fixed (Pascanu, Mikolov & Bengio 2013, eqs. 4-5).
    """
    names = list(unrolled.weights[0])
    found = iter(_gradients(*_seeds(unrolled, False, [drawn[name] for drawn in unrolled.weights for name in names])))
    return tuple({name: next(found) for name in names} for _ in unrolled.weights)


def shares(parts: Sequence[dict[str, Tensor]]) -> list[float] | None:
    """How much of the whole each part is: its projection on the sum of all, ⟨g_k, g⟩ / ⟨g, g⟩; they sum to 1.

    A part that pulls the other way is negative. None where there is nothing to share.
    """
    together = [torch.cat([tensor.double().flatten() for tensor in part.values()]) for part in parts]
    whole = torch.stack(together).sum(0)
    total = float(whole @ whole)
    return [float(part @ whole) / total for part in together] if 0 < total < float("inf") else None


def norms(gradients: Sequence[Shaped[Tensor, "B N *size"]]) -> Float[Tensor, "B N"]:
    """Of each step's gradient, of all these tensors together, by distance: column d is that of step T - d.

    In double: squares of small numbers.
    """
    flat = [gradient.double().reshape(*gradient.shape[:2], -1) for gradient in gradients]
    return torch.cat(flat, 2).norm(dim=2).flip(1)


def kept_share(cell: Cell, gates: dict[str, Tensor]) -> Float[Tensor, "B N H"] | None:
    """The share of its old state that each unit keeps at a step; None for a cell without a gate that keeps it."""
    if cell.keeps is None or cell.keeps[0] not in gates:
        return None
    gate, sign = cell.keeps
    return gates[gate] if sign > 0 else 1 - gates[gate]


def kept_product(share: Float[Tensor, "B N *size"]) -> Float[Tensor, "B N"]:
    """What is kept over a distance, the mean over units of Π share: column d from s_{T-d} to s_T (1 at d = 0)."""
    backwards = share.double().flatten(2).flip(1)
    product = torch.cat([torch.ones_like(backwards[:, :1]), backwards[:, :-1].cumprod(1)], 1)
    return product.mean(2)


def memory_length(log_norms: Float[Tensor, "N"]) -> int | None:
    """The first distance at which a norm (log10, by distance) has fallen to a hundredth of that at 0; None: nowhere."""
    faded = (log_norms <= log_norms[0] - FADED).nonzero()
    return int(faded[0]) if len(faded) else None
