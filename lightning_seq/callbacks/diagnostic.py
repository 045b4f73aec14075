"""The base classes of callbacks that write how a model behaves as it learns."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

from lightning.pytorch import Callback, LightningModule, Trainer
from torch import nn

from lightning_seq.callbacks.probe import Cost, chosen_rows, sentences_of
from lightning_seq.data.module import DataModule, PreparedData, Reader
from lightning_seq.files import Plain, write_json
from lightning_seq.layers.recurrent import Recurrent
from lightning_seq.spec import Batch


class ModelWriter(Callback, ABC):
    """Writes a file about the model after each validation of a training, on rank 0. Training is the same without it.

    directory: of the run.
    results:   so far, as plain values for a checkpoint.
    cost:      seconds and calls, outside the training time.
    """

    FILE: ClassVar[str]
    STATE: ClassVar[str] = "found"
    """Key of `results` in a checkpoint."""

    def __init__(self, directory: Path) -> None:
        self.directory, self.cost = directory, Cost()
        self.results: Plain = {}

    @classmethod
    def fits(cls, task: LightningModule) -> bool:
        """Whether the file is for this kind of task and model."""
        return True

    @abstractmethod
    def look(self, trainer: Trainer, task: LightningModule, epoch: int) -> None:
        """Write the results after this epoch, counted from 1; 0 is before training."""

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.state.fn == "fit" and trainer.is_global_zero and self.fits(pl_module):
            with self.cost.counted():
                self.look(trainer, pl_module, trainer.current_epoch + 1)

    def write(self, results: dict[str, Plain]) -> None:
        self.results = results
        write_json(self.directory / self.FILE, self.results)

    def state_dict(self) -> dict[str, Plain]:
        return {self.STATE: self.results}

    def load_state_dict(self, state_dict: dict[str, Plain]) -> None:
        self.results = state_dict[self.STATE]


class Diagnostic(ModelWriter):
    """Runs the model on a probe: validation samples, the same for every architecture. A checkpoint keeps its cost.

    NEEDS: what a task must have, in words.
    """

    NEEDS: ClassVar[str] = "a recurrence that reads the inputs"

    @classmethod
    def fits(cls, task: LightningModule) -> bool:
        encoder = getattr(task.model, "encoder", None)
        return isinstance(encoder, nn.Module) and any(isinstance(part, Recurrent) for part in encoder.modules())

    def __init__(self, directory: Path, data: object, probe: Batch) -> None:
        super().__init__(directory)
        self.probe = probe

    def state_dict(self) -> dict[str, Plain]:
        return {**super().state_dict(), "cost": self.cost.plain()}

    def load_state_dict(self, state_dict: dict[str, Plain]) -> None:
        super().load_state_dict(state_dict)
        self.cost.restore(state_dict["cost"])


class SentenceDiagnostic(Diagnostic):
    """Shows some sentences of the probe. rows: their rows in it."""

    NEEDS = "a recurrence with a step for each input"

    @classmethod
    def fits(cls, task: LightningModule) -> bool:
        model = task.model
        return super().fits(task) and not any(
            getattr(part, "factor", 1) > 1 or getattr(part, "pyramid", False)
            for part in (model.modules() if isinstance(model, nn.Module) else ())
        )

    def __init__(self, directory: Path, data: DataModule[PreparedData, Reader], probe: Batch) -> None:
        super().__init__(directory, data, probe)
        self.spec, self.rows = data.spec, chosen_rows(probe, data.spec)
        self.sentences = sentences_of(probe, data.spec, self.rows)
