"""The probe of the diagnostics: a few validation samples, the same for every architecture; and the cost of using it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from time import perf_counter
from typing import TYPE_CHECKING

import torch
from torch import nn

from lightning_seq.files import Plain
from lightning_seq.records.sentences import Sentence
from lightning_seq.spec import Batch, Class, DataSpec, Tokens

if TYPE_CHECKING:
    from lightning_seq.data.module import DataModule, PreparedData, Reader

SENTENCES, LONGEST = 4, 30
"""The number of sentences that are shown, and of their words."""


def probe_batch(data: DataModule[PreparedData, Reader], rows: int) -> Batch:
    """Up to `rows` samples of the batch in the middle of the validation split (batches go by length: a usual length).

    They depend on the data alone, never on a seed or a model. `count` is the targets of these rows.
    """
    batches = data.val_dataloader()
    middle = len(batches) // 2
    batch = next(batch for number, batch in enumerate(batches) if number == middle)
    parts = {
        item.name: getattr(batch, item.name)[:rows] for item in fields(batch) if item.name not in ("count", "extra")
    }
    extra = {
        name: tensor[:rows] if tensor.shape[:1] == batch.ids.shape else tensor for name, tensor in batch.extra.items()
    }
    return replace(batch, **parts, extra=extra, count=int(parts["target_mask"].sum()))


def spread(order: list[int], parts: int = SENTENCES) -> list[int]:
    """The middle of each of so many equal parts, without repetitions."""
    return list(dict.fromkeys(order[len(order) * (2 * part + 1) // (2 * parts)] for part in range(parts)))


def chosen_rows(probe: Batch, spec: DataSpec) -> list[int]:
    """Up to `SENTENCES` rows of the probe, of different lengths and, for a classifier, of different classes.

    Rows of more than `LONGEST` steps are taken only if all are longer.
    """
    lengths = probe.mask.sum(1).tolist()
    short = [row for row, length in enumerate(lengths) if length <= LONGEST] or list(range(len(lengths)))
    order = sorted(short, key=lambda row: (lengths[row], row))
    if not isinstance(spec.targets, Class):
        return spread(order)
    classes = probe.targets.tolist()
    first = {classes[row]: row for row in reversed(order)}
    of_classes = [first[name] for name in sorted(first)]
    return (of_classes + [row for row in order if row not in of_classes])[:SENTENCES]


def words_of(probe: Batch, spec: DataSpec, row: int, most: int = LONGEST) -> list[str]:
    """The first words of a row, as the vocabulary has them; without a vocabulary the numbers of the steps, from 1."""
    steps = min(int(probe.mask[row].sum()), most)
    if isinstance(spec.inputs, Tokens):
        return [spec.inputs.words[number] for number in probe.inputs[row, :steps].tolist()]
    return [str(step) for step in range(1, steps + 1)]


def sentences_of(probe: Batch, spec: DataSpec, rows: list[int]) -> tuple[Sentence, ...]:
    """The first `LONGEST` words of each row."""
    return tuple(
        Sentence(int(probe.ids[row]), tuple(words_of(probe, spec, row)), int(probe.mask[row].sum()) > LONGEST)
        for row in rows
    )


class Cost:
    """Seconds and calls of a diagnostic, over all resumes."""

    def __init__(self) -> None:
        self.seconds, self.calls = 0.0, 0

    @contextmanager
    def counted(self) -> Iterator[None]:
        begun = perf_counter()
        try:
            yield
        finally:
            self.seconds += perf_counter() - begun
            self.calls += 1

    def plain(self) -> dict[str, Plain]:
        return {"seconds": round(self.seconds, 4), "calls": self.calls}

    def restore(self, plain: dict[str, Plain]) -> None:
        self.seconds, self.calls = float(plain["seconds"]), int(plain["calls"])


@contextmanager
def looking(model: nn.Module) -> Iterator[None]:
    """Evaluation mode with gradients; afterwards mode, gradients and random states are as before."""
    was_training = model.training
    gradients = [(weight, weight.grad) for weight in model.parameters()]
    for weight, _ in gradients:
        weight.grad = None
    model.eval()
    try:
        with torch.random.fork_rng(), torch.inference_mode(False), torch.enable_grad():
            yield
    finally:
        model.train(was_training)
        for weight, gradient in gradients:
            weight.grad = gradient
