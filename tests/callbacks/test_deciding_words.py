"""Prefixes read alone, gradients derived by hand, patterns picked by hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import torch
from lightning.pytorch import LightningModule

from lightning_seq.callbacks import deciding_words
from lightning_seq.callbacks.deciding_words import (
    COMPLETE,
    DecidingWords,
    gradient_input,
    integrated_gradients,
    pattern,
)
from lightning_seq.callbacks.probe import probe_batch
from lightning_seq.cells.elman import ElmanCell
from lightning_seq.cells.gru import GRUCell
from lightning_seq.cells.lstm import LSTMCell
from lightning_seq.data.language_modelling.module import LanguageModellingData
from lightning_seq.embeddings.layer import Embedding, OneHot
from lightning_seq.models.bag_of_embeddings import BagOfEmbeddings
from lightning_seq.models.classifier import Classifier
from lightning_seq.models.recurrent import RecurrentEncoder
from lightning_seq.records.deciding_words import Decided, completeness_error
from lightning_seq.spec import Batch
from tests.data.from_keys import made

from .small_training import trained, weights, word_order


def test_scores_are_those_of_each_prefix_alone(tmp_path: Path) -> None:
    task, (looker,) = trained(tmp_path, [partial(DecidingWords, tmp_path)])
    found = json.loads((tmp_path / "deciding_words.json").read_text())
    data = word_order(tmp_path)
    probe, task = probe_batch(data, 6), task.eval()
    assert found["epoch"] == 2
    assert found["says"] == "probability"
    assert found["threshold"] == 0.75
    assert looker.cost.calls == 2
    assert len(found["sentences"]) == 4
    for sentence in found["sentences"]:
        row = probe.ids.tolist().index(sentence["id"])
        target = int(probe.targets[row])
        assert sentence["class"] == data.spec.targets.names[target]
        words = probe.inputs[row, probe.mask[row]]
        with torch.no_grad():
            alone = [
                float(task(words[None, :k], torch.ones(1, k, dtype=torch.bool)).exp()[0, target])
                for k in range(1, len(words) + 1)
            ]
            said = int(task(words[None], torch.ones(1, len(words), dtype=torch.bool)).argmax())
        assert sentence["prefixes"] == pytest.approx(alone, abs=1e-4)
        assert sentence["prediction"] == data.spec.targets.names[said]


def given(targets: list[int]) -> Batch:
    mask = torch.tensor([[True] * 4, [True, True, False, False]])
    inputs = torch.tensor([[4, 5, 4, 6], [6, 5, 0, 0]])
    counts = torch.ones(2, dtype=torch.bool)
    return Batch(torch.arange(2), inputs, mask, torch.tensor(targets), counts, 2)


def test_gradient_times_input_of_a_linear_model() -> None:
    """score_c = w_c · mean(e_t) + b, so that what a word brings is w_c · e_t / T."""
    torch.manual_seed(1)
    model = Classifier(Embedding(8, 3), BagOfEmbeddings(3), 2).double().eval()
    probe = given([1, 0])
    weight = model.head[-1].weight
    for row, values in zip((1, 0), gradient_input(model, probe, [1, 0]), strict=True):
        vectors = model.embedding(probe.inputs[row, probe.mask[row]][None])[0]
        wanted = vectors @ weight[probe.targets[row]] / len(vectors)
        torch.testing.assert_close(values, wanted.detach())
    assert model.embedding.weight.grad is None
    assert not model.embedding._forward_hooks


def test_gradient_times_input_of_one_hot_words() -> None:
    """With a recurrence that is linear and forgets nothing, a word brings v · U^(T-t) W x_t."""
    torch.manual_seed(2)
    cell = partial(ElmanCell, activation="identity", bias=False)
    model = Classifier(OneHot(8), RecurrentEncoder(8, cell, 3), 2, pooling="last").double().eval()
    probe = given([0, 1])
    held = model.encoder.stack.layers[0].cell
    for row, values in enumerate(gradient_input(model, probe, [0, 1])):
        words = probe.inputs[row, probe.mask[row]].tolist()
        v = model.head[-1].weight[probe.targets[row]]
        wanted = [
            v @ torch.linalg.matrix_power(held.U, len(words) - 1 - t) @ held.W[:, word] for t, word in enumerate(words)
        ]
        torch.testing.assert_close(values, torch.stack(wanted).detach())


def test_integrated_gradients_of_a_linear_model_are_exact() -> None:
    """Its gradient is the same along the path: what a word brings is w_c · e_t / T, and the rise is their sum."""
    torch.manual_seed(1)
    model = Classifier(Embedding(8, 3), BagOfEmbeddings(3), 2).double().eval()
    probe = given([1, 0])
    for row, integral in zip((1, 0), integrated_gradients(model, probe, [1, 0]), strict=True):
        vectors = model.embedding(probe.inputs[row, probe.mask[row]][None])[0]
        wanted = (vectors @ model.head[-1].weight[probe.targets[row]] / len(vectors)).detach()
        torch.testing.assert_close(integral.words, wanted)
        assert (integral.rise, integral.steps) == (pytest.approx(float(wanted.sum())), deciding_words.STEPS)
    assert model.embedding.weight.grad is None
    assert not model.embedding._forward_hooks


@pytest.mark.parametrize("embedding", [Embedding(8, 5, scale=3.0), OneHot(8)], ids=["vectors", "one-hot"])
def test_integrated_gradients_are_a_riemann_sum(embedding: torch.nn.Module, monkeypatch: pytest.MonkeyPatch) -> None:
    """Step by step, from the definition, with the engine that the layer chooses."""
    torch.manual_seed(3)
    model = Classifier(embedding, RecurrentEncoder(embedding.width, GRUCell, 4, bidirectional=True), 2).double().eval()
    probe = given([1, 0])
    monkeypatch.setattr(deciding_words, "BATCH_VALUES", 60)  # a few steps at a time
    for row, integral in enumerate(integrated_gradients(model, probe, [0, 1])):
        ids, mask = (
            probe.inputs[row, probe.mask[row]][None],
            torch.ones(1, int(probe.mask[row].sum()), dtype=torch.bool),
        )
        x = torch.eye(8)[ids].double() if isinstance(embedding, OneHot) else embedding(ids).detach()
        gradients = []
        for step in range(integral.steps):
            leaf = ((step + 0.5) / integral.steps * x).requires_grad_()
            score = model.head(model.pooling(model.encoder(leaf, mask)))[0, probe.targets[row]]
            gradients.append(torch.autograd.grad(score, leaf)[0])
        wanted = (torch.stack(gradients).mean(0) * x).sum(-1)[0]
        torch.testing.assert_close(integral.words, wanted)


@pytest.mark.parametrize("cell", [LSTMCell, GRUCell, ElmanCell])
def test_integrated_gradients_of_a_trained_model_are_complete(
    cell: Callable[[int, int], torch.nn.Module], tmp_path: Path
) -> None:
    task, _ = trained(tmp_path, [partial(DecidingWords, tmp_path)], cell)
    probe, model = probe_batch(word_order(tmp_path), 6), task.model.eval()
    with torch.no_grad():
        vectors = model.embedding(probe.inputs)
        ends = [
            model.head(model.pooling(model.encoder(scale * vectors, probe.mask))).gather(1, probe.targets[:, None])
            for scale in (1, 0)
        ]
    rises = dict(zip(probe.ids.tolist(), (ends[0] - ends[1])[:, 0].tolist(), strict=True))
    decided = Decided.read(tmp_path / "deciding_words.json")
    for sentence, decision in zip(decided.sentences, decided.decisions, strict=True):
        found = decision.integrated
        assert found is not None
        assert found.rise == pytest.approx(rises[sentence.number], abs=1e-5)
        assert found.error <= COMPLETE
        assert sum(found.words) == pytest.approx(found.total, abs=1e-3)


def test_steps_are_doubled_until_the_sum_is_complete(monkeypatch: pytest.MonkeyPatch) -> None:
    """A score with a sharp bend near the baseline needs many steps; the limits hold."""
    torch.manual_seed(4)
    model = Classifier(Embedding(8, 3), BagOfEmbeddings(3), 2, head_sizes=[4]).double().eval()
    with torch.no_grad():
        model.embedding.weight *= 1e4
        model.embedding.weight[0] = 0
    probe = given([1, 0])
    (found,) = integrated_gradients(model, probe, [0])
    error = completeness_error(float(found.words.sum()), found.rise)
    assert error <= COMPLETE
    monkeypatch.setattr(deciding_words, "COMPLETE", 0.0)
    assert integrated_gradients(model, probe, [0])[0].steps == deciding_words.MOST_STEPS
    monkeypatch.setattr(deciding_words, "MOST_TOKENS", 4 * 300)
    assert integrated_gradients(model, probe, [0])[0].steps == 256


def test_patterns() -> None:
    words = ["a", "b", "c", "d", "e", "f", "g"]
    assert pattern(words, [0.5, 0.5, 0.5, 0.9, 0.2, 0.9, 0.9], 0.5, 0.75) == (("d",), pytest.approx(0.4))
    # 0.3 of the 0.35 that all four bring
    assert pattern(words[:4], [0.5, 0.5, 0.55, 0.85], 0.5, 0.75) == (("d",), pytest.approx(0.3))
    assert pattern(words[:4], [0.5, 0.5, 0.7, 0.85], 0.5, 0.75) == (("c", "d"), pytest.approx(0.35))
    rising = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7]
    assert pattern(words, rising, 0.0, 0.7) == (("d", "e", "f", "g"), pytest.approx(0.4))
    assert pattern(words[:2], [0.6, 0.9], 0.5, 0.55) == (("a",), pytest.approx(0.1))
    assert pattern(words, [0.7] * 7, 0.5, 0.75) is None


def test_training_is_the_same_without(tmp_path: Path) -> None:
    plain, _ = trained(tmp_path)
    watched, _ = trained(tmp_path, [partial(DecidingWords, tmp_path)])
    assert all(map(torch.equal, weights(plain), weights(watched)))


def test_other_models_write_nothing(tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text("the ship is old and the road is long\n" * 30, encoding="utf-8")
    data = made(LanguageModellingData, "text", tmp_path / "cache", train=str(text), batch_size=2, chunk_length=5)
    assert not DecidingWords(tmp_path, data, probe_batch(data, 2)).fits(LightningModule())
