from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lightning_seq.data.bucket_sampler import PADDING_SAMPLE, BatchShard
from lightning_seq.data.sequences_of_sets.module import RollDataset, SequencesOfSetsData, SetReader
from lightning_seq.data.sources.piano_rolls import NOTES, RollFiles, read_roll, roll
from lightning_seq.errors import UserError
from lightning_seq.metrics.baseline import bit_frequencies
from lightning_seq.spec import Bits, Features

from .from_keys import made

PIECES = [[[60 + (piece + step) % 5, 21 + piece] for step in range(1 + piece % 6)] for piece in range(30)]


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("own") / "pieces.jsonl"
    path.write_text("\n\n".join(json.dumps({"notes": piece}) for piece in PIECES))
    return path


def make(file: Path, **options: Any) -> SequencesOfSetsData:
    whole = {"train": str(file), "validation": str(file), "test": str(file)}
    return made(SequencesOfSetsData, "own", file.parent, **{**whole, "batch_size": 4, **options})


def test_a_roll_by_hand() -> None:
    found = roll([[60, 64], [], [21, 108, 108]], "here")
    assert found.shape == (3, 88)
    assert np.argwhere(found).tolist() == [[0, 39], [0, 43], [2, 0], [2, 87]]


def test_each_step_is_predicted_from_those_before(file: Path) -> None:
    data = make(file)
    assert isinstance(data.spec.inputs, Features)
    assert isinstance(data.spec.targets, Bits)
    assert data.spec.inputs.names == data.spec.targets.names == tuple(map(str, range(21, 109)))
    assert data.vocabulary is None
    seen = set()
    for batch in data.train_dataloader():
        assert batch.inputs.shape == batch.targets.shape == (*batch.mask.shape, 88)
        assert batch.inputs.dtype == batch.targets.dtype == torch.float32
        assert batch.count == batch.target_mask.sum()
        assert torch.equal(batch.mask, batch.target_mask)
        for index, inputs, targets, keep in zip(
            batch.ids.tolist(), batch.inputs, batch.targets, batch.mask, strict=True
        ):
            seen.add(index)
            assert data.reader.decode(targets[keep]) == [sorted(set(step)) for step in PIECES[index]]
            assert torch.equal(inputs[keep][1:], targets[keep][:-1])
            assert not inputs[0].any()
            assert not inputs[~keep].any()
            assert not targets[~keep].any()
    assert seen == set(range(30))


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 33), st.integers(1, 3))
def test_ranks_together_count_every_step_once(file: Path, batch_size: int, world: int) -> None:
    data = make(file, batch_size=batch_size)
    steps = []
    for rank in range(world):

        class Ranks:
            global_rank, world_size, accumulate_grad_batches = rank, world, 1

        data.trainer = Ranks()  # type: ignore[assignment]
        steps.append(list(data.train_dataloader()))
    for shares in zip(*steps, strict=True):
        assert {share.count for share in shares} == {sum(int(share.target_mask.sum()) for share in shares)}
    assert sum(share.count for share in steps[0]) == sum(map(len, PIECES))


def test_a_stand_in_does_not_count(file: Path) -> None:
    batch = RollDataset(make(file).prepared.splits["train"])[BatchShard([PADDING_SAMPLE], 9)]
    assert not batch.target_mask.any()
    assert batch.count == 9


def test_a_pass_can_be_taken_up_again(file: Path) -> None:
    straight = [batch.ids.tolist() for batch in make(file).train_dataloader()]
    loader = make(file).train_dataloader()
    passing = iter(loader)
    first = [next(passing).ids.tolist() for _ in range(3)]
    rest = make(file).train_dataloader()
    rest.load_state_dict(loader.state_dict())  # type: ignore[attr-defined]
    assert first + [batch.ids.tolist() for batch in rest] == straight


def test_new_pieces_are_read_as_in_training(file: Path, tmp_path: Path) -> None:
    data = make(file)
    torch.save(data.to_plain(), tmp_path / "plain")
    plain = torch.load(tmp_path / "plain", weights_only=True)
    assert plain["kind"] == "sequences_of_sets"
    reader = SetReader.from_plain(plain)
    assert reader == data.reader
    batch = reader.encode(["[[60], [], [62, 64]]", '{"notes": [[21]]}'])
    assert batch.mask.tolist() == [[True] * 4, [True, True, False, False]]
    assert batch.target_mask.tolist() == [[True] * 3 + [False], [True] + [False] * 3]
    assert reader.decode(batch.inputs[0]) == [[], [60], [], [62, 64]]
    assert reader.decode(batch.targets[0]) == [[60], [], [62, 64], []]
    assert reader.decode(batch.inputs[1]) == [[], [21], [], []]
    assert batch.count == 4
    with pytest.raises(UserError, match="there is no piece"):
        reader.encode([])


def test_missing_splits_are_cut_from_train_at_random(file: Path) -> None:
    loaded = RollFiles(str(file)).load()
    assert [len(loaded.tables[split]) for split in ("train", "validation", "test")] == [24, 3, 3]
    lines = [line for table in loaded.tables.values() for line in table.ids]
    assert sorted(lines) == list(range(1, 60, 2))
    assert len(loaded.notes) == 2


def test_it_is_found_again(file: Path) -> None:
    one, other = make(file), make(file)
    assert one.prepared.directory == other.prepared.directory
    assert one.fingerprints == other.fingerprints
    assert "train 30 (105), validation 30 (105), test 30 (105) pieces (steps)" in one.summary()
    assert list(one.train_sentences()) == []


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("x", "line 1: not JSON"),
        ("[" * 100_000, "line 1: not JSON"),
        ('{"note": [[60]]}', "line 1: there is no 'notes'"),
        ('[[60]]\n{"notes": []}', r"line 2: \[\] came, expected a list of steps"),
        ('{"notes": [[60], 61]}', r"line 1, step 2: 61 came, expected a list of MIDI numbers from 21 to 108"),
        ('{"notes": [[60], [60, 109]]}', r"line 1, step 2: \[60, 109\] came"),
        ('{"notes": [[true]]}', r"line 1, step 1: \[true\] came"),
        ('{"notes": [["C4"]]}', r'line 1, step 1: \["C4"\] came'),
        ("7", "line 1: 7 came"),
        (" \n", "is empty"),
    ],
)
def test_mistakes_are_named_with_file_and_line(tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "own.jsonl").write_text(content)
    with pytest.raises(UserError, match=said) as raised:
        make(tmp_path / "own.jsonl")
    assert "own.jsonl" in str(raised.value)


def test_settings_that_cannot_be(file: Path, tmp_path: Path) -> None:
    for options, said in (
        ({"batch_size": 0}, r"data\.batch_size is 0"),
        ({"eval_batch_size": 0}, r"data\.eval_batch_size is 0"),
        ({"num_workers": -1}, r"data\.num_workers is -1"),
        ({"train": str(tmp_path / "x.jsonl")}, r"data\.train=.*is not there"),
        ({"train": None}, r"own is not on the Hub: give a directory.*data\.mirror=DIR.*data\.train=FILE"),
        ({"train": None, "hub": {"idd": 1}}, r"did you mean id"),
    ):
        with pytest.raises(UserError, match=said):
            make(file, **options)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "sizes", "note_1_gram"),
    [
        ("jsb_chorales", [229, 76, 77], 11.06),
        ("nottingham", [694, 173, 170], 10.25),
        ("musedata", [524, 135, 124], 11.51),
        ("piano_midi", [87, 12, 25], 11.05),
    ],
)
def test_the_notes_own_frequencies_score_as_published(
    mirror: Path, tmp_path: Path, name: str, sizes: list[int], note_1_gram: float
) -> None:
    """Boulanger-Lewandowski et al. 2012, Table 1, `Note 1-gram`: a sum over notes, a mean over all steps."""
    data = made(SequencesOfSetsData, name, tmp_path, mirror=str(mirror), mirror_path=f"boulanger-lewandowski/{name}")
    assert [len(split) for split in data.prepared.splits.values()] == sizes
    train = data.prepared.splits["train"].flat
    shares = torch.from_numpy((train.sum(0, dtype=np.int64) + 1) / (len(train) + 2)).float()
    total, count = 0.0, 0
    for batch in data.test_dataloader():
        loss = torch.nn.functional.binary_cross_entropy(
            shares.expand_as(batch.targets), batch.targets, reduction="none"
        )
        total += float(loss.sum(-1)[batch.target_mask].sum())
        count += batch.count
    assert total / count == pytest.approx(note_1_gram, abs=0.006)
    assert bit_frequencies(train, data.prepared.splits["test"].flat)["loss"] == pytest.approx(total / count, rel=1e-4)


def test_a_piece_as_an_object_or_a_list() -> None:
    assert np.array_equal(read_roll('{"notes": [[60]]}', "x"), read_roll("[[60]]", "x"))
    assert len(NOTES) == 88
