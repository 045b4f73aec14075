"""Truncated backpropagation through time: what is carried, what is learnt from, and what is counted."""

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

from lightning_seq import LSTMCell
from lightning_seq.embeddings.layer import Embedding
from lightning_seq.errors import UserError
from lightning_seq.models.language_model import LanguageModel
from lightning_seq.models.recurrent import RecurrentEncoder
from lightning_seq.spec import Batch
from lightning_seq.tasks.carried import columns_of_rank, in_column_order, mapped
from lightning_seq.tasks.language_modelling import LanguageModelling

V, H, B = 7, 5, 3


def task_of(**given: Any) -> LanguageModelling:
    torch.manual_seed(0)
    model = LanguageModel(Embedding(V, 4, padding=None), RecurrentEncoder(4, LSTMCell, H), V).double()
    task = LanguageModelling(model, torch.optim.SGD, **given)
    task._trainer = SimpleNamespace(world_size=1, global_rank=0, accumulate_grad_batches=1)  # type: ignore[assignment]
    return task


def text(length: int, seed: int = 1) -> Tensor:
    return torch.randint(0, V, (B, length + 1), generator=torch.Generator().manual_seed(seed))


def window(ids: Tensor, start: int, first: int, stop: int, advance: int, fresh: bool) -> Batch:
    """The window [start, stop) of columns, of which [first, stop) are new."""
    inputs, targets = ids[:, start:stop], ids[:, start + 1 : stop + 1]
    counts = torch.zeros_like(inputs, dtype=torch.bool)
    counts[:, first - start :] = True
    extra = {"advance": torch.tensor(advance), "fresh": torch.tensor(fresh), "new": torch.tensor(stop - first)}
    return Batch(torch.arange(B), inputs, torch.ones_like(counts), targets, counts, int(counts.sum()), extra)


def chunks(ids: Tensor, sizes: Sequence[int]) -> list[Batch]:
    made, at = [], 0
    for size in sizes:
        made.append(window(ids, at, at, at + size, size, at == 0))
        at += size
    return made


def whole_loss(task: LanguageModelling, ids: Tensor) -> Tensor:
    """Summed over all places, with one graph."""
    scores, _ = task.model(ids[:, :-1], torch.ones_like(ids[:, :-1], dtype=torch.bool))
    return functional.nll_loss(scores.flatten(0, 1), ids[:, 1:].flatten(), reduction="sum")


def gradients(task: LanguageModelling) -> list[Tensor]:
    return [parameter.grad.clone() for parameter in task.parameters() if parameter.grad is not None]


def test_chunks_have_the_values_of_the_whole() -> None:
    task, ids = task_of(), text(12)
    losses = [task.training_step(batch, 0) * batch.count for batch in chunks(ids, [5, 4, 3])]
    torch.testing.assert_close(torch.stack(losses).sum(), whole_loss(task, ids), rtol=1e-12, atol=1e-12)


def test_a_chunk_as_long_as_the_text_has_its_gradient_and_shorter_ones_another() -> None:
    task, ids = task_of(), text(6)
    (whole_loss(task, ids) / (6 * B)).backward()
    expected = gradients(task)
    for sizes, equal in (([6], True), ([3, 3], False)):
        task.zero_grad()
        for batch in chunks(ids, sizes):
            (task.training_step(batch, 0) * batch.count / (6 * B)).backward()
        same = [torch.allclose(mine, other, rtol=1e-11) for mine, other in zip(gradients(task), expected, strict=True)]
        assert all(same) is equal


def test_k1_and_k2_against_autograd_by_hand() -> None:
    """k1 = 2 new tokens a batch, each learnt from through the last k2 = 5: the state 5 back is a constant."""
    task, ids, k1, k2, T = task_of(), text(10), 2, 5, 10
    starts = [max(0, stop - k2) for stop in range(k1, T + 1, k1)]
    batches = []
    for number, (start, stop) in enumerate(zip(starts, range(k1, T + 1, k1), strict=True)):
        after = starts[number + 1] if number + 1 < len(starts) else stop
        batches.append(window(ids, start, stop - k1, stop, after - start, number == 0))
    model: Any = task.model
    for batch, start, stop in zip(batches, starts, range(k1, T + 1, k1), strict=True):
        task.zero_grad()
        (task.training_step(batch, 0) * batch.count).backward()
        mine = gradients(task)
        task.zero_grad()
        state = None
        if start:
            with torch.no_grad():
                before = ids[:, :start]
                state = model.read(before, torch.ones_like(before, dtype=torch.bool)).state
        inputs = ids[:, start:stop]
        scores, _ = model(inputs, torch.ones_like(inputs, dtype=torch.bool), state)
        new = scores[:, -k1:].flatten(0, 1)
        functional.nll_loss(new, ids[:, stop - k1 + 1 : stop + 1].flatten(), reduction="sum").backward()
        for one, other in zip(mine, gradients(task), strict=True):
            torch.testing.assert_close(one, other, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize(("carry", "over_chunks", "over_passes"), [("pass", 1, 0), ("epochs", 1, 1), ("never", 0, 0)])
def test_what_is_carried(carry: str, over_chunks: int, over_passes: int) -> None:
    task, ids = task_of(carry=carry), text(8)
    first, second = chunks(ids, [4, 4])
    task.training_step(first, 0)
    assert all(not tensor.requires_grad for layer in task._state for one in layer for tensor in one)
    seen: list[Any] = []
    read = task._read
    task._read = lambda batch, state: (seen.append(state), read(batch, state))[1]  # type: ignore[method-assign]
    task.training_step(second, 1)
    task.training_step(first, 0)  # the next pass
    assert [state is not None for state in seen] == [bool(over_chunks), bool(over_passes)]


def test_an_evaluation_carries_or_resets() -> None:
    ids = text(9)
    losses = {}
    for evaluation in ("carry", "reset"):
        task = task_of(evaluation=evaluation)
        logged: dict[str, Any] = {}
        task.log_evaluation = lambda split, values, logged=logged: logged.update(values)  # type: ignore[method-assign]
        for batch in chunks(ids, [4, 4, 1]):
            task.validation_step(batch, 0)
        task.on_validation_epoch_end()
        losses[evaluation] = float(logged["loss"])
        assert float(logged["perplexity"]) == pytest.approx(math.exp(losses[evaluation]), rel=1e-5)
    assert losses["carry"] == pytest.approx(float(whole_loss(task, ids)) / (9 * B), rel=1e-6)
    assert losses["reset"] != pytest.approx(losses["carry"], rel=1e-3)


def test_bits_per_character_count_the_characters_of_the_text() -> None:
    surface = {"test": 0.5, "validation": 9.0}
    task, ids = task_of(tokens_per_character={"test": 0.25}, surface_nats_per_character=surface), text(4)
    logged: dict[str, Any] = {}
    task.log_evaluation = lambda split, values: logged.update(values)  # type: ignore[method-assign]
    task.test_step(chunks(ids, [4])[0], 0)
    task.on_test_epoch_end()
    nats = float(whole_loss(task, ids))
    assert float(logged["bits_per_character"]) == pytest.approx((nats / (4 * B * 4) + 0.5) / math.log(2), rel=1e-6)


def test_penalties_are_means_of_squares() -> None:
    ids, α, β = text(6), 2.0, 3.0
    plain, penalised = task_of(), task_of(activation_penalty=α, temporal_penalty=β)
    (batch,) = chunks(ids, [6])
    h = plain.model.read(batch.inputs, batch.mask).hidden  # type: ignore[operator, union-attr]
    expected = α * h.square().mean() + β * (h[:, 1:] - h[:, :-1]).square().mean()
    found = penalised.training_step(batch, 0) - plain.training_step(batch, 0)
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)


def test_a_short_chunk_has_a_small_rate() -> None:
    """Of SGD a step is rate times gradient: half the length, half the step."""
    task, ids = task_of(chunk_length=8), text(4)
    (batch,) = chunks(ids, [4])
    optimizer = torch.optim.SGD(task.parameters(), lr=0.5)
    before = [parameter.detach().clone() for parameter in task.parameters()]

    def closure() -> Tensor:
        loss = task.training_step(batch, 0)
        loss.backward()
        return loss

    task.optimizer_step(0, 0, optimizer, closure)
    assert optimizer.param_groups[0]["lr"] == 0.5
    for parameter, old in zip(task.parameters(), before, strict=True):
        assert parameter.grad is not None
        torch.testing.assert_close(parameter, old - 0.25 * parameter.grad)


def test_the_rate_of_accumulated_chunks_follows_their_mean_length() -> None:
    """Chunks of 2 and 6 of 8 steps in one step of the optimiser; the next step is of its own chunks alone."""
    task, ids = task_of(chunk_length=8), text(16)
    first, *rest = chunks(ids, [2, 6, 8])
    optimizer, seen = torch.optim.SGD(task.parameters(), lr=0.5), []
    optimizer.register_step_pre_hook(lambda *given: seen.append(optimizer.param_groups[0]["lr"]))
    task.training_step(first, 0).backward()
    for number, batch in enumerate(rest, 1):

        def closure(number: int = number, batch: Batch = batch) -> Tensor:
            loss = task.training_step(batch, number)
            loss.backward()
            return loss

        before = [parameter.detach().clone() for parameter in task.parameters()]
        task.optimizer_step(0, number, optimizer, closure)
        for parameter, old in zip(task.parameters(), before, strict=True):
            assert parameter.grad is not None
            torch.testing.assert_close(parameter, old - (0.25, 0.5)[number - 1] * parameter.grad)
        optimizer.zero_grad()


def test_the_carried_state_goes_through_a_checkpoint() -> None:
    task, ids = task_of(), text(8)
    first, second = chunks(ids, [4, 4])
    task.training_step(first, 0)
    checkpoint: dict[str, Any] = {}
    task.on_save_checkpoint(checkpoint)
    fresh = task_of()
    fresh.on_load_checkpoint(checkpoint)
    torch.testing.assert_close(fresh.training_step(second, 1), task.training_step(second, 1))


def test_sequences_by_themselves_start_from_nothing() -> None:
    task = task_of(carry="epochs")
    first, second = (replace(batch, extra={}) for batch in chunks(text(8), [4, 4]))
    alone = task_of().training_step(second, 0)
    task.training_step(first, 0)
    torch.testing.assert_close(task.training_step(second, 1), alone)


@pytest.mark.parametrize("world", [1, 2, 4])
def test_columns_come_back_to_their_ranks(world: int) -> None:
    whole = (((torch.arange(8.0).view(8, 1), torch.arange(8.0).view(8, 1) * 2),),)
    shares = [columns_of_rank(whole, rank, world) for rank in range(world)]

    def gather(own: Tensor) -> Tensor:  # as Lightning's all_gather: [world, B / world, …]
        place = next(index for index, tensor in enumerate(whole[0][0]) if torch.equal(tensor[0::world], own))
        return torch.stack([share[0][0][place] for share in shares])

    back = in_column_order(shares[0], gather, world)
    for found, expected in zip(back[0][0], whole[0][0], strict=True):
        assert torch.equal(found, expected)
    assert mapped(whole, lambda tensor: tensor + 1)[0][0][0][0] == 1


def test_a_stand_in_has_no_loss() -> None:
    task = task_of()
    (batch,) = chunks(text(4), [4])
    stand_in = replace(batch, target_mask=torch.zeros_like(batch.target_mask))
    loss = task.training_step(stand_in, 0)
    loss.backward()
    assert float(loss.detach()) == 0
    assert all(not gradient.any() for gradient in gradients(task))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"carry": "chunk"}, "task.carry is 'chunk'"),
        ({"evaluation": "keep"}, "task.evaluation is 'keep'"),
        ({"activation_penalty": -1.0}, "expected at least 0"),
        ({"monitor": "val/perplex"}, "val/perplexity"),
        ({"monitor": "val/bits_per_character"}, "number of characters"),
    ],
)
def test_wrong_settings(given: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        task_of(**given)
