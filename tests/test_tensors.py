"""Attention, losses, the CRF and searches refuse whatever does not fit, in one line and before they compute."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import jaxtyping
import pytest
import torch
from torch import Tensor

from lightning_seq.attention.attention import Attention
from lightning_seq.attention.dot import DotScorer
from lightning_seq.layers.dropout import Dropout, LockedDropout
from lightning_seq.losses.cross_entropy import cross_entropy_sum
from lightning_seq.losses.linear_cross_entropy import (
    linear_cross_entropy,
    linear_cross_entropy_sum,
    linear_token_losses,
)
from lightning_seq.losses.ranking import ranked_class, ranking_loss_sum
from lightning_seq.models import sampling, search
from lightning_seq.models.crf import LinearChainCRF
from lightning_seq.tensors import check_tensor

B, T, S, Q, V, H = 3, 2, 4, 5, 6, 7


@pytest.fixture(autouse=True)
def _as_installed() -> Iterator[None]:
    """Without the checks of types that tests have elsewhere."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


def wrong(tensor: Tensor) -> Iterator[Any]:
    """The same of another shape, type and device, and other things."""
    yield tensor[None]
    yield tensor[..., 0] if tensor.dim() > 1 else tensor[0]
    yield torch.cat([tensor, tensor])
    yield tensor.bool() if tensor.dtype != torch.bool else tensor.float()
    yield tensor.double() if not tensor.is_floating_point() else tensor.long()
    yield tensor.to("meta")
    yield tensor.to_sparse()
    yield tensor.tolist()
    yield None


class StepwiseModel:
    def __init__(self, rows: int = 0, scores: Tensor | None = None) -> None:
        self.rows, self.scores = rows, scores

    def start(self) -> tuple[()]:
        return ()

    def step(self, tokens: Tensor, state: Any) -> tuple[Tensor, Any, None]:
        return (torch.zeros(len(tokens) + self.rows, V) if self.scores is None else self.scores), state, None

    def select(self, rows: Tensor) -> StepwiseModel:
        return self


def attention(query: Tensor, values: Tensor, mask: Tensor, previous: Tensor, start: Tensor) -> Tensor:
    asked = Attention(DotScorer(Q, V), "monotonic")
    return asked.attend(query, asked.prepare(values, mask), previous, start).context


def floats(*shape: int) -> Tensor:
    return torch.randn(shape)


def bits(*shape: int) -> Tensor:
    return torch.ones(shape, dtype=torch.bool)


def ids(*shape: int) -> Tensor:
    return torch.ones(shape, dtype=torch.int64)


crf = LinearChainCRF(V)
CALLS: dict[str, tuple[Callable[..., Any], dict[str, Tensor], set[str]]] = {
    "attention": (
        attention,
        {"query": floats(B, T, Q), "values": floats(B, S, V), "mask": bits(B, S), "previous": floats(B, S),
         "start": ids(B)},
        {"previous", "start"},
    ),
    "cross entropy": (
        cross_entropy_sum,
        {"scores": floats(B, V), "targets": ids(B), "target_mask": bits(B), "class_weights": floats(V)},
        {"class_weights"},
    ),
    "ranking": (ranking_loss_sum, {"scores": floats(B, V), "targets": ids(B), "target_mask": bits(B)}, set()),
    "linear cross entropy": (
        linear_cross_entropy,
        {"hidden": floats(B, H), "weight": floats(V, H), "bias": floats(V), "targets": ids(B)},
        {"bias"},
    ),
    "linear cross entropy, masked": (
        linear_cross_entropy_sum,
        {"hidden": floats(B, T, H), "weight": floats(V, H), "bias": floats(V), "targets": ids(B, T),
         "target_mask": bits(B, T)},
        {"bias"},
    ),
    "token losses": (
        linear_token_losses,
        {"hidden": floats(B, H), "weight": floats(V, H), "bias": floats(V), "targets": ids(B)},
        {"bias"},
    ),
    "CRF, likelihood": (
        crf.negative_log_likelihood, {"scores": floats(B, T, V), "tags": ids(B, T), "mask": bits(B, T)}, set(),
    ),
    "CRF, Viterbi": (crf.viterbi, {"scores": floats(B, T, V), "mask": bits(B, T)}, set()),
    "CRF, marginals": (crf.marginals, {"scores": floats(B, T, V), "mask": bits(B, T)}, set()),
}  # fmt: skip


@pytest.mark.parametrize("name", CALLS)
def test_what_does_not_fit(name: str) -> None:
    call, given, optional = CALLS[name]
    call(**given)
    for key, tensor in given.items():
        for other in wrong(tensor):
            if other is None and key in optional:
                continue
            alone = key in ("weight", "scores") and isinstance(other, Tensor)
            if alone and other.dim() == tensor.dim() and other.shape[1:] == tensor.shape[1:] and "bias" not in given:
                continue
            with pytest.raises((ValueError, TypeError)) as refusal:
                call(**{**given, key: other})
            assert "\n" not in str(refusal.value)
            assert ": " in str(refusal.value)


@pytest.mark.parametrize(
    "call",
    [
        lambda limits: search.greedy(StepwiseModel(), limits),
        lambda limits: search.sample(StepwiseModel(), limits),
        lambda limits: search.beam_search(StepwiseModel(), limits),
    ],
)
def test_searches(call: Callable[[Any], Any]) -> None:
    call(torch.tensor([2, 1]))
    for limits in (torch.tensor([2.0]), torch.tensor([[2]]), torch.tensor(2), torch.tensor([True]), [2], None):
        with pytest.raises((ValueError, TypeError), match="a search: limits"):
            call(limits)
    with pytest.raises(ValueError, match="expected at least 1 symbol for each sentence"):
        call(torch.tensor([2, 0]))


def test_scores_of_a_stepper_and_places_of_a_source() -> None:
    limits = torch.tensor([2, 2])
    for stepper in (StepwiseModel(rows=1), StepwiseModel(scores=torch.zeros(2)), StepwiseModel(scores=ids(2, V))):
        for find, given in ((search.greedy, limits), (search.beam_search, limits), (search.score_targets, ids(2, 2))):
            with pytest.raises((ValueError, TypeError), match="a search: scores"):
                find(stepper, given)  # type: ignore[operator]
    with pytest.raises(ValueError, match="a search: source_lengths"):
        search.beam_search(StepwiseModel(), limits, source_lengths=torch.tensor([1]))
    for targets in (ids(2), floats(2, 2), ids(2, 0)):
        with pytest.raises((ValueError, TypeError), match="a search: targets"):
            search.score_targets(StepwiseModel(), targets)


def test_sampling_and_dropout() -> None:
    for scores in (floats(V), ids(2, V)):
        with pytest.raises((ValueError, TypeError), match="restricted: scores"):
            sampling.restricted(scores)
        with pytest.raises((ValueError, TypeError), match="ranked_class: scores"):
            ranked_class(scores)
    for prompt in (floats(1, 2), ids(2), ids(2, 0)):
        with pytest.raises((ValueError, TypeError), match="sample: prompt"):
            next(sampling.sample(None, prompt, 1))  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="Dropout: input is int64"):
        Dropout(0.5)(ids(2, 3))
    with pytest.raises(ValueError, match=r"LockedDropout: input is float32 \[3\]"):
        LockedDropout(0.5)(floats(3))


def test_a_memory_of_another_batch() -> None:
    asked = Attention(DotScorer(Q, V))
    memory = asked.prepare(floats(B, S, V), bits(B, S))
    with pytest.raises(ValueError, match=r"attention: query is float32 \[2, 2, 5\], expected float32 \[3, T, 5\]"):
        asked.attend(floats(2, T, Q), memory)
    with pytest.raises(ValueError, match=r"attention: memory.keys is"):
        asked.attend(floats(B, T, Q), replace(memory, keys=memory.keys[:1]))


def test_a_line_says_what_came_and_what_was_expected() -> None:
    like = torch.zeros(1)
    check_tensor("f", "x", floats(2, 3), (2, "D"), like)
    check_tensor("f", "x", floats(2, 3), ("…", 3), like)
    check_tensor("f", "x", floats(2, 3), ("…",), like)
    for shape, line in (
        ((2, 4), "f: x is float32 [2, 3], expected float32 [2, 4]"),
        (("…", 1, 2, 3), "f: x is float32 [2, 3], expected float32 […, 1, 2, 3]"),
        ((), "f: x is float32 [2, 3], expected float32 []"),
    ):
        with pytest.raises(ValueError, match="f: x is") as refusal:
            check_tensor("f", "x", floats(2, 3), shape, like)
        assert str(refusal.value) == line
    with pytest.raises(TypeError, match=r"f: x is int64 \[2\], expected floating \[N\]"):
        check_tensor("f", "x", ids(2), ("N",), None, (torch.float32, torch.float64, torch.float16, torch.bfloat16))
    nested = torch.nested.nested_tensor([torch.zeros(2), torch.zeros(3)])
    with pytest.raises(ValueError, match="f: x is a sparse or nested tensor"):
        check_tensor("f", "x", nested, ("B", "T"), like)
