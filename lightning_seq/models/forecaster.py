"""From the past of a series to its next values."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from lightning_seq.attention.attention import Attention
from lightning_seq.attention.scorer import Scorer
from lightning_seq.cells.cell import Cell
from lightning_seq.errors import UserError, one_of
from lightning_seq.layers.dropout import Dropout, check_rate
from lightning_seq.models.captioner import Starts
from lightning_seq.models.encoder import Encoder, EncoderModel
from lightning_seq.models.forecast_output import Output
from lightning_seq.models.head import head
from lightning_seq.models.naive import NaiveRule, SeasonalNaive
from lightning_seq.spec import Encoded, Future

STRATEGIES = ("direct", "recursive", "seq2seq")
NORMS = ("none", "last", "mean", "standard")
LEAST_SCALE = 1e-2
"""Of a window, in units of the scaled series: an almost constant window is not blown up."""
SEED = 0
"""Of the random numbers behind sampled paths, the same for all windows: a window has the same forecast in any batch."""


class Predicted(NamedTuple):
    """point: `[B, H]`, the medians; quantiles: `[B, H, Q]`, None for a model that predicts points alone."""

    point: Tensor
    quantiles: Tensor | None


class Forecast(EncoderModel):
    """The base of forecasters. future: the targets of the data."""

    distributed = True
    """Whether quantiles are predicted too."""

    def __init__(self, encoder: Encoder, future: Future) -> None:
        super().__init__()
        self.encoder, self.future = encoder, future

    def there(self, inputs: Tensor, mask: Tensor) -> Tensor:
        """`[B, T]`, the steps whose value is there."""
        return mask & (inputs[..., 1] > 0) if self.future.gaps else mask

    @abstractmethod
    def losses(self, inputs: Tensor, mask: Tensor, ahead: Tensor, targets: Tensor, scales: Tensor) -> Tensor:
        """`[B, H]`. ahead: `[B, H, K]`; targets: `[B, H]`; scales: `[B, 3]`, see `ForecastingData`."""

    @abstractmethod
    def predict(
        self, inputs: Tensor, mask: Tensor, ahead: Tensor, scales: Tensor, levels: Sequence[float]
    ) -> Predicted:
        """The next values, as the data are scaled."""


class NaiveForecaster(Forecast):
    """A rule, and the spread b_k of a Laplace distribution around its forecast k steps ahead, which is all that it
    learns."""

    head_modules = ()
    RATE = 30.0
    """log b = RATE θ, so that a usual learning rate reaches the spread in a few hundred steps."""

    def __init__(self, embedding: nn.Module, rule: NaiveRule, future: Future) -> None:
        super().__init__(rule, future)
        self.embedding = embedding
        self.spread = nn.Parameter(torch.zeros(future.horizon))

    def reset_parameters(self) -> None:
        nn.init.zeros_(self.spread)

    def forward(self, inputs: Tensor, mask: Tensor, ahead: Tensor | None = None) -> Tensor:
        rule: NaiveRule = self.encoder  # type: ignore[assignment]
        there = self.there(inputs, mask)
        return rule.forecast(inputs[..., 0], there, mask, self.future.horizon, self.future.season)

    def losses(self, inputs: Tensor, mask: Tensor, ahead: Tensor, targets: Tensor, scales: Tensor) -> Tensor:
        log = self.RATE * self.spread
        return (targets - self(inputs, mask)).abs() * torch.exp(-log) + log

    def predict(
        self, inputs: Tensor, mask: Tensor, ahead: Tensor, scales: Tensor, levels: Sequence[float]
    ) -> Predicted:
        point, level = self(inputs, mask), torch.tensor(levels, dtype=inputs.dtype, device=inputs.device)
        spread = torch.exp(self.RATE * self.spread)[:, None]
        quantile = -torch.sign(level - 0.5) * torch.log1p(-2 * (level - 0.5).abs())
        return Predicted(point, point[..., None] + spread * quantile)


class Forecaster(Forecast):
    """An encoder of the past, and by `strategy`

        direct      all H steps at once from the encoder's last output: p_1 … p_H = W [h_T ; z_{T+1} … z_{T+H}] + b
        recursive   p_{k+1} = W h_{T+k} + b, where the encoder reads on: in training the true values (teacher forcing),
                    else those that it predicted, or drew: `samples` paths of a distribution (Salinas et al. 2020)
        seq2seq     a decoder, s_k = f([ŷ_{k-1} ; z_{T+k} ; c_k], s_{k-1}), p_k = W s_k + b, s_0 = tanh(V h_T + a), that
                    reads its own predictions in training too; with `attention` c_k is a mean of the past

    where p are the numbers of an `output` per step, z the covariates that are known in the future.

    norm: of each window by the values that are there: `none`, `last` (the last value is subtracted), `mean` (divided by
          the mean size), `standard` (mean and deviation); the loss is of
          normalised values, but that of `task.loss=mase` of errors over the denominator of MASE.
    residual: the forecast of seasonal naive is added to what the output predicts; not with `recursive`.
    attention: makes a scorer from (query_size, value_size).
    decoder: makes the cell of the decoder from (input_size, hidden_size).
    head_sizes, dropout: of the head of `direct` and `recursive`, see `models/head.py`.

    Raises UserError for a strategy that does not fit the encoder or the data.
    """

    head_modules = ("head", "decoding")

    def __init__(
        self,
        embedding: nn.Module,
        encoder: Encoder,
        future: Future,
        output: Output,
        strategy: str = "direct",
        norm: str = "standard",
        residual: bool = False,
        head_sizes: Sequence[int] = (),
        dropout: float = 0.0,
        samples: int = 100,
        decoder: Callable[[int, int], Cell] | None = None,
        decoder_size: int | None = None,
        attention: Callable[[int, int], Scorer] | None = None,
    ) -> None:
        super().__init__(encoder, future)
        one_of("task.strategy", strategy, STRATEGIES)
        one_of("task.instance_norm", norm, NORMS)
        self.embedding, self.output, self.strategy, self.norm, self.samples = embedding, output, strategy, norm, samples
        self.distributed, self.residual = output.is_distribution, residual
        dropout = check_rate("task.dropout", dropout)
        last = encoder.final_size or encoder.output_size
        H, K, P = future.horizon, future.known, output.parameters
        self._check()
        self.decoding = nn.ModuleDict()
        if strategy == "seq2seq":
            if decoder is None:
                raise ValueError("a decoder needs a cell")
            size = decoder_size or encoder.output_size
            R = decoder(1, size).output_shape[0]
            attend = None if attention is None else Attention(attention(R, encoder.output_size))
            cell = decoder(1 + K + (attend.context_size if attend else 0), size)
            self.decoding["starts"] = Starts(last, [cell])
            self.decoding["cell"] = cell
            if attend is not None:
                self.decoding["attention"] = attend
            self.head = head(R, head_sizes, P, dropout)
        elif strategy == "direct":
            self.head = head(last + H * K, head_sizes, H * P, dropout)
        else:
            self.head = head(encoder.output_size, head_sizes, P, dropout)
        self.dropout = Dropout(dropout)

    def _check(self) -> None:
        if self.output.needs_counts:
            if not self.future.counts:
                raise UserError(
                    "task.output=negative_binomial is of counts, and these data have other numbers: use "
                    "task.output=student_t"
                )
            if self.norm not in ("none", "mean") or self.future.scale not in ("none", "mean_abs"):
                raise UserError(
                    "task.output=negative_binomial needs values that are divided alone, not shifted: give "
                    "task.instance_norm=mean data.scale=none"
                )
        if self.residual and (self.output.needs_counts or self.strategy == "recursive"):
            raise UserError(
                "task.residual=true is of task.strategy=direct or seq2seq and of outputs that may be negative, "
                f"task.strategy={self.strategy} came{' with counts' * self.output.needs_counts}: give "
                "task.residual=false, or another strategy or output"
            )
        if self.strategy == "recursive":
            if not self.encoder.causal:
                raise UserError(
                    "task.strategy=recursive reads on step by step, and this model reads from the end too: use a model "
                    "of one direction, or task.strategy=direct"
                )
            if self.future.past:
                raise UserError(
                    "task.strategy=recursive needs every input of the next step, and past covariates are not known "
                    "then: use task.strategy=direct or seq2seq, or declare them as data.known"
                )

    def forward(
        self, inputs: Tensor, mask: Tensor, ahead: Tensor | None = None, targets: Tensor | None = None
    ) -> Tensor:
        """Inputs `[B, T, D]` to the output's numbers `[B, H, P]`, normalised. targets: for teacher forcing."""
        shift, scale = self.window_scale(inputs, mask)
        if ahead is None:
            ahead = inputs.new_zeros(len(inputs), self.future.horizon, self.future.known)
        x = self.normalised(inputs, mask, shift, scale)
        if self.strategy == "recursive":
            if targets is not None:
                return self._taught(x, mask, ahead, (targets - shift) / scale)
            return self._paths(x, mask, ahead, scale, None)
        encoded = self.encoder(self.embedding(x), mask)
        if self.strategy == "seq2seq":
            return self._decoded(encoded, ahead)
        numbers: Tensor = self.head(torch.cat([final(encoded), ahead.flatten(1)], 1))
        return numbers.unflatten(1, (self.future.horizon, self.output.parameters))

    def window_scale(self, inputs: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """`[B, 1]` each: what is subtracted from the values of a window, and what they are divided by."""
        values, there = inputs[..., 0], self.there(inputs, mask)
        count = there.sum(1, keepdim=True).clamp(min=1)
        zero, one = torch.zeros_like(values[:, :1]), torch.ones_like(values[:, :1])
        if self.norm == "none":
            return zero, one
        if self.norm == "last":
            steps = torch.arange(values.shape[1], device=values.device)
            return values.gather(1, torch.where(there, steps, -1).amax(1, keepdim=True).clamp(min=0)), one
        known = torch.where(there, values, zero)
        if self.norm == "mean":
            size = known.abs().sum(1, keepdim=True) / count
            return zero, torch.where(size > LEAST_SCALE, size, one)
        mean = known.sum(1, keepdim=True) / count
        spread = (torch.where(there, values - mean, zero).square().sum(1, keepdim=True) / count).sqrt()
        return mean, spread.clamp(min=LEAST_SCALE)

    def _middle(self, inputs: Tensor, mask: Tensor, shift: Tensor) -> Tensor:
        """`[B, 1]` or `[B, H]`: where a prediction of 0 lies."""
        if not self.residual:
            return shift
        there, future = self.there(inputs, mask), self.future
        return SeasonalNaive(1).forecast(inputs[..., 0], there, mask, future.horizon, future.season)

    def normalised(self, inputs: Tensor, mask: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
        values = (inputs[..., 0] - shift) / scale
        values = torch.where(self.there(inputs, mask), values, torch.zeros_like(values))
        return torch.cat([values[..., None], inputs[..., 1:]], -1)

    def losses(self, inputs: Tensor, mask: Tensor, ahead: Tensor, targets: Tensor, scales: Tensor) -> Tensor:
        shift, scale = self.window_scale(inputs, mask)
        raw = self(inputs, mask, ahead, targets if self.strategy == "recursive" else None)
        original = scale * scales[:, 1:2]
        losses = self.output.loss(raw, (targets - self._middle(inputs, mask, shift)) / scale, original)
        return losses * original / scales[:, 2:] if self.output.over_naive_error else losses

    def predict(
        self, inputs: Tensor, mask: Tensor, ahead: Tensor, scales: Tensor, levels: Sequence[float]
    ) -> Predicted:
        shift, scale = self.window_scale(inputs, mask)
        original, middle = scale * scales[:, 1:2], self._middle(inputs, mask, shift)
        if self.strategy == "recursive" and self.distributed:
            x = self.normalised(inputs, mask, shift, scale)
            paths = self._paths(x, mask, ahead, original, self.samples)
            wanted = torch.tensor([0.5, *levels], dtype=paths.dtype, device=paths.device)
            quantiles = torch.quantile(paths, wanted, dim=1).movedim(0, -1)
        else:
            raw = self(inputs, mask, ahead)
            if not self.distributed:
                return Predicted(middle + scale * raw[..., 0], None)
            wanted = torch.tensor([0.5, *levels], dtype=raw.dtype, device=raw.device)
            quantiles = self.output.quantile(raw[:, :, None], wanted, original[..., None])
        quantiles = middle[..., None] + scale[..., None] * quantiles
        return Predicted(quantiles[..., 0], quantiles[..., 1:])

    def _taught(self, x: Tensor, mask: Tensor, ahead: Tensor, targets: Tensor) -> Tensor:
        """The numbers of each step after the true values of those before."""
        x, mask, lengths = self._extended(x, mask, ahead, targets)
        outputs = self.encoder(self.embedding(x), mask).outputs
        places = lengths[:, None] - 1 + torch.arange(self.future.horizon, device=x.device)
        chosen = outputs.gather(1, places[..., None].expand(-1, -1, outputs.shape[-1]))
        return self.head(chosen)

    def _extended(self, x: Tensor, mask: Tensor, ahead: Tensor, values: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The past with the steps of these values `[B, n]` after it, but the last one, which nothing follows."""
        lengths, steps = mask.sum(1), values.shape[1] - 1
        last = x.gather(1, (lengths - 1)[:, None, None].expand(-1, 1, x.shape[-1]))
        rows = self._steps(last, ahead[:, 1 : steps + 1], values[:, :steps])
        x = functional.pad(x, (0, 0, 0, steps))
        places = lengths[:, None] + torch.arange(steps, device=x.device)
        x = x.scatter(1, places[..., None].expand_as(rows), rows)
        mask = torch.arange(x.shape[1], device=x.device) < (lengths + steps)[:, None]
        return x, mask, lengths

    def _steps(self, like: Tensor, known: Tensor, values: Tensor) -> Tensor:
        """Inputs of steps `[B, n, D]` with these values and known covariates, otherwise like `[B, 1, D]`."""
        rows = like.expand(-1, values.shape[1], -1).clone()
        rows[..., 0] = values
        first = 1 + int(self.future.gaps)
        if self.future.gaps:
            rows[..., 1] = 1
        rows[..., first : first + self.future.known] = known
        return rows

    def _paths(self, x: Tensor, mask: Tensor, ahead: Tensor, scale: Tensor, samples: int | None) -> Tensor:
        """Step by step: the numbers `[B, H, P]` after the middles of the steps before; of `samples` paths the values
        `[B, samples, H]`."""
        horizon, count = self.future.horizon, samples or 1
        noise = torch.rand(count, horizon, generator=torch.Generator().manual_seed(SEED)).to(x)
        encoded = self.encoder(self.embedding(x), mask)
        state = tuple(
            tuple(tuple(t.repeat_interleave(count, 0) for t in tensors) for tensors in layer) for layer in encoded.state
        )
        hidden = _last_output(encoded).repeat_interleave(count, 0)
        x, mask, ahead, scale = (part.repeat_interleave(count, 0) for part in (x, mask, ahead, scale))
        like = x.gather(1, (mask.sum(1) - 1)[:, None, None].expand(-1, 1, x.shape[-1]))
        raws, values = list[Tensor](), list[Tensor]()
        for step in range(horizon):
            raw = self.head(hidden)
            raws.append(raw)
            if samples is None:
                values.append(self.output.location(raw))
            else:
                values.append(self.output.quantile(raw, noise[:, step].repeat(len(raw) // count), scale[:, 0]))
            if step + 1 == horizon:
                break
            if self.encoder.stateful:
                row = self._steps(like, ahead[:, step + 1 : step + 2], values[-1][:, None])
                encoded = self.encoder(self.embedding(row), torch.ones_like(mask[:, :1]), state)
                state, hidden = encoded.state, encoded.outputs[:, 0]
            else:
                known = torch.stack([*values, torch.zeros_like(values[-1])], 1)
                longer, whole, _ = self._extended(x, mask, ahead, known)
                hidden = _last_output(self.encoder(self.embedding(longer), whole))
        if samples is None:
            return torch.stack(raws, 1)
        return torch.stack(values, 1).unflatten(0, (-1, count))

    def _decoded(self, encoded: Encoded, ahead: Tensor) -> Tensor:
        cell: Cell = self.decoding["cell"]  # type: ignore[assignment]
        attention = dict(self.decoding.items()).get("attention")
        memory = attention.prepare(encoded.outputs, encoded.mask) if attention is not None else None  # type: ignore[operator]
        (state,) = self.decoding["starts"](final(encoded))
        hidden, value = state[0].flatten(1), ahead.new_zeros(len(ahead), 1)
        hidden = hidden[:, : cell.output_shape[0]]
        raws = []
        for step in range(self.future.horizon):
            parts = [value, ahead[:, step]]
            if attention is not None:
                parts.append(attention.attend(hidden[:, None], memory).context[:, 0])  # type: ignore[operator]
            done = cell.step(cell.project(torch.cat(parts, 1)), state)
            state, hidden = done.state, done.output
            raws.append(self.head(hidden))
            value = self.output.location(raws[-1])[:, None]
        return torch.stack(raws, 1)


def final(encoded: Encoded) -> Tensor:
    """The encoder's last vector: of its last state, or of its last position."""
    return encoded.last if encoded.last is not None else _last_output(encoded)


def _last_output(encoded: Encoded) -> Tensor:
    places = (encoded.mask.sum(1) - 1).clamp(min=0)[:, None, None]
    return encoded.outputs.gather(1, places.expand(-1, 1, encoded.outputs.shape[-1]))[:, 0]
