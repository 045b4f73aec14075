"""Language modelling as a LightningModule: truncated backpropagation through time, the state carried by the task."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Annotated, ClassVar

import torch
from lightning.pytorch.core.optimizer import LightningOptimizer
from torch import Tensor
from torch.optim import Optimizer

from lightning_seq.errors import UserError, near
from lightning_seq.lightning_internals import Checkpoint
from lightning_seq.models.language_model import LanguageModel, Read
from lightning_seq.models.softmax import token_scores
from lightning_seq.spec import Batch, State
from lightning_seq.tasks.carried import columns_of_rank, detached, in_column_order
from lightning_seq.tasks.schedule import MakeOptimizer, Schedule
from lightning_seq.tasks.task import SPLITS, Task, at_end
from lightning_seq.value_types import OneOf, Weight

CARRIES = ("pass", "epochs", "never")
EVALUATIONS = ("carry", "reset")


class LanguageModelling(Task):
    """The next symbol at every step: cross-entropy, perplexity, bits per character, accuracy.

    carry:      `pass`: the state is carried, detached, from chunk to chunk, and starts at zero in each epoch; `epochs`:
                it is carried from epoch to epoch as well; `never`.
    evaluation: `carry` the state through a split, or `reset` it at each chunk.
    activation_penalty: α, times the mean square of the softmax's inputs (Merity et al. 2018, sec. 4.6).
    temporal_penalty:   β, times the mean square of h_t - h_{t-1}.
    chunk_length: with chunks of drawn lengths, a step's learning rate is the full rate times new steps /
                `chunk_length` (Merity et al. 2018, sec. 4.1); None for chunks of one length.
    tokens_per_character: by split, the factor from nats per token to nats per character; without it, no bits per
                character are logged.
    surface_nats_per_character: by split, the nats of what the tokens leave open about the text, such as the spelling of
                unknown words; 0 for splits without it.
    monitor, log_every: see `Task`.

    If a batch's `extra` has `advance`, the next batch starts from the state after so many tokens of this one:
    k1/k2-truncated backpropagation (Williams & Peng 1990) reads k2 tokens, of which the last k1 have a loss.

    Logged: `train/loss`, and `loss perplexity accuracy` (and `bits_per_character`) under `val/` and `test/`. The loss
    is the mean over all tokens, `<eos>` counted, in nats; perplexity is its exponential.

    After a test `predictions` is `[N, 4]` float64, a row for each window of a column, or for each line: its id, its
    targets, their summed loss, and how many of them are the likeliest token; sorted by id.
    """

    MONITORS: ClassVar[Mapping[str, str]] = dict.fromkeys(
        ("val/loss", "val/perplexity", "val/bits_per_character"), "min"
    ) | {"val/accuracy": "max"}
    MEANS: ClassVar = ("loss", "accuracy")
    model: LanguageModel

    def __init__(
        self,
        model: LanguageModel,
        optimizer: MakeOptimizer,
        schedule: Schedule | None = None,
        carry: Annotated[str, OneOf(CARRIES)] = "pass",
        evaluation: Annotated[str, OneOf(EVALUATIONS)] = "carry",
        activation_penalty: Weight = 0.0,
        temporal_penalty: Weight = 0.0,
        chunk_length: int | None = None,
        tokens_per_character: Mapping[str, float] | None = None,
        surface_nats_per_character: Mapping[str, float] | None = None,
        monitor: str = "val/loss",
        log_every: int = 20,
    ) -> None:
        super().__init__(model, optimizer, schedule, monitor, log_every)
        for key, value, choices in (("carry", carry, CARRIES), ("evaluation", evaluation, EVALUATIONS)):
            if value not in choices:
                raise UserError(f"task.{key} is {value!r}: {near(str(value), choices)}")
        if min(activation_penalty, temporal_penalty) < 0:
            raise UserError(
                f"task.activation_penalty is {activation_penalty} and task.temporal_penalty {temporal_penalty}, "
                "expected at least 0"
            )
        self.characters, self.surface_nats = dict(tokens_per_character or {}), dict(surface_nats_per_character or {})
        if monitor == "val/bits_per_character" and SPLITS["val"] not in self.characters:
            raise UserError(
                "task.monitor=val/bits_per_character: the number of characters, or how <unk> is spelt, is unknown for "
                "the validation split of these data: set task.monitor=val/loss"
            )
        self.carry, self.evaluation = carry, evaluation
        self.activation_penalty, self.temporal_penalty = activation_penalty, temporal_penalty
        self.chunk_length = chunk_length
        self._shares: list[float] = []
        self._state: State | None = None
        self._evaluated: State | None = None

    def forward(self, inputs: Tensor, mask: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Ids `[B, T]` to log-probabilities `[B, T, V]` of the next symbols, and the state after the last."""
        return self.model(inputs, mask, state)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        if self.carry == "never" or "fresh" not in batch.extra or (self.carry == "pass" and _fresh(batch)):
            self._state = None
        read, self._state = self._read(batch, self._state)
        rows = batch.target_mask.flatten().nonzero().squeeze(1)
        hidden, targets = read.hidden.flatten(0, 1), batch.targets.flatten()
        if len(rows) < len(targets):
            hidden, targets = hidden[rows], targets[rows]
        total = self.model.softmax.loss_sum(hidden, targets)
        self.accumulate_loss(total, len(targets))
        # Of the step's targets, in a mean over batches.
        share = len(targets) * self.world * self.accumulated / batch.count
        if self.chunk_length is not None:
            self._shares.append(float(batch.extra["new"]) / self.chunk_length)
        return self.mean_of_step(total, batch) + share * self._penalty(read, batch.mask)

    def last_step_loss(self, batch: Batch, reverse: bool = False) -> Tensor:
        kept = at_end(batch.target_mask, reverse)
        hidden = self.model.read(batch.inputs, batch.mask).hidden
        return self.model.softmax.loss_sum(hidden[kept], batch.targets[kept])

    def _read(self, batch: Batch, state: State | None) -> tuple[Read, State | None]:
        """The whole window, and the detached state from which the next window begins."""
        T = batch.inputs.shape[1]
        advance = int(batch.extra.get("advance", T))
        if advance in (0, T) or not self.model.encoder.stateful:
            read = self.model.read(batch.inputs, batch.mask, state)
            return read, state if advance == 0 else detached(read.state)
        first = self.model.read(batch.inputs[:, :advance], batch.mask[:, :advance], state)
        rest = self.model.read(batch.inputs[:, advance:], batch.mask[:, advance:], first.state)
        whole = Read(torch.cat([first.raw, rest.raw], 1), torch.cat([first.hidden, rest.hidden], 1), rest.state)
        return whole, detached(first.state)

    def _penalty(self, read: Read, mask: Tensor) -> Tensor | float:
        penalty: Tensor | float = 0.0
        if self.activation_penalty:
            penalty = penalty + self.activation_penalty * read.hidden[mask].square().mean()
        if self.temporal_penalty and mask.shape[1] > 1:
            steps = (read.raw[:, 1:] - read.raw[:, :-1])[mask[:, 1:]]
            penalty = penalty + self.temporal_penalty * steps.square().mean()
        return penalty

    def optimizer_step(
        self,
        epoch: int,
        batch_idx: int,
        optimizer: Optimizer | LightningOptimizer,
        optimizer_closure: Callable[[], object] | None = None,
    ) -> None:
        """With chunks of drawn lengths, a step's rate follows its length."""
        if self.chunk_length is None or optimizer_closure is None:
            super().optimizer_step(epoch, batch_idx, optimizer, optimizer_closure)
            return
        rates = [group["lr"] for group in optimizer.param_groups]

        def closure() -> object:  # an optimiser reads its rate after this call
            loss = optimizer_closure()
            share = sum(self._shares) / len(self._shares)  # over all accumulated chunks
            self._shares.clear()
            for group, rate in zip(optimizer.param_groups, rates, strict=True):
                group["lr"] = rate * share
            return loss

        super().optimizer_step(epoch, batch_idx, optimizer, closure)
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = rate

    def evaluate(self, batch: Batch, split: str) -> None:
        if self.evaluation == "reset" or _fresh(batch):
            self._evaluated = None
        read, self._evaluated = self._read(batch, self._evaluated)
        counts = batch.target_mask
        targets = batch.targets[counts]
        losses, hits = token_scores(self.model.softmax, read.hidden[counts], targets, self.model.size)
        if len(targets):
            self.means(split).update(loss=losses, accuracy=hits.float())
        if split == "test":
            sums = torch.zeros(len(counts), 3, dtype=torch.float64, device=losses.device)
            sums.index_add_(0, counts.nonzero()[:, 0], torch.stack([torch.ones_like(losses), losses, hits], 1).double())
            self._rows.append(torch.cat([batch.ids[:, None].double(), sums], 1)[sums[:, 0] > 0])

    def logged(self, split: str, means: dict[str, Tensor]) -> dict[str, Tensor]:
        self._evaluated = None
        values = {"loss": means["loss"], "perplexity": means["loss"].exp(), "accuracy": means["accuracy"]}
        if (name := SPLITS[split]) in self.characters:
            nats = means["loss"] * self.characters[name] + self.surface_nats.get(name, 0.0)
            values["bits_per_character"] = nats / math.log(2)
        return values

    def on_save_checkpoint(self, checkpoint: Checkpoint) -> None:
        super().on_save_checkpoint(checkpoint)
        if self._state is not None:
            gather = lambda tensor: self.trainer.strategy.all_gather(tensor)  # noqa: E731
            checkpoint["carried_state"] = in_column_order(self._state, gather, self.world)

    def on_load_checkpoint(self, checkpoint: Checkpoint) -> None:
        saved = checkpoint.get("carried_state")
        if saved is not None and self.attached is not None:
            self._state = columns_of_rank(saved, self.attached.global_rank, self.world)


def _fresh(batch: Batch) -> bool:
    """Whether a pass begins with this batch; independent sequences always begin one."""
    return bool(batch.extra.get("fresh", True))
