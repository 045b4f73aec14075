"""Broken cells and layers, each with one mistake that has been made in published code. The suite must catch them all.

`python -m tests.conformance.mutants` prints which check caught each.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from lightning_seq.cells.cell import Noise, State, Step
from lightning_seq.cells.conv_lstm import ConvLSTMCell
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
from lightning_seq.conformance.check import failure
from lightning_seq.conformance.oracles import ORACLES
from lightning_seq.conformance.suite import CHECKS, Subject
from lightning_seq.engines.engine import Run
from lightning_seq.layers.bidirectional import Bidirectional
from lightning_seq.layers.mask import lengths_of, zero_beyond
from lightning_seq.layers.recurrent import Recurrent

from .other_cells import ClockworkCell, Outputs, ReadoutCell, SCRNCell
from .unchecked import BroadcastsState, CastsToFit, CutsToFit, IgnoresMoreState, ProjectsWhatItKnows

D, H = 3, 4


def permuted(kind: type[Any], order: tuple[int, ...]) -> type[Any]:
    """A cell that reads its gates in another order than it documents."""

    class Permuted(kind):  # type: ignore[misc, valid-type]
        def project(self, x: Tensor, start: int = 0) -> Tensor:
            blocks = super().project(x, start).split(self.hidden_size, -1)
            return torch.cat([blocks[index] for index in order], -1)

        def step(self, projected_t: Tensor, state: State, noise: Noise | None = None) -> Step:
            U = self.U if noise is None else noise.weights.get("U", self.U)
            blocks = U.split(self.hidden_size)
            turned = torch.cat([blocks[index] for index in order])
            given = Noise(weights={"U": turned}) if noise is None else Noise(noise.recurrent, None, {"U": turned})
            return super().step(projected_t, state, given)

    return Permuted


class LSTMWithoutTanh(LSTMCell):
    def step(self, projected_t: Tensor, state: State, noise: Noise | None = None) -> Step:
        step = super().step(projected_t, state, noise)
        h_t = step.gates["o"] * step.state[1]
        return Step(h_t, (h_t, step.state[1]), step.gates)


class LSTMForgetsC(LSTMCell):
    def step(self, projected_t: Tensor, state: State, noise: Noise | None = None) -> Step:
        return super().step(projected_t, (state[0], torch.zeros_like(state[1])), noise)


class LSTMForgetsH(LSTMCell):
    def step(self, projected_t: Tensor, state: State, noise: Noise | None = None) -> Step:
        return super().step(projected_t, (torch.zeros_like(state[0]), state[1]), noise)


class PeepholeOfOldMemory(PeepholeLSTMCell):
    def step(self, projected_t: Tensor, state: State, noise: Noise | None = None) -> Step:
        step = super().step(projected_t, state, noise)
        c_prev, c_t, o_t = state[1], step.state[1], step.gates["o"]
        o_t = torch.sigmoid(torch.logit(o_t) + self.p[2] * (c_prev - c_t))
        h_t = o_t * torch.tanh(c_t)
        return Step(h_t, (h_t, c_t), step.gates)


class PeepholesSwapped(PeepholeLSTMCell):
    def step(self, projected_t: Tensor, state: State, noise: Noise | None = None) -> Step:
        given = Noise(weights={**(noise.weights if noise else {}), "p": self.p[[1, 0, 2]]})
        return super().step(projected_t, state, Noise(noise and noise.recurrent, None, given.weights))


class GRUMirrored(GRUCell):
    def step(self, projected_t: Tensor, state: State, noise: Noise | None = None) -> Step:
        gates = super().step(projected_t, state, noise).gates
        h_t = (1 - gates["z"]) * state[0] + gates["z"] * gates["n"]
        return Step(h_t, (h_t,), gates)


class GRUBiasOutside(GRUCell):
    def step(self, projected_t: Tensor, state: State, noise: Noise | None = None) -> Step:
        gates = super().step(projected_t, state, noise).gates
        n_t = torch.tanh(torch.atanh(gates["n"]) + (1 - gates["r"]) * self.b_n)
        h_t = gates["z"] * state[0] + (1 - gates["z"]) * n_t
        return Step(h_t, (h_t,), gates)


class ResetAfterInstead(GRUResetBeforeCell):
    def step(self, projected_t: Tensor, state: State, noise: Noise | None = None) -> Step:
        gates, (h_prev,) = super().step(projected_t, state, noise).gates, state
        U_n = self.U[2 * H :]
        n_t = torch.tanh(projected_t[..., 2 * H :] + gates["r"] * functional.linear(h_prev, U_n))
        h_t = gates["z"] * h_prev + (1 - gates["z"]) * n_t
        return Step(h_t, (h_t,), gates)


class BiasTwice(ElmanCell):
    def project(self, x: Tensor, start: int = 0) -> Tensor:
        projected = super().project(x, start)
        return projected if start == 0 else projected + self.b


class Detached(ElmanCell):
    def step(self, projected_t: Tensor, state: State, noise: Noise | None = None) -> Step:
        return super().step(projected_t, (state[0].detach(),), noise)


class Truncated(LSTMCell):
    def step(self, projected_t: Tensor, state: State, noise: Noise | None = None) -> Step:
        return super().step(projected_t, (state[0].detach(), state[1]), noise)


class Remembers(ElmanCell):
    """Its state is an attribute, and the one it is given counts only the first time."""

    last: Tensor | None = None

    def step(self, projected_t: Tensor, state: State, noise: Noise | None = None) -> Step:
        h_prev = state[0] if self.last is None or self.last.shape != state[0].shape else self.last
        step = super().step(projected_t, (h_prev,), noise)
        self.last = step.output.detach()
        return step


class InPlace(ElmanCell):
    def step(self, projected_t: Tensor, state: State, noise: Noise | None = None) -> Step:
        step = super().step(projected_t, state, noise)
        state[0].data.copy_(step.output.data)
        return step


class RandomStart(ElmanCell):
    def initial_state(self, x: Tensor) -> State:
        return tuple(torch.randn_like(tensor) for tensor in super().initial_state(x))


class SinglePrecision(ElmanCell):
    def project(self, x: Tensor, start: int = 0) -> Tensor:
        return super().project(x, start).float().to(x.dtype)


class MGUMirrored(MinimalGatedCell):
    def step(self, projected_t: Tensor, state: State, noise: Noise | None = None) -> Step:
        gates = super().step(projected_t, state, noise).gates
        h_t = gates["f"] * state[0] + (1 - gates["f"]) * gates["n"]
        return Step(h_t, (h_t,), gates)


class CoupledToItself(GreffLSTMCell):
    def step(self, projected_t: Tensor, state: State, noise: Noise | None = None) -> Step:
        gates = super().step(projected_t, state, noise).gates
        c_t = gates["i"] * state[1] + gates["i"] * gates["g"]
        o_t = torch.sigmoid(torch.logit(gates["o"]) + self.p[1] * (c_t - super().step(projected_t, state).state[1]))
        h_t = o_t * torch.tanh(c_t)
        return Step(h_t, (h_t, c_t), gates)


class ProjectsMemory(ProjectedLSTMCell):
    """The projection skips the output gate."""

    def step(self, projected_t: Tensor, state: State, noise: Noise | None = None) -> Step:
        step = super().step(projected_t, state, noise)
        r_t = functional.linear(torch.tanh(step.state[1]), self.R)
        return Step(r_t, (r_t, step.state[1]), step.gates)


class FeedsHiddenBack(JordanCell):
    """An Elman network under another name: what is fed back is h, and y = h V is only read."""

    def step(self, projected_t: Tensor, state: State, noise: Noise | None = None) -> Step:
        h_t = torch.tanh(projected_t + functional.linear(state[0], self.U))
        return Step(torch.tanh(functional.linear(h_t, self.V[0], self.c[0])), (h_t,), {})


class NormPerGate(LayerNormLSTMCell):
    def project(self, x: Tensor, start: int = 0) -> Tensor:
        product = functional.linear(x, self.W).unflatten(-1, (4, H))
        normed = functional.layer_norm(product, (H,)).flatten(-2)
        return self.norm_x.weight * normed + self.norm_x.bias + self.b


class FlippedKernel(ConvLSTMCell):
    def project(self, x: Tensor, start: int = 0) -> Tensor:
        flat = x.reshape(-1, *self.input_shape)
        projected = functional.conv1d(flat, self.W.flip(-1), self.bias(), padding=self.padding)
        return projected.reshape(*x.shape[:-2], *projected.shape[1:])


class IgnoresLengths(Recurrent):
    def run(self, x: Tensor, mask: Tensor | None = None, *given: Any, **more: Any) -> Run:
        return super().run(zero_beyond(x, lengths_of(x, mask)), None, *given, **more)


class NeverReverses(Recurrent):
    def __init__(self, cell: Any, reverse: bool, engine: str) -> None:
        super().__init__(cell, False, engine)


class ReversesPadding(Recurrent):
    def run(self, x: Tensor, mask: Tensor | None = None, *given: Any, **more: Any) -> Run:
        if not self.reverse:
            return super().run(x, mask, *given, **more)
        run = Recurrent(self.cell, False, self.engine).run(zero_beyond(x, lengths_of(x, mask)).flip(1), None, *given)
        return Run(zero_beyond(run.outputs.flip(1), lengths_of(x, mask)), run.state)


class ForgetsTheState(Recurrent):
    def run(self, x: Tensor, mask: Tensor | None = None, state: State | None = None, *given: Any, **more: Any) -> Run:
        return super().run(x, mask, None, *given, **more)


class MasksBefore(Recurrent):
    """The state is wiped where the mask is False, in the place of being held."""

    def run(self, x: Tensor, mask: Tensor | None = None, *given: Any, **more: Any) -> Run:
        run = super().run(x, mask, *given, **more)
        if mask is None:
            return run
        short = ~mask[:, -1]
        state = tuple(torch.where(short.reshape(-1, *(1,) * (s.dim() - 1)), 0 * s, s) for s in run.state)
        return Run(run.outputs, state, run.trace)


class LeaksIntoPadding(Recurrent):
    """The outputs beyond the end repeat the last state."""

    def run(self, x: Tensor, mask: Tensor | None = None, *given: Any, **more: Any) -> Run:
        run = super().run(x, mask, *given, **more)
        if mask is None:
            return run
        held = run.state[0][:, None].expand_as(run.outputs)
        return Run(torch.where(mask.reshape(*mask.shape, *(1,) * (x.dim() - 2)), run.outputs, held), run.state)


class MultipliesByTheMask(Recurrent):
    """Outputs beyond the end are multiplied away, computed from what the padding holds: 0 times NaN is NaN."""

    def run(self, x: Tensor, mask: Tensor | None = None, *given: Any, **more: Any) -> Run:
        run = super().run(x, mask, *given, **more)
        return run if mask is None else Run(run.outputs + 0 * x.sum(-1, keepdim=True), run.state, run.trace)


class LastColumn(Recurrent):
    """The final state is read off the last column, whatever the length."""

    def run(self, x: Tensor, mask: Tensor | None = None, *given: Any, **more: Any) -> Run:
        run = super().run(x, mask, *given, **more)
        return Run(run.outputs, (run.outputs[:, 0 if self.reverse else -1], *run.state[1:]), run.trace)


class IgnoresNoise(Recurrent):
    def run(self, x: Tensor, mask: Tensor | None = None, state: State | None = None, *_: Any, **more: Any) -> Run:
        return super().run(x, mask, state, trace=bool(more.get("trace")))


class LosesTheOddStep(Recurrent):
    def run(self, x: Tensor, mask: Tensor | None = None, state: State | None = None, *given: Any, **more: Any) -> Run:
        even = x.shape[1] // 2 * 2 or x.shape[1]
        part = None if mask is None else mask[:, :even]
        run = super().run(x[:, :even], part, state, *given, **more)
        return Run(functional.pad(run.outputs, (0, 0, 0, x.shape[1] - even)), run.state, run.trace)


class HalvesSwapped(Bidirectional):
    def forward(self, *given: Any) -> Any:
        outputs, states = super().forward(*given)
        return torch.cat(outputs.chunk(2, 2)[::-1], 2), states


class BackwardIsForward(Bidirectional):
    def __init__(self, forward_cell: Any, backward_cell: Any, engine: str) -> None:
        super().__init__(forward_cell, backward_cell, engine=engine)
        self.backwards = Recurrent(backward_cell, reverse=False, engine=engine)


class OneDirectionTwice(Bidirectional):
    def __init__(self, forward_cell: Any, backward_cell: Any, engine: str) -> None:
        super().__init__(forward_cell, forward_cell, engine=engine)


class ForgetsTheStates(Bidirectional):
    def forward(self, x: Tensor, mask: Tensor | None = None, state: Any = None) -> Any:
        return super().forward(x, mask)


class SwapsTheStates(Bidirectional):
    def forward(self, x: Tensor, mask: Tensor | None = None, state: Any = None) -> Any:
        return super().forward(x, mask, state and state[::-1])


class HandsOutTheState(Recurrent):
    """Under zoneout the output is the first tensor of the state, whatever the cell hands out."""

    def run(self, *given: Any, **more: Any) -> Run:
        noise = more.get("noise")
        if noise is None or noise.zoneout is None:
            return super().run(*given, **more)
        run = super().run(*given, **more, trace=True)
        return replace(run, outputs=torch.where(run.outputs != 0, run.trace.states[0], run.outputs))


class OutputOfAnotherState(SCRNCell):
    def output_of(self, step: Step, state: State) -> Tensor:
        return torch.cat(state[::-1], -1)


class OutputStays(LSTMCell):
    """Zoneout acts on the state alone, though h is what is handed out."""

    def output_of(self, step: Step, state: State) -> Tensor:
        return step.output


class SaysAnotherWidth(ReadoutCell):
    def __init__(self, *sizes: int) -> None:
        super().__init__(*sizes)
        self.V = torch.nn.Parameter(torch.empty(sizes[1] + 1, sizes[1]))


class CountsInFloats(ClockworkCell):
    """The counter starts as an integer and goes on as a real number."""

    def step(self, projected_t: Tensor, state: State, noise: Noise | None = None) -> Step:
        step = super().step(projected_t, state, noise)
        return step._replace(state=(step.state[0], step.state[1].double()))


class CountsForNothing(ClockworkCell):
    def step(self, projected_t: Tensor, state: State, noise: Noise | None = None) -> Step:
        step = super().step(projected_t, (state[0], torch.zeros_like(state[1])), noise)
        return step._replace(state=(step.state[0], state[1] + 1))


def cell(kind: Any, *sizes: Any, **options: Any) -> Subject:
    """With the oracle of the class that it was broken from."""
    oracle = next((ORACLES[base] for base in kind.__mro__ if base in ORACLES), None)
    return Subject(lambda: kind(*(sizes or (D, H)), **options), oracle=oracle)


def layer(kind: Any, reverse: bool = False) -> Subject:
    return Subject(lambda: LSTMCell(D, H), reverse=reverse, recurrent=kind)


def pair(kind: Any) -> Subject:
    def made(forwards: Any, backwards: Any, engine: str) -> Bidirectional:
        return kind(forwards, backwards, engine=engine)

    return Subject(lambda: GRUCell(D, H), bidirectional=made)


MUTANTS: dict[str, tuple[Subject, str]] = {
    "LSTM: i and f swapped": (cell(permuted(LSTMCell, (1, 0, 2, 3))), "oracle"),
    "LSTM: g and o swapped": (cell(permuted(LSTMCell, (0, 1, 3, 2))), "oracle"),
    "LSTM: no tanh on the way out": (cell(LSTMWithoutTanh), "oracle"),
    "LSTM: c is not carried": (cell(LSTMForgetsC), "everything counts"),
    "LSTM: h is not carried": (cell(LSTMForgetsH), "everything counts"),
    "LSTM: h is detached at each step": (cell(Truncated), "gradients"),
    "peephole LSTM: o sees c_{t-1}": (cell(PeepholeOfOldMemory), "oracle"),
    "peephole LSTM: p_i and p_f swapped": (cell(PeepholesSwapped), "oracle"),
    "GRU: r and z swapped": (cell(permuted(GRUCell, (1, 0, 2))), "oracle"),
    "GRU: z mirrored": (cell(GRUMirrored), "oracle"),
    "GRU: b_n outside the reset product": (cell(GRUBiasOutside), "oracle"),
    "GRU reset before: resets after": (cell(ResetAfterInstead), "oracle"),
    "minimal gated unit: f mirrored": (cell(MGUMirrored), "oracle"),
    "coupled gates: f = i": (cell(CoupledToItself, coupled=True), "oracle"),
    "projected LSTM: projects c, not h": (cell(ProjectsMemory, D, H, 2), "oracle"),
    "Jordan: feeds h back": (cell(FeedsHiddenBack, D, H), "oracle"),
    "layer norm: each gate by itself": (cell(NormPerGate), "oracle"),
    "ConvLSTM: kernel flipped": (cell(FlippedKernel, 2, 2, [5]), "oracle"),
    "Elman: bias added twice": (cell(BiasTwice), "columns"),
    "Elman: state detached at each step": (cell(Detached), "gradients"),
    "Elman: state kept as an attribute": (cell(Remembers), "start"),
    "Elman: writes into the state it was given": (cell(InPlace), "start"),
    "Elman: starts from a random state": (cell(RandomStart), "start"),
    "Elman: projects in single precision": (cell(SinglePrecision), "oracle"),
    "layer: mask dropped": (layer(IgnoresLengths), "alone"),
    "layer: never reverses": (layer(NeverReverses, reverse=True), "reverse"),
    "layer: reverses the padding too": (layer(ReversesPadding, reverse=True), "reverse"),
    "layer: carried state forgotten": (layer(ForgetsTheState), "chunks"),
    "layer: state wiped where the mask is False": (layer(MasksBefore), "alone"),
    "layer: outputs beyond the end": (layer(LeaksIntoPadding), "padding"),
    "layer: padding multiplied away": (layer(MultipliesByTheMask), "padding"),
    "layer: final state from the last column": (layer(LastColumn), "alone"),
    "layer: last step of an odd length lost": (layer(LosesTheOddStep), "oracle"),
    "layer: noise ignored": (layer(IgnoresNoise), "zoneout"),
    "layer: cuts a wider input": (layer(CutsToFit), "refuses what does not fit"),
    "layer: casts another type": (layer(CastsToFit), "refuses what does not fit"),
    "layer: ignores more state": (layer(IgnoresMoreState), "refuses what does not fit"),
    "Elman: one row of state for all": (cell(BroadcastsState), "refuses what does not fit"),
    "layer norm: cuts a wider input": (cell(ProjectsWhatItKnows), "refuses what does not fit"),
    "bidirectional: halves swapped": (pair(HalvesSwapped), "bidirectional"),
    "bidirectional: both run forward": (pair(BackwardIsForward), "bidirectional"),
    "bidirectional: one cell for both": (pair(OneDirectionTwice), "bidirectional"),
    "bidirectional: forgets its first states": (pair(ForgetsTheStates), "bidirectional"),
    "bidirectional: first states swapped": (pair(SwapsTheStates), "bidirectional"),
    "zoneout: the output is the first tensor of the state": (
        Subject(lambda: ReadoutCell(D, H), recurrent=HandsOutTheState),
        "zoneout",
    ),
    "zoneout: the same, of a torch module": (
        Subject(lambda: ExternalCell(D, H, Outputs), recurrent=HandsOutTheState),
        "zoneout",
    ),
    "SCRN: its output follows another state": (cell(OutputOfAnotherState), "zoneout"),
    "LSTM: its output does not follow zoneout": (cell(OutputStays), "zoneout"),
    "readout: the output is wider than it says": (cell(SaysAnotherWidth), "shapes"),
    "clockwork: an integer that becomes a real number": (cell(CountsInFloats), "shapes"),
    "clockwork: the counter counts for nothing": (cell(CountsForNothing), "everything counts"),
}
"""Each with the check that must be among those that catch it."""


def caught_by(subject: Subject) -> list[str]:
    return [check.name for check in CHECKS if check.applies(subject) and failure(check, subject) is not None]


if __name__ == "__main__":
    from rich.console import Console
    from rich.table import Table

    table = Table("mutant", "caught by", box=None)
    for name, (subject, _) in MUTANTS.items():
        table.add_row(name, ", ".join(caught_by(subject)) or "NOTHING")
    Console(width=150).print(table)
