"""Cells, each with one mistake that has been made in published code."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from lightning_seq.cells.cell import Noise, State, Step
from lightning_seq.cells.conv_lstm import ConvLSTMCell
from lightning_seq.cells.elman import ElmanCell
from lightning_seq.cells.greff_lstm import GreffLSTMCell
from lightning_seq.cells.gru import GRUCell
from lightning_seq.cells.gru_reset_before import GRUResetBeforeCell
from lightning_seq.cells.jordan import JordanCell
from lightning_seq.cells.layer_norm_lstm import LayerNormLSTMCell
from lightning_seq.cells.lstm import LSTMCell
from lightning_seq.cells.minimal_gated import MinimalGatedCell
from lightning_seq.cells.peephole_lstm import PeepholeLSTMCell
from lightning_seq.cells.projected_lstm import ProjectedLSTMCell

from .other_cells import ClockworkCell, ReadoutCell, SCRNCell

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
