"""Synthetic problems of memory in batches: what counts, what ranks see, what a summary says, new sequences."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lightning_seq.data.bucket_sampler import PADDING_SAMPLE, BatchShard
from lightning_seq.data.classification.module import ClassificationData
from lightning_seq.data.memory_problems.module import MemoryProblemData, VectorDataset, VectorReader
from lightning_seq.data.tagging.module import TaggingData
from lightning_seq.errors import UserError
from lightning_seq.spec import COUNTED, Values

from .from_keys import made


def batches(data: MemoryProblemData) -> list[Any]:
    return list(data.train_dataloader())


@pytest.mark.parametrize("source", ["bits_2", "bits_parity", "adding"])
def test_the_same_seed_gives_the_same_batches(source: str) -> None:
    options = {"length": 8, "examples": 40, "batch_size": 7}
    one, other = (made(MemoryProblemData, source, **options) for _ in range(2))  # type: ignore[arg-type]
    assert one.fingerprints == other.fingerprints
    for mine, theirs in zip(batches(one), batches(other), strict=True):
        assert torch.equal(mine.inputs, theirs.inputs)
        assert torch.equal(mine.ids, theirs.ids)
    for changed in ({"split_seed": 2}, {"length": 9}, {"examples": 50}):
        different = made(MemoryProblemData, source, **{**options, **changed})  # type: ignore[arg-type]
        assert different.fingerprints["data"] != one.fingerprints["data"]
        assert different.fingerprints["split"] != one.fingerprints["split"]
    shuffled = made(MemoryProblemData, source, seed=2, **options)  # type: ignore[arg-type]
    assert shuffled.fingerprints == one.fingerprints
    assert [batch.ids.tolist() for batch in batches(shuffled)] != [batch.ids.tolist() for batch in batches(one)]


@settings(max_examples=20, deadline=None)
@given(st.sampled_from(["bits_2", "bits_3", "adding"]), st.integers(1, 33), st.integers(1, 3))
def test_ranks_together_count_everything_once(source: str, batch_size: int, world: int) -> None:
    data = made(MemoryProblemData, source, length=6, examples=30, batch_size=batch_size)
    steps = []
    for rank in range(world):

        class Ranks:
            global_rank, world_size, accumulate_grad_batches = rank, world, 1

        data.trainer = Ranks()  # type: ignore[assignment]
        steps.append(batches(data))
    seen = []
    for shares in zip(*steps, strict=True):
        assert {share.count for share in shares} == {sum(int(share.target_mask.sum()) for share in shares)}
        for share in shares:
            real = share.target_mask.flatten(1).any(1) if share.target_mask.ndim > 1 else share.target_mask
            seen += share.ids[real].tolist()
    assert sorted(seen) == list(range(30))


@pytest.mark.parametrize("source", ["bits_2", "bits_3", "adding"])
def test_a_stand_in_does_not_count(source: str) -> None:
    data = made(MemoryProblemData, source, length=6, examples=30)
    batch = VectorDataset(data.splits["train"], data.of_steps)[BatchShard([PADDING_SAMPLE], 9)]
    assert not batch.target_mask.any()
    assert batch.mask.all()
    assert batch.count == 9


def test_a_batch_is_cut_to_its_longest_sequence() -> None:
    data = made(MemoryProblemData, "adding", length=30, variant="hochreiter1997", examples=200, batch_size=8)
    assert data.spec.targets == Values(1, ("sum",))
    widths = set()
    for batch in batches(data):
        lengths = torch.from_numpy(data.splits["train"].lengths[batch.ids.numpy()])
        widths.add(batch.inputs.shape[1])
        assert batch.inputs.shape == (len(batch.ids), int(lengths.max()), 2)
        assert torch.equal(batch.mask.sum(1), lengths)
        assert not batch.inputs[~batch.mask].any()
        assert batch.targets.shape == (len(batch.ids), 1)
        assert batch.target_mask.shape == (len(batch.ids),)
        assert batch.extra == {}
        assert np.array_equal(batch.targets.numpy(), data.splits["train"].targets[batch.ids.numpy()])
    assert len(widths) > 1


def test_which_bits_count_is_said_where_not_all_do() -> None:
    data = made(MemoryProblemData, "bits_2", variable=True, examples=50, batch_size=9)
    for batch in batches(data):
        assert torch.equal(batch.extra[COUNTED], batch.inputs >= 0)
        assert batch.target_mask.all()
    test = data.splits["test"]
    assert np.array_equal(test.target_mask, test.inputs >= 0)
    longer = replace(test, lengths=np.zeros_like(test.lengths))
    assert not longer.target_mask.any()
    assert all(batch.extra == {} for batch in batches(made(MemoryProblemData, "bits_2", examples=50)))


def test_a_pass_can_be_taken_up_again() -> None:
    def make() -> MemoryProblemData:
        return made(MemoryProblemData, "adding", length=6, examples=60, batch_size=7)

    straight = [batch.ids.tolist() for batch in batches(make())]
    loader = make().train_dataloader()
    passing = iter(loader)
    first = [next(passing).ids.tolist() for _ in range(3)]
    rest = make().train_dataloader()
    rest.load_state_dict(loader.state_dict())  # type: ignore[attr-defined]
    assert first + [batch.ids.tolist() for batch in rest] == straight


def test_the_summary_says_what_who_never_looks_is_worth() -> None:
    data = made(MemoryProblemData, "adding", length=20, examples=1000)
    train, test = (data.splits[name].targets for name in ("train", "test"))
    error = float(((test - train.mean()) ** 2).mean())
    assert f"a squared error of {error:.4f}" in data.summary()
    assert "at most 20 steps" in data.summary()
    assert "50.0% of the bits of test are 1" in made(MemoryProblemData, "bits_4").summary()
    assert "each is in one split" in made(MemoryProblemData, "bits_4").summary()
    assert list(data.train_sentences()) == []
    assert data.vocabulary is None


def test_who_never_looks_says_the_commoner_bit_of_those_that_count() -> None:
    data = made(MemoryProblemData, "bits_2", variable=True, examples=200)
    test = data.splits["test"]
    assert test.counted is not None
    assert 0 < test.counted.sum() < test.counted.size
    for commoner in (0, 1):
        targets = np.full_like(test.targets, 1 - commoner)
        rows = np.flatnonzero(test.counted)
        targets.flat[rows] = commoner
        targets.flat[rows[: len(rows) // 4]] = 1 - commoner
        data.splits["test"] = replace(test, targets=targets)
        share = 1 - len(rows) // 4 / len(rows)
        assert f"{share:.1%} of the bits of test are {commoner}" in data.summary()


def test_who_never_looks_says_the_mean_of_training() -> None:
    data = made(MemoryProblemData, "adding", length=10, examples=40)
    train, test = (data.splits[name] for name in ("train", "test"))
    data.splits["train"] = replace(train, targets=np.arange(len(train), dtype=np.float32)[:, None])
    data.splits["test"] = replace(test, targets=np.zeros_like(test.targets))
    assert f"a squared error of {((len(train) - 1) / 2) ** 2:.4f} in test" in data.summary()


def test_new_sequences_are_read(tmp_path: Path) -> None:
    data = made(MemoryProblemData, "bits_parity", examples=20)
    torch.save(data.to_plain(), tmp_path / "plain")
    plain = torch.load(tmp_path / "plain", weights_only=True)
    reader = VectorReader.from_plain(plain)
    assert reader == data.reader
    batch = reader.encode(["[1, 0, 1]", "[[1]]"])
    assert batch.inputs.tolist() == [[[1], [0], [1]], [[1], [0], [0]]]
    assert batch.mask.tolist() == [[True, True, True], [True, False, False]]
    assert batch.targets.shape == (2, 3, 1)
    assert not batch.target_mask.any()
    pairs = made(MemoryProblemData, "adding", length=6, examples=20).encode([json.dumps([[0.5, 1], [0.25, 0]])])
    assert pairs.inputs.tolist() == [[[0.5, 1], [0.25, 0]]]
    assert pairs.targets.shape == (1, 1)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("adding", "the king"), ("adding", "[1, 0]"), ("adding", "[[1, 0], [1]]"), ("adding", "[]"), ("adding", "3"),
        ("bits_3", '["a"]'), ("bits_3", "[NaN]"), ("bits_3", "[[1, 0]]"), ("bits_3", "null"), ("bits_3", '{"a": 1}'),
    ],
)  # fmt: skip
def test_what_is_no_sequence_is_named(source: str, text: str) -> None:
    reader = made(MemoryProblemData, source, length=6, examples=20).reader
    good = "[[1, 0]]" if source == "adding" else "[1]"
    with pytest.raises(UserError, match=r"^text 2: .* came, expected .* such as \[\["):
        reader.encode([good, text])
    with pytest.raises(UserError, match=r"^text 41: "):
        reader.encode([good, text], first=40)
    with pytest.raises(UserError, match="there is no sequence"):
        reader.encode([])


def test_symbols_and_sentences_come_in_batches(tmp_path: Path) -> None:
    tags = made(TaggingData, "copy_memory", tmp_path, length=6, distance=9, symbols=4, examples=40, batch_size=8)
    assert tags.prepared.scheme == "none"
    for batch in tags.train_dataloader():
        assert batch.inputs.shape[1] == 21
        assert batch.count == 6 * len(batch.ids)
        assert not batch.target_mask[:, :15].any()
        assert batch.target_mask[:, 15:].all()
        for row, index in enumerate(batch.ids.tolist()):
            assert [tags.spec.targets.names[tag] for tag in batch.targets[row, 15:]] == tags.tokens("train", index)[:6]  # type: ignore[union-attr]
    sentences = made(ClassificationData, "agreement", tmp_path, distance=7, examples=40, batch_size=8)
    assert sentences.spec.targets.names == ("singular", "plural")  # type: ignore[union-attr]
    assert {batch.inputs.shape[1] for batch in sentences.train_dataloader()} == {9}
