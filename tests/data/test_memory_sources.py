"""Synthetic problems of memory as their sources make them: each answer recomputed in plain Python."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightning_seq.data.memory_problems.module import MemoryProblemData
from lightning_seq.data.sources.adding import Adding
from lightning_seq.data.sources.agreement import NOUNS, PREPOSITIONS, QUALITIES, Agreement
from lightning_seq.data.sources.bits import PROBLEMS, BitProblem
from lightning_seq.data.sources.copy_memory import CopyMemory
from lightning_seq.errors import UserError
from lightning_seq.spec import Bits, DataSpec, Features

from .from_keys import made

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
    made = BitProblem(problem, length, variable and problem == "bits_2", examples=examples, split_seed=seed)
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
    splits, _ = Adding(length, "arjovsky2016", examples=examples, split_seed=seed).load()
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
    splits, _ = Adding(length, "hochreiter1997", examples=examples, split_seed=seed).load()
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
    loaded = CopyMemory(length, distance, symbols, examples=examples, split_seed=seed).load()
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
    tables = Agreement(distance, examples=examples, split_seed=seed).load().tables
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
        (lambda: BitProblem("bits_5"), r"data\.problem is 'bits_5'.*did you mean"),
        (lambda: BitProblem("bits_3", 0), r"data\.length is 0, expected a whole number of at least 1"),
        (lambda: BitProblem("bits_3", True), r"data\.length is True"),
        (lambda: BitProblem("bits_1", 2), r"data\.length is 2, and bits_1 has one bit"),
        (lambda: BitProblem("bits_3", variable=True), r"data\.variable is for bits_2"),
        (lambda: BitProblem("bits_3", examples=9), r"data\.examples is 9"),
        (lambda: BitProblem("bits_3", split_seed=-1), r"data\.split_seed is -1"),
        (lambda: Adding(1), r"data\.length is 1, expected a whole number of at least 2"),
        (lambda: Adding(5, "hochreiter1997"), r"data\.length is 5, expected a whole number of at least 6"),
        (lambda: Adding(variant="le"), r"data\.variant is 'le'.*arjovsky2016"),
        (lambda: CopyMemory(symbols=27), r"data\.symbols is 27, expected a whole number from 2 to 26"),
        (lambda: CopyMemory(symbols=1), r"data\.symbols is 1"),
        (lambda: CopyMemory(distance=0), r"data\.distance is 0"),
        (lambda: CopyMemory(length=3), r"there are 512 different sentences of 3 out of 8 symbols"),
        (lambda: Agreement(5), r"data\.distance is 5, expected a whole number of at least 6"),
        (lambda: Agreement(examples=19), r"data\.examples is 19"),
        (lambda: Agreement(6, examples=10**7), r"different sentences of distance 6"),
        (lambda: made(MemoryProblemData, "bits_3", batch_size=0), r"data\.batch_size is 0"),
        (lambda: made(MemoryProblemData, "bits_3", eval_batch_size=0), r"data\.eval_batch_size is 0"),
        (lambda: made(MemoryProblemData, "bits_3", num_workers=-1), r"data\.num_workers is -1"),
    ],
)
def test_what_cannot_be(make: Any, said: str) -> None:
    with pytest.raises(UserError, match=said):
        make()
