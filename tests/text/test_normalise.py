"""The same visible text is the same to every reader, and old checkpoints read as they did."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lightning_seq.data.classification.module import ClassificationData
from lightning_seq.data.language_modelling.module import LanguageModellingData
from lightning_seq.data.sequence_to_sequence.module import SequenceToSequenceData
from lightning_seq.data.tagging.module import TaggingData, TagReader
from lightning_seq.data.tagging.spelling import WordForm
from lightning_seq.embeddings.formats import read_vectors
from lightning_seq.embeddings.vectors import Vectors, save
from lightning_seq.errors import UserError
from lightning_seq.text.normalise import normal
from lightning_seq.text.segmenter import LEVELS, Segmenter
from lightning_seq.text.tokenise import Tokeniser
from tests.data.from_keys import made

NFC, NFD = (unicodedata.normalize(form, "Müßig café naïve ελιά 가나") for form in ("NFC", "NFD"))
WIDE = "\uff43\uff41\ufb01"


@given(st.text())
def test_canonically_equal_texts_have_one_form(text: str) -> None:
    forms = {unicodedata.normalize(form, text) for form in ("NFC", "NFD")}
    assert len({normal(form, "nfc") for form in forms}) == 1
    assert normal(text, "none") == text
    assert normal(text, "nfkc") == unicodedata.normalize("NFKC", text)


@pytest.mark.parametrize("level", [level for level in LEVELS if level != "subword"])
def test_tokens_and_what_is_compared_are_the_same(level: str) -> None:
    one = Segmenter(level, normalise="nfc")
    assert one(NFD) == one(NFC) == Segmenter(level)(NFC)
    assert one.plain(NFD) == one.plain(NFC)
    assert Segmenter(level)(NFD) != Segmenter(level)(NFC)
    assert Segmenter(level, normalise="nfkc")(WIDE) == Segmenter(level)("cafi")
    assert Segmenter.from_plain(one.to_plain()) == one


def test_what_is_replaced_is_found_in_either_form() -> None:
    (old,) = (unicodedata.normalize("NFD", "é"),)
    assert Tokeniser(replace={old: "e"}, normalise="nfc")("café") == ["cafe"]


def test_old_checkpoints_read_text_as_written() -> None:
    assert Tokeniser.from_plain({"level": "word", "lower": True, "replace": {}}).normalise == "none"
    assert Segmenter.from_plain({"level": "word", "lower": True, "subwords": None}).normalise == "none"
    assert WordForm(lower=True, digits=True).normalise == "none"
    kept = Tokeniser(normalise="nfc")
    assert Tokeniser.from_plain(kept.to_plain()) == kept


def test_an_unknown_form_is_named() -> None:
    for make in (Tokeniser, Segmenter, WordForm):
        with pytest.raises(UserError, match=r"data\.normalise is 'nfd'; .*nfc"):
            make(normalise="nfd")


def test_a_classifier_reads_both_forms_alike(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text,label\n" + "".join(f"{NFD} w{row},{'ab'[row % 2]}\n" for row in range(40)))
    for form, same in (("nfc", True), ("none", False)):
        data = made(ClassificationData, "csv", tmp_path, train=str(tmp_path / "a.csv"), normalise=form)
        one, other = (data.reader.tokeniser(text) for text in (NFC, NFD))
        assert (one == other) == same
        assert ("café" in data.vocabulary.words) == same


def test_a_tagger_keeps_the_spelling_and_the_number_of_tokens(tmp_path: Path) -> None:
    rows = "".join(f"{word} N\n" for word in NFD.split())
    (tmp_path / "a.txt").write_text(f"{rows}x V\n\n" * 20)
    data = made(TaggingData, "conll", tmp_path, train=str(tmp_path / "a.txt"), tokens_column=0, tag_column=-1)
    assert data.tokens("test", 0)[:-1] == NFD.split()
    one, other = (data.encode([text.split()]) for text in (NFC, NFD))
    assert torch.equal(one.inputs, other.inputs)
    for name in ("characters", "case"):
        assert torch.equal(one.extra[name], other.extra[name])
    assert int(one.inputs.min()) > 1
    assert data.reader.tokens(NFD) == data.reader.tokens(NFC)
    assert TagReader.from_plain(data.to_plain()).form.normalise == "nfc"


def test_a_language_model_and_a_translator_read_both_forms_alike(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(f"{NFD} x\n" * 400)
    lm = made(LanguageModellingData, "text", tmp_path, train=str(tmp_path / "a.txt"), chunk_length=5, batch_size=2)
    assert lm.reader.ids(NFD) == lm.reader.ids(NFC)
    (tmp_path / "a.tsv").write_text("".join(f"{NFD} {row}\t{NFD} {row}\n" for row in range(60)))
    pairs = made(SequenceToSequenceData, "pairs", tmp_path, train=str(tmp_path / "a.tsv"), level="character")
    assert torch.equal(pairs.encode([NFC]).inputs, pairs.encode([NFD]).inputs)
    assert all(unicodedata.is_normalized("NFC", word) for word in pairs.vocabulary.words)
    assert unicodedata.is_normalized("NFC", pairs.reference("test", 0))


def test_words_of_vector_files_are_looked_up_in_that_form(tmp_path: Path) -> None:
    nfd = unicodedata.normalize("NFD", "café")
    (tmp_path / "v").write_text(f"{nfd} 1 2\ncafé 3 4\nb 5 6\n", encoding="utf-8")
    found = read_vectors(tmp_path / "v", keep={"café", "b"}, normalise="nfc")
    assert (found.words, found.matrix.tolist()) == (("café", "b"), [[1, 2], [5, 6]])
    assert read_vectors(tmp_path / "v", normalise="none").words == (nfd, "café", "b")
    save(Vectors((nfd, "b"), np.ones((2, 2), np.float32)), tmp_path / "own")
    assert read_vectors(tmp_path / "own", keep={"café"}, normalise="nfc").words == ("café",)
