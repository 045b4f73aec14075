"""Which sentences attention is shown over, and what a resumed run keeps of them."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from lightning_seq.attention.additive import AdditiveScorer
from lightning_seq.attention.attention import watched_weights
from lightning_seq.attention.multihead import MultiHeadScorer
from lightning_seq.callbacks.attention_maps import FILE, AttentionMaps, chosen
from lightning_seq.cells.gru import GRUCell
from lightning_seq.data.sequence_to_sequence.module import SequenceToSequenceData
from lightning_seq.data.sequence_to_sequence.prepare import prepare_pairs
from lightning_seq.data.sequence_to_sequence.settings import PairSettings
from lightning_seq.embeddings.layer import Embedding
from lightning_seq.models.encoder_decoder import EncoderDecoder
from lightning_seq.models.search import greedy
from lightning_seq.models.translator import Translator
from tests.data.given_pairs import Given


def lengths(*given: int) -> Any:
    """Data of which nothing but lengths is asked."""
    return SimpleNamespace(lengths=lambda split: {"validation": np.array(given)}[split])


def test_sentences_are_chosen_over_all_lengths_up_to_thirty() -> None:
    """In the middle of each quarter of what is short enough, by length and then by number."""
    every = np.random.default_rng(0).permutation(np.arange(1, 61)).tolist()
    assert [every[row] for row in chosen(lengths(*every))] == [4, 12, 19, 27]
    assert chosen(lengths(*[7] * 8)) == [1, 3, 5, 7]
    assert chosen(lengths(31, 30, 30)) == [1, 2]
    assert chosen(lengths(50, 40, 45)) == [1], "of long ones alone, the shortest"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> SequenceToSequenceData:
    rows = [("a b c", "x y"), ("b", "z z"), ("c a", "y"), ("a a b c", "x z")]
    place = tmp_path_factory.mktemp("pairs")
    return SequenceToSequenceData(prepared=prepare_pairs(Given(rows, rows, rows), place, PairSettings()))


def looked(callback: AttentionMaps, epoch: int, scorer: Any = AdditiveScorer, **settings: Any) -> EncoderDecoder:
    """After an epoch, at a model that is another one in each."""
    torch.manual_seed(epoch)
    V = len(callback.data.vocabulary)
    model = EncoderDecoder(Embedding(V, 4), Embedding(V, 4), V, GRUCell, scorer, hidden_size=4, **settings)
    task = SimpleNamespace(model=model, device=torch.device("cpu"), limits=lambda mask: mask.sum(1) + 1)
    fit = SimpleNamespace(state=SimpleNamespace(fn="fit"), is_global_zero=True, current_epoch=epoch)
    callback.on_validation_epoch_end(fit, task)  # type: ignore[arg-type]
    assert model.training
    return model


def test_a_resumed_run_goes_on_with_its_maps(data: SequenceToSequenceData, tmp_path: Path) -> None:
    (tmp_path / "whole").mkdir()
    (tmp_path / "resumed").mkdir()
    whole, broken_off = (AttentionMaps(tmp_path / name, data) for name in ("whole", "resumed"))
    for epoch in range(3):
        looked(whole, epoch)
    looked(broken_off, 0)
    torch.save(broken_off.state_dict(), tmp_path / "state")
    resumed = AttentionMaps(tmp_path / "resumed", data)
    resumed.load_state_dict(torch.load(tmp_path / "state", weights_only=True))
    for epoch in (1, 2):
        looked(resumed, epoch)
    found, expected = (json.loads((tmp_path / name / FILE).read_text()) for name in ("resumed", "whole"))
    assert found == expected
    assert [sentence["id"] for sentence in found["sentences"]] == [1, 2, 0, 3]
    for sentence in found["sentences"]:
        assert sentence["source"] == data.source_text("validation", sentence["id"]).split()
        assert [shown["epoch"] for shown in sentence["maps"]] == [1, 2, 3]
        for shown in sentence["maps"]:
            assert len(shown["weights"]) == len(shown["target"])
            assert all(len(row) == len(sentence["source"]) for row in shown["weights"])
            assert all(sum(row) == pytest.approx(1, abs=1e-3) for row in shown["weights"])


@pytest.mark.parametrize("style", ["bahdanau", "luong"])
def test_each_head_is_recorded_after_the_last_epoch(style: str, data: SequenceToSequenceData, tmp_path: Path) -> None:
    """The weights of each head are those of a pass over the written tokens, and their mean is the map."""
    callback = AttentionMaps(tmp_path, data)
    looked(callback, 1, partial(MultiHeadScorer, heads=2), style=style)
    model = looked(callback, 4, partial(MultiHeadScorer, heads=2), style=style).eval()
    found = json.loads((tmp_path / FILE).read_text())["sentences"]
    lengths = {len(sentence["maps"][1]["target"]) for sentence in found}
    assert len(lengths) > 1, "some sentence is finished before another"
    for sentence in found:
        first, last = sentence["maps"]
        assert "heads" not in first
        heads = np.array(last["heads"])
        assert heads.shape == (2, len(last["target"]), len(sentence["source"]))
        np.testing.assert_allclose(heads.mean(0), last["weights"], atol=1e-4)
        batch = data.reader.encode([" ".join(sentence["source"])], cut=True)
        with torch.no_grad(), watched_weights() as steps:
            greedy(Translator.of(model, batch.inputs, batch.mask), batch.mask.sum(1) + 1)
        np.testing.assert_allclose(heads, torch.cat(steps, 2)[0].numpy(), atol=1e-4)
        assert len(sentence["source"]) == 1 or np.abs(heads[0] - heads[1]).max() > 1e-3


def test_a_single_head_is_the_map(data: SequenceToSequenceData, tmp_path: Path) -> None:
    looked(AttentionMaps(tmp_path, data), 0)
    for sentence in json.loads((tmp_path / FILE).read_text())["sentences"]:
        assert list(sentence["maps"][0]) == ["epoch", "target", "weights"]
