"""What is made of pairs of texts once: vocabularies, subwords, caps."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lightning_seq.data.sequence_to_sequence.module import SequenceToSequenceData
from lightning_seq.data.sequence_to_sequence.prepare import of_pieces, prepare_pairs
from lightning_seq.data.sequence_to_sequence.settings import PairSettings
from lightning_seq.data.token_arrays import unknown_share
from lightning_seq.errors import UserError
from lightning_seq.spec import Tokens, TokenSequence
from lightning_seq.text.vocabulary import EOS, SPECIALS

from .given_pairs import Given


def unknown(flat: np.ndarray) -> float:
    return unknown_share(flat[flat != EOS])


def test_vocabularies_are_of_train_alone_each_of_its_side(tmp_path: Path) -> None:
    source = Given([("a a b", "A x"), ("a c", "x x y")])
    prepared = prepare_pairs(source, tmp_path, PairSettings(min_count=2))
    assert prepared.vocabulary.words == (*SPECIALS, "a")
    assert prepared.target_vocabulary.words == (*SPECIALS, "x")
    assert prepared.spec.inputs == Tokens(prepared.vocabulary.words)
    assert prepared.spec.targets == TokenSequence(prepared.target_vocabulary.words)
    assert unknown(prepared.splits["test"].target.flat) == 1.0
    assert list(prepared.train_sentences()) == [["a", "a", "b"], ["a", "c"]]
    assert list(prepared.train_sentences("target")) == [["a", "x"], ["x", "x", "y"]]
    upper = prepare_pairs(source, tmp_path, PairSettings(lower=False))
    assert "A" in upper.target_vocabulary.words


def test_a_joint_vocabulary_is_one(tmp_path: Path) -> None:
    source = Given([("a b", "b b c")] * 3)
    data = SequenceToSequenceData(prepared=prepare_pairs(source, tmp_path, PairSettings(joint_vocabulary=True)))
    assert data.vocabulary is data.target_vocabulary
    assert data.vocabulary.words == (*SPECIALS, "b", "a", "c")
    assert data.vocabulary.counts[4:] == (9, 3, 3)
    assert list(data.train_sentences()) == [["a", "b"]] * 3 + [["b", "b", "c"]] * 3
    assert list(data.target_side.train_sentences()) == list(data.train_sentences())
    assert data.target_side.fingerprints["data"] == data.fingerprints["data"]
    for options in ({"target_level": "character"}, {"level": "subword", "target_subword": {"size": 9}}):
        with pytest.raises(UserError, match=r"data\.joint_vocabulary=true needs the same kind of tokens"):
            PairSettings(joint_vocabulary=True, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("joint", [False, True])
def test_subwords_are_counted_in_training_and_unknown_where_it_lacks_them(tmp_path: Path, joint: bool) -> None:
    source = Given([("low lower", "new newer"), ("lowest low", "newest")] * 4, test=[("low zx", "newer q")])
    settings = PairSettings(level="subword", subword={"size": 14}, joint_vocabulary=joint)
    prepared = prepare_pairs(source, tmp_path, settings)
    texts = {"source": [one for one, _ in source.train], "target": [other for _, other in source.train]}
    for side, vocabulary in (("source", prepared.vocabulary), ("target", prepared.target_vocabulary)):
        segmenter = getattr(prepared, side)
        read = [text for each in (texts if joint else [side]) for text in texts[each]]
        counts = Counter(piece for text in read for piece in segmenter(text))
        assert dict(zip(vocabulary.words, vocabulary.counts, strict=True)) == {
            **dict.fromkeys((*SPECIALS, *segmenter.subwords.pieces), 0),
            **counts,
        }
    found, ended = prepared.source("low zx"), prepared.target("newer q")
    assert {"z", "x"} <= set(found)
    assert unknown(prepared.splits["test"].source.flat) == 2 / len(found)
    assert unknown(prepared.splits["test"].target.flat) == 1 / len(ended), "its <eos> is not counted"
    assert unknown(prepared.splits["train"].source.flat) == unknown(prepared.splits["train"].target.flat) == 0


def test_pieces_that_a_model_lacks_are_counted_as_unknown() -> None:
    vocabulary = of_pieces(("b", "a", "c"), Counter({"a": 5, "b": 5, "?": 2, "!": 1}))
    assert vocabulary.words == (*SPECIALS, "a", "b", "c")
    assert vocabulary.counts == (0, 3, 0, 0, 5, 5, 0)


def test_it_is_prepared_once(tmp_path: Path) -> None:
    source = Given([("a b", "b a")] * 3)
    first = prepare_pairs(source, tmp_path)
    again = prepare_pairs(source, tmp_path)
    assert source.reads == 1
    assert again.fingerprints == first.fingerprints
    assert again.report == ("a note",)
    other = prepare_pairs(source, tmp_path, PairSettings(level="character"))
    assert source.reads == 2
    assert other.fingerprints["split"] == first.fingerprints["split"]
    assert other.fingerprints["data"] != first.fingerprints["data"]
    assert prepare_pairs(Given([("a b", "b b")] * 3), tmp_path).fingerprints["split"] != first.fingerprints["split"]


def test_both_ends_are_capped_with_a_count(tmp_path: Path) -> None:
    source = Given([("a b c d", "w x y z")] * 3 + [("a", "w")], [("a b c", "w")], [("a", "w x y z v")])
    settings = PairSettings(max_length=3, max_target_length=2)
    data = SequenceToSequenceData(prepared=prepare_pairs(source, tmp_path, settings))
    assert data.prepared.report == (
        "a note",
        "train: 3 of 4 sources cut to 3 tokens",
        "train: 3 of 4 targets cut to 2 tokens",
        "test: 1 of 1 targets cut to 2 tokens",
    )
    batch = next(iter(data.test_dataloader()))
    assert data.target_vocabulary.decode(batch.targets[0].tolist()) == ["w", "x", "<eos>"]
    assert data.reference("test", 0) == "w x y z v"
    assert [len(tokens) for tokens in data.train_sentences()] == [4, 4, 4, 1]


def test_an_end_of_sources_if_it_is_wanted(tmp_path: Path) -> None:
    source = Given([("a b", "b")] * 3)
    data = SequenceToSequenceData(prepared=prepare_pairs(source, tmp_path, PairSettings(source_eos=True)))
    batch = next(iter(data.train_dataloader()))
    assert data.vocabulary.decode(batch.inputs[0].tolist()) == ["a", "b", "<eos>"]
    assert torch.equal(data.encode(["a b"]).inputs[0], batch.inputs[0])
    assert data.reader.tokens("a b") == ["a", "b", "<eos>"]
    assert next(data.train_sentences()) == ["a", "b"]


def test_pairs_that_cannot_be(tmp_path: Path) -> None:
    for source, settings, said in (
        (Given([]), {}, "the train split has no pairs"),
        (Given([("a", "b")], test=[]), {}, "the test split has no pairs"),
        (Given([("\u200d", "b")]), {}, "no pair of the train split has a token on both sides"),
        (Given([("a", "b")]), {"min_count": 2}, "no source token occurs 2 times"),
        (Given([("a b", "b")]), {"level": "subword"}, r"data\.subword\.size is 8000, .* no more than"),
    ):
        with pytest.raises(UserError, match=said):
            prepare_pairs(source, tmp_path, PairSettings(**settings))  # type: ignore[arg-type]
    left_out = prepare_pairs(Given([("\u200d", "b"), ("a", "b")]), tmp_path)
    assert left_out.report == ("a note", "train: 1 pair without a token on one side left out")
    assert left_out.splits["train"].ids.tolist() == [101]


@pytest.mark.parametrize("given", [True, 3, "bpe", ["bpe"]])
def test_subwords_of_the_target_that_are_no_mapping_are_refused(given: Any) -> None:
    with pytest.raises(UserError, match=r"expected \{kind: bpe or unigram, size: N\}"):
        PairSettings(level="subword", target_subword=given)
