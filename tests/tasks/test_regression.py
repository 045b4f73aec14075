"""The tasks of memory problems: what is summed, what is logged, what a test leaves behind, and who can learn what."""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from lightning.pytorch import Trainer
from torch import Tensor, nn
from torch.utils.data import DataLoader

from lightning_seq.cells.elman import ElmanCell
from lightning_seq.cells.gru import GRUCell
from lightning_seq.data.memory_problems.module import MemoryProblemData
from lightning_seq.embeddings.layer import Vectors
from lightning_seq.errors import UserError
from lightning_seq.metrics.phm08 import phm08_score
from lightning_seq.models.bag_of_embeddings import BagOfEmbeddings
from lightning_seq.models.parameters import count_parameters
from lightning_seq.models.recurrent import RecurrentEncoder
from lightning_seq.models.regressor import Regressor, StepRegressor
from lightning_seq.models.set_model import SetModel
from lightning_seq.models.window_mlp import WindowMLP
from lightning_seq.spec import COUNTED, Batch
from lightning_seq.tasks.bits import BitSequences
from lightning_seq.tasks.regression import SequenceRegression
from lightning_seq.tasks.task import Task
from tests.data.from_keys import made

D, H, W = 3, 5, 2
SGD = partial(torch.optim.SGD, lr=0.1)


def regression(**given: Any) -> SequenceRegression:
    torch.manual_seed(0)
    return SequenceRegression(Regressor(Vectors(D), RecurrentEncoder(D, ElmanCell, H), W), SGD, log_every=1, **given)


def bits(**given: Any) -> BitSequences:
    torch.manual_seed(0)
    model = SetModel(Vectors(D), RecurrentEncoder(D, ElmanCell, H), W, shifted=False)
    return BitSequences(model, SGD, log_every=1, **given)


def batch(of_steps: bool, rows: int = 6, seed: int = 0, counted: bool = True) -> Batch:
    """Sequences of 1 to 4 steps; of bits, some do not count; the last sequence is a stand-in."""
    generator = torch.Generator().manual_seed(seed)
    lengths = 1 + torch.arange(rows) % 4
    mask = torch.arange(int(lengths.max())) < lengths[:, None]
    real = torch.arange(rows) < rows - 1
    shape = (*mask.shape, W) if of_steps else (rows, W)
    drawn = torch.rand(shape, generator=generator)
    counts = mask & real[:, None] if of_steps else real
    extra = {}
    if of_steps and counted:
        which = torch.rand(shape, generator=generator) > 0.3
        which[..., 0] = True
        extra[COUNTED] = which
    return Batch(
        ids=torch.arange(rows) * 3,
        inputs=torch.randn(*mask.shape, D, generator=generator) * mask[..., None],
        mask=mask,
        targets=(drawn > 0.5).float() if of_steps else drawn,
        target_mask=counts,
        count=int(counts.sum()),
        extra=extra,
    )


def share(whole: Batch, rank: int, world: int) -> Batch:
    """A rank's part, with its own count left that of the whole."""

    def own(tensor: Tensor) -> Tensor:
        return tensor[rank::world]

    given = {name: own(getattr(whole, name)) for name in ("ids", "inputs", "mask", "targets", "target_mask")}
    return Batch(count=whole.count, extra={name: own(tensor) for name, tensor in whole.extra.items()}, **given)


def logged(task: Task, batches: list[Batch]) -> dict[str, float]:
    trainer = Trainer(
        accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False,
    )  # fmt: skip
    trainer.test(task, DataLoader(batches, batch_size=None), verbose=False)
    return {name: float(value) for name, value in trainer.callback_metrics.items()}


@pytest.mark.parametrize("tolerance", [0.04, 0.6])
def test_errors_of_values_by_hand(tolerance: float) -> None:
    task, batches = regression(tolerance=tolerance), [batch(False, 30, 0), batch(False, 4, 1)]
    found = logged(task, batches)
    squared, absolute, successes = [], [], []
    for one in batches:
        said = task(one.inputs, one.mask).detach().numpy()
        for row, target, real in zip(said, one.targets.numpy(), one.target_mask.tolist(), strict=True):
            if real:
                squared.append(np.mean((row - target) ** 2))
                absolute.append(np.mean(np.abs(row - target)))
                successes.append(all(abs(a - b) < tolerance for a, b in zip(row, target, strict=True)))
    assert found["test/mse"] == found["test/loss"] == pytest.approx(np.mean(squared), rel=1e-5)
    assert found["test/mae"] == pytest.approx(np.mean(absolute), rel=1e-5)
    assert found["test/success"] == pytest.approx(np.mean(successes))
    assert tolerance < 0.1 or 0 < found["test/success"] < 1
    assert task.predictions is not None
    rows = task.predictions.numpy()
    assert rows.shape == (len(squared) * W, 5)
    assert rows[:, 4].mean() == pytest.approx(np.mean(squared), rel=1e-5)
    np.testing.assert_allclose((rows[:, 2] - rows[:, 3]) ** 2, rows[:, 4], atol=1e-6)
    assert (np.diff(rows[:, 0]) >= 0).all()


def test_losses_of_bits_by_hand() -> None:
    task, batches = bits(), [batch(True, 6, 0), batch(True, 5, 1, counted=False)]
    found = logged(task, batches)
    losses, right, whole, rows = [], [], [], 0
    for one in batches:
        probabilities = task(one.inputs, one.mask).detach().double()
        for number in range(len(one.ids) - 1):
            all_right = True
            for step in range(int(one.mask[number].sum())):
                loss = 0.0
                for place in range(W):
                    if COUNTED in one.extra and not one.extra[COUNTED][number, step, place]:
                        continue
                    p, y = float(probabilities[number, step, place]), float(one.targets[number, step, place])
                    loss -= np.log(p if y else 1 - p)
                    right.append((p > 0.5) == (y == 1))
                    all_right &= right[-1]
                    rows += 1
                losses.append(loss)
            whole.append(all_right)
    assert found["test/loss"] == pytest.approx(np.mean(losses), rel=1e-5)
    assert found["test/bits_correct"] == pytest.approx(np.mean(right))
    assert found["test/exact_match"] == pytest.approx(np.mean(whole))
    assert 0 < np.mean(right) < 1
    assert task.predictions is not None
    table = task.predictions.numpy()
    assert table.shape == (rows, 6)
    assert ((table[:, 4] > 0.5) == (table[:, 3] == 1)).mean() == pytest.approx(np.mean(right))
    assert table[:, 5].sum() == pytest.approx(np.sum(losses), rel=1e-5)


@pytest.mark.parametrize("make", [regression, bits])
@pytest.mark.parametrize("world", [2, 3])
def test_the_gradients_of_all_ranks_are_that_of_one(make: Any, world: int) -> None:
    whole = batch(make is bits, 7)

    def gradients(parts: list[Batch]) -> list[Tensor]:
        task = make()
        task._trainer = SimpleNamespace(world_size=len(parts), accumulate_grad_batches=1)
        for part in parts:
            (task.training_step(part, 0) / len(parts)).backward()  # what DDP averages
        return [parameter.grad for parameter in task.parameters()]

    alone, together = gradients([whole]), gradients([share(whole, rank, world) for rank in range(world)])
    assert all(gradient.abs().sum() > 0 for gradient in alone)
    torch.testing.assert_close(alone, together)


@pytest.mark.parametrize("make", [regression, bits])
def test_what_does_not_count_changes_nothing(make: Any) -> None:
    task, one = make(), batch(make is bits)
    targets = one.targets.clone()
    counts = one.target_mask[..., None].expand_as(targets)
    if make is bits:
        counts = counts & one.extra[COUNTED]
    targets[~counts] = 1 - targets[~counts]
    changed = Batch(**{**vars(one), "targets": targets})
    assert not torch.equal(one.targets, targets)
    assert torch.equal(task.training_step(one, 0), task.training_step(changed, 0))
    assert logged(make(), [one]) == logged(make(), [changed])


@pytest.mark.parametrize("make", [regression, bits])
def test_a_rank_with_a_stand_in_alone(make: Any) -> None:
    one = batch(make is bits)
    alone = share(one, 5, 6)
    assert not alone.target_mask.any()
    loss = make().training_step(alone, 0)
    assert float(loss.detach()) == 0
    assert loss.requires_grad
    assert logged(make(), [one, alone]) == logged(make(), [one])


def test_what_cannot_be() -> None:
    for make in (regression, bits):
        with pytest.raises(UserError, match=r"task\.monitor is 'val/accuracy'"):
            make(monitor="val/accuracy")
    for tolerance in (0, -1.0, float("nan")):
        with pytest.raises(UserError, match=r"task\.tolerance is .*, expected more than 0"):
            regression(tolerance=tolerance)
    with pytest.raises(UserError, match=r"has no final state: use task\.pooling=mean"):
        Regressor(Vectors(D), WindowMLP(D), W)
    with pytest.raises(UserError, match=r"task\.pooling is 'lst'"):
        Regressor(Vectors(D), RecurrentEncoder(D, ElmanCell, H), W, pooling="lst")
    with pytest.raises(UserError, match=r"task\.dropout is 1"):
        Regressor(Vectors(D), RecurrentEncoder(D, ElmanCell, H), W, dropout=1)


def test_given_bits_may_be_read_both_ways() -> None:
    both = partial(RecurrentEncoder, D, ElmanCell, H, bidirectional=True)
    model = SetModel(Vectors(D), both(), W, shifted=False)
    assert model(torch.zeros(2, 4, D), torch.ones(2, 4, dtype=torch.bool))[0].shape == (2, 4, W)
    assert len(model.engines()) == 2
    with pytest.raises(UserError, match="it would see the answer"):
        SetModel(Vectors(D), both(), W)


def test_the_value_is_read_off_the_state_after_the_last_step() -> None:
    model = Regressor(Vectors(D), RecurrentEncoder(D, ElmanCell, H), W, head_sizes=[4]).eval()
    one = batch(False)
    found = model(one.inputs, one.mask)
    for row, length in enumerate(one.mask.sum(1).tolist()):
        alone = one.inputs[row : row + 1, :length]
        outputs = model.encoder(alone, torch.ones(1, length, dtype=torch.bool)).outputs
        torch.testing.assert_close(model.head(outputs[:, -1])[0], found[row])
    counts = count_parameters(model)
    assert counts["head"] == (H * 4 + 4) + (4 * W + W)
    assert counts["total"] == sum(parameter.numel() for parameter in model.parameters())


def learnt(task: Task, data: MemoryProblemData, epochs: int, lr: float = 0.02) -> dict[str, float]:
    """Metrics of the test split after some epochs of plain training."""
    torch.manual_seed(1)
    for module in task.modules():
        if isinstance(module, nn.Linear) or hasattr(module, "step"):
            module.reset_parameters()
    optimizer = torch.optim.Adam(task.parameters(), lr)
    for epoch in range(epochs):
        loader = data.train_dataloader()
        loader.sampler.set_epoch(epoch)  # type: ignore[attr-defined]
        for one in loader:
            optimizer.zero_grad()
            task.training_step(one, 0).backward()
            nn.utils.clip_grad_norm_(task.parameters(), 1.0)
            optimizer.step()
    return logged(task, list(data.test_dataloader()))


def of_bits(encoder: Any) -> BitSequences:
    return BitSequences(SetModel(Vectors(1), encoder, 1, shifted=False), SGD)


def test_a_gated_network_counts_and_a_window_does_not() -> None:
    data = made(MemoryProblemData, "bits_parity", length=10, examples=2000, batch_size=32, eval_batch_size=256)
    gru = learnt(of_bits(RecurrentEncoder(1, GRUCell, 24)), data, 5)
    assert gru["test/exact_match"] > 0.95
    window = learnt(of_bits(WindowMLP(1, 3, 32)), data, 2)
    # A window of three knows the first three bits of ten, and is right about half of the others.
    assert 0.55 < window["test/bits_correct"] < 0.75
    assert window["test/exact_match"] < 0.05


def test_to_invert_a_bit_needs_no_memory() -> None:
    data = made(MemoryProblemData, "bits_3", examples=1000, batch_size=32, eval_batch_size=256)
    for encoder in (RecurrentEncoder(1, GRUCell, 8), WindowMLP(1, 3, 8), BagOfEmbeddings(1)):
        assert learnt(of_bits(encoder), data, 3, lr=0.1)["test/exact_match"] == 1


def test_adding_needs_both_channels_in_their_order() -> None:
    data = made(MemoryProblemData, "adding", length=5, examples=1500, batch_size=32, eval_batch_size=256)
    blind = float(((data.splits["test"].targets - data.splits["train"].targets.mean()) ** 2).mean())
    gru = SequenceRegression(Regressor(Vectors(2), RecurrentEncoder(2, GRUCell, 24), 1), SGD)
    assert learnt(gru, data, 6)["test/mse"] < blind / 5
    bag = SequenceRegression(Regressor(Vectors(2), BagOfEmbeddings(2), 1, pooling="mean"), SGD)
    assert learnt(bag, data, 3)["test/mse"] > blind / 2


def test_values_of_steps_are_learned_in_their_units() -> None:
    """The loss is of (value - mean) / scale; metrics and predictions are in the units of the data."""
    torch.manual_seed(0)
    units = {"mean": (10.0, -5.0), "scale": (4.0, 2.0)}
    model = StepRegressor(Vectors(D), RecurrentEncoder(D, ElmanCell, H), W, **units)
    task = SequenceRegression(model, SGD, log_every=1, scale=units["scale"], tolerance=None, remaining=True)
    inputs, mask = torch.randn(2, 3, D), torch.tensor([[True, True, True], [True, False, False]])
    raw = model.head(model.encoder(inputs, mask).outputs)
    made = model(inputs, mask)
    torch.testing.assert_close(made, raw * torch.tensor([4.0, 2.0]) + torch.tensor([10.0, -5.0]))
    targets = torch.full((2, 3, W), 7.0)
    sample = Batch(torch.arange(2), inputs, mask, targets, mask, 4)
    errors = (made - targets)[mask]
    expected = (errors / torch.tensor([4.0, 2.0])).square().mean(-1)
    torch.testing.assert_close(task.training_step(sample, 0), expected.mean())
    last = torch.stack([(made - 7)[0, 2], (made - 7)[1, 0]]) / torch.tensor([4.0, 2.0])
    torch.testing.assert_close(task.last_step_loss(sample), last.square().mean(-1).sum())
    task.evaluate(sample, "test")
    logged = task.logged("test", task.means("test").compute())
    assert set(logged) == {"loss", "mse", "mae", "rmse", "phm08"}
    torch.testing.assert_close(logged["mse"], errors.square().mean())
    torch.testing.assert_close(logged["rmse"], errors.square().mean().sqrt())
    torch.testing.assert_close(logged["loss"], expected.mean())
    torch.testing.assert_close(logged["phm08"], phm08_score(errors).sum())
    rows = torch.cat(task._rows)
    assert rows[:, :2].long().tolist() == [[0, number] for number in range(6)] + [[1, 0], [1, 1]]
    torch.testing.assert_close(rows[:, 3], made[mask].flatten().double())
