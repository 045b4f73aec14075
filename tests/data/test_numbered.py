"""Texts as flat arrays of numbers."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from lightning_seq.data.token_arrays import TokenNumbers, cut_to, mapped, read_corpus, save_corpus, shortened
from lightning_seq.errors import UserError
from lightning_seq.files import DamagedError
from tests.damage import damage

TEXTS = [["the", "sea", "the"], [], ["a", "sea"], ["the", "a", "b", "c", "d"]]
NUMBERS = TokenNumbers()
FLAT = np.array([NUMBERS[token] for text in TEXTS for token in text], dtype=np.int32)
OFFSETS = np.cumsum([0, *map(len, TEXTS)])


def texts(flat: np.ndarray, offsets: np.ndarray, words: list[str]) -> list[list[str]]:
    return [[words[number] for number in flat[a:b]] for a, b in itertools.pairwise(offsets)]


def test_tokens_are_numbered_as_they_come() -> None:
    assert list(NUMBERS) == ["the", "sea", "a", "b", "c", "d"]
    assert list(NUMBERS.values()) == list(range(6))
    numbers = TokenNumbers()
    flat, offsets = numbers.flatten(TEXTS)
    assert (flat.tolist(), flat.dtype, offsets.tolist()) == (FLAT.tolist(), np.int32, OFFSETS.tolist())
    assert numbers.counts(flat[:4]) == {"the": 2, "sea": 1, "a": 1}, "the others do not occur there"
    assert [part.tolist() for part in TokenNumbers().flatten([[]])] == [[], [0, 0]]


def test_every_text_keeps_its_beginning() -> None:
    report: list[str] = []
    flat, offsets = shortened(FLAT, OFFSETS, 2, "train: ", "sentences", report)
    assert texts(flat, offsets, list(NUMBERS)) == [text[:2] for text in TEXTS]
    assert report == ["train: 2 of 4 sentences cut to 2 tokens"]


def test_nothing_is_cut_where_nothing_is_longer() -> None:
    for limit in (None, 5):
        report: list[str] = []
        assert shortened(FLAT, OFFSETS, limit, "", "", report) == (FLAT, OFFSETS)
        assert report == []
    assert cut_to(3, np.array([0])) == (None, np.array([0]), 0)


def test_a_corpus_is_by_falling_count_and_has_every_token(tmp_path: Path) -> None:
    save_corpus(tmp_path, "source_", FLAT, OFFSETS, [*NUMBERS, "never"])
    words = json.loads((tmp_path / "source_corpus_words.json").read_text())
    assert words == ["the", "a", "sea", "b", "c", "d"]
    read = [np.load(tmp_path / f"source_corpus_{part}.npy") for part in ("flat", "offsets")]
    assert texts(*read, words) == TEXTS


@pytest.mark.parametrize(
    ("name", "put"),
    [
        ("corpus_words.json", Path.unlink),
        ("corpus_words.json", lambda path: path.write_text("[1, 2]")),
        ("corpus_words.json", lambda path: damage(path, "deep")),
        ("corpus_flat.npy", lambda path: damage(path, "empty")),
        ("corpus_flat.npy", lambda path: np.save(path, np.array(["a"], dtype=object), allow_pickle=True)),
    ],
)
def test_a_corpus_that_was_damaged_after_it_was_checked_is_one_line(
    name: str, put: Callable[[Path], object], tmp_path: Path
) -> None:
    save_corpus(tmp_path, "", np.array([0, 1, 0], dtype=np.int32), np.array([0, 3]), ["b", "a"])
    assert list(read_corpus(tmp_path)) == [["b", "a", "b"]]
    put(tmp_path / name)
    with pytest.raises(
        UserError, match=r"is damaged \(.*\): delete it, and the same command makes it again$"
    ) as refused:
        list(read_corpus(tmp_path))
    assert str(refused.value).startswith(str(tmp_path))


def test_an_array_whose_header_has_a_wrong_shape_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros(8, np.int64))
    content = (tmp_path / "a.npy").read_bytes()
    for shape in (b"(9,)", b"(-1,)", b"(1e9,)", b"((((", b"(10**9999,)", b"(99999999999999999999,)"):
        longer = len(shape) - len(b"(8,)")
        (tmp_path / "a.npy").write_bytes(content.replace(b"(8,), }" + b" " * longer, shape + b", }"))
        with pytest.raises(DamagedError, match=r"^a\.npy cannot be read"):
            mapped(tmp_path, "a")
