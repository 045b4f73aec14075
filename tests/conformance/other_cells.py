"""Cells as users write them: the output is not the first tensor of the state, or the state counts steps."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from lightning_seq.cells.cell import Cell, Noise, State, Step, product, recurrent_input, recurrent_weight


class SCRNCell(Cell):
    """Structurally constrained recurrent network (Mikolov et al. 2015); its output is as wide as both of its tensors.

        s_t = (1 - α) B x_t + α s_{t-1}
        h_t = σ(A x_t + P s_t + U h_{t-1})

    State: (h, s).
    Parameters: D*(H + M) + M*H + H*H.
    """

    def __init__(self, input_size: int, hidden_size: int, slow_size: int = 2, alpha: float = 0.9) -> None:
        super().__init__()
        self.hidden_size, self.slow_size, self.alpha = hidden_size, slow_size, alpha
        self.input_shape, self.output_shape = (input_size,), (hidden_size + slow_size,)
        self.state_shapes = ((hidden_size,), (slow_size,))
        self.A = nn.Parameter(0.3 * torch.randn(hidden_size + slow_size, input_size))
        self.P = nn.Parameter(0.3 * torch.randn(hidden_size, slow_size))
        self.U = nn.Parameter(0.3 * torch.randn(hidden_size, hidden_size))

    def reset_parameters(self) -> None:
        for parameter in self.parameters():
            nn.init.normal_(parameter, std=0.3)

    def recurrent_weights(self) -> dict[str, Tensor]:
        return {"U": self.U}

    def project(self, x: Tensor, start: int = 0) -> Tensor:
        return product(x, self.A, None, start)

    def step(self, projected_t: Tensor, state: State, noise: Noise | None = None) -> Step:
        h_prev, s_prev = state
        into, slow = projected_t.split([self.hidden_size, self.slow_size], -1)
        s_t = (1 - self.alpha) * slow + self.alpha * s_prev
        met = functional.linear(recurrent_input(h_prev, noise), recurrent_weight(self.U, noise))
        h_t = torch.sigmoid(into + functional.linear(s_t, self.P) + met)
        return Step(torch.cat([h_t, s_t], -1), (h_t, s_t), {})

    def output_of(self, step: Step, state: State) -> Tensor:
        return torch.cat(state, -1)


class ReadoutCell(Cell):
    """An Elman network that hands out y_t, as wide as its state and another tensor.

    h_t = tanh(W x_t + U h_{t-1})
    y_t = tanh(V h_t)
    """

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        self.input_shape, self.output_shape, self.state_shapes = (input_size,), (hidden_size,), ((hidden_size,),)
        self.W = nn.Parameter(0.3 * torch.randn(hidden_size, input_size))
        self.U = nn.Parameter(0.3 * torch.randn(hidden_size, hidden_size))
        self.V = nn.Parameter(0.3 * torch.randn(hidden_size, hidden_size))

    def reset_parameters(self) -> None:
        for parameter in self.parameters():
            nn.init.normal_(parameter, std=0.3)

    def recurrent_weights(self) -> dict[str, Tensor]:
        return {"U": self.U}

    def project(self, x: Tensor, start: int = 0) -> Tensor:
        return product(x, self.W, None, start)

    def step(self, projected_t: Tensor, state: State, noise: Noise | None = None) -> Step:
        met = functional.linear(recurrent_input(state[0], noise), recurrent_weight(self.U, noise))
        h_t = torch.tanh(projected_t + met)
        return Step(torch.tanh(functional.linear(h_t, self.V)), (h_t,), {})

    def output_of(self, step: Step, state: State) -> Tensor:
        return torch.tanh(functional.linear(state[0], self.V))


class ClockworkCell(Cell):
    """A clockwork network (Koutník et al. 2014) with two modules; the second one moves at every other step.

        h_t = m_t ⊙ tanh(W x_t + U h_{t-1}) + (1 - m_t) ⊙ h_{t-1}

    State: (h, t), t an integer: the steps so far.
    """

    def __init__(self, input_size: int, hidden_size: int, integer: bool = True) -> None:
        super().__init__()
        self.hidden_size, self.integer = hidden_size, integer
        self.input_shape, self.output_shape = (input_size,), (hidden_size,)
        self.state_shapes = ((hidden_size,), ())
        self.W = nn.Parameter(0.3 * torch.randn(hidden_size, input_size))
        self.U = nn.Parameter(0.3 * torch.randn(hidden_size, hidden_size))
        slow = torch.arange(hidden_size) >= hidden_size // 2
        self.register_buffer("period", 1 + slow.long(), persistent=False)

    def reset_parameters(self) -> None:
        for parameter in self.parameters():
            nn.init.normal_(parameter, std=0.3)

    def initial_state(self, x: Tensor) -> State:
        h, t = super().initial_state(x)
        return h, t.long() if self.integer else t

    def recurrent_weights(self) -> dict[str, Tensor]:
        return {"U": self.U}

    def project(self, x: Tensor, start: int = 0) -> Tensor:
        return product(x, self.W, None, start)

    def step(self, projected_t: Tensor, state: State, noise: Noise | None = None) -> Step:
        h_prev, t = state
        met = functional.linear(recurrent_input(h_prev, noise), recurrent_weight(self.U, noise))
        h_t = torch.where(t[:, None] % self.period == 0, torch.tanh(projected_t + met), h_prev)
        return Step(h_t, (h_t, t + 1), {})


class Outputs(nn.Module):
    """Torch's convention with a pair: an output of its own, of the state's size, that no state holds."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.inner = nn.GRUCell(input_size, hidden_size)
        self.out = nn.Linear(input_size + hidden_size, hidden_size)

    def forward(self, x: Tensor, h: Tensor | None = None) -> tuple[Tensor, Tensor]:
        if isinstance(h, tuple):
            raise TypeError("expected a tensor")
        h = self.inner(x, h)
        return torch.tanh(self.out(torch.cat([x, h], -1))), h


class EvenGRUCell(nn.GRUCell):
    """A GRU that refuses an odd number of units, and fewer than six."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        if hidden_size % 2 or hidden_size < 6:
            raise ValueError(f"hidden_size is {hidden_size}, expected an even number of at least 6")
        super().__init__(input_size, hidden_size)
