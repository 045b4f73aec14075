"""The engines over packed rows: what the conformance suite does not ask of every cell."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import lru_cache

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lightning_seq import ElmanCell, GRUCell, GRUResetBeforeCell, LSTMCell, PeepholeLSTMCell, Recurrent
from lightning_seq.cells.cell import Cell
from lightning_seq.conformance import layers as check
from lightning_seq.conformance.suite import Subject, engines_of
from lightning_seq.engines import fused
from lightning_seq.engines.aten import Aten
from lightning_seq.engines.choice import choose
from lightning_seq.engines.fused import Fused
from lightning_seq.errors import UserError

from ..conformance.cells import CELLS

built = pytest.mark.skipif(fused.compiled() is None, reason="the fused engine was not built")
ENGINES = [pytest.param("fused", marks=built), "aten"]
KNOWN = [name for name, make in CELLS.items() if "aten" in engines_of(make) or "fused" in engines_of(make)]


@pytest.fixture(params=[1, 2])
def threads(request: pytest.FixtureRequest) -> int:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


@pytest.fixture(params=["own", "own gradients", "BLAS"])
def products(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Whose products the compiled code uses: our own, where the processor has AVX-512 (for all, or beside those of a
    BLAS in the steps), or those of a BLAS."""
    if request.param != "BLAS" and not Fused().makes_gradients:
        pytest.skip("a processor without AVX-512")
    if request.param != "own":
        monkeypatch.setattr(fused, "OWN", 0)
    if request.param == "BLAS":
        monkeypatch.setattr(Fused, "makes_gradients", False)
    return request.param


def outcomes(make: Callable[[], Cell], engine: str, lengths: list[int], reverse: bool = False) -> list[torch.Tensor]:
    layer = Subject(make, engine, reverse).layer()
    return check.outcome(layer, *check.example(layer.cell, lengths))


@lru_cache(maxsize=4)
def of_the_loop(name: str, lengths: tuple[int, ...], reverse: bool) -> list[torch.Tensor]:
    """What the compiled code is held against, on one thread or two, with any products."""
    return outcomes(CELLS[name], "loop", [*lengths], reverse)


@lru_cache(maxsize=4)
def of_the_loop_of_size(kind: type[Cell], inputs: int, hidden: int, lengths: tuple[int, ...]) -> list[torch.Tensor]:
    return outcomes(lambda: kind(inputs, hidden), "loop", [*lengths])  # type: ignore[call-arg]


@built
@pytest.mark.parametrize("name", KNOWN)
@pytest.mark.parametrize("lengths", [[7, 3, 0, 5, 1, 7, 2], [6] * 5, [4]], ids=str)
def test_double_precision_is_that_of_the_loop(name: str, lengths: list[int], threads: int, products: str) -> None:
    for reverse in (False, True):
        found, expected = outcomes(CELLS[name], "fused", lengths, reverse), of_the_loop(name, (*lengths,), reverse)
        for one, other in zip(found, expected, strict=True):
            check.close(one, other, 1e-12 * max(1.0, float(other.detach().abs().max())))


@built
@pytest.mark.parametrize("kind", [ElmanCell, LSTMCell, PeepholeLSTMCell, GRUCell, GRUResetBeforeCell])
@pytest.mark.parametrize(
    ("batch", "steps", "inputs", "hidden"),
    [(9, 40, 70, 45), (3, 5, 2, 90), (150, 3, 33, 17), (20, 4, 40, 128), (5, 12, 30, 112), (1, 300, 1, 1)],
    ids=str,
)
def test_products_of_every_shape(
    kind: type[Cell], batch: int, steps: int, inputs: int, hidden: int, threads: int, products: str
) -> None:
    """Beyond a tile, a panel, a run of the inner dimension; whole parts of the gates; few rows at once, and many.

    Of few steps where there are many units: an Elman network of that kind is chaotic.
    """
    lengths = torch.randint(0, steps + 1, (batch,), generator=torch.Generator().manual_seed(1)).tolist()
    for chosen in (lengths, [steps] * batch):
        found = outcomes(lambda: kind(inputs, hidden), "fused", chosen)  # type: ignore[call-arg]
        expected = of_the_loop_of_size(kind, inputs, hidden, (*chosen,))
        for one, other in zip(found, expected, strict=True):
            check.close(one, other, 1e-11 * max(1.0, float(other.detach().abs().max())))


@built
@pytest.mark.parametrize("kind", [ElmanCell, LSTMCell, GRUCell, GRUResetBeforeCell])
@pytest.mark.parametrize(("batch", "inputs", "hidden"), [(40, 130, 112), (2, 40, 150), (3, 3, 64)], ids=str)
def test_single_precision(kind: type[Cell], batch: int, inputs: int, hidden: int, threads: int, products: str) -> None:
    lengths = torch.randint(1, 9, (batch,), generator=torch.Generator().manual_seed(1)).tolist()
    layer = Subject(lambda: kind(inputs, hidden), "loop").layer()  # type: ignore[call-arg]
    with torch.no_grad():
        for weights in layer.parameters():
            weights.mul_(0.2)  # as they are drawn, an Elman network of so many units is chaotic
    x, mask, state = check.example(layer.cell, lengths)
    expected = check.outcome(layer, x, mask, state)
    layer.float().engine = "fused"
    found = check.outcome(layer, x.float(), mask, tuple(tensor.float() for tensor in state))
    for one, other in zip(found, expected, strict=True):
        check.close(one.double(), other, 1e-5 * max(1.0, float(other.detach().abs().max())))


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 9), min_size=1, max_size=9).filter(any), st.integers(1, 12), st.sampled_from(KNOWN))
def test_any_lengths_and_sizes(lengths: list[int], hidden: int, name: str) -> None:
    kind = type(CELLS[name]())
    if kind.__name__ in ("CombinedCell", "ElmanCell"):
        return
    for engine in engines_of(lambda: kind(3, hidden)):  # type: ignore[call-arg]
        for one, other in zip(
            outcomes(lambda: kind(3, hidden), engine, lengths),  # type: ignore[call-arg]
            outcomes(lambda: kind(3, hidden), "loop", lengths),  # type: ignore[call-arg]
            strict=True,
        ):
            check.close(one, other)


@built
@pytest.mark.parametrize("kind", [LSTMCell, PeepholeLSTMCell, GRUCell, GRUResetBeforeCell])
def test_the_same_twice_to_the_bit(kind: type[Cell], threads: int, products: str) -> None:
    torch.manual_seed(0)
    layer = Recurrent(kind(20, 33), engine="fused")  # type: ignore[call-arg]
    x, mask = torch.randn(9, 30, 20), torch.arange(30) < torch.randint(1, 31, (9, 1))

    def once() -> list[torch.Tensor]:
        outputs = layer(x, mask)[0]
        return [outputs, *torch.autograd.grad(outputs.sin().sum(), list(layer.parameters()))]

    for one, other in zip(once(), once(), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("engine", ENGINES)
def test_backward_again_where_the_graph_is_kept_and_an_error_where_it_is_not(engine: str) -> None:
    layer = Subject(CELLS["gru"], engine).layer()
    x, mask, state = check.example(layer.cell, [4, 2])
    loss = layer(x, mask, state)[0].sin().sum()
    first = torch.autograd.grad(loss, list(layer.parameters()), retain_graph=True)
    for one, other in zip(first, torch.autograd.grad(loss, list(layer.parameters())), strict=True):
        assert torch.equal(one, other)
    with pytest.raises(RuntimeError, match=r"retain_graph|second time"):
        torch.autograd.grad(loss, list(layer.parameters()))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("ragged", [False, True])
def test_tensors_that_do_not_stand_in_order_in_memory(engine: str, ragged: bool) -> None:
    layer, loop = (Subject(CELLS["gru"], name).layer() for name in (engine, "loop"))
    x, mask, _ = check.example(layer.cell, [4, 2, 3] if ragged else [4, 4, 4])
    state = (torch.randn(4, 3, dtype=torch.double).t(),)  # [B, H] whose rows are columns
    turned = x.transpose(0, 1).contiguous().transpose(0, 1)
    for one, other in zip(check.outcome(layer, turned, mask, state), check.outcome(loop, x, mask, state), strict=True):
        check.close(one, other)
    assert not state[0].is_contiguous()
    check.close(layer(turned, mask, state)[0], loop(x, mask, state)[0])


@pytest.mark.parametrize("engine", ENGINES)
def test_second_derivatives_are_sent_to_the_loop(engine: str) -> None:
    layer = Subject(CELLS["gru"], engine).layer()
    x, _, _ = check.example(layer.cell, [3, 3])
    x.requires_grad_()
    with pytest.raises(UserError, match="use engine=loop"):
        torch.autograd.grad(layer(x)[0].sum(), x, create_graph=True)
    layer.engine = "loop"
    assert torch.autograd.gradgradcheck(lambda x: layer(x)[0], x)


def test_extreme_gates_saturate_and_nan_stays_nan() -> None:
    for engine in ("fused", "loop") if fused.compiled() is not None else ("loop",):
        for dtype in (torch.float32, torch.float64):
            layer = Recurrent(LSTMCell(1, 3), engine=engine).to(dtype)
            x = torch.tensor([[1e30], [-1e30], [float("inf")], [0.0]], dtype=dtype)[None]
            outputs = layer(x)[0]
            assert outputs[0, :2].isfinite().all(), engine
            assert layer(torch.full((1, 1, 1), float("nan"), dtype=dtype))[0].isnan().all(), engine


def test_without_the_compiled_code_everything_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fused, "compiled", lambda: None)
    x = torch.randn(2, 3, 5)
    wanted = {"gru": "aten", "elman": "aten", "gru_reset_before": "aten", "lstm": "native", "peephole_lstm": "loop"}
    for name, engine in wanted.items():
        assert choose("auto", CELLS[name](), x[..., :3]).name == engine, name
    with pytest.raises(UserError, match="it was not built"):
        choose("fused", LSTMCell(5, 4), x)


@pytest.mark.parametrize(
    ("x", "trace", "message"),
    [
        (torch.zeros(1, 2, 5, dtype=torch.float16), False, "float32 and float64"),
        (torch.zeros(1, 2, 5), True, "does not show its gates"),
    ],
)
def test_what_it_cannot_run_it_says(x: torch.Tensor, trace: bool, message: str) -> None:
    assert message in (Aten().refuses(GRUCell(5, 4), x, None, trace) or "")
    assert "no loop for an LSTM" in (Aten().refuses(LSTMCell(5, 4), x.float(), None, False) or "")


@built
def test_a_changed_subclass_runs_on_the_loop() -> None:
    class Louder(LSTMCell):
        """Not the LSTM."""

    assert "does not know Louder" in (Fused().refuses(Louder(5, 4), torch.zeros(1, 2, 5), None, False) or "")


@built
@pytest.mark.skipif(sys.platform == "win32", reason="no fork")
def test_a_forked_process_computes_the_same(threads: int) -> None:
    layer = Recurrent(GRUCell(5, 8), engine="fused")
    x = torch.randn(4, 6, 5)
    expected = layer(x)[0].detach()
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        torch.set_num_threads(1)  # as the workers of a DataLoader do
        close = torch.allclose(layer(x)[0], expected)
        os.write(write, b"1" if close else b"0")
        os._exit(0)
    assert os.read(read, 1) == b"1"
    os.waitpid(child, 0)


@built
def test_scipys_blas_serves_where_torch_shows_none(monkeypatch: pytest.MonkeyPatch) -> None:
    layer = Subject(CELLS["gru"], "fused").layer()
    x, mask, state = check.example(layer.cell, [4, 2])
    expected = layer(x, mask, state)[0]
    code = fused.compiled()
    assert code is not None
    try:
        monkeypatch.setattr(fused, "TORCH_LIBRARY", fused.LIBRARY.with_name("nothing.so"))
        assert fused._link_blas(code)
        check.close(layer(x, mask, state)[0], expected)
    finally:
        monkeypatch.undo()
        assert fused._link_blas(code)
