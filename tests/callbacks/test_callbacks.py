"""What watches a run: the fingerprint of batches, the clock."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import torch

from lightning_seq.callbacks.batch_fingerprint import BatchFingerprint, mixed
from lightning_seq.callbacks.clock import TrainingClock
from lightning_seq.spec import Batch

TRAINER = SimpleNamespace(
    strategy=SimpleNamespace(root_device=torch.device("cpu"), reduce=lambda tensor, reduce_op: tensor)
)


def batch(ids: list[int], real: list[bool] | None = None) -> Batch:
    rows = torch.tensor(ids)
    mask = torch.ones(len(ids), 3, dtype=torch.bool)
    return Batch(rows, rows[:, None].expand(-1, 3), mask, rows, torch.tensor(real or [True] * len(ids)), len(ids))


def digest(*batches: Batch) -> str:
    callback = BatchFingerprint()
    for index, each in enumerate(batches):
        callback.on_train_batch_end(TRAINER, None, None, each, index)
    return callback.digest(TRAINER)


def test_splitmix64_as_published() -> None:
    """The generator's first outputs from state 0, as its authors' C code prints them."""
    found = [value & 0xFFFFFFFFFFFFFFFF for value in mixed(torch.tensor([0, 1, 2])).tolist()]
    assert found == [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]


def test_the_order_of_batches_counts_and_the_order_inside_does_not() -> None:
    assert digest(batch([1, 2]), batch([3])) == digest(batch([2, 1]), batch([3]))
    assert digest(batch([1, 2]), batch([3])) != digest(batch([3]), batch([1, 2]))
    assert digest(batch([1, 2]), batch([3])) != digest(batch([1]), batch([2, 3]))


def test_stand_ins_do_not_count() -> None:
    assert digest(batch([1, 0], [True, False])) == digest(batch([1]))


def test_windows_that_begin_together_and_end_apart_are_told_apart() -> None:
    short, long = (replace(batch([1, 2]), target_mask=torch.ones(2, steps, dtype=torch.bool)) for steps in (3, 4))
    assert digest(short) != digest(long)


def test_two_ranks_add_up_to_one() -> None:
    whole, halves = BatchFingerprint(), [BatchFingerprint(), BatchFingerprint()]
    for index, ids in enumerate(([5, 6, 7], [8, 9, 1])):
        whole.on_train_batch_end(TRAINER, None, None, batch(ids), index)
        for rank, half in enumerate(halves):
            half.on_train_batch_end(TRAINER, None, None, batch(ids[rank::2]), index)
    total = sum(int(half.digest(TRAINER), 16) for half in halves) % (1 << 64)
    assert f"{total:016x}" == whole.digest(TRAINER)
    assert whole.seen == sum(half.seen for half in halves) == 6


def test_a_restored_callback_goes_on() -> None:
    whole, first, second = BatchFingerprint(), BatchFingerprint(), BatchFingerprint()
    for callback in (whole, first):
        callback.on_train_batch_end(TRAINER, None, None, batch([1, 2]), 0)
    second.load_state_dict(first.state_dict())
    for callback in (whole, second):
        callback.on_train_batch_end(TRAINER, None, None, batch([3, 4]), 1)
    assert whole.digest(TRAINER) == second.digest(TRAINER)


def test_a_run_that_stopped_earlier_saw_the_beginning_of_the_other() -> None:
    short, long, other = BatchFingerprint(), BatchFingerprint(), BatchFingerprint()
    for callback, epochs in ((short, 1), (long, 3), (other, 3)):
        for epoch in range(epochs):
            ids = [1, 2] if callback is not other else [2, 3]
            callback.on_train_batch_end(TRAINER, None, None, batch(ids), epoch)
            callback.on_train_epoch_end(TRAINER, None)
    assert len(long.by_epoch(TRAINER)) == 3 * 8 + 2
    assert long.by_epoch(TRAINER).startswith(f"{short.by_epoch(TRAINER)}-")
    assert not long.by_epoch(TRAINER).startswith(other.by_epoch(TRAINER)[:8])
    assert long.by_epoch(TRAINER).endswith(long.digest(TRAINER)[:8])
    restored = BatchFingerprint()
    restored.load_state_dict(long.state_dict())
    assert restored.by_epoch(TRAINER) == long.by_epoch(TRAINER)
    assert BatchFingerprint().by_epoch(TRAINER) == ""


def test_the_clock_stands_still_in_validation(monkeypatch) -> None:
    now = SimpleNamespace(value=100.0)
    monkeypatch.setattr("lightning_seq.callbacks.clock.perf_counter", lambda: now.value)
    clock, trainer = TrainingClock(), SimpleNamespace(training=True, state=SimpleNamespace(fn="fit"))
    clock.on_train_start(trainer, None)
    now.value += 5
    clock.on_validation_start(trainer, None)
    now.value += 50
    clock.on_validation_end(trainer, None)
    now.value += 2
    clock.on_train_batch_end(trainer, None, None, batch([1, 2]), 0)
    assert (clock.seconds, clock.tokens) == (7.0, 6)
    later = TrainingClock()
    later.load_state_dict(clock.state_dict())
    later.on_train_start(trainer, None)
    now.value += 1
    later.on_train_end(trainer, None)
    now.value += 9
    assert later.seconds == 8.0


def test_the_share_of_the_processor_is_that_of_training_over_all_resumes(monkeypatch) -> None:
    now, cpu = SimpleNamespace(value=100.0), SimpleNamespace(value=3.0)
    monkeypatch.setattr("lightning_seq.callbacks.clock.perf_counter", lambda: now.value)
    monkeypatch.setattr("lightning_seq.callbacks.clock.process_time", lambda: cpu.value)

    def trainer(device: str = "cpu", world_size: int = 1) -> SimpleNamespace:
        strategy = SimpleNamespace(root_device=torch.device(device))
        return SimpleNamespace(strategy=strategy, world_size=world_size, state=SimpleNamespace(fn="fit"))

    def train(clock: TrainingClock, seconds: float, of_cpu: float) -> None:
        clock.on_train_start(trainer(), None)
        now.value, cpu.value = now.value + seconds, cpu.value + of_cpu
        clock.on_validation_start(trainer(), None)
        now.value, cpu.value = now.value + 50, cpu.value + 80

    clock, later, old = TrainingClock(), TrainingClock(), TrainingClock()
    assert clock.cpu_share(trainer()) is None  # nothing was trained
    train(clock, 4, 2)
    assert clock.cpu_share(trainer()) == 0.5
    later.load_state_dict(clock.state_dict())
    train(later, 6, 7)
    assert later.cpu_share(trainer()) == 0.9
    assert later.cpu_share(trainer("cuda")) is None
    assert later.cpu_share(trainer(world_size=2)) is None
    old.load_state_dict({"seconds": 4.0, "tokens": 9})  # a checkpoint of an earlier version
    train(old, 6, 7)
    assert (old.seconds, old.cpu_share(trainer())) == (10.0, None)
