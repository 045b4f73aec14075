"""Stop training before an optimiser step with non-finite numbers."""

from __future__ import annotations

import logging
import math
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor
from torch.nn.utils import get_total_norm
from torch.optim import Optimizer

from lightning_seq.errors import UserError, near
from lightning_seq.spec import Batch

POLICIES = ("stop", "skip", "halve", "ignore")
NAMED = 8
"""Samples that a message names."""

log = logging.getLogger("lightning_seq")


class NotFiniteError(UserError):
    """A loss, a gradient or a weight is infinite or not a number."""


class FiniteGuard(Callback):
    """Looks at the loss, every gradient and every weight before each step of the optimiser.

    policy: `stop` ends the run; `skip` leaves the step out; `halve` leaves it out and halves the learning rate from
            then on. A weight that is not finite ends the run whatever the policy: nothing could mend it.
    times:  how many steps `skip` and `halve` leave out before they end the run.

    With `16-mixed` precision gradients are left to the gradient scaler, which meets infinite ones in the normal course
    of things.

    Raises UserError for an unknown policy, and NotFiniteError, which names the step and the samples.
    """

    def __init__(self, policy: str = "stop", times: int = 10) -> None:
        if policy not in POLICIES:
            raise UserError(f"callbacks.finite_guard.policy is {policy!r}: {near(str(policy), POLICIES)}")
        if type(times) is not int or times < 0:
            raise UserError(f"callbacks.finite_guard.times is {times!r}, expected a whole number of at least 0")
        self.policy, self.times = policy, times
        self.left_out = 0
        self._losses: list[Tensor] = []
        self._ids: list[Tensor] = []
        self._halve = False

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Batch, batch_idx: int) -> None:
        self._ids.append(batch.ids)

    def on_before_backward(self, trainer: Trainer, pl_module: LightningModule, loss: Tensor) -> None:
        self._losses.append(loss.detach())

    def on_before_optimizer_step(self, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer) -> None:
        weights = [weight for group in optimizer.param_groups for weight in group["params"]]
        scaled = trainer.precision == "16-mixed"
        gradients = [] if scaled else [weight.grad for weight in weights if weight.grad is not None]
        losses, ids = self._losses, self._ids
        self._losses, self._ids = [], []
        fine = are_finite([*losses, *gradients, *weights])
        if trainer.world_size > 1:  # a loss is of one rank alone
            fine = trainer.strategy.reduce_boolean_decision(fine, all=True)
        if fine:
            return
        what = "weight" if not are_finite(weights) else "loss" if not are_finite(losses) else "gradient"
        said = f"a {what} is not finite at step {trainer.global_step + 1} (epoch {trainer.current_epoch + 1}), "
        said += f"samples {named(ids)}"
        if what == "weight" or self.policy == "stop" or self.left_out >= self.times:
            raise NotFiniteError(f"{said}{self._advice(optimizer, what)}")
        self.left_out += 1
        for weight in weights:
            weight.grad = None  # an optimiser leaves alone what has no gradient
        self._halve = self.policy == "halve"
        left = "the step is left out" + (" and the learning rate halved" if self._halve else "")
        log.warning("%s: %s (%d of %d times)", said, left, self.left_out, self.times)

    def _advice(self, optimizer: Optimizer, what: str) -> str:
        rate = optimizer.param_groups[0]["lr"]
        advice = f": lower optimizer.lr (the rate is {float(rate):g}) or trainer.gradient_clip_val"
        if what == "weight" or self.policy != "stop":
            return advice
        return f"{advice}, or leave such steps out with callbacks.finite_guard.policy=skip"

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Batch, batch_idx: int
    ) -> None:
        if not self._halve:
            return
        self._halve = False  # not before: a task may set the rate around a step
        for optimizer in trainer.optimizers:
            for group in optimizer.param_groups:
                for name in {"lr", "initial_lr"} & group.keys():
                    group[name] = group[name] / 2
        for config in trainer.lr_scheduler_configs:
            rates = getattr(config.scheduler, "base_lrs", None)
            if rates is not None:
                config.scheduler.base_lrs = [rate / 2 for rate in rates]

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.state.fn == "fit":
            self._check_weights(trainer, pl_module)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._check_weights(trainer, pl_module)

    def _check_weights(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not are_finite(list(pl_module.parameters())):
            advice = self._advice(trainer.optimizers[0], "weight")
            raise NotFiniteError(f"a weight is not finite after step {trainer.global_step}{advice}")

    def state_dict(self) -> dict[str, Any]:
        return {"left_out": self.left_out}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.left_out = int(state_dict["left_out"])


@torch.no_grad()
def are_finite(tensors: list[Tensor]) -> bool:
    """Their norm is finite where they all are; only where it is not, each number is asked: squares may overflow."""
    if not tensors:
        return True
    if all(tensor.is_cpu for tensor in tensors):  # a number at a time: half of what the one norm of all takes
        norm = sum(float(torch.linalg.vector_norm(tensor)) for tensor in tensors)
        return math.isfinite(norm) or each_is_finite(tensors)
    return bool(get_total_norm(tensors, 2.0).isfinite()) or each_is_finite(tensors)


def each_is_finite(tensors: list[Tensor]) -> bool:
    return all(bool(tensor.isfinite().all()) for tensor in tensors)


def named(ids: list[Tensor]) -> str:
    """`4 17 33 and 5 more`."""
    numbers = [number for each in ids for number in each.flatten().tolist()]
    more = len(numbers) - NAMED
    return " ".join(map(str, numbers[:NAMED])) + (f" and {more} more" if more > 0 else "")
