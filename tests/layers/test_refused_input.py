"""Whatever does not fit a layer or a cell is refused in one line, before an engine reads it.

Elsewhere under test jaxtyping checks ranks and types before the layers do; here it does not, as for a user.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import jaxtyping
import pytest
import torch

from lightning_seq import GRU, LSTM, Bidirectional, Elman, Recurrent, Stacked
from lightning_seq.cells.cell import Cell, Noise, State, Step
from lightning_seq.cells.combined import CombinedCell
from lightning_seq.cells.conv_lstm import ConvLSTMCell
from lightning_seq.cells.elman import ElmanCell
from lightning_seq.cells.external import ExternalCell
from lightning_seq.cells.gru import GRUCell
from lightning_seq.cells.layer_norm_gru import LayerNormGRUCell
from lightning_seq.errors import UserError
from lightning_seq.layers.cbrnn import CBRNN
from lightning_seq.models.crf import LinearChainCRF

B, T, D, H = 2, 5, 10, 16
x = torch.randn(B, T, D)


@pytest.fixture(autouse=True)
def _as_installed() -> Iterator[None]:
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.mark.parametrize("engine", ["auto", "loop"])
@pytest.mark.parametrize(
    ("given", "line"),
    [
        (torch.randn(B, T, 8), "LSTMCell: input is float32 [2, 5, 8], expected float32 [B, T, 10]"),
        (torch.randn(B, T, 11), "LSTMCell: input is float32 [2, 5, 11], expected float32 [B, T, 10]"),
        (torch.randn(T, D), "LSTMCell: input is float32 [5, 10], expected float32 [B, T, 10]"),
        (torch.randn(1, B, T, D), "LSTMCell: input is float32 [1, 2, 5, 10], expected float32 [B, T, 10]"),
        (x.double(), "LSTMCell: input is float64 [2, 5, 10], expected float32 [B, T, 10]"),
        (x.half(), "LSTMCell: input is float16 [2, 5, 10], expected float32 [B, T, 10]"),
        (x > 0, "LSTMCell: input is bool [2, 5, 10], expected float32 [B, T, 10]"),
        (x.long(), "LSTMCell: input of ids is int64 [2, 5, 10], expected int64 or int32 [B, T]"),
        (x.to("meta"), "LSTMCell: input is float32 [2, 5, 10] on meta, expected float32 [B, T, 10] on cpu"),
        (x.to_sparse(), "LSTMCell: input is a sparse or nested tensor, expected a dense one [B, T, 10]"),
        (x.numpy(), "LSTMCell: input is a ndarray, expected a tensor [B, T, 10]"),
    ],
)
def test_inputs(engine: str, given: Any, line: str) -> None:
    with pytest.raises((ValueError, TypeError)) as refusal:
        LSTM(D, H, engine=engine)(given)
    assert str(refusal.value) == line


h = torch.randn(B, H)


@pytest.mark.parametrize(
    ("state", "line"),
    [
        ((h, h.double()), "LSTMCell: state[1] is float64 [2, 16], expected float32 [2, 16]"),
        ((h.half(), h), "LSTMCell: state[0] is float16 [2, 16], expected float32 [2, 16]"),
        ((h.long(), h), "LSTMCell: state[0] is int64 [2, 16], expected float32 [2, 16]"),
        ((h[:1], h), "LSTMCell: state[0] is float32 [1, 16], expected float32 [2, 16]"),
        ((h, h[:, :15]), "LSTMCell: state[1] is float32 [2, 15], expected float32 [2, 16]"),
        ((h, h.to("meta")), "LSTMCell: state[1] is float32 [2, 16] on meta, expected float32 [2, 16] on cpu"),
        ((h,), "LSTMCell: state is 1 tensors, expected a tuple of 2: [2, 16], [2, 16]"),
        (h, "LSTMCell: state is a Tensor, expected a tuple of 2: [2, 16], [2, 16]"),
    ],
)
def test_states(state: Any, line: str) -> None:
    layer = LSTM(D, H)
    with pytest.raises((ValueError, TypeError)) as refusal:
        layer(x, None, state)
    assert str(refusal.value) == line
    with pytest.raises((ValueError, TypeError)) as refusal:
        layer.cell.step(layer.cell.project(x[:, 0]), state)
    assert str(refusal.value) == line


@pytest.mark.parametrize(
    "noise",
    [
        Noise(recurrent=torch.ones(B, 1)),
        Noise(recurrent=torch.ones(B, H).double()),
        Noise(zoneout=(torch.ones(B, T, H),)),
        Noise(zoneout=(torch.ones(B, T, H), torch.ones(B, 1, H))),
        Noise(weights={"V": torch.ones(4 * H, H)}),
        Noise(weights={"U": torch.ones(4 * H, 1)}),
        Noise(weights={"U": torch.ones(4 * H, H).double()}),
    ],
    ids=str,
)
def test_noise(noise: Noise) -> None:
    with pytest.raises((ValueError, TypeError), match=r"LSTMCell: noise\."):
        LSTM(D, H).run(x, None, None, noise)


def test_masks_on_another_device_and_of_another_type() -> None:
    for mask in (torch.ones(B, T, dtype=torch.bool, device="meta"), torch.ones(B, T), torch.ones(B, T - 1) > 0):
        with pytest.raises((ValueError, TypeError), match=r"a batch: mask is .*, expected bool \[2, 5\]"):
            LSTM(D, H)(x, mask)


@pytest.mark.parametrize(
    ("cell", "given", "line"),
    [
        (GRUCell(D, H), torch.randn(3, 11), r"input is float32 \[3, 11\], expected float32 \[…, 10\]"),
        (GRUCell(D, H), torch.randn(3, 0), r"input is float32 \[3, 0\]"),
        (GRUCell(D, H), torch.zeros(3, dtype=torch.int16), "input is int16"),
        (LayerNormGRUCell(D, H), torch.randn(3, 9), r"expected float32 \[…, 10\]"),
        (ConvLSTMCell(2, 3, [6]), torch.randn(B, 2, 3, 4), r"expected float32 \[…, 2, 6\]"),
        (ConvLSTMCell(2, 3, [6]), torch.randn(6), r"expected float32 \[…, 2, 6\]"),
        (ConvLSTMCell(2, 3, [6]), torch.zeros(B, dtype=torch.int64), "takes vectors, not token ids"),
        (CombinedCell(H), torch.randn(B, D), r"expected float32 \[…, 16\]"),
        (CombinedCell(H), torch.zeros(B, H, dtype=torch.int64), "takes vectors, not token ids"),
        (ExternalCell(D, H, torch.nn.GRUCell), torch.randn(B, 9), r"expected float32 \[…, 10\]"),
        (ExternalCell(D, H, torch.nn.GRUCell), torch.zeros(B, dtype=torch.int64), "takes vectors, not token ids"),
    ],
)
def test_what_a_cell_projects(cell: Cell, given: torch.Tensor, line: str) -> None:
    with pytest.raises((ValueError, TypeError), match=line):
        cell.project(given)


@pytest.mark.parametrize("start", [-1, D, D + 1])
def test_columns_that_are_not_there(start: int) -> None:
    with pytest.raises(ValueError, match=rf"start is {start}, expected 0 to 9"):
        ElmanCell(D, H).project(torch.randn(B, 1), start)
    with pytest.raises(ValueError, match=rf"start is {start}, expected 0$"):
        LayerNormGRUCell(D, H).project(torch.randn(B, 1), start)


def test_a_projection_of_another_cell() -> None:
    with pytest.raises(ValueError, match=r"projected_t is float32 \[2, 16\], expected float32 \[B, 48\]"):
        GRUCell(D, H).step(torch.randn(B, H), (h,))


def test_a_subclass_is_checked_from_outside_and_its_super_call_is_not() -> None:
    class WithContext(ElmanCell):
        """Its state is (h, s), and it hands (h,) to the step it inherits."""

        def __init__(self) -> None:
            super().__init__(D, H)
            self.state_shapes = ((H,), (D,))

        def step(self, projected_t: torch.Tensor, state: State, noise: Noise | None = None) -> Step:
            step = super().step(projected_t, state[:1], noise)
            return Step(step.output, (*step.state, state[1]), {})

    cell = WithContext()
    state = (h, torch.zeros(B, D))
    assert Recurrent(cell)(x, None, state)[0].shape == (B, T, H)
    with pytest.raises(ValueError, match="state is 1 tensors, expected a tuple of 2"):
        cell.step(cell.project(x[:, 0]), (h,))


def test_a_loop_checks_once_not_at_each_step(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    from lightning_seq.cells import cell as cells

    seen = cells.check_tensor
    monkeypatch.setattr(cells, "check_tensor", lambda *given: (calls.append(given[1]), seen(*given)))
    Recurrent(GRUCell(D, H), engine="loop")(torch.randn(B, 50, D), None, (h,))
    assert len(calls) < 5


full = torch.ones(B, T, dtype=torch.bool)


@pytest.mark.parametrize("method", ["viterbi", "decode", "marginals", "log_partition"])
@pytest.mark.parametrize(
    ("given", "mask", "line"),
    [
        (x[0], full, "CRF: scores is float32 [5, 10], expected floating [B, T, 10]"),
        (x[..., :9], full, "CRF: scores is float32 [2, 5, 9], expected floating [B, T, 10]"),
        (x.long(), full, "CRF: scores is int64 [2, 5, 10], expected floating [B, T, 10]"),
        (x.to("meta"), full, "CRF: scores is float32 [2, 5, 10] on meta, expected floating [B, T, 10] on cpu"),
        (x.numpy(), full, "CRF: scores is a ndarray, expected a tensor [B, T, 10]"),
        (x, full[:, :4], "CRF: mask is bool [2, 4], expected bool [2, 5]"),
        (x, full[0], "CRF: mask is bool [5], expected bool [2, 5]"),
        (x, full.long(), "CRF: mask is int64 [2, 5], expected bool [2, 5]"),
        (x, full.to("meta"), "CRF: mask is bool [2, 5] on meta, expected bool [2, 5] on cpu"),
        (x, full.flip(1) & (torch.arange(T) > 0), "mask must be a prefix of every row"),
        (x[:, :0], full[:, :0], "inputs have shape (2, 0, 10), expected [B, T, …] with T of at least 1"),
    ],
)
def test_scores_of_a_crf(method: str, given: Any, mask: torch.Tensor, line: str) -> None:
    more = (3,) if method == "decode" else ()
    with pytest.raises((ValueError, TypeError)) as refusal:
        getattr(LinearChainCRF(D), method)(given, mask, *more)
    assert str(refusal.value).startswith(line)


@pytest.mark.parametrize(
    ("n_best", "line"),
    [
        (0, "CRF: n_best is 0, expected at least 1"),
        (-1, "CRF: n_best is -1, expected at least 1"),
        (2.0, "CRF: n_best is 2.0, expected a whole number of at least 1"),
        (True, "CRF: n_best is True, expected a whole number"),
        ("2", "CRF: n_best is '2', expected a whole number"),
        (None, "CRF: n_best is None, expected a whole number"),
    ],
)
def test_how_many_paths_of_a_crf(n_best: Any, line: str) -> None:
    with pytest.raises((ValueError, TypeError)) as refusal:
        LinearChainCRF(D).decode(x, full, n_best)
    assert str(refusal.value).startswith(line)


@pytest.mark.parametrize("merge", ["concat", "sum"])
def test_directions_that_do_not_fit(merge: str) -> None:
    for kind in (lambda one, two: Bidirectional(one, two, merge), CBRNN):
        with pytest.raises(UserError, match=r"the directions read \[10\] and \[9\]"):
            kind(GRUCell(D, H), GRUCell(9, H))
    with pytest.raises(UserError, match="one output size"):
        Bidirectional(GRUCell(D, H), GRUCell(D, 8), "sum")
    with pytest.raises(UserError, match="its cells must give vectors"):
        CBRNN(ConvLSTMCell(1, 2, [3]), ConvLSTMCell(1, 2, [3]))
    unequal = Bidirectional(GRUCell(D, H), GRUCell(D, 8))
    assert unequal.output_size == unequal(x)[0].shape[2] == H + 8


def test_layers_that_do_not_fit() -> None:
    with pytest.raises(UserError, match=r"layer 2 of a stack reads \[10\], and the layer below gives \[16\]"):
        Stacked([GRU(D, H), LSTM(D, H)])
    with pytest.raises(UserError, match=r"layer 3 of a stack reads \[16\], and the layer below gives \[32\]"):
        Stacked([GRU(D, H), Bidirectional(GRUCell(H, H), GRUCell(H, H)), LSTM(H, H)])
    stack = Stacked([GRU(D, H), LSTM(H, H)])
    states = stack(x)[1]
    for state in (states[:1], (*states, states[0])):
        with pytest.raises(ValueError, match="expected one for each of 2 layers"):
            stack(x, None, state)


def test_the_right_ones_still_pass_under_autocast_on_meta_compiled_and_in_half_precision() -> None:
    layer = LSTM(D, H)
    with torch.autocast("cpu", torch.bfloat16):
        outputs, state = layer(x.bfloat16(), None, (h, h))
        layer(x, None, state)
    with pytest.raises(TypeError, match="bfloat16"):
        layer(x.bfloat16())
    assert copy.deepcopy(layer).bfloat16()(x.bfloat16())[0].dtype == torch.bfloat16
    mask = torch.ones(B, T, dtype=torch.bool)
    on_meta = copy.deepcopy(layer).to("meta")
    assert on_meta(x.to("meta"), mask.to("meta"))[0].shape == (B, T, H)
    compiled = torch.compile(Elman(D, H, engine="loop"), backend="eager")
    assert compiled(x, None, (h,))[0].shape == outputs.shape
