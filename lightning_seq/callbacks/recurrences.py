"""The states and gates of each recurrence of a model at every step of a batch."""

from __future__ import annotations

import re
from dataclasses import dataclass

import torch
from lightning.pytorch import LightningModule
from torch import Tensor, nn

from lightning_seq.callbacks.probe import looking
from lightning_seq.cells.cell import Cell
from lightning_seq.cells.combined import CombinedCell
from lightning_seq.layers.mask import lengths_of, reverse
from lightning_seq.layers.recurrent import Recurrent, watched
from lightning_seq.models.answerer import Answerer
from lightning_seq.models.dialog_answerer import DialogAnswerer
from lightning_seq.models.encoder_decoder import EncoderDecoder
from lightning_seq.models.language_model import LanguageModel
from lightning_seq.models.tagger import Tagger
from lightning_seq.records.sentences import Place
from lightning_seq.spec import Batch


@dataclass(frozen=True)
class Recurrence:
    """One recurrence of an encoder, on the CPU.

    place:   its layer and its direction (`forward`, `backward` or `combined`); steps are in the order of the tokens.
    outputs: `[B, T, H]`, the input of the layer above.
    states:  `[B, T, …]` for each tensor of the state.
    gates:   by name, `[B, T, H]`.
    """

    place: Place
    cell: Cell
    outputs: Tensor
    states: tuple[Tensor, ...]
    gates: dict[str, Tensor]

    @property
    def finite(self) -> bool:
        return all(bool(torch.isfinite(tensor).all()) for tensor in (self.outputs, *self.states, *self.gates.values()))


def place_of(name: str, layer: Recurrent, reverse: bool) -> Place:
    """The place of a layer from its name in the encoder."""
    numbers = re.findall(r"\d+", name)
    direction = "combined" if isinstance(layer.cell, CombinedCell) else "backward" if reverse else "forward"
    return Place(int(numbers[-1]) + 1 if numbers else 1, direction)


@torch.no_grad()
def recurrences(model: nn.Module, batch: Batch) -> list[Recurrence]:
    """The recurrences of the model's encoder, from the input up. The model must be in evaluation, as in `looking`."""
    names = {module: name for name, module in model.get_submodule("encoder").named_modules()}
    with watched() as seen:
        _read(model, batch)
    reversed_source = isinstance(model, EncoderDecoder) and model.reverse_source
    lengths = lengths_of(batch.inputs, batch.mask)

    def in_order(tensor: Tensor) -> Tensor:
        return (reverse(tensor, lengths) if reversed_source else tensor).cpu()

    return [
        Recurrence(
            place_of(names[layer], layer, layer.reverse != reversed_source),
            layer.cell,
            in_order(run.outputs),
            tuple(in_order(tensor) for tensor in run.trace.states),
            {name: in_order(gate) for name, gate in run.trace.gates.items()},
        )
        for layer, _, _, run in seen
        if layer in names and run.trace is not None  # others may read the characters of words
    ]


def probed(task: LightningModule, probe: Batch) -> list[Recurrence]:
    """`recurrences` of a task's model on the probe; the model stays as it was."""
    model = task.get_submodule("model")
    with looking(model):
        return recurrences(model, probe.to(task.device))


def _read(model: nn.Module, batch: Batch) -> None:
    """Run the encoder, without softmax or decoder where possible."""
    if isinstance(model, LanguageModel):
        model.read(batch.inputs, batch.mask)
    elif isinstance(model, EncoderDecoder):
        model.encode(batch.inputs, batch.mask)
    elif isinstance(model, Answerer | DialogAnswerer):
        model.read(batch.inputs, batch.mask)
    elif isinstance(model, Tagger):
        model(batch.inputs, batch.mask, batch.extra)
    else:
        model(batch.inputs, batch.mask)
