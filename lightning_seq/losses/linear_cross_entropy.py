"""Cross-entropy over a large vocabulary, from hidden states; only some of the scores are in memory at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from lightning_seq.errors import UserError
from lightning_seq.losses.cross_entropy import check_targets
from lightning_seq.tensors import FLOATING, check_tensor, keeps_graph

# Measured on CPU (benchmarks/softmax.py): fewer rows make the products slow, more cost memory and gain nothing.
_ROWS = 256
# A small vocabulary has more rows, up to so many scores, which shortens the loop.
_SCORES = 2**20


def linear_cross_entropy(
    hidden: Float[Tensor, "N H"],
    weight: Float[Tensor, "V H"],
    bias: Float[Tensor, "V"] | None,
    targets: Int[Tensor, "N"],
    label_smoothing: float = 0.0,
    chunk: int | None = None,
) -> Float[Tensor, ""]:
    """The sum, in nats, of the cross-entropy of `softmax(W h + b)`, W `[V, H]` being `weight`; 0 for no rows.

    Every row counts (`linear_cross_entropy_sum` leaves out the others). The gradients of all three tensors are computed
    from the scores of one chunk of rows after the other, so only `[chunk, V]` of `[N, V]` is in memory.

    label_smoothing: ε, the target is (1 - ε) one-hot + ε/V (Szegedy et al. 2016, sec. 7).
    chunk:           rows at a time; None chooses.

    Raises UserError for a chunk below 1, an ε outside [0, 1), and second derivatives; ValueError for another shape or
    device, TypeError for another type.
    """
    if not 0 <= label_smoothing < 1:
        raise UserError(f"label_smoothing is {label_smoothing}, expected at least 0 and less than 1")
    _check("linear_cross_entropy", hidden, weight, bias, targets, chunk=chunk)
    hidden = hidden.to(weight.dtype)
    if torch.is_grad_enabled() and any(
        tensor is not None and tensor.requires_grad for tensor in (hidden, weight, bias)
    ):
        return _LinearCrossEntropy.apply(hidden, weight, bias, targets, label_smoothing, chunk)
    return _run(hidden, weight, bias, targets, label_smoothing, chunk, _Gradients()).sum()


def linear_cross_entropy_sum(
    hidden: Float[Tensor, "B T H"],
    weight: Float[Tensor, "V H"],
    bias: Float[Tensor, "V"] | None,
    targets: Int[Tensor, "B T"],
    target_mask: Bool[Tensor, "B T"],
    label_smoothing: float = 0.0,
    chunk: int | None = None,
) -> Float[Tensor, ""]:
    """`linear_cross_entropy` over the targets whose mask is True.

    A masked position costs nothing, and gives no value and no gradient, even with NaN in it.
    """
    _check("linear_cross_entropy_sum", hidden, weight, bias, targets, target_mask, lead="BT")
    rows = target_mask.flatten().nonzero().squeeze(1)
    counting = hidden.flatten(0, 1).index_select(0, rows)
    return linear_cross_entropy(counting, weight, bias, targets.flatten().index_select(0, rows), label_smoothing, chunk)


@torch.no_grad()
def linear_token_losses(
    hidden: Float[Tensor, "N H"],
    weight: Float[Tensor, "V H"],
    bias: Float[Tensor, "V"] | None,
    targets: Int[Tensor, "N"],
    chunk: int | None = None,
) -> Float[Tensor, "N"]:
    """The cross-entropy of each row, in nats, for evaluation: it has no gradient.

    Raises UserError for a chunk below 1.
    """
    _check("linear_token_losses", hidden, weight, bias, targets, chunk=chunk)
    return _run(hidden.to(weight.dtype), weight, bias, targets, 0.0, chunk, _Gradients())


class _Gradients(NamedTuple):
    """The tensors to fill; None for a gradient that is not needed."""

    hidden: Tensor | None = None
    weight: Tensor | None = None
    bias: Tensor | None = None


class _Context(Protocol):
    needs_input_grad: Sequence[bool]
    gradients: _Gradients | None


class _LinearCrossEntropy(torch.autograd.Function):
    """The forward pass computes the gradients; the backward pass scales them."""

    @staticmethod
    def forward(
        ctx: _Context,
        hidden: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        targets: Tensor,
        label_smoothing: float,
        chunk: int | None,
    ) -> Tensor:
        needed = ctx.needs_input_grad
        gradients = _Gradients(
            hidden.new_empty(hidden.shape) if needed[0] else None,
            weight.new_zeros(weight.shape) if needed[1] else None,
            bias.new_zeros(bias.shape) if bias is not None and needed[2] else None,
        )
        loss = _run(hidden, weight, bias, targets, label_smoothing, chunk, gradients).sum()
        ctx.gradients = gradients
        return loss

    @staticmethod
    def backward(ctx: _Context, gradient: Tensor) -> tuple[Tensor | None, ...]:
        if torch.is_grad_enabled():
            raise UserError(
                "linear_cross_entropy has no second derivatives (create_graph=True): "
                "use torch's cross_entropy(linear(hidden, weight, bias), targets)"
            )
        gradients = ctx.gradients
        if gradients is None:
            raise RuntimeError("this backward pass was run already: call the first with retain_graph=True")
        # In place if possible: new memory for one more [V, H] takes a tenth of the time of a step.
        keep = keeps_graph()
        if not keep:
            ctx.gradients = None
        scaled = (None if own is None else own * gradient if keep else own.mul_(gradient) for own in gradients)
        return *scaled, None, None, None


def _run(
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    targets: Tensor,
    ε: float,
    chunk: int | None,
    gradients: _Gradients,
) -> Tensor:
    """The loss of each row `[N]`; fills `gradients`.

        z = W h + b,  l = logsumexp(z) - (1 - ε) z_y - ε mean(z)
        dl/dz = softmax(z) - (1 - ε) 1_y - ε/V

    exp(z - max z) is left unnormalised: its sum divides the rows of what is multiplied with it, which are shorter.
    """
    N, V = len(hidden), len(weight)
    rows = min(N, max(_ROWS, _SCORES // V) if chunk is None else chunk)
    losses, scores = hidden.new_empty(N), hidden.new_empty(rows, V)
    needs_gradients = any(tensor is not None for tensor in gradients)
    for start in range(0, N, max(rows, 1)):
        part = slice(start, start + rows)
        h, y = hidden[part], targets[part, None]
        z = scores[: len(h)]
        if bias is None:
            torch.mm(h, weight.t(), out=z)
        else:
            torch.addmm(bias, h, weight.t(), out=z)
        target = z.gather(1, y)
        if ε:
            target = (1 - ε) * target + ε * z.mean(1, keepdim=True)
        highest = z.amax(1, keepdim=True)
        total = z.sub_(highest).exp_().sum(1, keepdim=True)
        losses[part] = (total.log() + highest - target).squeeze(1)
        if not needs_gradients:
            continue
        z.scatter_add_(1, y, (ε - 1) * total)
        if ε:
            z.sub_(total * (ε / V))
        share = total.reciprocal()  # several times as fast as a division of rows by a column
        if gradients.hidden is not None:
            torch.mm(z, weight, out=gradients.hidden[part]).mul_(share)
        if gradients.weight is not None:
            gradients.weight.addmm_(z.t(), h * share)
        if gradients.bias is not None:
            gradients.bias.addmv_(z.t(), share.squeeze(1))
    return losses


def _check(
    owner: str,
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    targets: Tensor,
    *masks: Tensor,
    lead: str = "N",
    chunk: int | None = None,
) -> None:
    if chunk is not None and chunk < 1:
        raise UserError(f"chunk is {chunk}, expected at least 1 row at a time, or None")
    check_targets(owner, "hidden", hidden, targets, *masks, lead=lead)
    check_tensor(owner, "weight", weight, ("V", hidden.shape[-1]), hidden, FLOATING)
    if bias is not None:
        check_tensor(owner, "bias", bias, weight.shape[:1], weight)
