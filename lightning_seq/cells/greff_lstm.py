"""The LSTM of "LSTM: a search space odyssey", with switches for its parts."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from lightning_seq.cells.cell import Bias, DenseCell, Noise, State, Step, recurrent_weight
from lightning_seq.errors import UserError


class GreffLSTMCell(DenseCell):
    """Peephole LSTM with eight switches (Greff et al. 2015, section 3 and the variants of appendix A).

        i_t = σ(W_i x_t + U_i h_{t-1} + p_i ⊙ c_{t-1} + b_i)
        f_t = σ(W_f x_t + U_f h_{t-1} + p_f ⊙ c_{t-1} + b_f)
        g_t = tanh(W_g x_t + U_g h_{t-1} + b_g)
        c_t = f_t ⊙ c_{t-1} + i_t ⊙ g_t
        o_t = σ(W_o x_t + U_o h_{t-1} + p_o ⊙ c_t + b_o)
        h_t = o_t ⊙ tanh(c_t)

    State: (h, c); with full gate recurrence (h, c, i, f, o), without the gates that are switched off.
    Gate order: i, f, g, o, without the gates that are switched off; peepholes i, f, o.
    Parameters: 4*(D*H + H*H + H) + 3*H.
    Elsewhere: z_t for g_t; y_t for h_t; R for U.

    input_gate:           False (NIG): i_t = 1.
    forget_gate:          False (NFG): f_t = 1.
    output_gate:          False (NOG): o_t = 1.
    input_activation:     False (NIAF): no tanh in g_t.
    output_activation:    False (NOAF): no tanh in h_t.
    coupled:              True (CIFG): f_t = 1 - i_t.
    peepholes:            False (NP): no p.
    full_gate_recurrence: True (FGR): each gate also sees i_{t-1}, f_{t-1}, o_{t-1}, through U_gates.
    forget_bias:          initial value of b_f.
    """

    gates: tuple[str, ...] = ("i", "f", "g", "o")

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        input_gate: bool = True,
        forget_gate: bool = True,
        output_gate: bool = True,
        input_activation: bool = True,
        output_activation: bool = True,
        coupled: bool = False,
        peepholes: bool = True,
        full_gate_recurrence: bool = False,
        bias: Bias = True,
        forget_bias: float | None = 1.0,
    ) -> None:
        if coupled and not (input_gate and forget_gate):
            raise UserError("coupled=true needs both: leave input_gate and forget_gate at true")
        self.coupled, self.forget_bias = coupled, forget_bias
        self.input_activation, self.output_activation = input_activation, output_activation
        there = {"i": input_gate, "f": forget_gate and not coupled, "g": True, "o": output_gate}
        self.gates = tuple(gate for gate in "ifgo" if there[gate])
        self.open_gates = tuple(gate for gate in self.gates if gate != "g")
        self.keeps = ("f", 1) if there["f"] else ("i", -1) if coupled else None
        recurrent_gates = len(self.open_gates) if full_gate_recurrence else 0
        super().__init__(input_size, hidden_size, bias, state_tensors=2 + recurrent_gates)
        H, count = hidden_size, len(self.open_gates)
        self.p = nn.Parameter(torch.empty(count, H)) if peepholes and count else None
        self.U_gates = nn.Parameter(torch.empty(count * H, count * H)) if recurrent_gates else None
        self.reset_parameters()

    def recurrent_weights(self) -> dict[str, Tensor]:
        return {"U": self.U} if self.U_gates is None else {"U": self.U, "U_gates": self.U_gates}

    def step(self, projected_t: Float[Tensor, "B GH"], state: State, noise: Noise | None = None) -> Step:
        h_prev, c_prev, *gates_prev = state
        summed = projected_t + self.recurrent_product(h_prev, noise)
        into = dict(zip(self.gates, summed.chunk(len(self.gates), -1), strict=True))
        if self.U_gates is not None:
            seen = functional.linear(torch.cat(gates_prev, -1), recurrent_weight(self.U_gates, noise, "U_gates"))
            for gate, part in zip(self.open_gates, seen.chunk(len(self.open_gates), -1), strict=True):
                into[gate] = into[gate] + part
        one = torch.ones_like(c_prev)
        i_t = self._gate("i", into, c_prev) if "i" in into else one
        f_t = 1 - i_t if self.coupled else self._gate("f", into, c_prev) if "f" in into else one
        g_t = torch.tanh(into["g"]) if self.input_activation else into["g"]
        c_t = f_t * c_prev + i_t * g_t
        o_t = self._gate("o", into, c_t) if "o" in into else one
        h_t = o_t * (torch.tanh(c_t) if self.output_activation else c_t)
        gates = {"i": i_t, "f": f_t, "g": g_t, "o": o_t}
        carried = tuple(gates[gate] for gate in self.open_gates) if self.U_gates is not None else ()
        return Step(h_t, (h_t, c_t, *carried), gates)

    def _gate(self, gate: str, into: dict[str, Tensor], c: Tensor) -> Tensor:
        """σ of a gate's pre-activation, with the peephole's product with c added."""
        return torch.sigmoid(into[gate] if self.p is None else into[gate] + self.p[self.open_gates.index(gate)] * c)
