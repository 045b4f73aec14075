"""Linear-chain conditional random field."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from lightning_seq.errors import UserError
from lightning_seq.layers.mask import lengths_of, zero_beyond
from lightning_seq.tensors import FLOATING, check_tensor
from lightning_seq.text.bio_tags import READ, may_follow, parted

# Instead of -∞, whose differences are NaN: exp of it is 0, and sums of many are finite.
FORBIDDEN = -1e30
# For a smaller scale of a step, double precision may have lost a relevant term: the sums are then made in logs.
_UNDERFLOW = 1e-200


class LinearChainCRF(nn.Module):
    """Probabilities of whole tag sequences (Lafferty et al. 2001; Lample et al. 2016, sec. 2.2).

        s(y) = b_{y_1} + Σ_t P_{t,y_t} + Σ_t A_{y_{t-1},y_t} + e_{y_T},  p(y) = exp s(y) / Z,  Z = Σ_y exp s(y)

    Parameters: transitions A `[C, C]` (from, to), start b `[C]`, end e `[C]`: C*C + 2*C. P `[B, T, C]` are a network's
    scores. Masks are prefixes of their rows; scores and tags at padding have no effect. An empty row has one path, of
    score 0.

    tags:               C, the number of tags.
    constraints:        the tags' names by id: paths must be well formed in their scheme (in BIO, I-X only after B-X or
                        I-X). None: any order.
    constrain_training: exclude forbidden paths from Z too, not only from decoding.
    scheme:             of the names: `bio`, `ioe1`, `ioe2`, `iobes` or `bilou`.

    Raises UserError if the names are not C, not of that scheme, or allow no path. Its methods raise ValueError for
    scores, tags or a mask of another shape or device, TypeError for another type.
    """

    allowed: Tensor
    allowed_start: Tensor
    allowed_end: Tensor

    def __init__(
        self, tags: int, constraints: Sequence[str] | None = None, constrain_training: bool = False, scheme: str = "bio"
    ) -> None:
        super().__init__()
        if tags < 1:
            raise UserError(f"a CRF over {tags} tags: expected at least 1")
        if constrain_training and constraints is None:
            raise UserError("constrain_training=true without constraints: give the tags' names")
        self.names = None if constraints is None else tuple(constraints)
        self.constrain_training = constrain_training
        self.transitions = nn.Parameter(torch.empty(tags, tags))
        self.start, self.end = nn.Parameter(torch.empty(tags)), nn.Parameter(torch.empty(tags))
        anything = torch.ones(tags), torch.ones(tags, tags), torch.ones(tags)
        first, after, last = anything if self.names is None else well_formed(self.names, scheme)
        if len(first) != tags:
            raise UserError(f"constraints name {len(first)} tags, expected {tags}")
        # They follow from the names, which the specification holds: a checkpoint does not need them.
        self.register_buffer("allowed_start", first.bool(), persistent=False)
        self.register_buffer("allowed_end", last.bool(), persistent=False)
        self.register_buffer("allowed", after.bool(), persistent=False)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Uniform in ±0.1."""
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -0.1, 0.1)

    def log_partition(
        self, scores: Float[Tensor, "B T C"], mask: Bool[Tensor, "B T"], constrained: bool | None = None
    ) -> Float[Tensor, "B"]:
        """log Z of each row, in nats.

        constrained: without forbidden paths; None: as in training.
        """
        scores, lengths = self._checked(scores, mask)
        A, start, end = self._weights(self.constrain_training if constrained is None else constrained)
        log_Z: Tensor = _LogPartition.apply(scores, A, start, end, lengths)
        if not bool(log_Z.isfinite().all()):
            log_Z = log_partition_in_logs(scores, A, start, end, lengths)
        return torch.where(lengths > 0, log_Z, torch.zeros_like(log_Z))

    def score(
        self, scores: Float[Tensor, "B T C"], tags: Int[Tensor, "B T"], mask: Bool[Tensor, "B T"]
    ) -> Float[Tensor, "B"]:
        """s(y) of each row's tags."""
        scores, lengths = self._checked(scores, mask)
        check_tensor("CRF", "tags", tags, mask.shape, scores, torch.int64)
        A, start, end = self._weights(self.constrain_training)
        tags = tags.masked_fill(~mask, 0)
        emitted = scores.gather(2, tags[..., None]).squeeze(2)
        passed = A.flatten().index_select(0, (tags[:, :-1] * len(start) + tags[:, 1:]).flatten()).view(len(tags), -1)
        last = tags.gather(1, _last(lengths)).squeeze(1)
        path = emitted.sum(1) + torch.where(mask[:, 1:], passed, torch.zeros_like(passed)).sum(1)
        return torch.where(lengths > 0, start[tags[:, 0]] + path + end[last], torch.zeros_like(path))

    def negative_log_likelihood(
        self, scores: Float[Tensor, "B T C"], tags: Int[Tensor, "B T"], mask: Bool[Tensor, "B T"]
    ) -> Float[Tensor, "B"]:
        """-log p(y) of each row, in nats; their sum is the loss of a batch.

        Raises UserError for forbidden tags if training is constrained.
        """
        path = self.score(scores, tags, mask)
        if self.constrain_training:
            self._check(tags, mask)
        return self.log_partition(scores, mask) - path

    @torch.no_grad()
    def viterbi(
        self, scores: Float[Tensor, "B T C"], mask: Bool[Tensor, "B T"]
    ) -> tuple[Int[Tensor, "B T"], Float[Tensor, "B"]]:
        """The best allowed path, 0 where the mask is False, and its score."""
        scores, lengths = self._checked(scores, mask)
        A, start, end = self._weights(True)
        B, T, C = scores.shape
        best = _best_beginnings(scores, A, start)
        last = best.gather(0, _last(lengths).t()[..., None].expand(1, B, C)).squeeze(0)
        score, tag = (last + end).max(1)
        # The way back computes the tag before for the best path alone.
        paths, into = [tag], A.t().contiguous()
        for t in range(T - 1, 0, -1):
            before = (best[t - 1] + into.index_select(0, tag)).argmax(1)
            tag = torch.where(mask[:, t], before, tag)
            paths.append(tag)
        path = torch.stack(paths[::-1], 1).masked_fill_(~mask, 0)
        return path, torch.where(lengths > 0, score, torch.zeros_like(score))

    @torch.no_grad()
    def decode(
        self, scores: Float[Tensor, "B T C"], mask: Bool[Tensor, "B T"], n_best: int = 1
    ) -> tuple[Int[Tensor, "B K T"], Float[Tensor, "B K"]]:
        """The K best allowed paths, the best first, 0 where the mask is False, and their scores.

        K is `n_best`, or C^T if that is smaller. The first path of a row is that of `viterbi`. A row with fewer than K
        paths ends in zeros with a score of -∞.

        Endings grow from the last tag to the first. The Viterbi algorithm knows the best path with each ending, so that
        the K best endings of each length are enough (after Soong & Huang 1991).
        """
        if type(n_best) is not int:
            raise TypeError(f"CRF: n_best is {n_best!r}, expected a whole number of at least 1")
        if n_best < 1:
            raise ValueError(f"CRF: n_best is {n_best}, expected at least 1")
        scores, lengths = self._checked(scores, mask)
        A, start, end = self._weights(True)
        K = min(n_best, scores.shape[2] ** scores.shape[1])
        paths, values = _best_paths(scores, _best_beginnings(scores, A, start), A, end, mask, lengths, K)
        values = torch.minimum(values, values[:, :1])  # only rounding can make a later value larger
        absent = values < FORBIDDEN / 2
        absent[:, 0] = False
        return paths.masked_fill_(absent[..., None] | ~mask[:, None], 0), values.masked_fill_(absent, -torch.inf)

    def marginals(self, scores: Float[Tensor, "B T C"], mask: Bool[Tensor, "B T"]) -> Float[Tensor, "B T C"]:
        """p(y_t = c) over the allowed paths, without a gradient; zero where the mask is False."""
        with torch.inference_mode(False), torch.enable_grad():  # p is the gradient of log Z
            self._checked(scores, mask)
            scores = scores.detach().clone().requires_grad_()
            (p,) = torch.autograd.grad(self.log_partition(scores, mask.clone(), constrained=True).sum(), scores)
        return p

    def extra_repr(self) -> str:
        training = ", constrain_training=True" if self.constrain_training else ""
        return f"{len(self.start)}, constraints={self.names is not None}{training}"

    def _weights(self, constrained: bool) -> tuple[Tensor, Tensor, Tensor]:
        """A, b and e, with `FORBIDDEN` for forbidden transitions, starts and ends."""
        if not constrained or self.names is None:
            return self.transitions, self.start, self.end
        A, start = (
            self.transitions.masked_fill(~self.allowed, FORBIDDEN),
            self.start.masked_fill(~self.allowed_start, FORBIDDEN),
        )
        is_free = bool(self.allowed_end.all())
        return A, start, self.end if is_free else self.end.masked_fill(~self.allowed_end, FORBIDDEN)

    def _checked(self, scores: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        check_tensor("CRF", "scores", scores, ("B", "T", len(self.start)), self.start, FLOATING)
        check_tensor("CRF", "mask", mask, scores.shape[:2], scores, torch.bool)
        lengths = lengths_of(scores, mask)
        scores = zero_beyond(scores, lengths).to(self.transitions.dtype)
        return scores, mask.sum(1) if lengths is None else lengths

    def _check(self, tags: Tensor, mask: Tensor) -> None:
        tags = tags.masked_fill(~mask, 0)
        wrong = ~self.allowed[tags[:, :-1], tags[:, 1:]] & mask[:, 1:]
        wrong = torch.cat([~self.allowed_start[tags[:, :1]] & mask[:, :1], wrong], 1)
        last = tags.gather(1, _last(mask.sum(1)))
        unended = ~self.allowed_end[last[:, 0]] & mask[:, 0]
        if bool(unended.any()):
            raise UserError(
                f"{(self.names or ())[int(last[unended][0])]} is the last tag of a sentence, which the constraints "
                "forbid: correct the tags, or set constrain_training=false"
            )
        if bool(wrong.any()):
            row, t = wrong.nonzero()[0].tolist()
            names = [(self.names or ())[tag] for tag in tags[row, max(t - 1, 0) : t + 1].tolist()]
            raise UserError(
                f"tag {t + 1} of a sentence is {names[-1]} {f'after {names[0]}' if t else 'at its beginning'}, which "
                "the constraints forbid: correct the tags, or set constrain_training=false"
            )


def well_formed(
    names: Sequence[str], scheme: str = "bio"
) -> tuple[Bool[Tensor, "C"], Bool[Tensor, "C C"], Bool[Tensor, "C"]]:
    """Which tags may be first, which may follow which (from, to), and which may be last.

    Raises UserError for a name of another scheme, and if no tag may be first or last.
    """
    letters = READ[scheme].letters
    other = next((name for name in names if parted(name, letters) is None), None)
    if other is not None:
        raise UserError(f"constraints are for tags {READ[scheme]}, {other!r} came: use a CRF without them")
    first = [may_follow(None, name, scheme) for name in names]
    last = [may_follow(name, None, scheme) for name in names]
    after = torch.tensor([[may_follow(before, name, scheme) for name in names] for before in names])
    for allowed, what, expected in ((first, "begin", "begins"), (last, "end", "ends")):
        if not any(allowed):
            known = " or ".join(f"{letter}-X" for letter in getattr(READ[scheme], expected))
            raise UserError(
                f"with the tags {', '.join(names)} alone no sentence can {what}: expected O or {known} among them"
            )
    return torch.tensor(first), after, torch.tensor(last)


def _best_beginnings(
    scores: Float[Tensor, "B T C"], transitions: Float[Tensor, "C C"], start: Float[Tensor, "C"]
) -> Float[Tensor, "T B C"]:
    """The score of the best beginning of a path that ends with each tag, by position."""
    S = scores.transpose(0, 1).contiguous()
    best = torch.empty_like(S)
    torch.add(S[0], start, out=best[0])
    for t in range(1, len(S)):
        torch.amax(best[t - 1][:, :, None] + transitions, 1, out=best[t]).add_(S[t])
    return best


def _best_paths(
    scores: Tensor, best: Tensor, transitions: Tensor, end: Tensor, mask: Tensor, lengths: Tensor, K: int
) -> tuple[Tensor, Tensor]:
    """K paths `[B, K, T]` and their scores `[B, K]`, the best first, with forbidden paths.

    best: `[T, B, C]`, see `_best_beginnings`.
    """
    B, T, C = scores.shape
    rows, same = torch.arange(B, device=scores.device), torch.arange(K, device=scores.device).expand(B, K)
    # For each ending: its first tag, the score of its tags, and the score of the best path with it.
    tag, steps = torch.zeros_like(same), []
    ending = scores.new_full((B, K), -torch.inf)
    ending[:, 0] = 0
    values = ending
    for t in range(T - 1, -1, -1):
        into = torch.where((lengths - 1 == t)[:, None, None], end, transitions.t()[tag])  # [B, K, C]
        longer = into + ending[..., None]
        whole = (best[t][:, None] + longer).flatten(1)  # [B, K * C]
        # The path of `viterbi` is the first, whatever the rounding.
        ranks = whole.clone()
        ranks[rows, (best[t] + into[:, 0]).argmax(1)] = torch.inf
        place = ranks.sort(dim=1, descending=True, stable=True).indices[:, :K]
        is_real = mask[:, t, None]
        tag = torch.where(is_real, place % C, tag)
        ending = torch.where(is_real, longer.flatten(1).gather(1, place) + scores[:, t].gather(1, tag), ending)
        values = torch.where(is_real, whole.gather(1, place), values)
        steps.append((tag, torch.where(is_real, place // C, same)))
    paths, place = [], same
    for tag, behind in reversed(steps):
        paths.append(tag.gather(1, place))
        place = behind.gather(1, place)
    return torch.stack(paths, 2), values


def log_partition_in_logs(
    scores: Float[Tensor, "B T C"],
    transitions: Float[Tensor, "C C"],
    start: Float[Tensor, "C"],
    end: Float[Tensor, "C"],
    lengths: Int[Tensor, "B"],
) -> Float[Tensor, "B"]:
    """log Z by its definition, for scores of any size.

    α_1 = b + P_1,  α_t[j] = P_t[j] + log Σ_i exp(α_{t-1}[i] + A[i, j]),  log Z = log Σ_j exp(α_T[j] + e[j])
    """
    α = start + scores[:, 0]
    for t in range(1, scores.shape[1]):
        longer = torch.logsumexp(α[:, :, None] + transitions, 1) + scores[:, t]
        α = torch.where((t < lengths)[:, None], longer, α)
    return torch.logsumexp(α + end, 1)


class _Context(Protocol):
    saved_tensors: tuple[Tensor, ...]

    def save_for_backward(self, *tensors: Tensor) -> None: ...


class _LogPartition(torch.autograd.Function):
    """The same by sums of products, each step scaled to 1, in double precision (Rabiner 1989, sec. V.A).

        a_t = (a_{t-1} K) ⊙ exp(P_t - max P_t) / c_t,  Σ a_t = 1,  K = exp A
        b_T = exp e / (a_T · exp e),  b_{t-1} = K ((exp(P_t - max P_t) ⊙ b_t) / c_t)

    a_t ⊙ b_t are the probabilities of the tags, which are the gradient. log Z is NaN for a row whose c_t is so small
    that underflow may have lost a relevant term.
    """

    @staticmethod
    def forward(
        ctx: _Context, scores: Tensor, transitions: Tensor, start: Tensor, end: Tensor, lengths: Tensor
    ) -> Tensor:
        B, T, C = scores.shape
        P = scores.transpose(0, 1).to(torch.float64, copy=True, memory_format=torch.contiguous_format)
        highest = P.amax(2, keepdim=True)
        P = P.sub_(highest).exp_()
        K, first, final = transitions.double().exp(), start.double().exp(), end.double().exp()
        a, c = torch.empty_like(P), P.new_empty(T, B, 1)
        for t in range(T):
            if t == 0:
                torch.mul(P[0], first, out=a[0])
            else:
                torch.mm(a[t - 1], K, out=a[t]).mul_(P[t])
            torch.sum(a[t], 1, keepdim=True, out=c[t])
            a[t].div_(c[t])
        real = torch.arange(T, device=scores.device)[:, None] < lengths
        index = _last(lengths).t()[..., None].expand(1, B, C)
        last = a.gather(0, index).squeeze(0)
        total = last @ final
        log_Z = ((c.log() + highest).squeeze(2) * real).sum(0) + total.log()
        lost = (c.squeeze(2) < _UNDERFLOW).logical_and_(real).any(0) | (total < _UNDERFLOW)
        ctx.save_for_backward(P.div_(c), a, K, final / total[:, None], index)
        return log_Z.masked_fill(lost, torch.nan).to(scores.dtype)

    @staticmethod
    def backward(ctx: _Context, gradient: Tensor) -> tuple[Tensor | None, ...]:
        if torch.is_grad_enabled():
            raise UserError(
                "a CRF has no second derivatives (create_graph=True): use log_partition_in_logs of the same file"
            )
        weights, a, K, final, index = ctx.saved_tensors
        kind = gradient.dtype
        # Zero after a row's end.
        b = torch.zeros_like(a).scatter_(0, index, (final * gradient[:, None].double())[None])
        at_end = (a * b).sum((0, 1))
        into, x = K.t().contiguous(), torch.empty_like(a)
        for t in range(len(a) - 1, 0, -1):
            b[t - 1].addmm_(torch.mul(weights[t], b[t], out=x[t]), into)
        p = a * b
        pairs = torch.mm(a[:-1].flatten(0, 1).t(), x[1:].flatten(0, 1)).mul_(K)
        return p.transpose(0, 1).to(kind), pairs.to(kind), p[0].sum(0).to(kind), at_end.to(kind), None


def _last(lengths: Tensor) -> Tensor:
    """`[B, 1]`: the position of each row's last token, 0 in an empty row."""
    return (lengths - 1).clamp(min=0)[:, None]
