"""Average the weights once validation no longer improves (NT-ASGD)."""

from __future__ import annotations

from lightning.pytorch import LightningModule, Trainer

from lightning_seq.errors import UserError
from lightning_seq.files import Plain
from lightning_seq.lightning_internals import SwitchedAveraging


class NonMonotonicAveraging(SwitchedAveraging):
    """The mean of the weights after every step, from a trigger on (NT-ASGD, Merity et al. 2018, algorithm 1).

    It begins after a validation that is no better than the best of all but the last n before it. From then on
    validations, checkpoints and the end of training use the averaged weights.

    patience: n, in validations, at least 1.
    monitor:  the metric that is compared; mode: whether its best value is the `min` or the `max`.
    """

    def __init__(self, patience: int, monitor: str = "val/loss", mode: str = "min") -> None:
        super().__init__(use_buffers=False)
        if type(patience) is not int or patience < 1:
            raise UserError(f"task.averaging is {patience}, expected a whole number of at least 1, or null")
        self.patience, self.monitor, self.sign = patience, monitor, 1.0 if mode == "min" else -1.0
        self.history: list[float] = []
        self.begun = False

    def should_update(self, step_idx: int | None = None, epoch_idx: int | None = None) -> bool:
        return self.begun and step_idx is not None

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.state.fn != "fit" or self.monitor not in trainer.callback_metrics:
            return
        value = self.sign * float(trainer.callback_metrics[self.monitor])
        earlier = self.history[: -self.patience]
        self.begun = self.begun or (bool(earlier) and value > min(earlier))
        self.history.append(value)

    @property
    def is_on(self) -> bool:
        return self.begun

    def state_dict(self) -> dict[str, Plain]:
        return {**super().state_dict(), "history": self.history, "begun": self.begun}

    def load_state_dict(self, state_dict: dict[str, Plain]) -> None:
        super().load_state_dict(state_dict)
        self.history, self.begun = list(state_dict["history"]), bool(state_dict["begun"])
