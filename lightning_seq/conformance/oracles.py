"""Every recurrence in NumPy, one gate at a time, written from its paper.

An oracle takes a cell (for its weights and options), inputs `[B, …]` and the state before, and returns the output and
the state after. It calls no method of the cell.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from lightning_seq.cells.cell import Cell, DenseCell
from lightning_seq.cells.combined import CombinedCell
from lightning_seq.cells.conv_lstm import ConvLSTMCell
from lightning_seq.cells.elman import ElmanCell
from lightning_seq.cells.greff_lstm import GreffLSTMCell
from lightning_seq.cells.gru import GRUCell
from lightning_seq.cells.gru_reset_before import GRUResetBeforeCell
from lightning_seq.cells.jordan import JordanCell
from lightning_seq.cells.layer_norm_gru import LayerNormGRUCell
from lightning_seq.cells.layer_norm_lstm import LayerNormLSTMCell
from lightning_seq.cells.lstm import LSTMCell
from lightning_seq.cells.minimal_gated import MinimalGatedCell
from lightning_seq.cells.peephole_lstm import PeepholeLSTMCell
from lightning_seq.cells.projected_lstm import ProjectedLSTMCell
from lightning_seq.cells.update_gate import UpdateGateCell

Array = NDArray[np.float64]
Arrays = tuple[Array, ...]
Gates = dict[str, Array]
OneStep = Callable[..., tuple[Array, Arrays]]


def sigma(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


FUNCTIONS: dict[str, Callable[[Array], Array]] = {
    "tanh": np.tanh,
    "relu": lambda x: np.maximum(x, 0),
    "logistic": sigma,
    "identity": lambda x: x,
}


def numbers(tensor: Tensor) -> Array:
    return tensor.detach().double().numpy()


def gates_of(cell: DenseCell | ConvLSTMCell, order: str) -> tuple[Gates, Gates, Gates]:
    """W, U and b of each gate, split in the documented order; a missing bias is zero."""
    W, U = (dict(zip(order, np.split(numbers(matrix), len(order)), strict=True)) for matrix in (cell.W, cell.U))
    H = len(W[order[0]])
    b = {gate: np.full(H, float(cell.frozen.get(gate, 0))) for gate in order}
    if cell.b is not None:
        learned = [gate for gate in order if gate not in cell.frozen]
        b |= zip(learned, np.split(numbers(cell.b), len(learned)), strict=True)
    return W, U, b


def sums(cell: DenseCell, order: str, x: Array, h: Array) -> Gates:
    """W x + U h + b of each gate."""
    W, U, b = gates_of(cell, order)
    return {gate: x @ W[gate].T + h @ U[gate].T + b[gate] for gate in order}


def elman(cell: ElmanCell, x: Array, state: Arrays) -> tuple[Array, Arrays]:
    h = FUNCTIONS[cell.activation](sums(cell, "h", x, state[0])["h"])
    return h, (h,)


def jordan(cell: JordanCell, x: Array, state: Arrays) -> tuple[Array, Arrays]:
    y = FUNCTIONS[cell.activation](sums(cell, "h", x, state[0])["h"])
    for k in range(cell.hidden_layers):
        c = 0.0 if cell.c is None else numbers(cell.c[k])
        name = cell.output_activation if k == cell.hidden_layers - 1 else cell.activation
        y = FUNCTIONS[name](y @ numbers(cell.V[k]).T + c)
    return y, (y,)


def lstm(cell: LSTMCell, x: Array, state: Arrays) -> tuple[Array, Arrays]:
    h, c = state
    s = sums(cell, "ifgo", x, h)
    c = sigma(s["f"]) * c + sigma(s["i"]) * np.tanh(s["g"])
    h = sigma(s["o"]) * np.tanh(c)
    return h, (h, c)


def projected_lstm(cell: ProjectedLSTMCell, x: Array, state: Arrays) -> tuple[Array, Arrays]:
    r, c = state
    s = sums(cell, "ifgo", x, r)
    c = sigma(s["f"]) * c + sigma(s["i"]) * np.tanh(s["g"])
    r = (sigma(s["o"]) * np.tanh(c)) @ numbers(cell.R).T
    return r, (r, c)


def peephole_lstm(cell: PeepholeLSTMCell, x: Array, state: Arrays) -> tuple[Array, Arrays]:
    W, U, b = gates_of(cell, "ifgo")
    h, c = state
    p = numbers(cell.p)
    P = dict(zip("ifo", np.split(p, 3) if cell.full else [np.diag(row) for row in p], strict=True))
    i = sigma(np.hstack([c, h, x]) @ np.hstack([P["i"], U["i"], W["i"]]).T + b["i"])
    f = sigma(np.hstack([c, h, x]) @ np.hstack([P["f"], U["f"], W["f"]]).T + b["f"])
    c = f * c + i * np.tanh(h @ U["g"].T + x @ W["g"].T + b["g"])
    o = sigma(np.hstack([c, h, x]) @ np.hstack([P["o"], U["o"], W["o"]]).T + b["o"])
    h = o * np.tanh(c)
    return h, (h, c)


def greff_lstm(cell: GreffLSTMCell, x: Array, state: Arrays) -> tuple[Array, Arrays]:
    order = "".join(gate for gate in "ifgo" if gate in cell.gates)
    W, U, b = gates_of(cell, order)
    h, c, *before = state
    open_gates = [gate for gate in "ifo" if gate in order]
    p = {gate: 0.0 if cell.p is None else numbers(cell.p[k]) for k, gate in enumerate(open_gates)}
    H = len(b["g"])

    def gate(name: str, memory: Array) -> Array:
        into = x @ W[name].T + h @ U[name].T + p[name] * memory + b[name]
        if cell.U_gates is not None:  # every gate depends on all gates of the step before
            rows = numbers(cell.U_gates)[open_gates.index(name) * H : (open_gates.index(name) + 1) * H]
            for k, earlier in enumerate(before):
                into = into + earlier @ rows[:, k * H : (k + 1) * H].T
        return sigma(into)

    i = gate("i", c) if "i" in open_gates else np.ones_like(c)
    f = gate("f", c) if "f" in open_gates else 1 - i if cell.coupled else np.ones_like(c)
    g = x @ W["g"].T + h @ U["g"].T + b["g"]
    c = f * c + i * (np.tanh(g) if cell.input_activation else g)
    o = gate("o", c) if "o" in open_gates else np.ones_like(c)
    h = o * (np.tanh(c) if cell.output_activation else c)
    seen = {"i": i, "f": f, "o": o}
    return h, (h, c, *([seen[name] for name in open_gates] if cell.U_gates is not None else []))


def gru(cell: GRUCell, x: Array, state: Arrays) -> tuple[Array, Arrays]:
    W, U, b = gates_of(cell, "rzn")
    (h,) = state
    s = sums(cell, "rzn", x, h)
    r, z = sigma(s["r"]), sigma(s["z"])
    inner = h @ U["n"].T + (0.0 if cell.b_n is None else numbers(cell.b_n))
    n = np.tanh(x @ W["n"].T + b["n"] + r * inner)
    h = z * h + (1 - z) * n
    return h, (h,)


def gru_reset_before(cell: GRUResetBeforeCell, x: Array, state: Arrays) -> tuple[Array, Arrays]:
    W, U, b = gates_of(cell, "rzn")
    (h,) = state
    s = sums(cell, "rzn", x, h)
    r, z = sigma(s["r"]), sigma(s["z"])
    n = np.tanh(x @ W["n"].T + (r * h) @ U["n"].T + b["n"])
    h = z * h + (1 - z) * n
    return h, (h,)


def update_gate(cell: UpdateGateCell, x: Array, state: Arrays) -> tuple[Array, Arrays]:
    (h,) = state
    s = sums(cell, "zn", x, h)
    z = sigma(s["z"])
    h = z * h + (1 - z) * np.tanh(s["n"])
    return h, (h,)


def minimal_gated(cell: MinimalGatedCell, x: Array, state: Arrays) -> tuple[Array, Arrays]:
    W, U, b = gates_of(cell, "fn")
    (h,) = state
    f = sigma(x @ W["f"].T + h @ U["f"].T + b["f"])
    h = (1 - f) * h + f * np.tanh(x @ W["n"].T + (f * h) @ U["n"].T + b["n"])
    return h, (h,)


def conv_lstm(cell: ConvLSTMCell, x: Array, state: Arrays) -> tuple[Array, Arrays]:
    W, U, b = gates_of(cell, "ifgo")
    h, c = state
    p = dict(zip("ifo", [0.0] * 3 if cell.p is None else numbers(cell.p), strict=True))
    s = {
        gate: correlate(x, W[gate]) + correlate(h, U[gate]) + b[gate].reshape(-1, *(1,) * (x.ndim - 2))
        for gate in "ifgo"
    }
    i, f = sigma(s["i"] + p["i"] * c), sigma(s["f"] + p["f"] * c)
    c = f * c + i * np.tanh(s["g"])
    h = sigma(s["o"] + p["o"] * c) * np.tanh(c)
    return h, (h, c)


def correlate(maps: Array, kernel: Array) -> Array:
    """Maps `[B, D, *space]` with `[H, D, *k]`, position by position, zeros around the map."""
    half = kernel.shape[2] // 2
    space = maps.shape[2:]
    padded = np.pad(maps, [(0, 0), (0, 0), *[(half, half)] * len(space)])
    out = np.zeros((len(maps), len(kernel), *space))
    for position in np.ndindex(*space):
        window = padded[(slice(None), slice(None), *(slice(p, p + kernel.shape[2]) for p in position))]
        out[(slice(None), slice(None), *position)] = window.reshape(len(maps), -1) @ kernel.reshape(len(kernel), -1).T
    return out


def normed(v: Array, norm: nn.LayerNorm) -> Array:
    centred = v - v.mean(-1, keepdims=True)
    scaled = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + norm.eps)
    return numbers(norm.weight) * scaled + numbers(norm.bias)


def layer_norm_lstm(cell: LayerNormLSTMCell, x: Array, state: Arrays) -> tuple[Array, Arrays]:
    _, _, b = gates_of(cell, "ifgo")
    h, c = state
    both = normed(x @ numbers(cell.W).T, cell.norm_x) + normed(h @ numbers(cell.U).T, cell.norm_h)
    s = {gate: part + b[gate] for gate, part in zip("ifgo", np.split(both, 4, -1), strict=True)}
    c = sigma(s["f"]) * c + sigma(s["i"]) * np.tanh(s["g"])
    h = sigma(s["o"]) * np.tanh(normed(c, cell.norm_c))
    return h, (h, c)


def layer_norm_gru(cell: LayerNormGRUCell, x: Array, state: Arrays) -> tuple[Array, Arrays]:
    W, U, b = gates_of(cell, "rzn")
    (h,) = state
    of_x = normed(np.hstack([x @ W["r"].T, x @ W["z"].T]), cell.norm_x_gates)
    of_h = normed(np.hstack([h @ U["r"].T, h @ U["z"].T]), cell.norm_h_gates)
    r, z = np.split(of_x + of_h, 2, -1)
    r, z = sigma(r + b["r"]), sigma(z + b["z"])
    n = np.tanh(normed(x @ W["n"].T, cell.norm_x_n) + b["n"] + r * normed(h @ U["n"].T, cell.norm_h_n))
    h = z * h + (1 - z) * n
    return h, (h,)


def combined(cell: CombinedCell, x: Array, state: Arrays) -> tuple[Array, Arrays]:
    h = FUNCTIONS[cell.activation](x + state[0] @ numbers(cell.B).T)
    return h, (h,)


ORACLES: dict[type[Cell], OneStep] = {
    ElmanCell: elman,
    JordanCell: jordan,
    LSTMCell: lstm,
    ProjectedLSTMCell: projected_lstm,
    PeepholeLSTMCell: peephole_lstm,
    GreffLSTMCell: greff_lstm,
    GRUCell: gru,
    GRUResetBeforeCell: gru_reset_before,
    UpdateGateCell: update_gate,
    MinimalGatedCell: minimal_gated,
    ConvLSTMCell: conv_lstm,
    LayerNormLSTMCell: layer_norm_lstm,
    LayerNormGRUCell: layer_norm_gru,
    CombinedCell: combined,
}


def oracle_of(cell: Cell) -> OneStep | None:
    """The oracle of the cell's exact class: a subclass may be another recurrence."""
    return ORACLES.get(type(cell))


def run_oracle(step: OneStep, cell: Cell, x: Tensor, state: tuple[Tensor, ...]) -> tuple[Array, Arrays]:
    """Outputs `[B, T, …]` and the final state, step by step, every row T long."""
    arrays, outputs = tuple(numbers(tensor) for tensor in state), []
    for t in range(x.shape[1]):
        output, arrays = step(cell, numbers(x[:, t]), arrays)
        outputs.append(output)
    return np.stack(outputs, 1), arrays
