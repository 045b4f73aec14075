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
"""Lags before the spans, each twice as long as the one before."""
FADED = 2.0
"""Decimal places by which the gradient has fallen at the end of a memory: to a hundredth."""


@dataclass(frozen=True)
class Meeting:
    """The gradient of a loss with respect to the results of a recurrence.

    outputs: `[B, T, *output_shape]`, in the order of the steps, without the paths through later steps.
    state:   of the final state, each tensor without the paths through the others.
    last:    `[B]`, the last step that the loss of a row reads; -1 if it reads none.
    """

    outputs: Tensor
    state: State
    last: Int[Tensor, "B"]

    @property
    def at_one_step(self) -> bool:
        """Whether the loss reads only the last step of each row."""
        steps = torch.arange(self.outputs.shape[1], device=self.outputs.device)
        return not bool((_any(self.outputs, 2) & (steps != self.last[:, None])).any())


def meetings(loss: Float[Tensor, ""], seen: Sequence[Seen]) -> list[Meeting]:
    """For each recurrence, whose outputs must be its states: where `loss` reads it."""
    results = [tensor for one in seen for tensor in (one.run.outputs, *one.run.state)]
    gradients = iter(_gradients([loss], results))
    return [_meeting(one, next(gradients), [next(gradients) for _ in one.run.state]) for one in seen]


def hands_on_its_state(seen: Seen) -> bool:
    """Whether the output is the first tensor of the state; no other output has the gradient of the state."""
    last = seen.run.last
    return last.shape == seen.run.state[0].shape and torch.allclose(last, seen.run.state[0], equal_nan=True)


def _meeting(seen: Seen, outputs: Tensor, state: list[Tensor]) -> Meeting:
    T = outputs.shape[1]
    outputs = zero_beyond(outputs, seen.lengths)
    if seen.layer.reverse:
        outputs = reverse(outputs, seen.lengths)
    if seen.lengths is None:
        # The final state is that of the last step: h is the output, and depends on the other tensors.
        final = seen.run.state
        moving = [index for index, tensor in enumerate(final) if tensor.requires_grad]
        for number, index in enumerate(moving[1:], start=1):
            before = moving[:number]
            (through,) = _gradients([final[i] for i in before], [final[index]], [state[i] for i in before])
            state[index] = state[index] - through
        state[0] = state[0] - outputs[:, -1]
    last = torch.where(_any(outputs, 2), torch.arange(T, device=outputs.device), -1).amax(1)
    ends = torch.full_like(last, T - 1) if seen.lengths is None else seen.lengths - 1
    of_state = torch.stack([_any(tensor, 1) for tensor in state]).any(0)
    return Meeting(outputs, tuple(state), torch.where(of_state, ends, last))


def _any(tensor: Tensor, start: int) -> Tensor:
    return (tensor != 0).reshape(*tensor.shape[:start], -1).any(start)


def _gradients(of: Sequence[Tensor], by: Sequence[Tensor], weights: Sequence[Tensor] | None = None) -> list[Tensor]:
    """Zero for a tensor without a gradient, such as a step counter."""
    leaves = [tensor for tensor in by if tensor.requires_grad]
    gradients = iter(
        autograd.grad(list(of), leaves, weights, retain_graph=True, allow_unused=True, materialize_grads=True)
        if leaves
        else ()
    )
    return [next(gradients) if tensor.requires_grad else torch.zeros_like(tensor) for tensor in by]


@dataclass(frozen=True)
class Unrolled:
    """A recurrence run again, step by step; rows start later the shorter they are, so that all end at step T.

    Column N - 1 - d is d steps before the end of each row.

    projected: `[B, N, …]`, the cell's projection of the inputs.
    states:    N + 1 of them: before the first step and after each.
    places:    indices of the tensors of a state that have a gradient; a step counter has none.
    gates:     by name, `[B, N, H]`.
    alive:     `[B, N]`, whether a row has begun.
    arriving:  the gradient of the loss with respect to the last state.
    direct:    `[B, N, …]`, the gradient on the direct paths to the states before it; zero at the last.
    weights:   for each span of lags the recurrent matrices of its steps, by name.
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
    """The recurrence again, up to the last step that the loss reads; None if the loss does not read it.

    spans: from a number of steps to the spans of lags that share a copy of the recurrent matrices; None: one for each
           lag.

    Raises ValueError if the states are different: it did not start at zero, or there was noise.
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
    # One view for each span, so that each span has a separate gradient.
    views = tuple({name: leaf.view_as(leaf) for name, leaf in leaves.items()} for _ in chosen)
    view_of = {lag: views[span] for span, (first, final) in enumerate(chosen) for lag in range(first, final + 1)}
    places = tuple(index for index, tensor in enumerate(seen.run.state) if tensor.requires_grad)
    state: State = tuple(tensor.requires_grad_(index in places) for index, tensor in enumerate(start))
    states, gates = [state], []
    for t in range(N):
        step = cell.step(projected[:, t], state, Noise(weights=view_of[N - 1 - t]))
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
    return Unrolled(projected, tuple(states), places, named, alive, tuple(arriving), direct, views, chosen)


def _like(which: Tensor, value: Tensor) -> Tensor:
    return which.reshape(*which.shape, *(1,) * (value.dim() - which.dim()))


def _taken(tensor: Shaped[Tensor, "B T *size"], index: Int[Tensor, "B N"]) -> Shaped[Tensor, "B N *size"]:
    return tensor[torch.arange(len(tensor), device=tensor.device)[:, None], index]


def _at(tensor: Shaped[Tensor, "B T *size"], step: Int[Tensor, "B"]) -> Shaped[Tensor, "B *size"]:
    """Each row at its own step; zero for -1."""
    values = _taken(tensor, step.clamp(min=0)[:, None])[:, 0]
    return torch.where(_like(step >= 0, values), values, torch.zeros_like(values))


def _same(seen: Seen, last: Tensor, h: Tensor) -> None:
    outputs = reverse(seen.run.outputs, seen.lengths) if seen.layer.reverse else seen.run.outputs
    kept = last >= 0
    tolerance = torch.finfo(h.dtype).eps ** 0.5
    if not torch.allclose(h[kept], _at(outputs, last)[kept], rtol=tolerance, atol=tolerance, equal_nan=True):
        name = type(seen.layer.cell).__name__
        raise ValueError(f"{name} did not start from its initial state, or there was noise in it")


def doubling_spans(steps: int) -> list[tuple[int, int]]:
    """First and last lag of each span: lags 0 to 15, then 16 to 31, 32 to 63 and so on."""
    spans = [(lag, lag) for lag in range(min(steps, SINGLE_LAGS))]
    first = SINGLE_LAGS
    while first < steps:
        spans.append((first, min(2 * first, steps) - 1))
        first *= 2
    return spans


def state_gradients(unrolled: Unrolled, direct: bool = False) -> tuple[Tensor, ...]:
    """For each tensor of the state that has a gradient `[B, N, …]`: dL_T/ds_t at each step t, where L_T is the loss
    through step T.

        λ_T = ∂L/∂s_T,  λ_{t-1} = (∂s_t/∂s_{t-1})ᵀ λ_t

    The tensors of a state count as independent: h_t is no function of c_t here, but s_{t+1} is one of both.

    direct: add the direct paths from the loss to the states before T.
    """
    tensors = [state[index] for state in unrolled.states[1:] for index in unrolled.places]
    gradients, n = _through(unrolled, tensors, direct), len(unrolled.places)
    return tuple(torch.stack(gradients[index::n], 1) for index in range(n))


def _through(unrolled: Unrolled, by: Sequence[Tensor], direct: bool = False) -> list[Tensor]:
    of = [unrolled.states[-1][index] for index in unrolled.places]
    weights = [unrolled.arriving[index] for index in unrolled.places]
    if direct:
        of += [state[0] for state in unrolled.states[1:-1]]
        weights += list(unrolled.direct[:, :-1].unbind(1))
    return _gradients(of, by, weights)


def weight_gradients(unrolled: Unrolled) -> tuple[dict[str, Tensor], ...]:
    """For each span of lags the part of dL_T/dU from its steps, by the matrix's name; their sum is dL_T/dU.

        dL_T/dU = Σ_k λ_kᵀ ∂⁺s_k/∂U

    with ∂⁺ the immediate derivative, s_{k-1} held fixed (Pascanu, Mikolov & Bengio 2013, eqs. 4-5).
    """
    gradients = iter(_through(unrolled, [weight for span in unrolled.weights for weight in span.values()]))
    return tuple({name: next(gradients) for name in span} for span in unrolled.weights)


def shares(parts: Sequence[dict[str, Tensor]]) -> list[float] | None:
    """The share of each part in the sum g of all: its projection ⟨g_k, g⟩ / ⟨g, g⟩. Shares sum to 1.

    The share of a part in the opposite direction is negative. None if g is zero or not finite.
    """
    flat = [torch.cat([tensor.double().flatten() for tensor in part.values()]) for part in parts]
    whole = torch.stack(flat).sum(0)
    total = float(whole @ whole)
    return [float(part @ whole) / total for part in flat] if 0 < total < float("inf") else None


def norms(gradients: Sequence[Shaped[Tensor, "B N *size"]]) -> Float[Tensor, "B N"]:
    """The norm of each step's gradient over all these tensors, in double; column d is that of step T - d."""
    flat = [gradient.double().reshape(*gradient.shape[:2], -1) for gradient in gradients]
    return torch.cat(flat, 2).norm(dim=2).flip(1)


def kept_share(cell: Cell, gates: dict[str, Tensor]) -> Float[Tensor, "B N H"] | None:
    """The share of the old state that each unit keeps at a step; None for a cell without such a gate."""
    if cell.keeps is None or cell.keeps[0] not in gates:
        return None
    gate, sign = cell.keeps
    return gates[gate] if sign > 0 else 1 - gates[gate]


def kept_product(share: Float[Tensor, "B N *size"]) -> Float[Tensor, "B N"]:
    """The mean over units of Π share: column d from s_{T-d} to s_T (1 at d = 0)."""
    backwards = share.double().flatten(2).flip(1)
    product = torch.cat([torch.ones_like(backwards[:, :1]), backwards[:, :-1].cumprod(1)], 1)
    return product.mean(2)


def memory_length(log_norms: Float[Tensor, "N"]) -> int | None:
    """The first distance at which a norm (log10, by distance) is at most a hundredth of that at 0, or None."""
    faded = (log_norms <= log_norms[0] - FADED).nonzero()
    return int(faded[0]) if len(faded) else None
