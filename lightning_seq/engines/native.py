"""Torch's own kernels: oneDNN and ATen on CPU, cuDNN on CUDA."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from lightning_seq.cells.cell import Cell, DenseCell, Noise, State, recurrent_weight
from lightning_seq.cells.combined import CombinedCell
from lightning_seq.cells.elman import ElmanCell
from lightning_seq.cells.gru import GRUCell
from lightning_seq.cells.lstm import LSTMCell
from lightning_seq.cells.projected_lstm import ProjectedLSTMCell
from lightning_seq.engines.engine import Run

# A pre-activation so large that the logistic is exactly 0 or 1 in float32 and float64 for every U h.
SATURATED = 1e4


class Native:
    """Elman (tanh, relu), LSTM (projected too), GRU-after and the C-BRNN's combined layer through torch's fused layers.

    Ragged batches run padded, not packed: on CPU that is about three times as fast. Padding at the end does not change
    a row's outputs. Its final h is read from them; to keep an LSTM's final c, an additional input column, 1 at padding,
    closes the input gate and opens the forget gate.
    """

    name = "native"
    ignores_padding = False

    def refuses(self, cell: Cell, x: Tensor, noise: Noise | None, trace: bool) -> str | None:
        if type(cell) not in KERNELS:
            return f"torch has no kernel for {type(cell).__name__}"
        if isinstance(cell, ElmanCell | CombinedCell) and cell.activation not in ("tanh", "relu"):
            return f"torch has no Elman kernel with activation {cell.activation!r}"
        if isinstance(cell, ProjectedLSTMCell) and cell.output_shape[0] >= cell.hidden_size:
            return "torch's projection makes the output smaller than the memory"
        if noise is not None and (noise.recurrent is not None or noise.zoneout is not None):
            return "torch's kernels take no dropout inside the recurrence"
        if trace:
            return "torch's kernels do not show their gates"
        if not x.is_cuda and torch.is_autocast_enabled("cpu"):
            return "torch's kernels on CPU do not know autocast"
        if not x.is_floating_point():
            return "torch's kernels take no token ids"
        return None

    def run(
        self,
        cell: Cell,
        x: Tensor,
        lengths: Tensor | None,
        state: State,
        noise: Noise | None = None,
        trace: bool = False,
    ) -> Run:
        outputs, final = KERNELS[type(cell)](cell, x, lengths, state, noise)
        if lengths is not None:
            mask = torch.arange(x.shape[1], device=x.device) < lengths[:, None]
            h = _last(outputs, lengths, state[0])
            outputs = torch.where(mask[..., None], outputs, torch.zeros_like(outputs))
            final = (h, *final[1:])
        return Run(outputs, final)


def _last(outputs: Tensor, lengths: Tensor, initial: Tensor) -> Tensor:
    """The output at each row's last token; a row of no tokens keeps its initial state."""
    index = (lengths - 1).clamp(min=0)[:, None, None].expand(-1, 1, outputs.shape[-1])
    return torch.where((lengths > 0)[:, None], outputs.gather(1, index).squeeze(1), initial)


def _elman(
    cell: ElmanCell | CombinedCell, x: Tensor, lengths: Tensor | None, state: State, noise: Noise | None
) -> tuple[Tensor, State]:
    if isinstance(cell, CombinedCell):
        eye = torch.eye(cell.hidden_size, dtype=x.dtype, device=x.device)
        parameters = [eye, recurrent_weight(cell.B, noise, "B")]
    else:
        parameters = _parameters(cell, noise)
    kernel = torch._VF.rnn_tanh if cell.activation == "tanh" else torch._VF.rnn_relu
    outputs, h = kernel(x, state[0][None], parameters, len(parameters) > 2, 1, 0.0, cell.training, False, True)
    return outputs, (h[0],)


def _gru(cell: GRUCell, x: Tensor, lengths: Tensor | None, state: State, noise: Noise | None) -> tuple[Tensor, State]:
    parameters = _parameters(cell, noise)
    if cell.b_n is not None:
        parameters[3] = functional.pad(cell.b_n, (2 * cell.hidden_size, 0))
    outputs, h = torch._VF.gru(x, state[0][None], parameters, len(parameters) > 2, 1, 0.0, cell.training, False, True)
    return outputs, (h[0],)


def _lstm(
    cell: LSTMCell | ProjectedLSTMCell, x: Tensor, lengths: Tensor | None, state: State, noise: Noise | None
) -> tuple[Tensor, State]:
    parameters = _parameters(cell, noise)
    has_bias = len(parameters) > 2
    if isinstance(cell, ProjectedLSTMCell):
        parameters.append(cell.R)
    if lengths is not None:
        beyond = torch.arange(x.shape[1], device=x.device) >= lengths[:, None]
        x = torch.cat([x, beyond[..., None].to(x.dtype)], -1)
        rows = cell.gate_rows()
        column = x.new_zeros(4 * cell.hidden_size, 1)
        column[rows["i"]], column[rows["f"]] = -SATURATED, SATURATED
        parameters[0] = torch.cat([cell.W, column], 1)
    hidden = [tensor[None] for tensor in state]
    outputs, h, c = torch._VF.lstm(x, hidden, parameters, has_bias, 1, 0.0, cell.training, False, True)
    return outputs, (h[0], c[0])


def _parameters(cell: DenseCell, noise: Noise | None) -> list[Tensor]:
    """The weights for torch's kernels: with two biases, the second one zero."""
    U, b = recurrent_weight(cell.U, noise), cell.bias()
    return [cell.W, U] if b is None else [cell.W, U, b, torch.zeros_like(b)]


# By exact class: a subclass may have changed its equations.
KERNELS: dict[type[Cell], Callable[..., tuple[Tensor, State]]] = {
    ElmanCell: _elman,
    CombinedCell: _elman,
    LSTMCell: _lstm,
    ProjectedLSTMCell: _lstm,
    GRUCell: _gru,
}
