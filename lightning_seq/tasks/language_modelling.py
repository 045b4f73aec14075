"""Language modelling as a LightningModule: truncated backpropagation through time, the state carried by the task."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.optim import Optimizer

from lightning_seq.errors import UserError, near
from lightning_seq.metrics.classification import mean_loss
from lightning_seq.models.language_model import LanguageModel, Read
from lightning_seq.models.softmax import token_scores
from lightning_seq.spec import Batch
from lightning_seq.tasks.carried import columns_of_rank, detached, in_column_order
from lightning_seq.tasks.schedule import MakeOptimizer, Schedule
from lightning_seq.tasks.task import Task, at_end

CARRIES = ("pass", "epochs", "never")
EVALUATIONS = ("carry", "reset")


class LanguageModelling(Task):
    """The next symbol at every step: cross-entropy, perplexity, bits per character, accuracy.

    carry:      `pass`: the state goes on, detached, from chunk to chunk, and starts at zero in each epoch; `epochs`:
                also over their ends; `never`.
    evaluation: `carry` the state through a split, or `reset` it at each chunk.
    activation_penalty: α, times the mean square of what the softmax reads (Merity et al. 2018, sec. 4.6).
    temporal_penalty:   β, times the mean square of h_t - h_{t-1}.
    chunk_length: where chunks are drawn: a step's learning rate is the full one times new steps / `chunk_length`
                (Merity et al. 2018, sec. 4.1); None where they are not.
    tokens_per_character: by split, what turns nats per token to bits per character; without it there are none.
    monitor, log_every: see `Task`.

    Where a batch says `advance`, the state that the next one starts from is the one after so many of its tokens:
    k1/k2-truncated backpropagation (Williams & Peng 1990) runs over k2 of them, of which the last k1 have a loss.

    Logged: `train/loss`, and `loss perplexity accuracy` (and `bits_per_character`) under `val/` and `test/`. The loss
    is the mean over all tokens, `<eos>` counted, in nats; perplexity is its exponential.
    """

    MONITORS: ClassVar[Mapping[str, str]] = {
        "val/loss": "min",
        "val/perplexity": "min",
        "val/bits_per_character": "min",
        "val/accuracy": "max",
    }

    def __init__(
        self,
        model: LanguageModel,
        optimizer: MakeOptimizer,
        schedule: Schedule | None = None,
        carry: str = "pass",
        evaluation: str = "carry",
        activation_penalty: float = 0.0,
        temporal_penalty: float = 0.0,
        chunk_length: int | None = None,
        tokens_per_character: Mapping[str, float] | None = None,
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
        self.characters = dict(tokens_per_character or {})
        if monitor == "val/bits_per_character" and not self.characters:
            raise UserError(
                "task.monitor=val/bits_per_character: this data set does not say how many characters it has"
            )
        self.carry, self.evaluation = carry, evaluation
        self.activation_penalty, self.temporal_penalty = activation_penalty, temporal_penalty
        self.chunk_length = chunk_length
        self._shares: list[float] = []
        self.val_loss, self.test_loss = mean_loss(), mean_loss()
        self.val_accuracy, self.test_accuracy = mean_loss(), mean_loss()
        self._state: Any = None
        self._evaluated: Any = None

    def forward(self, inputs: Tensor, mask: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        """Ids `[B, T]` to log-probabilities `[B, T, V]` of what follows each, and the state after the last."""
        return self.model(inputs, mask, state)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        if self.carry == "never" or "fresh" not in batch.extra or (self.carry == "pass" and _fresh(batch)):
            self._state = None
        read, self._state = self._read(batch, self._state)
        rows = batch.target_mask.flatten().nonzero().squeeze(1)
        hidden, targets = read.hidden.flatten(0, 1), batch.targets.flatten()
        if len(rows) < len(targets):
            hidden, targets = hidden[rows], targets[rows]
        total = self.model.softmax.loss_sum(hidden, targets)  # type: ignore[operator, union-attr]
        self.accumulate_loss(total, len(targets))
        share = (
            len(targets) * self.world * self.accumulated / batch.count
        )  # of the step's targets, in a mean over batches
        if self.chunk_length is not None:
            self._shares.append(float(batch.extra["new"]) / self.chunk_length)
        return self.mean_of_step(total, batch) + share * self._penalty(read, batch.mask)

    def last_step_loss(self, batch: Batch, reverse: bool = False) -> Tensor:
        model: LanguageModel = self.model  # type: ignore[assignment]
        kept = at_end(batch.target_mask, reverse)
        return model.softmax.loss_sum(model.read(batch.inputs, batch.mask).hidden[kept], batch.targets[kept])

    def _read(self, batch: Batch, state: Any) -> tuple[Read, Any]:
        """The whole window, and the detached state from which the next one begins."""
        model: LanguageModel = self.model  # type: ignore[assignment]
        advance, T = int(batch.extra.get("advance", torch.tensor(batch.inputs.shape[1]))), batch.inputs.shape[1]
        if advance in (0, T) or not model.encoder.stateful:
            read = model.read(batch.inputs, batch.mask, state)
            return read, state if advance == 0 else detached(read.state)
        first = model.read(batch.inputs[:, :advance], batch.mask[:, :advance], state)
        rest = model.read(batch.inputs[:, advance:], batch.mask[:, advance:], first.state)
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
        self, epoch: int, batch_idx: int, optimizer: Optimizer | Any, optimizer_closure: Any = None
    ) -> None:
        """With chunks of drawn lengths, a step's rate follows its length."""
        if self.chunk_length is None:
            super().optimizer_step(epoch, batch_idx, optimizer, optimizer_closure)
            return
        rates = [group["lr"] for group in optimizer.param_groups]

        def closure() -> Any:  # an optimiser reads its rate after it has called this
            loss = optimizer_closure()
            share = sum(self._shares) / len(self._shares)  # of all chunks whose gradients were accumulated
            self._shares.clear()
            for group, rate in zip(optimizer.param_groups, rates, strict=True):
                group["lr"] = rate * share
            return loss

        super().optimizer_step(epoch, batch_idx, optimizer, closure)
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = rate

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        self._evaluate(batch, self.val_loss, self.val_accuracy)

    def on_validation_epoch_end(self) -> None:
        self._log("val", "validation", self.val_loss, self.val_accuracy)

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        self._evaluate(batch, self.test_loss, self.test_accuracy)

    def on_test_epoch_end(self) -> None:
        self._log("test", "test", self.test_loss, self.test_accuracy)

    def _evaluate(self, batch: Batch, loss: Any, accuracy: Any) -> None:
        if self.evaluation == "reset" or _fresh(batch):
            self._evaluated = None
        read, self._evaluated = self._read(batch, self._evaluated)
        targets = batch.targets[batch.target_mask]
        if len(targets):
            model: LanguageModel = self.model  # type: ignore[assignment]
            losses, hits = token_scores(model.softmax, read.hidden[batch.target_mask], targets, model.size)
            loss.update(losses)
            accuracy.update(hits.float())

    def _log(self, prefix: str, split: str, loss: Any, accuracy: Any) -> None:
        nats = loss.compute()
        values = {"loss": nats, "perplexity": nats.exp(), "accuracy": accuracy.compute()}
        if split in self.characters:
            values["bits_per_character"] = nats / math.log(2) * self.characters[split]
        self.log_evaluation(prefix, values)
        loss.reset()
        accuracy.reset()
        self._evaluated = None

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_save_checkpoint(checkpoint)
        if self._state is not None:
            checkpoint["carried_state"] = in_column_order(self._state, self.all_gather, self.world)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        saved = checkpoint.get("carried_state")
        if saved is not None and self.attached is not None:
            self._state = columns_of_rank(saved, self.attached.global_rank, self.world)


def _fresh(batch: Batch) -> bool:
    """Whether a pass begins with this batch; sequences that stand each by itself say nothing, and always begin."""
    fresh = batch.extra.get("fresh")
    return True if fresh is None else bool(fresh)
