from __future__ import annotations

from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

import numpy as np
import pytest

from lightning_seq.data import token_arrays
from lightning_seq.data.language_modelling import prepare
from lightning_seq.data.language_modelling.prepare import LineReading, PreparedText, prepare_text
from lightning_seq.data.sources.corpus import Corpus
from lightning_seq.data.sources.text_files import TextFiles
from lightning_seq.data.token_arrays import LONGEST_SENTENCE, save_parts, unknown_share
from lightning_seq.errors import UserError
from lightning_seq.files import Plain
from lightning_seq.spec import NextToken, Tokens
from lightning_seq.text.tokenise import Tokeniser

WORDS = LineReading(Tokeniser())
CHARACTERS = LineReading(Tokeniser("character", lower=False, spaces="keep"))


@dataclass
class GivenText:
    """A source that is handed its lines, and counts how often it is read."""

    train: list[str]
    validation: list[str] = field(default_factory=lambda: ["a new b\n"])
    test: list[str] = field(default_factory=lambda: ["b\n"])
    symbols: tuple[str, ...] | None = None
    reads: int = 0

    def describe(self) -> str:
        return "given"

    def identity(self) -> Plain:
        return [self.train, self.validation, self.test]

    def load(self) -> Corpus:
        self.reads += 1
        lines = {"train": self.train, "validation": self.validation, "test": self.test}
        return Corpus(lines, self.symbols, "r1", ["a note"])


TRAIN = ["A b,  a\n", "\n", "c  b\n", "  \n", "a <eos>"]


def spelt(prepared: PreparedText, split: str = "train", between: str = " ") -> str:
    return between.join(prepared.vocabulary.decode(prepared.splits[split].flat.tolist()))


def test_every_line_of_words_ends_with_eos(tmp_path: Path) -> None:
    prepared = prepare_text(GivenText(TRAIN), tmp_path, WORDS)
    assert spelt(prepared) == "a b , a <eos> c b <eos> a < eos > <eos>"
    assert spelt(prepared, "validation") == "a <unk> b <eos>"
    assert prepared.splits["train"].offsets.tolist() == [0, 5, 8, 13]
    assert prepared.line_end == 3
    assert prepared.splits["train"].flat.dtype == np.int32
    assert unknown_share(prepared.splits["validation"].flat) == 0.25
    assert isinstance(prepared.spec.inputs, Tokens)
    assert isinstance(prepared.spec.targets, NextToken)
    assert prepared.spec.inputs.words == prepared.spec.targets.words == prepared.vocabulary.words


def test_characters_of_words_are_counted_as_one_would_type_them(tmp_path: Path) -> None:
    prepared = prepare_text(GivenText(TRAIN), tmp_path, WORDS)
    assert prepared.splits["train"].characters == len("A b, a\nc b\na <eos>\n")
    blank = prepare_text(GivenText(TRAIN), tmp_path, LineReading(Tokeniser(), blank_lines=True))
    assert blank.splits["train"].characters == len("A b, a\n\nc b\n\na <eos>\n")


def test_blank_lines_may_count(tmp_path: Path) -> None:
    prepared = prepare_text(GivenText(TRAIN), tmp_path, LineReading(Tokeniser(), blank_lines=True))
    assert spelt(prepared) == "a b , a <eos> <eos> c b <eos> <eos> a < eos > <eos>"
    assert prepared.splits["train"].offsets.tolist() == [0, 5, 6, 9, 10, 15]
    assert list(prepared.train_sentences()) == [["a", "b", ",", "a"], ["c", "b"], ["a", "<", "eos", ">"]]


def test_lines_run_on_without_eos(tmp_path: Path) -> None:
    prepared = prepare_text(GivenText(TRAIN), tmp_path, LineReading(Tokeniser(), eos=False, blank_lines=True))
    assert spelt(prepared) == "a b , a c b a < eos >"
    assert prepared.splits["train"].offsets.tolist() == [0, 4, 6, 10]
    assert prepared.line_end is None


def test_characters_are_the_text_itself(tmp_path: Path) -> None:
    prepared = prepare_text(GivenText(TRAIN), tmp_path, CHARACTERS)
    assert spelt(prepared, between="") == "".join(TRAIN)
    assert prepared.line_end == prepared.vocabulary.encode("\n")[0] > 3
    assert prepared.splits["train"].characters == len("".join(TRAIN))
    without = prepare_text(GivenText(["ab"], ["a"], ["b"]), tmp_path, CHARACTERS)
    assert without.line_end is None


def test_unk_in_the_text_is_unk_where_words_stand_between_spaces(tmp_path: Path) -> None:
    reading = LineReading(Tokeniser("spaced", lower=False))
    prepared = prepare_text(GivenText(["The <unk> @-@ it\n"]), tmp_path, reading)
    assert prepared.splits["train"].flat[1] == 1
    assert spelt(prepared) == "The <unk> @-@ it <eos>"


def test_rare_words_are_unknown_but_word_vectors_get_them(tmp_path: Path) -> None:
    prepared = prepare_text(GivenText(["a a b\n", "c\n"]), tmp_path, WORDS, min_count=2)
    assert spelt(prepared) == "a a <unk> <eos> <unk> <eos>"
    assert list(prepared.train_sentences()) == [["a", "a", "b"], ["c"]]
    assert len(prepare_text(GivenText(TRAIN), tmp_path, WORDS, max_vocabulary=2).vocabulary) == 6


def test_word_vectors_get_a_long_line_in_parts(tmp_path: Path) -> None:
    words = [f"w{number}" for number in range(2 * LONGEST_SENTENCE + 5)]
    parts = list(prepare_text(GivenText([" ".join(words)]), tmp_path, WORDS).train_sentences())
    assert list(map(len, parts)) == [LONGEST_SENTENCE, LONGEST_SENTENCE, 5]
    assert list(chain(*parts)) == words


def test_a_source_may_bring_its_symbols(tmp_path: Path) -> None:
    lines = ["hello"]
    prepared = prepare_text(GivenText(lines, lines, lines, ("h", "e", "l", "o")), tmp_path, CHARACTERS)
    assert prepared.vocabulary.words == ("h", "e", "l", "o")
    assert prepared.vocabulary.counts == (1, 1, 2, 1)
    assert prepared.splits["test"].flat.tolist() == [0, 1, 2, 2, 3]
    with pytest.raises(UserError, match="'x' is not a symbol"):
        prepare_text(GivenText(["hex"], lines, lines, ("h", "e", "l", "o")), tmp_path, CHARACTERS)


def test_it_is_found_again_and_every_setting_makes_other_data(tmp_path: Path) -> None:
    source = GivenText(TRAIN)
    first, second = prepare_text(source, tmp_path, WORDS), prepare_text(source, tmp_path, WORDS)
    assert source.reads == 1
    assert (second.fingerprints, second.vocabulary) == (first.fingerprints, first.vocabulary)
    assert (second.report, second.revision) == (("a note",), "r1")
    for reading, options in (
        (LineReading(Tokeniser(), eos=False), {}),
        (LineReading(Tokeniser(), blank_lines=True), {}),
        (LineReading(Tokeniser(lower=False)), {}),
        (WORDS, {"min_count": 2}),
        (WORDS, {"max_vocabulary": 2}),
    ):
        other = prepare_text(source, tmp_path, reading, **options)
        assert other.fingerprints["data"] != first.fingerprints["data"]
        assert other.fingerprints["split"] == first.fingerprints["split"]
    moved = prepare_text(GivenText(TRAIN, ["b\n"], ["a new b\n"]), tmp_path, WORDS)
    assert moved.fingerprints["split"] != first.fingerprints["split"]


@pytest.mark.parametrize(
    ("source", "options", "said"),
    [
        (GivenText([" \n"]), {}, "the train split has no text"),
        (GivenText(TRAIN, test=[]), {}, "the test split has no text"),
        (GivenText(TRAIN), {"min_count": 9}, "no word occurs 9 times"),
    ],
)
def test_text_that_cannot_be_used_leaves_nothing_behind(
    tmp_path: Path, source: GivenText, options: dict[str, int], said: str
) -> None:
    with pytest.raises(UserError, match=said):
        prepare_text(source, tmp_path, WORDS, **options)
    assert not [path for path in (tmp_path / "data").iterdir() if path.is_dir()]


def test_parts_are_saved_as_numpy_saves_an_array(tmp_path: Path) -> None:
    numbers = np.arange(7, dtype=np.int32)
    np.save(tmp_path / "whole.npy", numbers)
    save_parts(tmp_path / "parts.npy", 7, iter([numbers[:3], numbers[3:]]))
    assert (tmp_path / "parts.npy").read_bytes() == (tmp_path / "whole.npy").read_bytes()


def test_a_text_in_many_parts_is_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = tmp_path / "text.txt"
    text.write_text("".join(f"{'a b c'[: 1 + 2 * (row % 3)]} w{row % 7}\n" for row in range(50)), encoding="utf-8")

    def files(name: str) -> dict[str, bytes]:
        directory = prepare_text(TextFiles(str(text)), tmp_path / name, WORDS).directory
        return {path.name: path.read_bytes() for path in directory.iterdir()}

    whole = files("whole")
    for module in (token_arrays, prepare):
        monkeypatch.setattr(module, "PART", 5)
    assert files("parts") == whole
    assert not any("numbers" in name for name in whole)
