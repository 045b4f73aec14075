"""The task of tagging: what is summed, what is logged, what a test leaves behind."""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from lightning.pytorch import Trainer
from torch import Tensor
from torch.nn import functional
from torch.utils.data import DataLoader

from lightning_seq.cells.elman import ElmanCell
from lightning_seq.embeddings.layer import Embedding
from lightning_seq.errors import UserError
from lightning_seq.models.crf import LinearChainCRF
from lightning_seq.models.recurrent import RecurrentEncoder
from lightning_seq.models.tagger import Tagger
from lightning_seq.spec import Batch
from lightning_seq.tasks.tagging import NOT_COUNTED, Tagging, in_order

NAMES = ("O", "B-X", "I-X")
INTENTS = ("ask", "tell")
V, E = 9, 4


def made(crf: bool = False, intents: bool = True, **given: Any) -> Tagging:
    torch.manual_seed(0)
    model = Tagger(
        Embedding(V, E),
        partial(RecurrentEncoder, cell=ElmanCell, hidden_size=5, bidirectional=True),
        E,
        len(NAMES),
        crf=LinearChainCRF(len(NAMES), NAMES) if crf else None,
        intents=len(INTENTS) if intents else 0,
    )
    return Tagging(
        model, NAMES, partial(torch.optim.SGD, lr=0.1), intents=INTENTS if intents else (), log_every=1, **given
    )


def batch(rows: int = 6, seed: int = 0) -> Batch:
    """Sentences of 1 to 5 tokens; some tags and one intent do not count."""
    generator = torch.Generator().manual_seed(seed)
    lengths = 1 + torch.arange(rows) % 5
    mask = torch.arange(int(lengths.max())) < lengths[:, None]
    draw = partial(torch.randint, generator=generator)
    counts = mask & (draw(0, 5, mask.shape) > 0)
    counts[0, 0] = True
    intents = draw(0, 2, (rows,))
    intents[1] = NOT_COUNTED
    return Batch(
        ids=torch.arange(rows),
        inputs=torch.where(mask, draw(1, V, mask.shape), 0),
        mask=mask,
        targets=torch.where(counts, draw(0, 3, mask.shape), 0),
        target_mask=counts,
        count=int(counts.sum()),
        extra={"intents": intents},
    )


def share(whole: Batch, rank: int, world: int) -> Batch:
    part = slice(rank, None, world)
    return Batch(
        *(tensor[part] for tensor in (whole.ids, whole.inputs, whole.mask, whole.targets, whole.target_mask)),
        count=whole.count,
        extra={name: tensor[part] for name, tensor in whole.extra.items()},
    )


def stand_in(whole: Batch) -> Batch:
    one = share(whole, 0, len(whole.ids))
    return Batch(
        one.ids, one.inputs, one.mask, one.targets, torch.zeros_like(one.mask), whole.count,
        {"intents": torch.full((1,), NOT_COUNTED)},
    )  # fmt: skip


def gradients(task: Tagging, given: Batch, world: int) -> tuple[float, list[Tensor]]:
    task._trainer = SimpleNamespace(world_size=world, accumulate_grad_batches=1)  # type: ignore[assignment]
    loss = task.training_step(given, 0)
    return float(loss.detach()), list(torch.autograd.grad(loss, list(task.model.parameters())))


@pytest.mark.parametrize("crf", [False, True])
def test_two_ranks_give_the_loss_and_the_gradient_of_one(crf: bool) -> None:
    task, whole = made(crf), batch()
    loss, expected = gradients(task, whole, 1)
    for shares in ([share(whole, rank, 2) for rank in range(2)], [whole, stand_in(whole)]):
        parts = [gradients(task, part, 2) for part in shares]
        assert sum(part[0] for part in parts) / 2 == pytest.approx(loss, rel=1e-5)
        for one, two, both in zip(parts[0][1], parts[1][1], expected, strict=True):
            torch.testing.assert_close((one + two) / 2, both, rtol=1e-4, atol=1e-6)


def test_the_loss_is_per_token_and_an_intent_counts_as_a_token_of_its_sentence() -> None:
    whole = batch()
    task = made()
    scores, intents = task.model(whole.inputs, whole.mask, whole.extra)
    given, counts = whole.extra["intents"], whole.target_mask
    tags = functional.cross_entropy(scores[counts], whole.targets[counts], reduction="sum")
    of_intents = functional.cross_entropy(intents, given, ignore_index=NOT_COUNTED, reduction="sum")
    for weight in (1.0, 0.25):
        task.intent_weight = weight
        loss, _ = gradients(task, whole, 1)
        assert loss == pytest.approx(float(((tags + weight * of_intents) / counts.sum()).detach()), rel=1e-5)


def values_of_a_test(task: Tagging, batches: list[Batch]) -> dict[str, float]:
    trainer = Trainer(accelerator="cpu", logger=False, enable_progress_bar=False, enable_model_summary=False)
    trainer.test(task, DataLoader(batches, batch_size=None), verbose=False)  # type: ignore[arg-type]
    return {name: float(value) for name, value in trainer.callback_metrics.items()}


@pytest.mark.filterwarnings("ignore:.*does not have many workers")
@pytest.mark.parametrize("crf", [False, True])
def test_a_test_logs_what_its_rows_say(crf: bool) -> None:
    task, batches = made(crf), [batch(6, 1), batch(5, 2)]
    batches[1] = Batch(
        batches[1].ids + 6, *(getattr(batches[1], name) for name in ("inputs", "mask", "targets", "target_mask")),
        count=batches[1].count, extra=batches[1].extra,
    )  # fmt: skip
    logged = values_of_a_test(task, batches)
    assert {name for name in logged if name.startswith("test/")} == {
        f"test/{name}" for name in ("loss", "accuracy", "macro_f1", "f1", "precision", "recall", "intent_accuracy")
    }
    assert task.predictions is not None
    rows = task.predictions
    places = [(int(row[0]), int(row[1])) for row in rows]
    assert places == sorted(set(places))
    assert len(rows) == sum(int(given.mask.sum()) for given in batches)
    counted = rows[:, 2] != NOT_COUNTED
    assert int(counted.sum()) == sum(given.count for given in batches)
    assert not rows[~counted, 4].any()
    assert logged["test/accuracy"] == pytest.approx(float((rows[counted, 2] == rows[counted, 3]).double().mean()))
    confusion = torch.zeros(3, 3, dtype=torch.int64)
    for target, prediction in rows[counted, 2:4].long().tolist():
        confusion[target, prediction] += 1
    assert torch.equal(task.tables["confusion"], confusion)
    of_tags = 2 * confusion.diagonal() / (confusion.sum(0) + confusion.sum(1))
    assert logged["test/macro_f1"] == pytest.approx(float(of_tags.mean()))
    right, predicted, given = task.tables["span_counts"].sum(0).tolist()
    assert logged["test/precision"] == pytest.approx(right / max(predicted, 1))
    assert logged["test/recall"] == pytest.approx(right / max(given, 1))
    intents = [
        (scores.argmax(-1) == given.extra["intents"])[given.extra["intents"] >= 0]
        for given in batches
        for _, scores in [task.model.eval()(given.inputs, given.mask, given.extra)]
    ]
    assert logged["test/intent_accuracy"] == pytest.approx(float(torch.cat(intents).double().mean()))
    if not crf:
        plain = values_of_a_test(made(intents=False), batches)
        assert "test/intent_accuracy" not in plain
        task.intent_weight = 0.0
        own = float(task.predictions[:, 4].sum()) / int(counted.sum())
        assert values_of_a_test(task, batches)["test/loss"] == pytest.approx(own, rel=1e-5)


def test_a_decoded_path_is_bio_where_the_crf_is_told_so() -> None:
    task, whole = made(crf=True), batch(40, 3)
    with torch.no_grad():
        task.model.head.weight.mul_(9.0)  # type: ignore[union-attr, operator]
        tags = task(whole.inputs, whole.mask, whole.extra)
        plain = task.model(whole.inputs, whole.mask, whole.extra)[0].argmax(-1)

    def breaks(found: Tensor) -> int:
        before = functional.pad(found, (1, 0))[:, :-1]
        return int(((found == 2) & (before == 0) & whole.mask).sum())

    assert breaks(tags) == 0 < breaks(plain)


def test_a_row_that_two_ranks_have_is_kept_once_as_the_one_that_counts() -> None:
    rows = torch.tensor(
        [[1, 0, 2, 1, 0.5], [0, 1, -1, 2, 0], [0, 0, -1, 1, 0], [0, 0, 2, 1, 0.25], [0, 1, -1, 2, 0], [2, 0, -1, 0, 0]]
    )
    assert in_order(rows).tolist() == [rows[number].tolist() for number in (3, 1, 0, 5)]


def test_what_cannot_be_monitored_is_refused() -> None:
    model = made(intents=False).model
    optimizer = partial(torch.optim.SGD, lr=0.1)
    with pytest.raises(UserError, match="mark no spans: use val/accuracy"):
        Tagging(model, ("NOUN", "VERB", "X"), optimizer, monitor="val/f1")  # type: ignore[arg-type]
    with pytest.raises(UserError, match="did you mean val/accuracy"):
        made(monitor="val/acuracy")
    with pytest.raises(UserError, match="intent_weight is -1"):
        made(intent_weight=-1.0)
    assert (made(monitor="val/f1").mode, made(monitor="val/loss").mode) == ("max", "min")
