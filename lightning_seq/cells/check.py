"""What a cell may be given: checked once where it is called from outside, never at the steps of a loop."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, wraps
from typing import TYPE_CHECKING, Any

from torch import Tensor

from lightning_seq.errors import UserError
from lightning_seq.tensors import IDS, Size, check_tensor

if TYPE_CHECKING:
    from lightning_seq.cells.cell import Cell, Noise


def checked(method: Callable[..., Any], check: Callable[..., None]) -> Callable[..., Any]:
    """The method, with `check` of the same arguments before it; a subclass's `super()` call is not checked again."""

    @wraps(method)
    def call(self: Cell, *given: Any, **named: Any) -> Any:
        if getattr(type(self), method.__name__) is call:
            check(self, *given, **named)
        return method(self, *given, **named)

    call.unchecked = method  # type: ignore[attr-defined]
    return call


def unchecked(method: Callable[..., Any]) -> Callable[..., Any]:
    """A cell's method without its check, for a loop whose inputs are checked before the first step."""
    bare = getattr(method, "unchecked", None)
    return method if bare is None else partial(bare, method.__self__)  # type: ignore[attr-defined]


def check_run(cell: Cell, x: Tensor, state: tuple[Tensor, ...] | None, noise: Noise | None) -> None:
    """Raises ValueError or TypeError unless x is `[B, T, *input_shape]` in the parameters' type and on their device, or
    ids `[B, T]` for a cell that takes them, and state and noise are those of such a batch."""
    like = cell.like(x)
    _check_input(cell, x, ("B", "T"), cell.input_shape, like)
    if state is not None:
        _check_state(cell, state, x, like)
    if noise is not None:
        _check_noise(cell, noise, x, like, x.shape[1] if x.dim() > 1 else 0)


def check_project(cell: Cell, x: Tensor, start: int = 0) -> None:
    """Raises ValueError or TypeError unless x is `[…, *input_shape]`, or some columns of it where the cell splits its
    input, or ids `[…]`."""
    shape = cell.input_shape
    if start and not (cell.splits_input and 0 < start < shape[0]):
        last = shape[0] - 1 if cell.splits_input else 0
        raise ValueError(f"{_name(cell)}: start is {start}, expected 0{f' to {last}' if last else ''}")
    if cell.splits_input and isinstance(x, Tensor) and x.dim():
        left = shape[0] - start
        shape = (x.shape[-1] if 0 < x.shape[-1] < left else left,)
    _check_input(cell, x, ("…",), shape, cell.like(x))


def _check_input(cell: Cell, x: Tensor, lead: tuple[Size, ...], shape: tuple[int, ...], like: Tensor) -> None:
    if isinstance(x, Tensor) and x.dtype in IDS:
        if not cell.takes_ids:
            raise UserError(f"{_name(cell)} takes vectors, not token ids: use embedding=random or embedding=word2vec")
        check_tensor(_name(cell), "input of ids", x, lead, like, IDS)
    else:
        check_tensor(_name(cell), "input", x, (*lead, *shape), like)


def check_step(cell: Cell, projected_t: Tensor, state: tuple[Tensor, ...], noise: Noise | None = None) -> None:
    """Raises ValueError or TypeError unless `projected_t`, state and noise are those of one batch of this cell."""
    like, shape = cell.like(projected_t), cell.projected_shape
    check_tensor(_name(cell), "projected_t", projected_t, ("…", "B") if shape is None else ("B", *shape), like)
    _check_state(cell, state, projected_t, like)
    if noise is not None:
        _check_noise(cell, noise, projected_t, like, None)


def _check_state(cell: Cell, state: tuple[Tensor, ...], batch: Tensor, like: Tensor) -> None:
    """A tensor `[B, *shape]` for each of `state_shapes`, of the type of the cell's own initial state."""
    B, name = len(batch), _name(cell)
    if not isinstance(state, tuple | list) or len(state) != len(cell.state_shapes):
        came = f"{len(state)} tensors" if isinstance(state, tuple | list) else f"a {type(state).__name__}"
        shapes = ", ".join(str([B, *shape]) for shape in cell.state_shapes)
        raise ValueError(f"{name}: state is {came}, expected a tuple of {len(cell.state_shapes)}: {shapes}")
    for place, (tensor, shape) in enumerate(zip(state, cell.state_shapes, strict=True)):
        own = like
        if place in cell.counters() or (isinstance(tensor, Tensor) and tensor.dtype != like.dtype):
            own = cell.initial_state(batch)[place]
        check_tensor(name, f"state[{place}]", tensor, (B, *shape), own)


def _check_noise(cell: Cell, noise: Noise, batch: Tensor, like: Tensor, steps: int | None) -> None:
    """Noise of this cell and batch. steps: T, or None for one step."""
    B, name = len(batch), _name(cell)
    if noise.recurrent is not None:
        check_tensor(name, "noise.recurrent", noise.recurrent, (B, *cell.state_shapes[0]), like)
    if noise.zoneout is not None and steps is not None:
        shapes = cell.state_shapes
        if len(noise.zoneout) != len(shapes):
            raise ValueError(f"{name}: noise.zoneout has {len(noise.zoneout)} tensors, expected {len(shapes)}")
        for kept, shape in zip(noise.zoneout, shapes, strict=True):
            if kept is not None:
                check_tensor(name, "noise.zoneout", kept, (B, steps, *shape), like)
    own = cell.recurrent_weights() if noise.weights else {}
    for key, weight in noise.weights.items():
        if key not in own:
            raise ValueError(f"{name}: noise.weights has {key!r}, expected names among {sorted(own)}")
        check_tensor(name, f"noise.weights[{key!r}]", weight, own[key].shape, like)


def _name(cell: Cell) -> str:
    return cell._get_name()
