"""Texts as flat arrays of numbers."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np

from lightning_seq.data.numbered import TokenNumbers, cut_to, save_corpus, shortened

TEXTS = [["the", "sea", "the"], [], ["a", "sea"], ["the", "a", "b", "c", "d"]]
NUMBERS = TokenNumbers()
FLAT = np.array([NUMBERS[token] for text in TEXTS for token in text], dtype=np.int32)
OFFSETS = np.cumsum([0, *map(len, TEXTS)])


def texts(flat: np.ndarray, offsets: np.ndarray, words: list[str]) -> list[list[str]]:
    return [[words[number] for number in flat[a:b]] for a, b in itertools.pairwise(offsets)]


def test_tokens_are_numbered_as_they_come() -> None:
    assert list(NUMBERS) == ["the", "sea", "a", "b", "c", "d"]
    assert list(NUMBERS.values()) == list(range(6))


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
