"""Stop training before an optimiser step with non-finite numbers."""

from __future__ import annotations

import logging
import math

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor
from torch.nn.utils import get_total_norm
from torch.optim import Optimizer

from lightning_seq.errors import UserError, near
from lightning_seq.spec import Batch

POLICIES = ("stop", "skip", "halve", "ignore")
NAMED = 8
"""The most samples that a message names."""

log = logging.getLogger("lightning_seq")


class NotFiniteError(UserError):
    """A loss, a gradient or a weight is infinite or not a number."""


class FiniteGuard(Callback):
    """Checks the loss, every gradient and every weight before each step of the optimiser.

    policy: `stop` ends the run; `skip` leaves the step out; `halve` leaves it out and halves the learning rate. A
            weight that is not finite always ends the run.
    times:  the number of steps that `skip` and `halve` leave out before they end the run.

    With `16-mixed` precision the gradient scaler handles infinite gradients, which are normal there.

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
        step = f"step {trainer.global_step + 1} (epoch {trainer.current_epoch + 1})"
        message = f"a {what} is not finite at {step}, samples {named(ids)}"
        if what == "weight" or self.policy == "stop" or self.left_out >= self.times:
            raise NotFiniteError(f"{message}{self._advice(optimizer, what)}")
        self.left_out += 1
        for weight in weights:
            weight.grad = None  # an optimiser does not change a weight without a gradient
        self._halve = self.policy == "halve"
        halved = " and the learning rate halved" if self._halve else ""
        log.warning("%s: the step is left out%s (%d of %d times)", message, halved, self.left_out, self.times)

    def _advice(self, optimizer: Optimizer, what: str) -> str:
        rate = optimizer.param_groups[0]["lr"]
        advice = f": lower optimizer.lr (the rate is {float(rate):g}) or trainer.gradient_clip_val"
        if what == "weight" or self.policy != "stop":
            return advice
        return f"{advice}, or leave such steps out with callbacks.finite_guard.policy=skip"

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: object, batch: Batch, batch_idx: int
    ) -> None:
        if not self._halve:
            return
        self._halve = False  # only now, because a task may set the rate around a step
        for optimizer in trainer.optimizers:
            for group in optimizer.param_groups:
                for name in {"lr", "initial_lr"} & group.keys():
                    group[name] = group[name] / 2
        for config in trainer.lr_scheduler_configs:
            if hasattr(config.scheduler, "base_lrs"):
                config.scheduler.base_lrs = [rate / 2 for rate in config.scheduler.base_lrs]

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.state.fn == "fit":
            self._check_weights(trainer, pl_module)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._check_weights(trainer, pl_module)

    def _check_weights(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not are_finite(list(pl_module.parameters())):
            advice = self._advice(trainer.optimizers[0], "weight")
            raise NotFiniteError(f"a weight is not finite after step {trainer.global_step}{advice}")

    def state_dict(self) -> dict[str, int]:
        return {"left_out": self.left_out}

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        self.left_out = int(state_dict["left_out"])


@torch.no_grad()
def are_finite(tensors: list[Tensor]) -> bool:
    """Whether all numbers are finite. Each number is checked only if the norm is not finite: squares may overflow."""
    if all(tensor.is_cpu for tensor in tensors):  # takes half the time of the norm of all
        norm = sum(float(torch.linalg.vector_norm(tensor)) for tensor in tensors)
    else:
        norm = float(get_total_norm(tensors, 2.0))
    return math.isfinite(norm) or all(bool(tensor.isfinite().all()) for tensor in tensors)


def named(ids: list[Tensor]) -> str:
    """`4 17 33 and 5 more`."""
    numbers = [number for batch in ids for number in batch.flatten().tolist()]
    more = len(numbers) - NAMED
    return " ".join(map(str, numbers[:NAMED])) + (f" and {more} more" if more > 0 else "")
