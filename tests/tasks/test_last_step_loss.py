"""The last loss of each kind of task: a sum over rows, each read at its last target (or its first)."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from lightning_seq.cells.elman import ElmanCell
from lightning_seq.embeddings.layer import Embedding, Vectors
from lightning_seq.models.classifier import Classifier
from lightning_seq.models.crf import LinearChainCRF
from lightning_seq.models.recurrent import RecurrentEncoder
from lightning_seq.models.set_model import SetModel
from lightning_seq.spec import COUNTED, Batch
from lightning_seq.tasks.classification import SequenceClassification
from lightning_seq.tasks.sequences_of_sets import SequencesOfSets
from lightning_seq.tasks.task import Task, at_end
from tests.tasks import test_language_modelling as language
from tests.tasks import test_regression as numbers
from tests.tasks import test_sequence_to_sequence as translation
from tests.tasks import test_tagging as tagging

SGD = partial(torch.optim.SGD, lr=0.1)


def places(counts: Tensor, reverse: bool) -> list[tuple[int, int]]:
    """Row and step of the last (the first) target that counts, by a loop."""
    found = []
    for row, line in enumerate(counts.tolist()):
        true = [step for step, counted in enumerate(line) if counted]
        if true:
            found.append((row, true[0 if reverse else -1]))
    return found


def test_at_end() -> None:
    counts = torch.tensor([[1, 1, 0, 1], [0, 0, 0, 0], [0, 1, 1, 0]], dtype=torch.bool)
    assert at_end(counts).nonzero().tolist() == [[0, 3], [2, 2]]
    assert at_end(counts, reverse=True).nonzero().tolist() == [[0, 0], [2, 1]]


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("crf", [False, True])
def test_tagging(crf: bool, reverse: bool) -> None:
    """-log of the tag's own probability: for a CRF its marginal. Intents have no part in it."""
    task, batch = tagging.made(), tagging.batch()
    if crf:
        task.model.crf = LinearChainCRF(len(tagging.NAMES))
    scores, _ = task.model(batch.inputs, batch.mask, batch.extra)
    own = task.model.probabilities(scores, batch.mask)
    where = places(batch.target_mask, reverse)
    assert places(batch.target_mask, reverse) != places(batch.target_mask, not reverse)
    expected = sum(-own[row, step, batch.targets[row, step]].log() for row, step in where)
    torch.testing.assert_close(task.last_step_loss(batch, reverse), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("loss", ["cross_entropy", "ranking"])
def test_classification(loss: str) -> None:
    """Neither weighted nor smoothed; a stand-in does not count."""
    torch.manual_seed(0)
    model = Classifier(Embedding(9, 4), RecurrentEncoder(4, ElmanCell, 5), 3, pooling="last")
    weights = torch.tensor([1.0, 5.0, 9.0]) if loss == "cross_entropy" else None
    given: dict[str, Any] = {"loss": loss, "class_weights": weights}
    task = SequenceClassification(model, 3, SGD, label_smoothing=0.3 if weights is not None else 0.0, **given)
    inputs, targets = torch.randint(1, 9, (4, 6)), torch.tensor([0, 1, 2, 1])
    mask, counts = torch.ones(4, 6, dtype=torch.bool), torch.tensor([True, True, True, False])
    batch = Batch(torch.arange(4), inputs, mask, targets, counts, 3)
    scores = model(inputs, mask)[:3]
    if loss == "cross_entropy":
        expected = functional.cross_entropy(scores, targets[:3], reduction="sum")
    else:
        expected = task._losses(scores, targets[:3]).sum()
    torch.testing.assert_close(task.last_step_loss(batch), expected)
    torch.testing.assert_close(task.last_step_loss(batch, reverse=True), expected)


def test_language_modelling() -> None:
    task, ids = language.task_of(), language.text(8)
    (batch,) = language.chunks(ids, [8])
    scores, _ = task.model(ids[:, :-1], torch.ones_like(ids[:, :-1], dtype=torch.bool))
    for reverse, step in ((False, -1), (True, 0)):
        expected = functional.nll_loss(scores[:, step], ids[:, 1:][:, step], reduction="sum")
        torch.testing.assert_close(task.last_step_loss(batch, reverse), expected)
    task.training_step(batch, 0)
    carried = task._state
    torch.testing.assert_close(
        task.last_step_loss(batch), functional.nll_loss(scores[:, -1], ids[:, -1], reduction="sum")
    )
    assert task._state is carried, "what is carried from batch to batch stays as it was"


@pytest.mark.parametrize("reverse", [False, True])
def test_bits(reverse: bool) -> None:
    """Of the last step that has a bit which counts; of its bits those that count."""
    task, batch = numbers.bits(), numbers.batch(of_steps=True)
    extra = {COUNTED: batch.extra[COUNTED].clone()}
    extra[COUNTED][3, 3] = False
    extra[COUNTED][3, 0] = False
    batch = replace(batch, extra=extra)
    counts = batch.target_mask[..., None] & extra[COUNTED]
    scores = task.model(batch.inputs, batch.mask)[0]
    losses = functional.binary_cross_entropy_with_logits(scores, batch.targets.float(), reduction="none")
    where = places(counts.any(-1), reverse)
    assert (3, 1 if reverse else 2) in where
    expected = sum(losses[row, step][counts[row, step]].sum() for row, step in where)
    torch.testing.assert_close(task.last_step_loss(batch, reverse), expected)


def test_regression() -> None:
    task, batch = numbers.regression(), numbers.batch(of_steps=False)
    found = task.model(batch.inputs, batch.mask)[batch.target_mask]
    expected = (found - batch.targets[batch.target_mask]).square().mean(-1).sum()
    torch.testing.assert_close(task.last_step_loss(batch), expected)


def test_sequences_of_sets() -> None:
    torch.manual_seed(0)
    task = SequencesOfSets(SetModel(Vectors(3), RecurrentEncoder(3, ElmanCell, 5), 2), SGD)
    batch = replace(numbers.batch(of_steps=True), extra={})
    scores = task.model(batch.inputs, batch.mask)[0]
    losses = functional.binary_cross_entropy_with_logits(scores, batch.targets.float(), reduction="none").sum(-1)
    expected = sum(losses[row, step] for row, step in places(batch.target_mask, reverse=False))
    torch.testing.assert_close(task.last_step_loss(batch), expected)


@pytest.mark.parametrize("reverse", [False, True])
def test_sequence_to_sequence(reverse: bool) -> None:
    """The end of the sentence, given the true symbols before it, without smoothing."""
    task, batch = translation.made(label_smoothing=0.3), translation.batch()
    found, targets = translation.scores(task, batch)
    ends = batch.target_mask.sum(1).cumsum(0) - 1
    expected = functional.cross_entropy(found[ends], targets[ends], reduction="sum")
    torch.testing.assert_close(task.last_step_loss(batch, reverse), expected)


def test_a_task_that_does_not_say_it() -> None:
    class Mute(Task):
        """A task that leaves it out."""

    with pytest.raises(TypeError, match=r"abstract class Mute .*last_step_loss"):
        Mute(torch.nn.Linear(1, 1), SGD, None, "val/loss", 1)  # type: ignore[abstract]
