"""The conformance suite of scorers, as attention uses them.

Used by the tests, where every scorer joins by one line, and by `lightning-seq check my_package.MyScorer`.
"""

from __future__ import annotations

import copy
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from unittest.mock import patch

import torch
from torch import Tensor, nn

from lightning_seq.attention.attention import Attended, Attention
from lightning_seq.attention.local import Monotonic, Predictive
from lightning_seq.attention.scorer import Scorer
from lightning_seq.conformance.check import DRAWS, RAGGED, SINGLE, Check, Result, failure, require
from lightning_seq.conformance.layers import close, randomise, weighed
from lightning_seq.conformance.refusals import others, refused
from lightning_seq.conformance.scorer_oracles import oracle_of, run_oracle

QUERIES = 3
DEAD = 1e-12
"""A smaller gradient is a rounding error of zero."""
LARGE = 1e3


@dataclass(frozen=True)
class Subject:
    """make: makes the scorer, with any weights. attention: makes the attention around it."""

    make: Callable[[], Scorer]
    attention: Callable[[Scorer], Attention] = Attention

    def made(self, seed: int = 0) -> Attention:
        attention = self.attention(self.make())
        randomise(attention, seed)
        return attention

    def example(self, lengths: Sequence[int] = RAGGED) -> tuple[Attention, Example]:
        attention = self.made()
        return attention, example(attention, lengths)


@dataclass(frozen=True)
class Example:
    """query `[B, T, Q]`, values `[B, S, D]`, mask `[B, S]`, previous `[B, S]`, start `[B]`."""

    query: Tensor
    values: Tensor
    mask: Tensor
    previous: Tensor
    start: Tensor

    def row(self, number: int, length: int) -> Example:
        """One sentence alone, without padding."""
        rows = slice(number, number + 1)
        cut = (self.values, self.mask, self.previous)
        values, mask, previous = (tensor[rows, :length] for tensor in cut)
        return Example(self.query[rows], values, mask, previous, self.start[rows])

    def single(self) -> Example:
        """In float32."""
        query, values, previous = (tensor.float() for tensor in (self.query, self.values, self.previous))
        return Example(query, values, self.mask, previous, self.start)


def example(attention: Attention, lengths: Sequence[int], seed: int = 1, padding: float = 0.0) -> Example:
    """Random queries (one if each depends on the one before) and values, with `padding` beyond each length."""
    generator = torch.Generator().manual_seed(seed)
    B, S, scorer = len(lengths), max(lengths), attention.scorer
    T = 1 if attention.needs_previous else QUERIES
    query = torch.randn(B, T, scorer.query_size, generator=generator, dtype=torch.double)
    values = torch.randn(B, S, scorer.value_size, generator=generator, dtype=torch.double)
    previous = torch.rand(B, S, generator=generator, dtype=torch.double)
    mask = torch.arange(S) < torch.tensor(lengths)[:, None]
    values[~mask] = padding
    previous[~mask] = 0.0
    return Example(query, values, mask, previous, torch.arange(B) % 2)


def attend(attention: Attention, example: Example) -> Attended:
    memory = attention.prepare(example.values, example.mask)
    return attention.attend(example.query, memory, example.previous, example.start)


class OfTensors(nn.Module):
    """Attention as a function of tensors alone."""

    def __init__(self, attention: Attention, example: Example) -> None:
        super().__init__()
        self.attention, self.example = attention, example

    def forward(self, query: Tensor, values: Tensor, previous: Tensor) -> tuple[Tensor, Tensor]:
        return attend(self.attention, replace(self.example, query=query, values=values, previous=previous))


def outcome(attention: Attention, example: Example) -> list[Tensor]:
    """Context, weights, and the gradients of a loss over both."""
    query, values = example.query.clone().requires_grad_(), example.values.clone().requires_grad_()
    attended = attend(attention, replace(example, query=query, values=values))
    inputs = [query, values, *attention.parameters()]
    return [*attended, *torch.autograd.grad(weighed(attended), inputs, materialize_grads=True)]


def check_oracle(subject: Subject) -> None:
    """Equal to NumPy written from the paper, one query, place and head at a time, to 1e-10."""
    attention, inputs = subject.example([5, 5, 5])
    attended = attend(attention, inputs)
    for b in range(len(inputs.query)):
        context, weights = run_oracle(
            attention, inputs.query[b], inputs.values[b], inputs.previous[b], int(inputs.start[b])
        )
        close(attended.context[b], torch.from_numpy(context))
        close(attended.weights[b], torch.from_numpy(weights))


def check_single_precision(subject: Subject) -> None:
    """In float32 within 1e-5 of float64."""
    attention, inputs = subject.example()
    with torch.no_grad():
        attention.load_state_dict({name: value / 3 for name, value in attention.state_dict().items()})
        found = attend(copy.deepcopy(attention).float(), inputs.single())
        for one, other in zip(found, attend(attention, inputs), strict=True):
            require(one.dtype == torch.float32, f"float32 gives {one.dtype}")
            close(one.double(), other, SINGLE * max(1.0, float(other.abs().max())))


def check_gradients(subject: Subject) -> None:
    """The gradient of queries, values and parameters is that of finite differences, through the mask."""
    attention, inputs = subject.example([3, 1])
    module = OfTensors(attention, inputs)
    named = dict(module.named_parameters())

    def run(query: Tensor, values: Tensor, previous: Tensor, *weights: Tensor) -> tuple[Tensor, ...]:
        return torch.func.functional_call(module, dict(zip(named, weights, strict=True)), (query, values, previous))

    tensors = (inputs.query, inputs.values, inputs.previous, *named.values())
    wanted = [tensor.detach().clone().requires_grad_() for tensor in tensors]
    torch.autograd.gradcheck(run, wanted, eps=1e-6, atol=1e-5, fast_mode=True)


def check_everything_counts(subject: Subject) -> None:
    """Every row of every parameter changes the result (if scores depend on positions, every parameter does)."""
    total: dict[str, Tensor] = {}
    for seed in range(DRAWS):  # a unit that is closed in one draw is open in another
        attention = subject.made(seed)
        named = dict(attention.named_parameters())
        if not named:
            return
        loss = weighed(attend(attention, example(attention, [4] * 12, seed + 1)))
        for name, gradient in zip(
            named, torch.autograd.grad(loss, [*named.values()], materialize_grads=True), strict=True
        ):
            total[name] = total.get(name, 0) + gradient.abs()
    by_place = subject.make().by_place
    for name, size in total.items():
        rows = size.reshape(1, -1).sum(1) if by_place else size.flatten(1).sum(1) if size.dim() > 1 else size
        dead = (rows <= DEAD).nonzero().flatten().tolist()
        require(
            not dead,
            f"{name} gets no gradient in rows {', '.join(map(str, dead))} of {len(rows)}: "
            "it is not there, or adds the same at all positions, which the softmax does not see",
        )


def check_shapes(subject: Subject) -> None:
    """Keys `[B, S, key_size]`, context `[B, T, context_size]`, weights `[B, heads, T, S]`; for one position too."""
    for lengths, T in (([4, 2], None), ([1], 1)):
        attention = subject.made()
        scorer, inputs = attention.scorer, example(attention, lengths)
        inputs = replace(inputs, query=inputs.query[:, :T])
        memory = attention.prepare(inputs.values, inputs.mask)
        attended = attention.attend(inputs.query, memory)
        (B, S), T = inputs.mask.shape, inputs.query.shape[1]
        for what, tensor, expected in (
            ("keys", memory.keys, (B, S, scorer.key_size)),
            ("context", attended.context, (B, T, attention.context_size)),
            ("weights", attended.weights, (B, scorer.heads, T, S)),
        ):
            require(tensor.shape == expected, f"{what}: {tuple(tensor.shape)} came, {expected} was expected")


def check_alone(subject: Subject) -> None:
    """A sentence gives the same alone and in any batch."""
    attention, inputs = subject.example()
    whole = attend(attention, inputs)
    for row, length in enumerate(RAGGED):
        if length:
            alone = attend(attention, inputs.row(row, length))
            close(whole.context[row], alone.context[0])
            close(whole.weights[row, :, :, :length], alone.weights[0])


def check_padding(subject: Subject) -> None:
    """Padding has no effect, NaN and infinity included: the same values and gradients, and zero weights there."""
    attention = subject.made()
    clean = example(attention, RAGGED)
    expected = outcome(attention, clean)
    for padding in (float("nan"), float("inf"), -1e9):
        close(outcome(attention, example(attention, RAGGED, padding=padding)), expected)
    require(not expected[1].movedim(3, 1)[~clean.mask].any(), "padded positions have weight")


def check_empty(subject: Subject) -> None:
    """An empty sentence gives zeros, no NaN, forward and backward."""
    attention, inputs = subject.example([3, 3])
    mask = torch.tensor([[False] * 3, [True] * 3])
    for dirt in (0.0, float("nan")):
        values = inputs.values.clone()
        values[0] += dirt
        context, weights, *gradients = outcome(attention, replace(inputs, values=values, mask=mask))
        require(not context[0].any(), "its context is not zero")
        require(not weights[0].any(), "its weights are not zero")
        require(all(bool(gradient.isfinite().all()) for gradient in gradients), "a gradient is not finite")


def check_queries(subject: Subject) -> None:
    """All queries at once give the same as one by one."""
    attention, inputs = subject.example()
    whole = attend(attention, inputs)
    for t in range(inputs.query.shape[1]):
        one = attend(attention, replace(inputs, query=inputs.query[:, t : t + 1], start=inputs.start + t))
        close(whole.context[:, t : t + 1], one.context)
        close(whole.weights[:, :, t : t + 1], one.weights)


def check_sums(subject: Subject) -> None:
    """Weights are not negative and sum to 1."""
    attention, inputs = subject.example()
    weights = attend(attention, inputs).weights
    require((weights >= 0).all(), "a weight is negative")
    wanted = inputs.mask.any(1).to(weights.dtype)
    close(weights.sum(-1), wanted[:, None, None].expand(weights.shape[:3]))


def check_places(subject: Subject) -> None:
    """Positions in another order: the weights in that order, the same context."""
    attention, inputs = subject.example()
    order = torch.tensor([3, 0, 4, 1, 2])
    expected = attend(attention, inputs)
    values, mask, previous = (tensor[:, order] for tensor in (inputs.values, inputs.mask, inputs.previous))
    found = attend(attention, replace(inputs, values=values, mask=mask, previous=previous))
    close(found.weights, expected.weights[..., order])
    close(found.context, expected.context)


def check_keys(subject: Subject) -> None:
    """Keys and values are made once per sentence, for any number of queries; the result is that of the formula."""
    attention, inputs = subject.example([4, 4])
    scorer, calls = attention.scorer, {"keys": 0, "values": 0}
    keys, values = scorer.keys, scorer.values

    def counted(name: str, method: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
        def call(tensor: Tensor) -> Tensor:
            calls[name] += 1
            return method(tensor)

        return call

    with patch.multiple(scorer, keys=counted("keys", keys), values=counted("values", values)):
        memory = attention.prepare(inputs.values, inputs.mask)
        attended = [attention.attend(inputs.query, memory, inputs.previous, inputs.start) for _ in range(2)][1]
    require(calls == {"keys": 1, "values": 1}, f"made {calls} times, once each was expected")
    if attention.window is not None or attention.coverage is not None:
        return
    weights = scorer.scores(inputs.query, keys(inputs.values)).softmax(-1)
    close(attended.weights, weights)
    close(attended.context, scorer.context(weights, values(inputs.values)))


def check_select(subject: Subject) -> None:
    """Rows of a memory, in any order and repeated, give the same as their sentences."""
    attention, inputs = subject.example()
    rows = torch.tensor([4, 0, 0, 1])
    memory = attention.prepare(inputs.values, inputs.mask).select(rows)
    found = attention.attend(inputs.query[rows], memory, inputs.previous[rows], inputs.start[rows])
    close(found, [tensor[rows] for tensor in attend(attention, inputs)])


def check_coverage(subject: Subject) -> None:
    """Earlier attention changes the weights; None is zero attention."""
    attention, inputs = subject.example([4, 4])
    memory = attention.prepare(inputs.values, inputs.mask)
    zeros = attention.attend(inputs.query, memory, torch.zeros_like(inputs.previous))
    close(attention.attend(inputs.query, memory).weights, zeros.weights)
    seen = attention.attend(inputs.query, memory, inputs.previous)
    require((seen.weights - zeros.weights).abs().max() > 0, "earlier attention changes nothing")


def check_copies(subject: Subject) -> None:
    """Saved and loaded, or copied, it is the same; a call changes neither it nor its arguments."""
    attention, inputs = subject.example()
    before = [tensor.clone() for tensor in (inputs.query, inputs.values, inputs.previous)]
    expected = attend(attention, inputs)
    same = map(torch.equal, (inputs.query, inputs.values, inputs.previous), before)
    require(all(same), "a call changes its arguments")
    file = io.BytesIO()
    torch.save(attention.state_dict(), file)
    file.seek(0)
    other = subject.made(seed=7)
    attend(other, example(other, [3, 2], seed=5))
    other.load_state_dict(torch.load(file, weights_only=True))
    twin = copy.deepcopy(attention)
    randomise(attention, 8)
    for one in (other, twin):
        close(attend(one, inputs), expected)


def check_extremes(subject: Subject) -> None:
    """Zeros and numbers in the thousands: values and gradients stay finite, in float32 too."""
    for scale in (0.0, LARGE):
        attention = subject.made().float()
        inputs = example(attention, RAGGED).single()
        inputs = replace(inputs, query=inputs.query * scale, values=inputs.values * scale)
        finite = all(bool(tensor.isfinite().all()) for tensor in outcome(attention, inputs))
        require(finite, f"not finite for queries and values of size {scale:g}")


def check_refuses(subject: Subject) -> None:
    """Queries, values, a mask or earlier weights of another size, type or device raise ValueError or TypeError."""
    attention = subject.made()
    typed = any(True for _ in attention.parameters())
    inputs = example(attention, [4, 2])
    for name in ("query", "values", "mask", "previous"):
        for what, wrong in others(getattr(inputs, name), typed and name != "previous"):
            refused(f"{name} {what}", attend, attention, replace(inputs, **{name: wrong}))


def _window(subject: Subject) -> Monotonic | Predictive | None:
    return subject.made().window


CHECKS: tuple[Check[Subject], ...] = (
    Check("oracle", check_oracle, lambda s: oracle_of(s.make()) is not None),
    Check("float32", check_single_precision),
    Check("gradients", check_gradients),
    Check("everything counts", check_everything_counts),
    Check("shapes", check_shapes),
    Check("alone", check_alone),
    Check("padding", check_padding),
    Check("empty", check_empty),
    Check("queries", check_queries),
    Check("sums", check_sums, lambda s: not isinstance(_window(s), Predictive)),
    Check("places", check_places, lambda s: _window(s) is None and not s.make().by_place),
    Check("keys", check_keys),
    Check("select", check_select),
    Check("coverage", check_coverage, lambda s: s.made().needs_previous),
    Check("copies", check_copies),
    Check("extremes", check_extremes),
    Check("refuses what does not fit", check_refuses),
)


def examine(subject: Subject) -> Iterator[Result]:
    """Every check that applies."""
    for check in CHECKS:
        if check.applies(subject):
            yield Result(check.name, failure(check, subject))
