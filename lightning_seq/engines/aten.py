"""The loops over packed rows in torch's operations, for installations without the compiled library."""

from __future__ import annotations

import torch
from torch import Tensor

from lightning_seq.cells.cell import Cell, Noise
from lightning_seq.engines.packed import Arrays, Layout, PackedEngine, index_of, plan_of
from lightning_seq.engines.plans import ELMAN, GRU_AFTER, GRU_BEFORE, LSTM, Plan

ACTIVATE = (torch.tanh, torch.relu, torch.sigmoid, torch.Tensor.clone)
BACK = (
    torch.ops.aten.tanh_backward,
    lambda d, h: torch.ops.aten.threshold_backward(d, h, 0),
    torch.ops.aten.sigmoid_backward,
    lambda d, h: d,
)


class Aten(PackedEngine):
    """Elman, both GRUs and the C-BRNN's combined layer; for an LSTM torch's own kernel is faster."""

    name = "aten"
    makes_gradients = False

    def makes_products(self, *weights: Tensor) -> bool:
        return False

    def refuses(self, cell: Cell, x: Tensor, noise: Noise | None, trace: bool) -> str | None:
        reason = super().refuses(cell, x, noise, trace)
        if reason is None and plan_of(cell).kind == LSTM:
            return "it has no loop for an LSTM"
        return reason

    def lay_out(self, lengths: Tensor | None, batch: int, steps: int) -> Layout:
        if lengths is None:
            lengths = torch.full((batch,), steps)
        order = lengths.argsort(descending=True, stable=True)
        alive = torch.arange(steps)[:, None] < lengths[order]
        index = (order * steps + torch.arange(steps)[:, None])[alive]
        ends = torch.tensor([0, batch]), torch.tensor([0, len(index)])
        return Layout(batch, steps, 1, len(index), ends[0], order, alive.sum(1), ends[1], index)

    def gather(self, x: Tensor, layout: Layout) -> Tensor:
        return x.flatten(0, 1).index_select(0, index_of(layout))

    def scatter(self, rows: Tensor, layout: Layout) -> Tensor:
        shape = (layout.batch * layout.steps, *rows.shape[1:])
        target = rows.new_empty(shape) if layout.rows == shape[0] else rows.new_zeros(shape)
        target[index_of(layout)] = rows
        return target.view(layout.batch, layout.steps, *shape[1:])

    def forward(self, plan: Plan, layout: Layout, arrays: Arrays, own: bool = False) -> None:
        H, U = plan.hidden_size, _array(arrays, "U")
        hT, out, all_gates = _array(arrays, "hT"), _array(arrays, "h"), _array(arrays, "gates")
        h, at = _array(arrays, "h0"), 0
        if arrays["b"] is not None:
            all_gates += arrays["b"]
        hT.copy_(h)
        for n in _counts(layout):
            if n == 0:
                break
            h_prev, gates, new = h[:n], all_gates[at : at + n], out[at : at + n]
            if plan.kind == ELMAN:
                new.copy_(ACTIVATE[plan.activation](gates.addmm_(h_prev, U.t())))
            else:
                rz, candidate = gates[:, : 2 * H], gates[:, 2 * H :]
                inner = _array(arrays, "extra")[at : at + n]
                rz.addmm_(h_prev, U[: 2 * H].t()).sigmoid_()
                if plan.kind == GRU_AFTER:
                    torch.mm(h_prev, U[2 * H :].t(), out=inner)
                    if plan.bn is not None:
                        inner += plan.bn.detach()
                    candidate.addcmul_(gates[:, :H], inner).tanh_()
                else:
                    torch.mul(gates[:, :H], h_prev, out=inner)
                    candidate.addmm_(inner, U[2 * H :].t()).tanh_()
                torch.lerp(candidate, h_prev, gates[:, H : 2 * H], out=new)
            hT[:n] = new
            h, at = new, at + n

    def backward(self, plan: Plan, layout: Layout, arrays: Arrays, own: bool = False) -> None:
        H, U, h0 = plan.hidden_size, _array(arrays, "U"), _array(arrays, "h0")
        all_gates, all_h, dout = _array(arrays, "gates"), _array(arrays, "h"), _array(arrays, "dout")
        hprev, all_dh = _array(arrays, "hprev"), _array(arrays, "dh")
        counts = _counts(layout)
        at = layout.rows
        for t in range(layout.steps - 1, -1, -1):
            n = counts[t]
            if n == 0:
                continue
            at -= n
            h_prev = (h0 if t == 0 else all_h[at - counts[t - 1] :])[:n]
            gates, dh = all_gates[at : at + n], all_dh[:n]
            hprev[at : at + n] = h_prev
            dh += dout[at : at + n]
            if plan.kind == ELMAN:
                gates.copy_(BACK[plan.activation](dh, all_h[at : at + n]))
                torch.mm(gates, U, out=dh)
                continue
            r, z, candidate = gates.split(H, -1)
            inner = _array(arrays, "extra")[at : at + n]
            dn = torch.ops.aten.tanh_backward(dh * (1 - z), candidate)
            dz = torch.ops.aten.sigmoid_backward(dh * (h_prev - candidate), z)
            dh *= z
            if plan.kind == GRU_BEFORE:
                dm = dn @ U[2 * H :]
                dh.addcmul_(dm, r)
                dr = torch.ops.aten.sigmoid_backward(dm * h_prev, r)
            else:
                dr = torch.ops.aten.sigmoid_backward(dn * inner, r)
                torch.mul(dn, r, out=inner)
                dh.addmm_(inner, U[2 * H :])
            for part, gradient in ((r, dr), (z, dz), (candidate, dn)):
                part.copy_(gradient)
            dh.addmm_(gates[:, : 2 * H], U[: 2 * H])


def _counts(layout: Layout) -> list[int]:
    return [] if layout.counts is None else layout.counts.tolist()


def _array(arrays: Arrays, name: str) -> Tensor:
    """The array of that name; RuntimeError if it is missing."""
    array = arrays[name]
    if array is None:
        raise RuntimeError(f"array {name} is missing")
    return array
