"""Paths of states, and their plane against scikit-learn's."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from lightning_seq.callbacks.probe import probe_batch
from lightning_seq.callbacks.recurrences import recurrences
from lightning_seq.callbacks.states import States, plane

from .small_training import trained, weights, word_order


def test_the_plane_is_that_of_principal_components() -> None:
    states = torch.randn(40, 5, generator=torch.Generator().manual_seed(2)) @ torch.diag(
        torch.tensor([3.0, 2, 1, 1, 1])
    )
    places, share = plane(states)
    fitted = PCA(2).fit(states.double().numpy())
    wanted = fitted.transform(states.double().numpy())
    wanted *= np.sign([row[np.abs(row).argmax()] for row in fitted.components_])
    np.testing.assert_allclose(places, wanted / wanted[:, 0].std(), atol=1e-9)
    assert share == pytest.approx(fitted.explained_variance_ratio_.sum())
    assert float(places[:, 0].std(unbiased=False)) == pytest.approx(1)


def test_states_that_do_not_span_a_plane() -> None:
    places, share = plane(torch.tensor([[1.0], [3.0]]))
    assert places.tolist() == [[-1, 0], [1, 0]]
    assert share == pytest.approx(1)
    assert plane(torch.ones(3, 4)) == (pytest.approx(torch.zeros(3, 2)), 0.0)


def test_paths_are_of_the_sentences_states(tmp_path: Path) -> None:
    task, _ = trained(tmp_path, [partial(States, tmp_path)])
    found = json.loads((tmp_path / "states.json").read_text())
    assert found["epoch"] == 2
    assert [path["direction"] for path in found["paths"]] == ["forward", "backward"]
    probe = probe_batch(word_order(tmp_path), 6)
    for path, seen in zip(found["paths"], recurrences(task.model.eval(), probe), strict=True):
        fitted = PCA(2).fit(seen.states[0][probe.mask].double().numpy())
        whole = fitted.transform(seen.states[0][probe.mask].double().numpy())
        scale = whole[:, 0].std()
        for sentence, places in zip(found["sentences"], path["places"], strict=True):
            row = probe.ids.tolist().index(sentence["id"])
            wanted = fitted.transform(seen.states[0][row, probe.mask[row]].double().numpy()) / scale
            assert len(places) == len(sentence["words"])
            np.testing.assert_allclose(np.abs(places), np.abs(wanted), atol=2e-3)


def test_training_is_the_same_without(tmp_path: Path) -> None:
    plain, _ = trained(tmp_path)
    watched, _ = trained(tmp_path, [partial(States, tmp_path)])
    assert all(map(torch.equal, weights(plain), weights(watched)))
