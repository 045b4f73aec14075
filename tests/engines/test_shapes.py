"""A short run of `python -m torture.shapes`, without the sanitizers; and the C entry points by themselves."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from lightning_seq.cells.gru import GRUCell
from lightning_seq.cells.lstm import LSTMCell
from lightning_seq.engines import fused
from lightning_seq.engines.plans import ELMAN, LSTM, Plan
from lightning_seq.layers.recurrent import Recurrent
from torture.shapes import calls

built = pytest.mark.skipif(fused.compiled() is None, reason="the fused engine was not built")


def test_random_calls_are_equal_to_the_loop_or_refused() -> None:
    found = calls(150, first=10_000)
    assert sum(found.values()) == 150
    assert min(found["equal"], found["refused"]) > 25


@built
@pytest.mark.parametrize("lengths", [[1, -1], [1, 4], [2**40, 1]], ids=str)
def test_lengths_are_looked_at_in_c(lengths: list[int]) -> None:
    with pytest.raises(ValueError, match=r"lengths are \[.*\], expected 0 to 3"):
        fused.Fused().lay_out(torch.tensor(lengths), 2, 3)
    for wrong in (torch.tensor([1]), torch.tensor([1, 1], dtype=torch.int32), torch.tensor([1, 0, 1, 0])[::2]):
        with pytest.raises((ValueError, TypeError), match="the compiled engine: lengths"):
            fused.Fused().lay_out(wrong, 2, 3)


@built
def test_an_engine_alone_refuses_what_a_layer_would_not_have_let_through() -> None:
    cell = LSTMCell(256, 64)
    state = cell.initial_state(torch.empty(32, 1))
    for x, h in (
        (torch.randn(32, 20, 8), state),
        (torch.randn(32, 20, 256), tuple(tensor.double() for tensor in state)),
        (torch.randn(32, 20, 256), tuple(tensor[:, :63] for tensor in state)),
    ):
        with pytest.raises((ValueError, TypeError, RuntimeError), match=r"the compiled engine|mat1 and mat2"):
            fused.Fused().run(cell, x, None, h)


@built
@pytest.mark.parametrize("ragged", [False, True])
@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_every_array_is_looked_at(ragged: bool, direction: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, tuple[Any, ...]] = {}
    passed = fused._pass
    monkeypatch.setattr(fused, "_pass", lambda *given: (seen.update({given[0]: given}), passed(*given)))
    x, mask = torch.randn(3, 4, 5), torch.arange(4) < torch.tensor([[4], [2], [0]])
    Recurrent(LSTMCell(5, 6), engine="fused")(x, mask if ragged else None)[0].sum().backward()
    _, plan, layout, arrays, _ = seen[direction]
    fused.check_arrays(direction, plan, layout, arrays)
    optional = {"b", "bn", "p", "x", "W", "dx", "dW", "dU", "db", "dbn"}
    for name, tensor in arrays.items():
        if tensor is None:
            continue
        spoiled = [tensor[:-1], tensor[..., :-1], tensor.double(), tensor.long(), tensor.to("meta"), tensor[None]]
        spoiled += [torch.stack([tensor, tensor], -1)[..., 0], torch._neg_view(tensor)]
        for wrong in spoiled + ([] if name in optional else [None]):
            with pytest.raises((ValueError, TypeError)):
                fused.check_arrays(direction, plan, layout, {**arrays, name: wrong})
    for other in (
        replace(layout, rows=layout.rows + 1),
        replace(layout, batch=4),
        replace(layout, shards=9),
        replace(layout, firsts=layout.firsts.int()),
        *([replace(layout, counts=None), replace(layout, starts=None)] if ragged else [replace(layout, steps=5)]),
    ):
        with pytest.raises((ValueError, TypeError)):
            fused.check_arrays(direction, plan, other, arrays)
    for changed in (replace(plan, kind=ELMAN), replace(plan, hidden_size=7), Plan(LSTM, 6, 3), replace(plan, gates=5)):
        with pytest.raises((ValueError, TypeError)):
            fused.check_arrays(direction, changed, layout, arrays)


@built
def test_a_row_is_as_wide_as_its_shape_says() -> None:
    """Of one row, torch lets a stride be anything."""
    x = torch.randn(1, 1, 5)
    odd = x.as_strided((1, 1, 5), (10_000_000, 10_000_000, 1))
    layout = fused.Fused().lay_out(torch.tensor([1]), 1, 1)
    assert torch.equal(fused.Fused().gather(odd, layout), x[0])
    assert torch.equal(fused.Fused().scatter(odd[0], layout), x)


@built
@pytest.mark.parametrize("lengths", [None, torch.tensor([4, 2, 0])], ids=str)
def test_lazy_negatives_are_written_out(lengths: torch.Tensor | None) -> None:
    layer = Recurrent(GRUCell(5, 6), engine="fused")
    x, h = torch.randn(3, 4, 5), torch.randn(3, 6)
    mask = None if lengths is None else torch.arange(4) < lengths[:, None]
    expected = layer(x, mask, (h,))[0]
    assert torch.equal(layer(torch._neg_view(-x), mask, (torch._neg_view(-h),))[0], expected)


@built
def test_sequences_beyond_the_integers_of_a_blas_are_for_another_engine() -> None:
    cell, long = LSTMCell(10, 8), torch.empty(1).expand(1, 2**28, 10)
    assert "more numbers" in str(fused.Fused().refuses(cell, long, None, False))
    assert fused.Fused().refuses(cell, long[:, :1000], None, False) is None
