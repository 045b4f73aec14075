"""The loss of sequence to sequence against a sum written out; what it measures and what it writes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from lightning_seq.attention.additive import AdditiveScorer
from lightning_seq.cells.gru import GRUCell
from lightning_seq.embeddings.layer import Embedding
from lightning_seq.errors import UserError
from lightning_seq.models.encoder_decoder import EncoderDecoder, coverage_penalty
from lightning_seq.spec import Batch
from lightning_seq.tasks.detokenizer import Detokenizer
from lightning_seq.tasks.sequence_to_sequence import SequenceToSequence
from lightning_seq.tasks.teacher_forcing import TeacherForcing
from lightning_seq.text.vocabulary import EOS

V, LENGTHS, TARGETS = 9, torch.tensor([4, 2, 3]), torch.tensor([5, 3, 1])


def batch(real: Sequence[bool] = (True, True, True)) -> Batch:
    generator = torch.Generator().manual_seed(2)
    mask = torch.arange(4) < LENGTHS[:, None]
    target_mask = torch.arange(5) < TARGETS[:, None]
    targets = torch.randint(4, V, (3, 5), generator=generator)
    targets[torch.arange(3), TARGETS - 1] = EOS
    counted = target_mask & torch.tensor(real)[:, None]
    alignments = torch.zeros(3, 5, 4, dtype=torch.bool)
    alignments[:, 0, 0] = True
    return Batch(
        ids=torch.tensor([7, 0, 3]),
        inputs=torch.randint(4, V, (3, 4), generator=generator).masked_fill(~mask, 0),
        mask=mask,
        targets=targets.masked_fill(~target_mask, 0),
        target_mask=counted,
        count=int(counted.sum()),
        extra={"alignments": alignments},
    )


def text(ids: Sequence[int]) -> str:
    return " ".join(str(number) for number in ids if number != EOS)


def made(attention: Any = AdditiveScorer, **settings: Any) -> SequenceToSequence:
    torch.manual_seed(1)
    model = EncoderDecoder(Embedding(V, 5), Embedding(V, 5), V, GRUCell, attention, hidden_size=6)
    whole = batch()
    rows = {int(number): row for row, number in zip(whole.targets.tolist(), whole.ids, strict=True)}
    by_id = {number: row[: row.index(EOS)] for number, row in rows.items()}
    readable = Detokenizer(text, lambda split, number: text(by_id[number]), "none", False)
    task = SequenceToSequence(model, readable, torch.optim.SGD, **settings)
    task._trainer = SimpleNamespace(world_size=1, global_step=0, accumulate_grad_batches=1)  # type: ignore[assignment]
    return task


def scores(task: SequenceToSequence, given: Batch) -> tuple[Tensor, Tensor]:
    """Of every target that counts: scores `[N, V]`, and the targets."""
    written = task.model(given.inputs, given.mask, given.targets, given.target_mask)  # type: ignore[operator]
    found = task.model.softmax.log_probabilities(written.hidden[given.target_mask])  # type: ignore[operator, union-attr]
    return found, given.targets[given.target_mask]


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_the_training_loss(smoothing: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mean over the global batch's targets: of two ranks each has its sum, times two, over all."""
    task, given = made(label_smoothing=smoothing), batch()
    expected = functional.cross_entropy(*scores(task, given), label_smoothing=smoothing, reduction="sum")
    monkeypatch.setattr(SequenceToSequence, "global_step", 0)
    torch.testing.assert_close(task.training_step(given, 0), expected / given.count)
    task._trainer = SimpleNamespace(world_size=2, accumulate_grad_batches=1)  # type: ignore[assignment]
    torch.testing.assert_close(task.training_step(replace(given, count=40), 0), expected * 2 / 40)


def test_attending_twice_costs(monkeypatch: pytest.MonkeyPatch) -> None:
    given = batch()
    monkeypatch.setattr(SequenceToSequence, "global_step", 0)
    plain, penalised = made(), made(coverage_penalty=0.7)
    written = plain.model(given.inputs, given.mask, given.targets, given.target_mask)  # type: ignore[operator]
    more = 0.7 * coverage_penalty(written.weights, given.target_mask) / given.count
    assert float(more) > 0.01
    torch.testing.assert_close(penalised.training_step(given, 0), plain.training_step(given, 0) + more)


def test_how_often_the_truth_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    """ε of the schedule at the optimiser's step; what is left of 1 is drawn from the model."""
    task, given = made(teacher_forcing=TeacherForcing("linear", 1.0, 0.25, 100)), batch()
    asked = []
    forward = task.model.forward

    def watched(*arguments: Any) -> Any:
        asked.append(arguments[4])
        return forward(*arguments)

    monkeypatch.setattr(task.model, "forward", watched)
    for step in (0, 50, 1000):
        monkeypatch.setattr(SequenceToSequence, "global_step", step)
        task.training_step(given, 0)
    assert asked == [0.0, 0.375, 0.75]


def logged(task: SequenceToSequence, given: Batch, split: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    found: dict[str, float] = {}
    monkeypatch.setattr(task, "log_evaluation", lambda name, values: found.update({"split": name, **values}))
    task.eval()
    with torch.no_grad():
        getattr(task, f"{split}_step")(given, 0)
        getattr(task, f"on_{split}_epoch_end")()
    return {name: value if isinstance(value, str) else float(value) for name, value in found.items()}


@pytest.mark.parametrize("split", ["validation", "test"])
def test_what_is_measured(split: str, monkeypatch: pytest.MonkeyPatch) -> None:
    task, given = made(label_smoothing=0.3), batch()
    found, targets = scores(task.eval(), given)
    values = logged(task, given, split, monkeypatch)
    nats = float(functional.nll_loss(found, targets))  # smoothing is of training alone
    assert values["split"] == {"validation": "val", "test": "test"}[split]
    assert values["loss"] == pytest.approx(nats, rel=1e-5)
    assert values["perplexity"] == pytest.approx(math.exp(nats), rel=1e-5)
    assert values["accuracy"] == pytest.approx(float((found.argmax(1) == targets).double().mean()))
    assert {"bleu", "chrf", "exact_match"} <= values.keys()
    assert ("attention_entropy" in values) == ("alignment_error_rate" in values) == (split == "test")
    assert [number for number, _, _ in task.written] == [0, 3, 7]
    each = torch.split(-found.gather(1, targets[:, None])[:, 0], TARGETS.tolist())
    by_id = {number: float(losses.mean()) for number, losses in zip(given.ids.tolist(), each, strict=True)}
    assert {number: loss for number, loss, _ in task.written} == pytest.approx(by_id, rel=1e-5)
    if split == "test":
        weights = task.model(given.inputs, given.mask, given.targets, given.target_mask).weights  # type: ignore[operator]
        wrong = [float(row[0, :length].argmax()) != 0 for row, length in zip(weights, LENGTHS.tolist(), strict=True)]
        assert values["alignment_error_rate"] == pytest.approx(sum(wrong) / 3)
        entropies = torch.special.entr(weights).sum(-1)[given.target_mask]
        assert values["attention_entropy"] == pytest.approx(float(entropies.mean()), rel=1e-5)
        assert task.tables["by_position"]["n"] == [3, 2, 2, 1, 1]


def test_validation_is_greedy_and_the_test_a_beam(monkeypatch: pytest.MonkeyPatch) -> None:
    task, given = made(), batch()
    greedy = [found[0].tokens for found in task._greedy(given.inputs, given.mask)]
    best = [found[0].tokens for found in task._beam(given.inputs, given.mask)]
    assert greedy != best  # so that the next lines can tell one from the other
    for split, expected in (("validation", greedy), ("test", best)):
        logged(task, given, split, monkeypatch)
        order = torch.argsort(given.ids).tolist()
        assert [tokens for _, _, tokens in task.written] == [expected[row] for row in order]
    assert [len(found[0].tokens) for found in task(given.inputs, given.mask)] == list(map(len, best))
    assert task.limits(given.mask).tolist() == (2 * LENGTHS + 10).tolist()


def test_a_stand_in_counts_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does a share of stand-ins alone, whose loss still has a gradient for every parameter."""
    task, given = made(), batch((True, False, True))
    assert logged(task, given, "test", monkeypatch)["split"] == "test"
    assert [number for number, _, _ in task.written] == [3, 7]
    monkeypatch.setattr(SequenceToSequence, "global_step", 0)
    nothing = replace(batch((False, False, False)), count=5)
    task.train()
    loss = task.training_step(nothing, 0)
    loss.backward()
    assert float(loss.detach()) == 0
    assert all(parameter.grad is not None for parameter in task.parameters())
    task.test_step(nothing, 0)
    assert task._rows == []


def test_unknown_alignments_are_no_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    given = replace(batch(), extra={})
    assert "alignment_error_rate" not in logged(made(), given, "test", monkeypatch)
    assert "attention_entropy" not in logged(made(None), given, "test", monkeypatch)


@pytest.mark.parametrize(
    "wrong",
    [
        {"label_smoothing": 1.0},
        {"coverage_penalty": -1.0},
        {"attention": None, "coverage_penalty": 1.0},
        {"length_factor": 0.0, "length_extra": 0},
        {"monitor": "val/blue"},
    ],
)
def test_wrong_settings(wrong: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=r"task\."):
        made(**wrong)
