"""Put a run together from its configuration: data, word vectors, model and task."""

from __future__ import annotations

from dataclasses import dataclass

from lightning_seq.builders.build import build_data, build_model, build_task
from lightning_seq.builders.inputs import Inputs, build_inputs, initialise
from lightning_seq.config.tree import Config
from lightning_seq.data.module import DataModule, PreparedData, Reader
from lightning_seq.files import Plain
from lightning_seq.identity import config_identity
from lightning_seq.models.parameters import count_parameters
from lightning_seq.tasks.task import Task
from lightning_seq.training.checkpoints import checkpoint_metadata
from lightning_seq.training.resume import run_identity
from lightning_seq.training.run_record import world_size


@dataclass(frozen=True)
class Assembled:
    """A run before its first step.

    config:     the run's configuration, with the width of its word vectors as `embedding.size`.
    identity:   the values that a checkpoint must share with this run to be resumed; see `resume.run_identity`.
    parameters: their number, by part of the model.
    """

    config: Config
    data: DataModule[PreparedData, Reader]
    inputs: Inputs
    task: Task
    identity: dict[str, Plain]
    parameters: dict[str, int]


def assemble(config: Config) -> Assembled:
    """Build data, model and task; the parameters are initialised from the seed.

    Raises UserError for data, vectors or an architecture that cannot be built.
    """
    data = build_data(config)
    identity = run_identity(config_identity(config), data, world_size())
    inputs = build_inputs(config, data)
    config = {**config, "embedding": {**config["embedding"], "size": inputs.width}}
    model = build_model(config, data.spec, inputs.width)
    initialise(model, config, inputs)
    task = build_task(config, data, model)
    task.checkpoint_metadata = checkpoint_metadata(config, data)
    return Assembled(config, data, inputs, task, identity, count_parameters(model))
