"""Convolutional LSTM over maps of one or two dimensions."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from lightning_seq.cells.cell import Bias, GatedCell, Noise, State, Step, recurrent_input, recurrent_weight
from lightning_seq.errors import UserError, at_least_one

CONVOLUTIONS = {1: functional.conv1d, 2: functional.conv2d}


class ConvLSTMCell(GatedCell):
    """Convolutional LSTM (Shi et al. 2015, eq. 3); * is a convolution that keeps the map's size.

        i_t = σ(W_i * x_t + U_i * h_{t-1} + p_i ⊙ c_{t-1} + b_i)
        f_t = σ(W_f * x_t + U_f * h_{t-1} + p_f ⊙ c_{t-1} + b_f)
        g_t = tanh(W_g * x_t + U_g * h_{t-1} + b_g)
        c_t = f_t ⊙ c_{t-1} + i_t ⊙ g_t
        o_t = σ(W_o * x_t + U_o * h_{t-1} + p_o ⊙ c_t + b_o)
        h_t = o_t ⊙ tanh(c_t)

    x_t is `[D, *space]`, h_t and c_t are `[H, *space]`; W `[4H, D, k, …]`, U `[4H, H, k, …]`, b `[4H]`,
    p `[3, H, *space]`.

    State: (h, c).
    Gate order: i, f, g, o; peepholes i, f, o.
    Parameters: 4*(D*H*K + H*H*K + H) + 3*H*S.
    Elsewhere: X_t, H_t, C_t for the maps; W_xi for W_i; W_hi for U_i; W_ci for p_i.

    input_size, hidden_size: channels of x and of h.
    space:       the map's size, `[length]` or `[height, width]`.
    kernel_size: k, odd.
    peepholes:   False leaves p out.
    forget_bias: initial value of b_f.
    """

    gates = ("i", "f", "g", "o")
    keeps = ("f", 1)
    splits_input = False
    takes_ids = False

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        space: Sequence[int],
        kernel_size: int = 3,
        peepholes: bool = False,
        bias: Bias = True,
        forget_bias: float | None = 1.0,
    ) -> None:
        if len(space) not in CONVOLUTIONS or min(space) < 1:
            raise UserError(f"space is {list(space)}, expected the length of a map, or its height and width")
        if kernel_size < 1 or kernel_size % 2 == 0:
            raise UserError(f"kernel_size is {kernel_size}, expected an odd number: the map keeps its size")
        self.forget_bias = forget_bias
        super().__init__(hidden_size, bias)
        self.input_size, self.padding = at_least_one("input_size", input_size), kernel_size // 2
        H, kernel = hidden_size, (kernel_size,) * len(space)
        self.input_shape, self.output_shape = (input_size, *space), (H, *space)
        self.projected_shape = (4 * H, *space)
        self.state_shapes = (self.output_shape, self.output_shape)
        self.W = nn.Parameter(torch.empty(4 * H, input_size, *kernel))
        self.U = nn.Parameter(torch.empty(4 * H, H, *kernel))
        self.p = nn.Parameter(torch.empty(3, H, *space)) if peepholes else None
        self._convolve = CONVOLUTIONS[len(space)]
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Uniform in ±1/√(H k^n), as torch initialises a convolution over as many inputs."""
        bound = (self.hidden_size * self.U[0, 0].numel()) ** -0.5
        for parameter in self.parameters(recurse=False):
            nn.init.uniform_(parameter, -bound, bound)
        self.start_forget_bias()

    def recurrent_weights(self) -> dict[str, Tensor]:
        return {"U": self.U}

    def project(self, x: Tensor, start: int = 0) -> Tensor:
        """`[…, D, *space]` to `[…, 4H, *space]`."""
        flat = x.reshape(-1, *self.input_shape)
        projected = self._convolve(flat, self.W, self.bias(), padding=self.padding)
        return projected.reshape(*x.shape[: x.dim() - len(self.input_shape)], *projected.shape[1:])

    def step(self, projected_t: Tensor, state: State, noise: Noise | None = None) -> Step:
        h_prev, c_prev = state
        U = recurrent_weight(self.U, noise)
        summed = projected_t + self._convolve(recurrent_input(h_prev, noise), U, padding=self.padding)
        i, f, g, o = summed.chunk(4, dim=1)
        p_i, p_f, p_o = (0.0, 0.0, 0.0) if self.p is None else self.p
        i_t = torch.sigmoid(i + p_i * c_prev)
        f_t = torch.sigmoid(f + p_f * c_prev)
        g_t = torch.tanh(g)
        c_t = f_t * c_prev + i_t * g_t
        o_t = torch.sigmoid(o + p_o * c_t)
        h_t = o_t * torch.tanh(c_t)
        return Step(h_t, (h_t, c_t), {"i": i_t, "f": f_t, "g": g_t, "o": o_t})

    def extra_repr(self) -> str:
        return f"{self.input_shape}, {self.hidden_size}, peepholes={self.p is not None}, {self._bias_repr()}"
