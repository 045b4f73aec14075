"""What tokens leave open about their text: by hand."""

from __future__ import annotations

from math import isnan, log
from pathlib import Path

import numpy as np
import pytest

from lightning_seq.data.language_modelling.module import LanguageModellingData
from lightning_seq.data.language_modelling.prepare import LineReading, PreparedText, prepare_text
from lightning_seq.data.language_modelling.surface import spelling_nats
from lightning_seq.data.sources.embedded_text import VersesText
from lightning_seq.metrics.baseline import unigram
from lightning_seq.text.spelling import SpellingModel
from lightning_seq.text.tokenise import Tokeniser
from tests.data.test_prepare_text import CHARACTERS, GivenText

SPACED = LineReading(Tokeniser("spaced"))
WORDS = LineReading(Tokeniser())
TRAIN = ["the ship is old\n", "the sea is old\n"]
TEST = ["the ark is old\n", "\n", "Sea  ship"]


def of_text(tmp_path: Path, train: list[str], test: list[str], reading: LineReading, **options: int) -> PreparedText:
    return prepare_text(GivenText(train, test, test), tmp_path, reading, **options)


def test_unknown_words_are_spelt_by_the_words_that_the_vocabulary_leaves_out(tmp_path: Path) -> None:
    prepared = of_text(tmp_path, TRAIN, TEST, SPACED, min_count=2)  # the, is, old
    model = SpellingModel({"ship": 1, "sea": 1})
    test, train = prepared.splits["test"], prepared.splits["train"]
    assert test.characters == len("the ark is old\nsea ship\n")
    assert test.surface_nats == pytest.approx(sum(map(model.nats, ["ark", "sea", "ship"])))
    assert train.surface_nats == pytest.approx(sum(map(model.nats, ["ship", "sea"])))


def test_unknown_words_are_spelt_by_all_words_if_the_vocabulary_leaves_out_none(tmp_path: Path) -> None:
    test = of_text(tmp_path, TRAIN, TEST, SPACED).splits["test"]
    types = ("the", "ship", "is", "old", "sea")
    assert test.surface_nats == pytest.approx(SpellingModel(dict.fromkeys(types, 1)).nats("ark"))


def test_unknown_characters_are_spelt_too(tmp_path: Path) -> None:
    test = of_text(tmp_path, TRAIN, ["the å\n"], CHARACTERS).splits["test"]
    letters = dict.fromkeys(sorted(set("".join(TRAIN))), 1)
    assert test.surface_nats == pytest.approx(SpellingModel(letters).nats("å"))
    assert test.characters == 6


def test_spaces_next_to_marks_cost_their_frequency(tmp_path: Path) -> None:
    train = ["a, b, c d\n", "a , b\n", "a,b a\n"]
    test = of_text(tmp_path, train, ["a, b\n", "a ,b\n", ", a b\n"], WORDS).splits["test"]
    # Before a comma a space in 1 of 4 cases, after one in 3 of 4, between two words always.
    before, after = (1 + 0.5) / 5, (3 + 0.5) / 5
    hand = [1 - before, after, before, 1 - after, after]
    assert test.surface_nats == pytest.approx(-sum(map(log, hand)))
    assert test.characters == len("a, b\na ,b\n, a b\n")


def test_a_literal_unk_has_no_spelling(tmp_path: Path) -> None:
    nats = spelling_nats(["a", "<unk>", "b"], np.array([False, True, True]), {"a": 1, "<unk>": 5})
    assert (nats[0], isnan(nats[1])) == (0, True)
    assert nats[2] == pytest.approx(SpellingModel({"<unk>": 1, "a": 1}).nats("b"))
    source = GivenText(["the <unk> is old\n"] * 2, ["the ark\n"], ["the <unk>\n"])
    prepared = prepare_text(source, tmp_path, SPACED)
    assert prepared.splits["test"].surface_nats is None
    assert prepared.splits["validation"].surface_nats is not None
    data = LanguageModellingData(prepared=prepared, batch_size=1, chunk_length=2, eval_batch_size=1)
    assert set(data.surface_nats) == {"validation"}
    assert "test: no bits per character, because the text has <unk> instead of some words" in "\n".join(data.notes())


@pytest.mark.parametrize("layout", ["columns", "sequences"])
def test_first_words_that_are_not_predicted_are_not_spelt(tmp_path: Path, layout: str) -> None:
    reading = LineReading(Tokeniser("spaced"), eos=False)
    prepared = of_text(tmp_path, TRAIN, ["ark the ship\n", "old ark\n"], reading, min_count=2)
    data = LanguageModellingData(prepared=prepared, batch_size=1, chunk_length=2, eval_batch_size=1, layout=layout)
    model = SpellingModel({"ship": 1, "sea": 1})
    predicted = " the ship old ark" if layout == "columns" else " the ship ark"
    assert data.characters["test"] == len(predicted)
    assert data.surface_nats["test"] == pytest.approx(model.nats("ship") + model.nats("ark"))
    assert data.tokens["test"] == len(predicted.split())


def test_a_small_vocabulary_does_not_look_better(tmp_path: Path) -> None:
    """Verses by unigrams: `<unk>` as one token with all its letters would cost 0.48 bits a character with ten words."""
    bits, plain = {}, {}
    for size in (10, 1000, None):
        prepared = prepare_text(VersesText("kjv", 1), tmp_path, LineReading(Tokeniser(normalise="nfc")), 2, size)
        data = LanguageModellingData(prepared=prepared)
        characters, tokens = data.characters["test"] * log(2), data.tokens["test"]
        nats = unigram(data.target_counts("train"), data.target_counts("test"))["loss"] * tokens
        bits[size], plain[size] = (nats + data.surface_nats["test"]) / characters, nats / characters
    assert plain[10] < 0.5 < 1.6 < plain[1000] < plain[None] < bits[None] < bits[1000] < bits[10] < 2
    text = prepare_text(VersesText("kjv", 1), tmp_path, CHARACTERS).splits["test"]
    assert (text.characters, text.surface_nats) == (data.characters["test"], 0)
