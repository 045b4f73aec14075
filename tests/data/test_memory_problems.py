"""Synthetic problems of memory: each answer recomputed in plain Python, and who can learn which."""

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

from lightning_seq.data.batching import STAND_IN, Share
from lightning_seq.data.classification import ClassificationData
from lightning_seq.data.memory_problems import COUNTED, MemoryProblemData, VectorReader, Vectors
from lightning_seq.data.sources.adding import Adding
from lightning_seq.data.sources.agreement import NOUNS, PREPOSITIONS, QUALITIES, Agreement
from lightning_seq.data.sources.bits import PROBLEMS, BitProblem
from lightning_seq.data.sources.copy_memory import CopyMemory
from lightning_seq.data.tagging import TaggingData
from lightning_seq.errors import UserError
from lightning_seq.spec import Bits, DataSpec, Features, Values

STEPS = ("bits_3", "bits_4", "bits_parity")


def said(problem: str, bits: list[int]) -> list[int]:
    """The rule, bit by bit."""
    found, before, odd = [], 0, False
    for bit in bits:
        if problem == "bits_parity":
            odd = odd != (bit == 1)
            found.append(int(odd))
        elif problem == "bits_4":
            before = (1, 0)[bit] if bit == before else bit
            found.append(before)
        else:
            found.append((1, 0)[bit])
    return found


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(STEPS), st.integers(1, 70), st.integers(10, 40), st.integers(0, 3))
def test_every_bit_is_answered_by_the_rule(problem: str, length: int, examples: int, seed: int) -> None:
    splits, _ = BitProblem(problem, length, examples=examples, split_seed=seed).load()
    assert len(splits["train"]) == examples
    for split in splits.values():
        assert split.inputs.shape == split.targets.shape == (len(split), length, 1)
        assert split.lengths.tolist() == [length] * len(split)
        assert split.counted is None
        for bits, answer in zip(split.inputs[:, :, 0].tolist(), split.targets[:, :, 0].tolist(), strict=True):
            assert answer == said(problem, [int(bit) for bit in bits])


def test_bits_4_read_literally_is_a_clock() -> None:
    """1010… for every input: what the documentation says of it."""
    for split in BitProblem("bits_4").load()[0].values():
        assert len({tuple(bits) for bits in split.inputs[:, :, 0].tolist()}) > 50
        assert np.array_equal(split.targets[:, :, 0], np.tile([1.0, 0.0] * 5, (len(split), 1)))


def test_one_bit_becomes_the_other() -> None:
    splits, notes = BitProblem("bits_1", 1, examples=20).load()
    for split in splits.values():
        assert {(x, y) for x, y in zip(split.inputs.flatten(), split.targets.flatten(), strict=True)} == {
            (0, 1),
            (1, 0),
        }
        assert split.inputs.shape[1:] == (1, 1)
    assert len(splits["train"]) == 20
    assert "2 different strings: they are in every split" in notes[0]


@pytest.mark.parametrize("variable", [False, True])
def test_ten_bits_in_one_step_and_minus_one_where_there_is_none(variable: bool) -> None:
    problem = BitProblem("bits_2", variable=variable)
    assert problem.spec == DataSpec(Features(10), Bits(10, shifted=False))
    splits, _ = problem.load()
    seen = set()
    for split in splits.values():
        assert split.inputs.shape == (len(split), 1, 10)
        assert (split.counted is not None) == variable
        for row in range(len(split)):
            bits = [bit for bit in split.inputs[row, 0].tolist() if bit >= 0]
            seen.add(len(bits))
            assert split.inputs[row, 0].tolist() == bits + [-1] * (10 - len(bits))
            assert split.targets[row, 0].tolist() == [1 - bit for bit in bits] + [0] * (10 - len(bits))
            if split.counted is not None:
                assert split.counted[row, 0].tolist() == [True] * len(bits) + [False] * (10 - len(bits))
    assert seen >= ({8, 9, 10} if variable else {10})
    assert variable or seen == {10}


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(PROBLEMS[1:]), st.integers(2, 40), st.booleans(), st.integers(10, 300), st.integers(0, 3))
def test_no_string_is_in_two_splits(problem: str, length: int, variable: bool, examples: int, seed: int) -> None:
    made = BitProblem(problem, length, variable and problem == "bits_2", examples, seed)
    splits, notes = made.load()
    strings = {name: [row.tobytes() for row in split.inputs] for name, split in splits.items()}
    assert len(strings["train"]) == examples
    for name, others in (("train", "validation"), ("train", "test"), ("validation", "test")):
        assert not set(strings[name]) & set(strings[others])
    for name in ("validation", "test"):
        assert 1 <= len(set(strings[name])) == len(strings[name])
    if not notes:
        assert len(set(strings["train"])) == examples
    counts = np.unique(strings["train"], return_counts=True)[1]
    assert counts.max() - counts.min() <= 1


def test_strings_are_drawn_as_often_as_any_other() -> None:
    """Every string of ten bits is in one of the splits; of sixty, each bit is one half of the time."""
    splits, _ = BitProblem("bits_3").load()
    assert len({row.tobytes() for split in splits.values() for row in split.inputs}) == 1024
    bits = BitProblem("bits_3", 60).load()[0]["train"].inputs
    assert np.abs(bits.mean(0) - 0.5).max() < 0.05
    assert len({row.tobytes() for row in bits}) == 4000


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 60), st.integers(10, 60), st.integers(0, 3))
def test_the_sum_of_one_number_of_each_half(length: int, examples: int, seed: int) -> None:
    splits, _ = Adding(length, "arjovsky2016", examples, seed).load()
    assert len(splits["train"]) == examples
    for split in splits.values():
        assert split.lengths.tolist() == [length] * len(split)
        for pairs, target in zip(split.inputs.tolist(), split.targets.tolist(), strict=True):
            marked = [place for place, (_, mark) in enumerate(pairs) if mark == 1]
            assert [mark for _, mark in pairs if mark != 1] == [0] * (length - 2)
            assert len(marked) == 2
            assert marked[0] < length // 2 <= marked[1]
            assert all(0 <= value < 1 for value, _ in pairs)
            assert target == [pytest.approx(sum(pairs[place][0] for place in marked), abs=1e-6)]


@settings(max_examples=25, deadline=None)
@given(st.integers(6, 60), st.integers(10, 60), st.integers(0, 3))
def test_the_adding_problem_of_1997(length: int, examples: int, seed: int) -> None:
    splits, _ = Adding(length, "hochreiter1997", examples, seed).load()
    for split in splits.values():
        assert split.lengths.min() >= length
        assert split.lengths.max() <= length + length / 10
        for pairs, steps, target in zip(split.inputs, split.lengths.tolist(), split.targets.tolist(), strict=True):
            assert not pairs[steps:].any()
            values, marks = pairs[:steps, 0].tolist(), pairs[:steps, 1].tolist()
            assert marks[0] == marks[-1] == -1
            marked = [place for place, mark in enumerate(marks) if mark == 1]
            assert marks.count(0) == steps - 2 - len(marked)
            # One of the two may have fallen on the first pair, whose mark is -1: it counts as 0.
            assert len(marked) in (1, 2)
            assert len(marked) == 1 or min(marked) < 10
            assert min(max(marked), steps - 2) == max(marked)
            assert len([place for place in marked if place >= length // 2 - 1]) <= 1
            assert all(-1 <= value <= 1 for value in values)
            assert target == [pytest.approx(0.5 + sum(values[place] for place in marked) / 4, abs=1e-6)]


def test_the_error_of_who_always_says_the_same() -> None:
    """The variances of the two sums: 1/6; and 1/48 for each number that did not fall on the first pair."""
    both = (1 - 1 / 10) + (1 - 9 / 10 / 23)
    for variant, said_always, error in (("arjovsky2016", 1.0, 1 / 6), ("hochreiter1997", 0.5, both / 48)):
        targets = Adding(50, variant).load()[0]["train"].targets
        assert float(((targets - said_always) ** 2).mean()) == pytest.approx(error, rel=0.05)


def test_marks_fall_everywhere_they_may() -> None:
    found = Adding(30, "hochreiter1997").load()[0]["train"].inputs[:, :, 1]
    places = (found == 1).sum(0)
    assert (places[1:14] > 0).all()
    assert not places[14:].any()
    found = Adding(10).load()[0]["train"].inputs[:, :, 1].sum(0)
    assert np.abs(found / 10000 - 0.2).max() < 0.02


@settings(max_examples=20, deadline=None)
@given(st.integers(6, 12), st.integers(1, 30), st.integers(6, 26), st.integers(10, 60), st.integers(0, 3))
def test_the_symbols_are_said_again_after_the_silence(
    length: int, distance: int, symbols: int, examples: int, seed: int
) -> None:
    loaded = CopyMemory(length, distance, symbols, examples, seed).load()
    alphabet = "abcdefghijklmnopqrstuvwxyz"[:symbols]
    assert loaded.classes == tuple(alphabet)
    assert len(loaded.tables["train"]) == examples
    seen: set[str] = set()
    for table in loaded.tables.values():
        for words, tags in zip(table.tokens, table.tags, strict=True):
            assert len(words) == len(tags) == 2 * length + distance
            held = words[:length]
            assert set(held) <= set(alphabet)
            assert words[length:] == ["_"] * (distance - 1) + [":"] + ["_"] * length
            assert tags == [None] * (length + distance) + held
            assert "".join(held) not in seen
            seen.add("".join(held))


@settings(max_examples=20, deadline=None)
@given(st.integers(6, 40), st.integers(20, 80), st.integers(0, 3))
def test_only_the_second_word_tells_the_number(distance: int, examples: int, seed: int) -> None:
    tables = Agreement(distance, examples, seed).load().tables
    assert len(tables["train"]) == examples // 2 * 2
    numbers = {noun: number for pair in NOUNS for noun, number in zip(pair, ("singular", "plural"), strict=True)}
    plural = dict(NOUNS)
    seen: set[str] = set()
    for table in tables.values():
        assert not seen & set(table.texts)
        assert len(set(table.texts)) == len(table.texts)
        seen |= set(table.texts)
        for text, label in zip(table.texts, table.labels, strict=True):
            words = text.split()
            assert len(words) == distance + 2
            assert words[0] == "the"
            assert numbers[words[1]] == label
            nouns = [word for word in words[2:] if word in numbers]
            assert len(nouns) == distance // 3
            rest = [word for word in words[2:] if word not in numbers and word != "the"]
            assert set(rest) <= {*PREPOSITIONS, *QUALITIES}
        for one, other in zip(table.texts[::2], table.texts[1::2], strict=True):
            assert one.split()[2:] == other.split()[2:]
            assert plural[one.split()[1]] == other.split()[1]


def test_nouns_between_have_either_number() -> None:
    singular = [noun for noun, _ in NOUNS]
    words = [word for text in Agreement().load().tables["train"].texts[::2] for word in text.split()[2:]]
    nouns = [word for word in words if word in singular or word in dict(map(reversed, NOUNS))]  # type: ignore[arg-type]
    share = sum(word in singular for word in nouns) / len(nouns)
    assert 0.47 < share < 0.53


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: BitProblem("bits_5"), r"data\.source is 'bits_5'"),
        (lambda: BitProblem("bits_3", 0), r"data\.length is 0, expected a whole number of at least 1"),
        (lambda: BitProblem("bits_3", True), r"data\.length is True"),
        (lambda: BitProblem("bits_1", 2), r"data\.length is 2, and bits_1 has one bit"),
        (lambda: BitProblem("bits_3", variable=True), r"data\.variable is for bits_2"),
        (lambda: BitProblem("bits_3", examples=9), r"data\.examples is 9"),
        (lambda: BitProblem("bits_3", split_seed=-1), r"data\.split_seed is -1"),
        (lambda: Adding(1), r"data\.length is 1, expected a whole number of at least 2"),
        (lambda: Adding(5, "hochreiter1997"), r"data\.length is 5, expected a whole number of at least 6"),
        (lambda: Adding(variant="le"), r"data\.variant is 'le'.*arjovsky2016"),
        (lambda: CopyMemory(symbols=27), r"data\.symbols is 27, expected at most 26"),
        (lambda: CopyMemory(symbols=1), r"data\.symbols is 1"),
        (lambda: CopyMemory(distance=0), r"data\.distance is 0"),
        (lambda: CopyMemory(length=3), r"there are 512 different sentences of 3 out of 8 symbols"),
        (lambda: Agreement(5), r"data\.distance is 5, expected a whole number of at least 6"),
        (lambda: Agreement(examples=19), r"data\.examples is 19"),
        (lambda: Agreement(6, 10**7), r"different sentences of distance 6"),
        (lambda: MemoryProblemData("bits_6"), r"data\.source is 'bits_6'.*did you mean"),
        (lambda: MemoryProblemData("bits_3", batch_size=0), r"data\.batch_size is 0"),
        (lambda: MemoryProblemData("bits_3", eval_batch_size=0), r"data\.eval_batch_size is 0"),
        (lambda: MemoryProblemData("bits_3", num_workers=-1), r"data\.num_workers is -1"),
    ],
)
def test_what_cannot_be(make: Any, said: str) -> None:
    with pytest.raises(UserError, match=said):
        make()


def batches(data: MemoryProblemData) -> list[Any]:
    return list(data.train_dataloader())


@pytest.mark.parametrize("source", ["bits_2", "bits_parity", "adding"])
def test_the_same_seed_gives_the_same_batches(source: str) -> None:
    options = {"length": 8, "examples": 40, "batch_size": 7}
    one, other = (MemoryProblemData(source, **options) for _ in range(2))  # type: ignore[arg-type]
    assert one.fingerprints == other.fingerprints
    for mine, theirs in zip(batches(one), batches(other), strict=True):
        assert torch.equal(mine.inputs, theirs.inputs)
        assert torch.equal(mine.ids, theirs.ids)
    for changed in ({"split_seed": 2}, {"length": 9}, {"examples": 50}):
        different = MemoryProblemData(source, **{**options, **changed})  # type: ignore[arg-type]
        assert different.fingerprints["data"] != one.fingerprints["data"]
        assert different.fingerprints["split"] != one.fingerprints["split"]
    shuffled = MemoryProblemData(source, seed=2, **options)  # type: ignore[arg-type]
    assert shuffled.fingerprints == one.fingerprints
    assert [batch.ids.tolist() for batch in batches(shuffled)] != [batch.ids.tolist() for batch in batches(one)]


@settings(max_examples=20, deadline=None)
@given(st.sampled_from(["bits_2", "bits_3", "adding"]), st.integers(1, 33), st.integers(1, 3))
def test_ranks_together_count_everything_once(source: str, batch_size: int, world: int) -> None:
    data = MemoryProblemData(source, length=6, examples=30, batch_size=batch_size)
    steps = []
    for rank in range(world):

        class Ranks:
            global_rank, world_size = rank, world

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
    data = MemoryProblemData(source, length=6, examples=30)
    batch = Vectors(data.splits["train"], data.of_steps)[Share([STAND_IN], 9)]
    assert not batch.target_mask.any()
    assert batch.mask.all()
    assert batch.count == 9


def test_a_batch_is_cut_to_its_longest_sequence() -> None:
    data = MemoryProblemData("adding", length=30, variant="hochreiter1997", examples=200, batch_size=8)
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
    data = MemoryProblemData("bits_2", variable=True, examples=50, batch_size=9)
    for batch in batches(data):
        assert torch.equal(batch.extra[COUNTED], batch.inputs >= 0)
        assert batch.target_mask.all()
    assert all(batch.extra == {} for batch in batches(MemoryProblemData("bits_2", examples=50)))


def test_a_pass_can_be_taken_up_again() -> None:
    def make() -> MemoryProblemData:
        return MemoryProblemData("adding", length=6, examples=60, batch_size=7)

    straight = [batch.ids.tolist() for batch in batches(make())]
    loader = make().train_dataloader()
    passing = iter(loader)
    first = [next(passing).ids.tolist() for _ in range(3)]
    rest = make().train_dataloader()
    rest.load_state_dict(loader.state_dict())  # type: ignore[attr-defined]
    assert first + [batch.ids.tolist() for batch in rest] == straight


def test_the_summary_says_what_who_never_looks_is_worth() -> None:
    data = MemoryProblemData("adding", length=20, examples=1000)
    train, test = (data.splits[name].targets for name in ("train", "test"))
    error = float(((test - train.mean()) ** 2).mean())
    assert f"a squared error of {error:.4f}" in data.summary()
    assert "at most 20 steps" in data.summary()
    assert "50.0% of the bits of test are 1" in MemoryProblemData("bits_4").summary()
    assert "each is in one split" in MemoryProblemData("bits_4").summary()
    assert list(data.train_sentences()) == []
    assert data.vocabulary is None


def test_who_never_looks_says_the_commoner_bit_of_those_that_count() -> None:
    data = MemoryProblemData("bits_2", variable=True, examples=200)
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
    data = MemoryProblemData("adding", length=10, examples=40)
    train, test = (data.splits[name] for name in ("train", "test"))
    data.splits["train"] = replace(train, targets=np.arange(len(train), dtype=np.float32)[:, None])
    data.splits["test"] = replace(test, targets=np.zeros_like(test.targets))
    assert f"a squared error of {((len(train) - 1) / 2) ** 2:.4f} in test" in data.summary()


def test_new_sequences_are_read(tmp_path: Path) -> None:
    data = MemoryProblemData("bits_parity", examples=20)
    torch.save(data.to_plain(), tmp_path / "plain")
    plain = torch.load(tmp_path / "plain", weights_only=True)
    reader = VectorReader.from_plain(plain)
    assert reader == data.reader
    batch = reader.encode(["[1, 0, 1]", "[[1]]"])
    assert batch.inputs.tolist() == [[[1], [0], [1]], [[1], [0], [0]]]
    assert batch.mask.tolist() == [[True, True, True], [True, False, False]]
    assert batch.targets.shape == (2, 3, 1)
    assert not batch.target_mask.any()
    pairs = MemoryProblemData("adding", length=6, examples=20).encode([json.dumps([[0.5, 1], [0.25, 0]])])
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
    reader = MemoryProblemData(source, length=6, examples=20).reader
    good = "[[1, 0]]" if source == "adding" else "[1]"
    with pytest.raises(UserError, match=r"^text 2: .* came, expected .* such as \[\["):
        reader.encode([good, text])
    with pytest.raises(UserError, match=r"^text 41: "):
        reader.encode([good, text], first=40)
    with pytest.raises(UserError, match="there is no sequence"):
        reader.encode([])


def test_symbols_and_sentences_come_in_batches(tmp_path: Path) -> None:
    tags = TaggingData("copy_memory", tmp_path, length=6, distance=9, symbols=4, examples=40, batch_size=8)
    assert tags.scheme == "none"
    for batch in tags.train_dataloader():
        assert batch.inputs.shape[1] == 21
        assert batch.count == 6 * len(batch.ids)
        assert not batch.target_mask[:, :15].any()
        assert batch.target_mask[:, 15:].all()
        for row, index in enumerate(batch.ids.tolist()):
            assert [tags.spec.targets.names[tag] for tag in batch.targets[row, 15:]] == tags.tokens("train", index)[:6]  # type: ignore[union-attr]
    sentences = ClassificationData("agreement", tmp_path, distance=7, examples=40, batch_size=8)
    assert sentences.spec.targets.names == ("singular", "plural")  # type: ignore[union-attr]
    assert {batch.inputs.shape[1] for batch in sentences.train_dataloader()} == {9}
