"""What all diagnostics share: a probe batch, the file they write, and the time they take."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, ClassVar

from lightning.pytorch import Callback, LightningModule, Trainer

from lightning_seq.callbacks.probe import Cost
from lightning_seq.files import Plain
from lightning_seq.spec import Batch


class Diagnostic(Callback, ABC):
    """Looks into a model after each validation of a training, on rank 0; training is the same with it and without.

    directory: of the run, in which the diagnostic writes its file.
    data:      the DataModule that the probe is from.
    probe:     validation samples, the same for every architecture.
    cost:      seconds and calls, outside the training time.
    """

    STATE: ClassVar[str] = "found"
    """Key of `found` in a checkpoint."""

    def __init__(self, directory: Path, data: Any, probe: Batch) -> None:
        self.directory, self.probe, self.cost = directory, probe, Cost()
        self.found: Plain = {}

    def fits(self, task: LightningModule) -> bool:
        """Whether the diagnostic is for this kind of task."""
        return True

    @abstractmethod
    def look(self, trainer: Trainer, task: LightningModule, epoch: int) -> None:
        """Write the findings after this epoch, counted from 1; 0 is before training."""

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.state.fn == "fit" and trainer.is_global_zero and self.fits(pl_module):
            with self.cost.counted():
                self.look(trainer, pl_module, trainer.current_epoch + 1)

    def state_dict(self) -> dict[str, Any]:
        return {self.STATE: self.found, "cost": self.cost.plain()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.found = state_dict[self.STATE]
        self.cost.restore(state_dict["cost"])
