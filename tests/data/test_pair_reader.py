"""From text to ids and back, as a checkpoint does it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lightning_seq.data.sequence_to_sequence.module import SequenceToSequenceData
from lightning_seq.data.sequence_to_sequence.prepare import prepare_pairs
from lightning_seq.data.sequence_to_sequence.prepared import PreparedPairs
from lightning_seq.data.sequence_to_sequence.reader import PairReader
from lightning_seq.data.sequence_to_sequence.settings import PairSettings
from lightning_seq.errors import UserError
from lightning_seq.text.vocabulary import EOS, SPECIALS

from .given_pairs import Given


@pytest.mark.parametrize(
    "options",
    [
        {"level": "subword", "subword": {"size": 26}},
        {"level": "subword", "subword": {"size": 18, "kind": "unigram"}, "joint_vocabulary": True},
        {"level": "character"},
        {"level": "word", "target_level": "subword", "subword": {"size": 26}},
    ],
)
def test_other_levels_come_back_as_they_were(source: Given, tmp_path: Path, options: dict[str, Any]) -> None:
    data = SequenceToSequenceData(prepared=prepare_pairs(source, tmp_path, PairSettings(**options)), batch_size=16)
    assert not data.reader.tokenized
    for batch in data.test_dataloader():
        for row, ids in zip(batch.ids.tolist(), batch.targets, strict=True):
            assert data.reader.decode(ids) == data.reference("test", row) == data.target_text("test", row).lower()
            assert "".join(data.reader.target_tokens(ids)).replace("▁", "") == data.reference("test", row).replace(
                " ", "" if "subword" in options.values() else " "
            )
    for side in ("source", "target"):
        path = data.prepared.directory / f"{side}_subwords.json"
        assert path.is_file() == (data.prepared.settings.levels[side] == "subword")
        if path.is_file():
            json.loads(path.read_text(encoding="utf-8"))
    # pieces that training never needs are there all the same
    if "subword" in options.values():
        assert len(data.target_vocabulary) == len(SPECIALS) + options["subword"]["size"]
    if options.get("joint_vocabulary"):
        assert data.vocabulary is data.target_vocabulary


def test_words_are_joined_by_one_space(data: SequenceToSequenceData) -> None:
    ids = [*data.target_vocabulary.encode(["mat", ",", "don't", "unheard"]), EOS, *data.target_vocabulary.encode(["7"])]
    assert data.reader.tokenized
    assert data.reader.target.lower
    for given in (ids, torch.tensor(ids), np.array([2, *ids, 0])):
        assert data.reader.target_tokens(given) == ["mat", ",", "don't", "<unk>"]
        assert data.reader.decode(given) == "mat , don't <unk>"
    for batch in data.test_dataloader():
        for row, target in zip(batch.ids.tolist(), batch.targets, strict=True):
            assert data.reader.decode(target) == data.reference("test", row)


def test_new_text_is_read_as_in_training(data: SequenceToSequenceData) -> None:
    batch = data.encode(["Cat, unheard", "DON'T"])
    found = [data.vocabulary.decode(row) for row in batch.inputs.tolist()]
    assert found == [["cat", ",", "<unk>"], ["don't", "<pad>", "<pad>"]]
    assert batch.mask.tolist() == [[True] * 3, [True, False, False]]
    assert data.reader.tokens("Cat, unheard") == ["cat", ",", "unheard"]
    assert batch.targets.tolist() == [[EOS], [EOS]]
    assert not batch.target_mask.any()
    assert batch.target_mask.shape == batch.targets.shape
    assert batch.count == 0
    ids, mask = data.reader.encode_targets(["mat, sees", "dog"])
    assert [data.target_vocabulary.decode(row) for row in ids.tolist()] == [
        ["mat", ",", "sees", "<eos>"], ["dog", "<eos>", "<pad>", "<pad>"],
    ]  # fmt: skip
    assert mask.tolist() == [[True] * 4, [True, True, False, False]]
    for read in (data.encode, data.reader.encode_targets):
        for texts, said in ((["cat", " \t"], "text 2 is empty"), ([], "no text")):
            with pytest.raises(UserError, match=said):
                read(texts)
    for read in (data.reader.encode, data.reader.encode_targets):
        with pytest.raises(UserError, match="text 34 is empty"):
            read(["cat", " "], first=33)


def test_new_text_gives_the_batch_that_training_gives(data: SequenceToSequenceData) -> None:
    for batch in data.test_dataloader():
        again = data.encode([data.source_text("test", row) for row in batch.ids.tolist()])
        targets, mask = data.reader.encode_targets([data.target_text("test", row) for row in batch.ids.tolist()])
        assert torch.equal(again.inputs, batch.inputs)
        assert torch.equal(again.mask, batch.mask)
        assert torch.equal(targets, batch.targets)
        assert torch.equal(mask, batch.target_mask)


def test_text_longer_than_the_cap_is_refused_or_cut(source: Given, tmp_path: Path) -> None:
    data = SequenceToSequenceData(prepared=prepare_pairs(source, tmp_path, PairSettings(max_length=4)))
    with pytest.raises(UserError, match=r"text 2 has 5 tokens: expected at most 4.*data\.max_length"):
        data.encode(["cat dog", "cat dog cat dog cat"])
    with pytest.raises(UserError, match="text 34 has 5 tokens"):
        data.reader.encode(["cat dog", "cat dog cat dog cat"], first=33)
    batch = data.reader.encode(["cat dog", "cat dog cat dog cat"], cut=True)
    assert data.vocabulary.decode(batch.inputs[1].tolist()) == ["cat", "dog", "cat", "dog"]
    assert data.reader.tokens("cat dog cat dog cat") == ["cat", "dog", "cat", "dog"]


def test_a_target_language_that_a_checkpoint_does_not_know(prepared: PreparedPairs) -> None:
    reader = SequenceToSequenceData(prepared=replace(prepared, languages=("de", "en"))).reader
    reader.check_target_language(None)
    reader.check_target_language("en")
    with pytest.raises(UserError, match=r"target_language is 'fr', and the checkpoint writes only 'en' \(from de\)"):
        reader.check_target_language("fr")
    with pytest.raises(UserError, match="does not name the language that it writes"):
        SequenceToSequenceData(prepared=prepared).reader.check_target_language("fr")


@pytest.mark.parametrize("level", ["word", "character", "subword"])
def test_a_checkpoint_can_hold_it_and_brings_it_back(source: Given, tmp_path: Path, level: str) -> None:
    settings = PairSettings(level=level, subword={"size": 26}, max_length=30)
    prepared = replace(prepare_pairs(source, tmp_path, settings), languages=("x", "y"))
    data = SequenceToSequenceData(prepared=prepared)
    torch.save(data.to_plain(), tmp_path / "plain")
    plain = torch.load(tmp_path / "plain", weights_only=True)
    assert plain["kind"] == "sequence_to_sequence"
    reader = PairReader.from_plain(plain)
    assert reader == data.reader
    assert reader.spec == data.spec
    assert torch.equal(reader.encode(["a Cat sees"]).inputs, data.encode(["a Cat sees"]).inputs)
    ids, _ = reader.encode_targets(["a cat"])
    assert reader.decode(ids[0]) == data.reader.decode(ids[0])
