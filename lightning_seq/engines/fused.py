"""The loops of packed rows in C, on CPU: `csrc/`, compiled when the package is built. A thread runs all steps of its
shard, so that a pass forks and joins once."""

from __future__ import annotations

import ctypes
import os
from functools import cache, lru_cache
from pathlib import Path

import torch
from torch import Tensor

from lightning_seq.cells.cell import Cell, Noise
from lightning_seq.engines.packed import Arrays, Layout, PackedEngine, in_memory, index_of
from lightning_seq.engines.plans import ELMAN, LSTM, Plan
from lightning_seq.tensors import check_tensor

LIBRARY = Path(__file__).parent / "_fused.so"
TORCH_LIBRARY = Path(torch.__file__).parent / "lib" / "libtorch_cpu.so"
TYPES = {torch.float32: "f", torch.float64: "d"}

OWN = 5 << 18
"""Bytes of weights up to which our own products are faster (measured: `benchmarks/engines.py`)."""

INTEGERS = ("kind", "activation", "coupled", "dense", "own", "N", "T", "H", "D", "shards", "threads")
ARRAYS = (
    "counts", "firsts", "starts", "U", "b", "bn", "p", "h0", "c0", "gates", "h", "c", "tc", "extra", "hT", "cT", "x",
    "W", "dout", "dh", "dc", "hprev", "dp", "dx", "dW", "dU", "db", "dbn",
)  # fmt: skip


class Problem(ctypes.Structure):
    """The arguments of one pass, as `csrc/recurrences.inc` declares them."""

    _fields_ = [(name, ctypes.c_int64) for name in INTEGERS] + [(name, ctypes.c_void_p) for name in ARRAYS]


WRONG_LENGTH = -2
LARGEST = 2**31 - 1
"""The largest size of a BLAS call."""


def check_arrays(direction: str, plan: Plan, layout: Layout, arrays: Arrays) -> None:
    """Check every array before C reads memory by these sizes: present, contiguous, of one type, on the CPU.

    Raises ValueError, or TypeError for another type.
    """
    H, GH, B, N, T = plan.hidden_size, plan.gates * plan.hidden_size, layout.batch, layout.rows, layout.steps
    gates, W = arrays.get("gates"), arrays.get("W")
    D = 0 if W is None else W.shape[-1]
    if gates is None or gates.dtype not in TYPES:
        raise TypeError(f"the {direction} pass has gates of {gates if gates is None else gates.dtype}")
    if plan.gates != (1 if plan.kind == ELMAN else 4 if plan.kind == LSTM and not plan.coupled else 3):
        raise ValueError(
            f"the {direction} pass has {plan.gates} gates, a recurrence of kind {plan.kind} has another number"
        )
    if max(B, T * GH, T * D) > LARGEST or (layout.dense and N != B * T):
        raise ValueError(f"the {direction} pass is of {B} sequences, {T} steps, {N} rows, {GH} gates, {D} inputs")
    shapes = _shapes(B, N, T, H, GH, D, layout.shards, 2 if plan.coupled else 3)
    integers = {"counts": layout.counts, "firsts": layout.firsts, "starts": layout.starts}
    present = {name: tensor for name, tensor in {**integers, **arrays}.items() if tensor is not None}
    for name, tensor in present.items():
        _check(name, tensor, shapes[name], torch.int64 if name in integers else gates.dtype)
    for name in _needed(direction, plan.kind, plan.p is not None, layout.dense):
        if name not in present:
            raise ValueError(f"the {direction} pass lacks {name}")
    for name, other in PAIRED:
        if name in present and other not in present:
            raise ValueError(f"the {direction} pass has {name} and lacks {other}")


PAIRED = (("x", "W"), ("W", "x"), ("dx", "W"), ("dW", "x"), ("dbn", "extra"))


@lru_cache(64)
def _shapes(B: int, N: int, T: int, H: int, GH: int, D: int, shards: int, peepholes: int) -> dict[str, tuple[int, ...]]:
    """The shape of every array, as in `csrc/recurrences.inc`."""
    row, first = (N, H), (B, H)
    return {
        "counts": (shards * T,), "firsts": (shards + 1,), "starts": (shards + 1,), "U": (GH, H), "b": (GH,), "bn": (H,),
        "p": (peepholes, H), "h0": first, "c0": first, "gates": (N, GH), "h": row, "c": row, "tc": row, "extra": row,
        "hT": first, "cT": first, "x": (N, D), "W": (GH, D), "dout": row, "dh": first, "dc": first, "hprev": row,
        "dp": (shards, 3, H), "dx": (N, D), "dW": (GH, D), "dU": (GH, H), "db": (GH,), "dbn": (H,),
    }  # fmt: skip


@cache
def _needed(direction: str, kind: int, peepholes: bool, dense: bool) -> tuple[str, ...]:
    """The names of the arrays that a pass needs."""
    forward = direction == "forward"
    needed = ["firsts", "U", "h0", "gates", "h", *(["hT"] if forward else ["dout", "dh"])]
    if kind == LSTM:
        needed += ["c0", "c", "tc", "cT" if forward else "dc"]
    elif kind != ELMAN:
        needed.append("extra")
    if not dense:
        needed += ["counts", "starts", *([] if forward else ["hprev"])]
    return (*needed, "dp") if peepholes and not forward else tuple(needed)


def _check(name: str, tensor: Tensor, shape: tuple[int, ...], dtype: torch.dtype) -> None:
    if (
        tensor.shape != shape or tensor.dtype is not dtype or not tensor.is_cpu
        or tensor.layout is not torch.strided or not tensor.is_contiguous() or tensor.is_neg()
    ):  # fmt: skip
        check_tensor("the compiled engine", name, tensor, shape, torch.empty(0, dtype=dtype), dtype)
        raise ValueError(f"the compiled engine: {name} {list(shape)} is not contiguous")


def _problem(plan: Plan, layout: Layout, arrays: Arrays, own: bool) -> Problem:
    W = arrays.get("W")
    problem = Problem(
        plan.kind, plan.activation, plan.coupled, layout.dense, own, layout.rows,
        layout.steps, plan.hidden_size, 0 if W is None else W.shape[1], layout.shards, _threads(),
    )  # fmt: skip
    for name, tensor in {"counts": layout.counts, "firsts": layout.firsts, "starts": layout.starts, **arrays}.items():
        setattr(problem, name, None if tensor is None else tensor.data_ptr())
    return problem


@cache
def compiled() -> ctypes.CDLL | None:
    """The compiled library, linked to a BLAS; None if it was not built or no BLAS is found."""
    if not LIBRARY.is_file():
        return None
    try:
        loaded = ctypes.CDLL(str(LIBRARY))
    except OSError:
        return None
    loaded.fused_layout.restype = ctypes.c_int64
    return loaded if _link_blas(loaded) else None


@cache
def _has_own_products() -> bool:
    return bool(_code().fused_has_own_products())


def _link_blas(loaded: ctypes.CDLL) -> bool:
    """Link the BLAS that torch exports (of MKL the packed products too), else SciPy's."""
    try:
        blas: ctypes.CDLL | None = ctypes.CDLL(str(TORCH_LIBRARY))
    except OSError:
        blas = None

    def address(name: str) -> int | None:
        function = getattr(blas, name, None)
        return None if function is None else ctypes.cast(function, ctypes.c_void_p).value

    for letter, fortran in (("f", "s"), ("d", "d")):
        gemm = address(f"{fortran}gemm_") or _scipy_gemm(f"{fortran}gemm")
        if gemm is None:
            return False
        packed = [address(f"cblas_{fortran}gemm_{part}") for part in ("pack_get_size", "pack", "compute")]
        if None in packed:
            packed = [None, None, None]
        getattr(loaded, f"fused_use_blas_{letter}")(*(ctypes.c_void_p(value) for value in (gemm, *packed)))
    loaded.fused_use_threads(ctypes.c_void_p(address("MKL_Set_Num_Threads_Local")))
    return True


def _scipy_gemm(name: str) -> int | None:
    from scipy.linalg import cython_blas

    capsule = cython_blas.__pyx_capi__.get(name)
    if capsule is None:
        return None
    python = ctypes.pythonapi
    python.PyCapsule_GetName.restype = ctypes.c_char_p
    python.PyCapsule_GetName.argtypes = [ctypes.py_object]
    python.PyCapsule_GetPointer.restype = ctypes.c_void_p
    python.PyCapsule_GetPointer.argtypes = [ctypes.py_object, ctypes.c_char_p]
    pointer: int | None = python.PyCapsule_GetPointer(capsule, python.PyCapsule_GetName(capsule))
    return pointer


def _code() -> ctypes.CDLL:
    library = compiled()
    if library is None:
        raise RuntimeError("the fused engine was not built")
    return library


_forked = False


def _after_fork() -> None:
    """A forked process has no threads of the OpenMP pool: it computes with one."""
    global _forked
    _forked = True


os.register_at_fork(after_in_child=_after_fork)


def _threads() -> int:
    return 1 if _forked else torch.get_num_threads()


class Fused(PackedEngine):
    """Elman, LSTM (with peepholes, with coupled gates), both GRUs and the C-BRNN's combined layer."""

    name = "fused"

    @property
    def makes_gradients(self) -> bool:
        """On a processor with AVX-512."""
        return _has_own_products()

    def makes_products(self, *weights: Tensor) -> bool:
        """With AVX-512, for weights that fit the level-2 cache of a core."""
        size = sum(weight.numel() * weight.element_size() for weight in weights)
        return size <= OWN and _has_own_products()

    def refuses(self, cell: Cell, x: Tensor, noise: Noise | None, trace: bool) -> str | None:
        if compiled() is None:
            return "it was not built (install the package where there is a C compiler)"
        reason = super().refuses(cell, x, noise, trace)
        if reason is None and x.shape[1] * max(*cell.input_shape, *(cell.projected_shape or ())) > LARGEST:
            return f"a sequence of {x.shape[1]} steps has more numbers than its products can index"
        return reason

    def lay_out(self, lengths: Tensor | None, batch: int, steps: int) -> Layout:
        shards = max(1, min(_threads(), batch))
        if lengths is None:
            return Layout(batch, steps, shards, batch * steps, _equal_shares(batch, shards))
        _check("lengths", lengths, (batch,), torch.int64)
        sizes = (batch, shards * steps, shards + 1, shards + 1, batch * steps)
        order, counts, firsts, starts, index = torch.empty(sum(sizes), dtype=torch.int64).split(sizes)
        rows = _code().fused_layout(
            *(ctypes.c_void_p(lengths.data_ptr()), ctypes.c_int64(batch), ctypes.c_int64(steps)),
            ctypes.c_int64(shards),
            *(ctypes.c_void_p(tensor.data_ptr()) for tensor in (order, counts, firsts, starts, index)),
        )
        if rows == WRONG_LENGTH:
            raise ValueError(f"lengths are {lengths.tolist()[:8]}, expected 0 to {steps}")
        if rows < 0:
            raise MemoryError(f"no memory for the order of {batch} sequences")
        return Layout(batch, steps, shards, rows, firsts, order, counts, starts, index[:rows])

    def gather(self, x: Tensor, layout: Layout) -> Tensor:
        x = in_memory(x).flatten(0, 1)
        return _move("fused_gather", x, layout, x.new_empty(layout.rows, *x.shape[1:]))

    def scatter(self, rows: Tensor, layout: Layout) -> Tensor:
        rows = in_memory(rows)
        shape = (layout.batch * layout.steps, *rows.shape[1:])
        target = rows.new_empty(shape) if layout.rows == shape[0] else rows.new_zeros(shape)
        return _move("fused_scatter", rows, layout, target).view(layout.batch, layout.steps, *shape[1:])

    def forward(self, plan: Plan, layout: Layout, arrays: Arrays, own: bool) -> None:
        _pass("forward", plan, layout, arrays, own)

    def backward(self, plan: Plan, layout: Layout, arrays: Arrays, own: bool) -> None:
        _pass("backward", plan, layout, arrays, own)


@cache
def _equal_shares(batch: int, shards: int) -> Tensor:
    return torch.tensor([batch * shard // shards for shard in range(shards + 1)])


def _move(function: str, source: Tensor, layout: Layout, target: Tensor) -> Tensor:
    packed_rows, all_rows = (target, source) if function == "fused_gather" else (source, target)
    row = source.shape[1:]
    _check("packed rows", packed_rows, (layout.rows, *row), source.dtype)
    _check("all rows", all_rows, (layout.batch * layout.steps, *row), source.dtype)
    _check("index", index_of(layout), (layout.rows,), torch.int64)
    getattr(_code(), function)(
        ctypes.c_void_p(source.data_ptr()), ctypes.c_void_p(index_of(layout).data_ptr()), ctypes.c_int64(layout.rows),
        ctypes.c_int64(row.numel() * source.element_size()), ctypes.c_int64(layout.shards),
        ctypes.c_void_p(target.data_ptr()),
    )  # fmt: skip
    return target


def _pass(direction: str, plan: Plan, layout: Layout, arrays: Arrays, own: bool) -> None:
    check_arrays(direction, plan, layout, arrays)
    letter = TYPES[arrays["gates"].dtype]  # type: ignore[union-attr]
    if getattr(_code(), f"fused_{direction}_{letter}")(ctypes.byref(_problem(plan, layout, arrays, own))):
        raise MemoryError(f"no memory for the {direction} pass of a recurrence")
