"""Random calls of layers, cells, attention, losses and the CRF, for `torture.shapes`, valid and invalid."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from lightning_seq.attention.additive import AdditiveScorer
from lightning_seq.attention.attention import Attention
from lightning_seq.attention.dot import DotScorer
from lightning_seq.cells.cell import Cell
from lightning_seq.cells.conv_lstm import ConvLSTMCell
from lightning_seq.cells.elman import ElmanCell
from lightning_seq.cells.external import ExternalCell
from lightning_seq.cells.greff_lstm import GreffLSTMCell
from lightning_seq.cells.gru import GRUCell
from lightning_seq.cells.gru_reset_before import GRUResetBeforeCell
from lightning_seq.cells.layer_norm_lstm import LayerNormLSTMCell
from lightning_seq.cells.lstm import LSTMCell
from lightning_seq.cells.peephole_lstm import PeepholeLSTMCell
from lightning_seq.engines.choice import choose
from lightning_seq.layers.bidirectional import Bidirectional
from lightning_seq.layers.cbrnn import CBRNN
from lightning_seq.layers.recurrent import Recurrent
from lightning_seq.layers.stacked import Stacked
from lightning_seq.losses.cross_entropy import cross_entropy_sum
from lightning_seq.losses.linear_cross_entropy import linear_cross_entropy_sum
from lightning_seq.losses.ranking import ranking_loss_sum
from lightning_seq.models.crf import LinearChainCRF

CELLS: tuple[Callable[[int, int], Cell], ...] = (
    ElmanCell, LSTMCell, GRUCell, GRUResetBeforeCell, PeepholeLSTMCell,
    lambda D, H: GreffLSTMCell(D, H, coupled=True),
    lambda D, H: GreffLSTMCell(D, H, peepholes=False),
    lambda D, H: ElmanCell(D, H, "relu", bias=False),
)  # fmt: skip
SLOW_CELLS: tuple[Callable[[int, int], Cell], ...] = (
    LayerNormLSTMCell,
    lambda D, H: ConvLSTMCell(D, 2, [H], 3),
    lambda D, H: ExternalCell(D, H, nn.LSTMCell),
)


@dataclass
class Call:
    """A function of named tensors that fit it, and where it has one its module.

    reference: the same on `loop`, and its module.
    """

    name: str
    run: Callable[..., Any]
    given: dict[str, Tensor]
    module: nn.Module | None = None
    reference: tuple[Callable[..., Any], nn.Module] | None = None


def looped(module: nn.Module) -> nn.Module:
    """A copy whose recurrences run on `loop`."""
    other = copy.deepcopy(module)
    for part in other.modules():
        if isinstance(part, Recurrent):
            part.engine = "loop"
    return other


def made(draw: random.Random) -> Call:
    """A valid call."""
    B, T, D, H = (
        draw.choice([1, 2, 3, 9]),
        draw.choice([1, 2, 5, 12]),
        draw.choice([1, 3, 8, 33]),
        draw.choice([1, 4, 17]),
    )
    kind = draw.choice(["layer"] * 6 + ["ids", "bidirectional", "cbrnn", "stacked", "step", "attention", "loss", "crf"])
    dtype = draw.choice([torch.float32, torch.float64])
    lengths = torch.tensor([draw.randint(0, T) for _ in range(B)])
    mask = torch.arange(T) < lengths[:, None]
    given: dict[str, Tensor] = {}
    if kind in ("attention", "loss", "crf"):
        return other(draw, kind, B, T, D, H, mask, dtype)
    make = draw.choice(CELLS if kind == "ids" or draw.random() < 0.8 else SLOW_CELLS)
    cell = make(D, H)
    cells = lambda: make(D, H)  # noqa: E731
    module: nn.Module
    if kind == "bidirectional":
        module = Bidirectional(cells(), cells())
    elif kind == "cbrnn" and len(cell.output_shape) == 1:
        module = CBRNN(cells(), cells(), draw.choice(["tanh", "relu"]))
    elif kind == "stacked" and len(cell.output_shape) == 1:
        module = Stacked([Recurrent(cell), Recurrent(GRUCell(cell.output_shape[0], H))])
    else:
        module = Recurrent(cell, draw.random() < 0.3, "auto")
    module = module.to(dtype)
    given["x"] = torch.randn(B, T, *cell.input_shape, dtype=dtype)
    if kind == "ids":
        given["x"] = torch.randint(0, D, (B, T), dtype=draw.choice([torch.int64, torch.int32]))
    if isinstance(module, Recurrent) and draw.random() < 0.6:
        for place, shape in enumerate(cell.state_shapes):
            given[f"state{place}"] = torch.randn(B, *shape, dtype=dtype)
    if kind == "step" and isinstance(module, Recurrent):
        given["x"] = cell.project(given["x"][:, 0]).detach()
        given |= {f"state{i}": torch.randn(B, *shape, dtype=dtype) for i, shape in enumerate(cell.state_shapes)}
        step = lambda x, **state: cell.step(x, tuple(state.values()))[:2]  # noqa: E731
        return Call(f"step of {cell}", step, given, cell)
    if draw.random() < 0.6:
        given["mask"] = mask
    if isinstance(module, Recurrent) and kind == "layer":
        able = [e for e in ("fused", "aten", "native", "loop") if _runs(e, cell, given["x"])]
        module.engine = draw.choice(able)
    reference = looped(module)
    return Call(f"{kind} {module} of {dtype}", _as_call(module), given, module, (_as_call(reference), reference))


def _runs(engine: str, cell: Cell, x: Tensor) -> bool:
    try:
        choose(engine, cell, x)
    except ValueError:
        return False
    return True


def _as_call(module: nn.Module) -> Callable[..., Any]:
    def call(x: Tensor, mask: Tensor | None = None, **state: Tensor) -> Any:
        return module(x, mask, tuple(state.values()) or None)

    return call


def other(draw: random.Random, kind: str, B: int, T: int, D: int, H: int, mask: Tensor, dtype: torch.dtype) -> Call:
    """A call of attention, of a loss or of a CRF."""
    ids, full = torch.randint(0, D, (B, T)), torch.randn(B, T, D, dtype=dtype)
    if kind == "crf":
        crf = LinearChainCRF(D).to(dtype)
        return Call("CRF", crf.negative_log_likelihood, {"scores": full, "tags": ids, "mask": mask}, crf)
    if kind == "attention":
        attention = Attention(draw.choice([DotScorer, AdditiveScorer])(H, D)).to(dtype)

        def ask(query: Tensor, values: Tensor, mask: Tensor) -> Any:
            return tuple(attention.attend(query, attention.prepare(values, mask)))

        asked = {"query": torch.randn(B, 3, H, dtype=dtype), "values": full, "mask": mask}
        return Call("attention", ask, asked, attention)
    rows = {"scores": full.flatten(0, 1), "targets": ids.flatten(), "target_mask": mask.flatten()}
    if draw.random() < 0.3:
        return Call("cross-entropy", cross_entropy_sum, rows)
    if draw.random() < 0.5 and D > 1:
        return Call("ranking", ranking_loss_sum, rows)
    hidden, weight = torch.randn(B, T, H, dtype=dtype), torch.randn(D, H, dtype=dtype)
    tensors = {"hidden": hidden, "weight": weight, "bias": weight[:, 0], "targets": ids, "target_mask": mask}
    return Call("linear cross-entropy", linear_cross_entropy_sum, tensors)


def strided(draw: random.Random, tensor: Tensor) -> Tensor:
    """The same numbers at another place in memory."""
    how = draw.choice(["transposed", "offset", "gaps", "single", "negative", "expanded"])
    if how == "transposed" and tensor.dim() > 1:
        return tensor.transpose(0, 1).contiguous().transpose(0, 1)
    if how == "offset":
        return torch.cat([tensor.new_zeros(3), tensor.flatten()])[3:].view(tensor.shape)
    if how == "negative" and tensor.is_floating_point():
        return torch._neg_view(-tensor)
    if how == "expanded" and tensor.dim() and len(tensor) > 1 and bool((tensor == tensor[:1]).all()):
        return tensor[:1].expand_as(tensor)
    if how == "single" and tensor.dim() and len(tensor) == 1:  # such a stride is never read
        return tensor.as_strided(tensor.shape, (12345, *tensor.stride()[1:]))
    wide = tensor.new_zeros(*tensor.shape, 2)
    wide[..., 0] = tensor
    return wide[..., 0]


def unfit(draw: random.Random, name: str, tensor: Tensor) -> Any:
    """An invalid value instead of the tensor."""
    floats = [t for t in (torch.float16, torch.bfloat16, torch.float32, torch.float64) if t != tensor.dtype]
    ways: list[Callable[[], Any]] = [
        lambda: tensor[None],
        lambda: tensor.flatten() if tensor.dim() > 1 else tensor[0] if len(tensor) else tensor[None],
        lambda: tensor.to("meta"),
        lambda: tensor.to_sparse(),
        lambda: tensor.tolist(),
        lambda: tensor.to(torch.int16),
        lambda: tensor.to(torch.complex64),
    ]
    if tensor.is_floating_point():
        if name not in ("scores", "hidden", "weight"):  # these may have any floating type
            ways.append(lambda: tensor.to(draw.choice(floats)))
        if name not in ("scores", "hidden", "weight") and tensor.dim() > 1:
            ways += [lambda: torch.cat([tensor, tensor[..., :1]], -1), lambda: tensor[..., :-1]]
    if name.startswith(("state", "mask", "tags", "target")) and len(tensor):
        ways += [lambda: tensor[:-1], lambda: torch.cat([tensor, tensor])]
    if tensor.dtype in (torch.int64, torch.int32):
        ways += [lambda: tensor.float(), lambda: tensor.bool()]
    if name == "x" and tensor.dim() > 2:
        ways += [lambda: tensor[:, :0], lambda: tensor.long()]
    if name == "mask" and tensor.dim() > 1:
        ways += [lambda: tensor[:, :-1], lambda: tensor.float()]
    return draw.choice(ways)()
