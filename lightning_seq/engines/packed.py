"""Whole sequences in packed rows, with backpropagation through time derived by hand.

Rows are ordered by shard (one for each thread), in a shard by step, in a step by sample, the longest first: a step
reads only the samples that have not ended, and nothing is computed for padding. One product makes all input projections
(or each step makes its own, if the matrices fit the cache); a step is one small product and one pass over the gates,
which overwrite the projections. In the backward pass the gradients of the gates overwrite the gates, and one large
product after the loop makes those of each weight.

The loops over the steps are those of `fused` (C) or `aten` (torch's operations).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from lightning_seq.cells.cell import Cell, DenseCell, Noise, State, recurrent_weight
from lightning_seq.engines.engine import Run
from lightning_seq.engines.plans import ELMAN, GRU_AFTER, GRU_BEFORE, LSTM, PLANS, Plan
from lightning_seq.errors import UserError
from lightning_seq.tensors import keeps_graph

Arrays = dict[str, Tensor | None]
"""The arrays of one pass, by the names that `csrc/recurrences.inc` gives and explains."""


@dataclass(frozen=True)
class Layout:
    """The sample and step of each row.

    Packed, with:
    order:  `[B]`, the samples shard by shard; firsts `[shards + 1]`: where each shard begins in it.
    counts: `[shards * T]`, the samples at each step; starts `[shards + 1]`: the shards' first rows.
    index:  `[N]`, the position `b * T + t` of each row in a `[B, T]` array.

    Or dense, if every sequence is T long: rows are in the order of a `[B, T]` array, and only `firsts` is set.
    """

    batch: int
    steps: int
    shards: int
    rows: int
    firsts: Tensor
    order: Tensor | None = None
    counts: Tensor | None = None
    starts: Tensor | None = None
    index: Tensor | None = None

    @property
    def dense(self) -> bool:
        return self.index is None

    def ordered(self, tensor: Tensor) -> Tensor:
        """A copy of `[B, …]` in the order of the shards."""
        if self.order is None:
            return tensor.clone(memory_format=torch.contiguous_format).resolve_neg()
        return tensor.index_select(0, self.order)

    def in_batch_order(self, tensor: Tensor) -> Tensor:
        return tensor if self.order is None else torch.empty_like(tensor).index_copy_(0, self.order, tensor)


class PackedEngine(ABC):
    """An engine whose subclass makes the loops over the steps of packed rows."""

    name: str
    ignores_padding = True

    @property
    @abstractmethod
    def makes_gradients(self) -> bool:
        """Whether `backward` makes the gradients of weights and inputs too; otherwise torch does."""

    def refuses(self, cell: Cell, x: Tensor, noise: Noise | None, trace: bool) -> str | None:
        if type(cell) not in PLANS:
            return f"it does not know {type(cell).__name__}"
        plan = PLANS[type(cell)](cell)
        if isinstance(plan, str):
            return plan
        like = next(cell.parameters())
        if like.device.type != "cpu" or x.device.type != "cpu":
            return "it runs on CPU alone"
        if like.dtype not in (torch.float32, torch.float64) or (x.is_floating_point() and x.dtype != like.dtype):
            return f"it computes in float32 and float64, {x.dtype} came"
        if torch.is_autocast_enabled("cpu") or torch.compiler.is_compiling() or torch.compiler.is_exporting():
            return "it is not for autocast, torch.compile or torch.export"
        if noise is not None and (noise.recurrent is not None or noise.zoneout is not None):
            return "it takes no dropout inside the recurrence"
        return "it does not show its gates" if trace else None

    def run(
        self,
        cell: Cell,
        x: Tensor,
        lengths: Tensor | None,
        state: State,
        noise: Noise | None = None,
        trace: bool = False,
    ) -> Run:
        plan, (B, T) = plan_of(cell), x.shape[:2]
        layout = self.lay_out(None if lengths is None else lengths.contiguous(), B, T)
        rows = x.flatten(0, 1)
        if not layout.dense:
            rows = Gather.apply(x, layout, self) if x.requires_grad else self.gather(x, layout)
        W = b = None
        if isinstance(cell, DenseCell) and rows.is_floating_point():
            W, b = cell.W, cell.bias()
        else:
            projected = cell.project(rows)
            rows = projected.clone() if projected.data_ptr() == rows.data_ptr() else projected  # it is overwritten
        (name, U), *_ = cell.recurrent_weights().items()
        c0 = state[1] if plan.kind == LSTM else None
        outputs, *final = Recurrence.apply(
            self, plan, layout, rows, W, b, recurrent_weight(U, noise, name), plan.bn, plan.p, state[0], c0
        )
        return Run(outputs, tuple(final))

    @abstractmethod
    def makes_products(self, *weights: Tensor) -> bool:
        """Whether these matrices are small enough that a pass makes the products with them itself."""

    @abstractmethod
    def lay_out(self, lengths: Tensor | None, batch: int, steps: int) -> Layout:
        """The rows of sequences of these lengths `[B]`; None: all are `steps` long."""

    @abstractmethod
    def gather(self, x: Tensor, layout: Layout) -> Tensor:
        """`[B, T, …]` to rows `[N, …]`."""

    @abstractmethod
    def scatter(self, rows: Tensor, layout: Layout) -> Tensor:
        """Rows `[N, …]` to `[B, T, …]`, zero at padding."""

    @abstractmethod
    def forward(self, plan: Plan, layout: Layout, arrays: Arrays, own: bool) -> None:
        """Fill `h hT` (and `c tc cT`, `extra`), and `gates`: from projections to activated gates, b added. With `x` and
        `W` it makes the projections. own: the result of `makes_products` for the weights."""

    @abstractmethod
    def backward(self, plan: Plan, layout: Layout, arrays: Arrays, own: bool) -> None:
        """Fill `gates`, `extra`, `dh`, `dc` and `dp` with gradients; if given, `hprev` with the states before and
        `dx dW dU db dbn` with gradients."""


def plan_of(cell: Cell) -> Plan:
    """Raises UserError for a cell that no packed-row engine can run."""
    plan = PLANS[type(cell)](cell)
    if isinstance(plan, str):
        raise UserError(plan)
    return plan


def index_of(layout: Layout) -> Tensor:
    """The index of packed rows. Raises RuntimeError for dense ones."""
    if layout.index is None:
        raise RuntimeError("expected packed rows, a dense layout came")
    return layout.index


class GatherContext(Protocol):
    layout: Layout
    engine: PackedEngine


class Gather(torch.autograd.Function):
    """`gather`, whose gradient is `scatter`."""

    @staticmethod
    def forward(ctx: GatherContext, x: Tensor, layout: Layout, engine: PackedEngine) -> Tensor:
        ctx.layout, ctx.engine = layout, engine
        return engine.gather(x, layout)

    @staticmethod
    def backward(ctx: GatherContext, gradient: Tensor) -> tuple[Tensor | None, ...]:
        _refuse_second_derivatives()
        return ctx.engine.scatter(gradient, ctx.layout), None, None


def _refuse_second_derivatives() -> None:
    if torch.is_grad_enabled():
        raise UserError("this engine has no second derivatives (create_graph=True): use engine=loop")


class RecurrenceContext(GatherContext, Protocol):
    plan: Plan
    gates: Tensor | None
    extra: Tensor | None
    own: bool
    saved_tensors: tuple[Tensor, ...]
    needs_input_grad: tuple[bool, ...]

    def save_for_backward(self, *tensors: Tensor | None) -> None: ...


class Recurrence(torch.autograd.Function):
    """From rows `[N, D]`, weights and initial state to outputs `[B, T, H]` and final state.

    Without a W the rows are projections `[N, G*H]` already, and are overwritten.
    """

    @staticmethod
    def forward(
        ctx: RecurrenceContext,
        engine: PackedEngine,
        plan: Plan,
        layout: Layout,
        rows: Tensor,
        W: Tensor | None,
        b: Tensor | None,
        U: Tensor,
        bn: Tensor | None,
        p: Tensor | None,
        h0: Tensor,
        c0: Tensor | None,
    ) -> tuple[Tensor, ...]:
        H, N = plan.hidden_size, layout.rows
        U = in_memory(U)
        W, b, bn, p = (None if tensor is None else in_memory(tensor) for tensor in (W, b, bn, p))
        own = engine.makes_products(U) if W is None else engine.makes_products(U, W)
        gates = rows = in_memory(rows)
        projected: Arrays = {}
        if W is not None and own:
            gates, projected = rows.new_empty(N, len(W)), {"x": rows, "W": W}
        elif W is not None:
            gates = torch.mm(rows, W.t())
        h0, c0 = layout.ordered(h0), None if c0 is None else layout.ordered(c0)
        h, hT = gates.new_empty(N, H), torch.empty_like(h0)
        c = tc = cT = extra = None
        if plan.kind == LSTM:
            c, tc, cT = gates.new_empty(N, H), gates.new_empty(N, H), torch.empty_like(h0)
        elif plan.kind != ELMAN:
            extra = gates.new_empty(N, H)
        shared: Arrays = {"U": U, "b": b, "bn": bn, "p": p, "h0": h0, "c0": c0, "h": h, "c": c, "tc": tc}
        made: Arrays = {"gates": gates, "extra": extra, "hT": hT, "cT": cT}
        engine.forward(plan, layout, {**shared, **projected, **made}, own)
        outputs = h.view(layout.batch, layout.steps, H) if layout.dense else engine.scatter(h, layout)
        ctx.engine, ctx.plan, ctx.layout = engine, plan, layout
        ctx.save_for_backward(None if W is None else rows, W, U, bn, p, h0, c0, outputs if layout.dense else h, c, tc)
        ctx.gates, ctx.extra, ctx.own = gates, extra, own
        return outputs, *(layout.in_batch_order(tensor) for tensor in (hT, cT) if tensor is not None)

    @staticmethod
    def backward(ctx: RecurrenceContext, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        _refuse_second_derivatives()
        engine, plan, layout = ctx.engine, ctx.plan, ctx.layout
        rows, W, U, bn, p, h0, c0, h, c, tc = ctx.saved_tensors
        gates, extra = ctx.gates, ctx.extra
        if gates is None:
            raise RuntimeError("this backward pass was run already: call the first with retain_graph=True")
        if keeps_graph():
            gates, extra = gates.clone(), None if extra is None else extra.clone()
        else:
            ctx.gates = ctx.extra = None
        H, N = plan.hidden_size, layout.rows
        h = h.reshape(N, H)
        if gradients[0] is None:
            dout = gates.new_zeros(N, H)
        else:
            dout = in_memory(gradients[0]).view(N, H) if layout.dense else engine.gather(gradients[0], layout)
        dh, dc, dp = _of_final_state(gradients[1], h0, layout), None, None
        if plan.kind == LSTM:
            dc = _of_final_state(gradients[2], h0, layout)
        if p is not None:
            dp = gates.new_zeros(layout.shards, 3, H)
        needs = dict(zip(("rows", "W", "b", "U"), ctx.needs_input_grad[3:7], strict=True))
        arrays: Arrays = {"U": U, "p": p, "h0": h0, "c0": c0, "h": h, "c": c, "tc": tc, "gates": gates, "extra": extra}
        arrays |= {"dout": dout, "dh": dh, "dc": dc, "dp": dp}
        make = _engine_gradients if engine.makes_gradients else _torch_gradients
        made = make(engine, plan, layout, arrays, ctx.own, rows, W, bn, needs)
        return (
            *(None, None, None, *made),
            None if p is None or dp is None else dp.sum(0)[: len(p)],
            layout.in_batch_order(dh),
            None if dc is None else layout.in_batch_order(dc),
        )


Gradients = tuple[Tensor | None, Tensor | None, Tensor | None, Tensor | None, Tensor | None]
"""Of the rows, W, b, U and bn."""


def _engine_gradients(
    engine: PackedEngine, plan: Plan, layout: Layout, arrays: Arrays, own: bool, rows: Tensor | None,
    W: Tensor | None, bn: Tensor | None, needs: dict[str, bool],
) -> Gradients:  # fmt: skip
    """The backward pass of an engine that makes the gradients of inputs and weights."""
    gates, U, h = arrays["gates"], arrays["U"], arrays["h"]
    if gates is None or U is None or h is None:
        raise RuntimeError("arrays gates, U and h are needed for a backward pass")

    def made(name: str, like: Tensor | None) -> Tensor | None:
        new = torch.empty_like if layout.rows else torch.zeros_like
        return new(like) if like is not None and needs[name] else None

    large = W is not None and not engine.makes_products(W)  # each thread would pack it again: torch's is faster
    dx = None if W is None or large else made("rows", rows)
    dW, dU, db = made("W", W), made("U", U), gates.new_zeros(len(U)) if needs["b"] else None
    dbn = None if bn is None else torch.zeros_like(bn)
    hprev = None if layout.dense else torch.empty_like(h)
    products: Arrays = {"x": rows, "W": W, "dx": dx, "dW": dW, "dU": dU, "db": db, "dbn": dbn, "hprev": hprev}
    engine.backward(plan, layout, {**arrays, **products}, own)
    if W is None:
        dx = gates
    elif large and needs["rows"]:
        dx = torch.mm(gates, W)
    return dx, dW, db, dU, dbn


def _torch_gradients(
    engine: PackedEngine, plan: Plan, layout: Layout, arrays: Arrays, own: bool, rows: Tensor | None,
    W: Tensor | None, bn: Tensor | None, needs: dict[str, bool],
) -> Gradients:  # fmt: skip
    """The backward pass with one large torch product for each matrix, after the loop."""
    gates, extra, U, h, h0 = (arrays[name] for name in ("gates", "extra", "U", "h", "h0"))
    if gates is None or U is None or h is None or h0 is None:
        raise RuntimeError("arrays gates, U and h are needed for a backward pass")
    H = plan.hidden_size
    hprev = None if layout.dense else torch.empty_like(h)
    m = extra.clone() if plan.kind == GRU_BEFORE and extra is not None else None
    engine.backward(plan, layout, {**arrays, "hprev": hprev}, own)
    dx: Tensor | None = gates
    dW = dU = None
    if rows is not None and W is not None:
        dx = torch.mm(gates, W) if needs["rows"] else None
        dW = torch.mm(gates.t(), rows) if needs["W"] else None
    if needs["U"]:
        dU = torch.empty_like(U)
        gated = slice(0, 2 * H) if plan.kind in (GRU_AFTER, GRU_BEFORE) else slice(None)
        _of_matrix(gates[:, gated], h, h0, hprev, layout, dU[gated])
        if m is not None:
            torch.mm(gates[:, 2 * H :].t(), m, out=dU[2 * H :])
        elif plan.kind == GRU_AFTER and extra is not None:
            _of_matrix(extra, h, h0, hprev, layout, dU[2 * H :])
    dbn = None if bn is None or extra is None else _summed(extra)
    return dx, dW, _summed(gates) if needs["b"] else None, dU, dbn


def _of_final_state(gradient: Tensor | None, like: Tensor, layout: Layout) -> Tensor:
    return torch.zeros_like(like) if gradient is None else layout.ordered(in_memory(gradient))


def _of_matrix(gates: Tensor, h: Tensor, h0: Tensor, hprev: Tensor | None, layout: Layout, out: Tensor) -> None:
    """The gradient of a matrix that acts on h_{t-1}: the sum over all rows of gate gradients times the state before.

    In dense rows the state before is the row before, except at the first step of a sequence, which a small product
    corrects.
    """
    if hprev is not None:
        torch.mm(gates.t(), hprev, out=out)
        return
    first = gates.view(layout.batch, layout.steps, gates.shape[1])[:, 0]
    last = h.view(layout.batch, layout.steps, h.shape[1])[:-1, -1]
    torch.mm(gates[1:].t(), h[:-1], out=out)
    right = h0.clone()
    right[1:] -= last
    out.addmm_(first.t(), right)


def _summed(rows: Tensor) -> Tensor:
    """The sum over the rows; torch's `sum(0)` takes about twice as long."""
    return torch.mv(rows.t(), rows.new_ones(len(rows)))


def in_memory(tensor: Tensor) -> Tensor:
    """The tensor, contiguous and without a lazy negation."""
    return tensor.contiguous().resolve_neg()
