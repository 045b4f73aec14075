"""Gates as the cell has them, counted and kept."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pytest
import torch

from lightning_seq.callbacks.gates import Gates, gates_of, opening
from lightning_seq.callbacks.probe import probe_batch
from lightning_seq.callbacks.recurrences import recurrences
from lightning_seq.cells.cell import Cell
from lightning_seq.cells.elman import ElmanCell
from lightning_seq.cells.greff_lstm import GreffLSTMCell
from lightning_seq.cells.gru import GRUCell
from lightning_seq.cells.lstm import LSTMCell
from lightning_seq.cells.minimal_gated import MinimalGatedCell

from .small_training import classifier, trained, weights, word_order


def by_hand(cell: Cell, vectors: torch.Tensor, backward: bool) -> torch.Tensor:
    """What a GRU's z, an LSTM's f or a minimal gated unit's 1 - f is at each word `[T, H]`, by single steps."""
    steps = list(vectors.flip(0) if backward else vectors)
    state, kept = cell.initial_state(vectors[:1]), []
    for x in steps:
        _, state, gates = cell.step(cell.project(x[None]), state)
        own = gates["z"] if isinstance(cell, GRUCell) else gates["f"]
        kept.append(1 - own[0] if isinstance(cell, MinimalGatedCell) else own[0])
    return torch.stack(kept[::-1] if backward else kept)


@pytest.mark.parametrize("cell", [GRUCell, LSTMCell, MinimalGatedCell])
def test_strips_and_shares_are_the_cells_gates(cell: type[Cell], tmp_path: Path) -> None:
    task, (looker,) = trained(tmp_path, [partial(Gates, tmp_path)], cell)
    found = json.loads((tmp_path / "gates.json").read_text())
    assert [entry["epoch"] for entry in found["epochs"]] == [1, 2]
    assert found["epoch"] == 2
    assert looker.cost.calls == 2
    data = word_order(tmp_path)
    probe, model = probe_batch(data, 6), task.model.eval()
    layer = model.encoder.stack.layers[0]
    for strip, direction in zip(found["strips"], (layer.forwards, layer.backwards), strict=True):
        whole = []
        with torch.no_grad():
            for row in range(len(probe.ids)):
                vectors = model.embedding(probe.inputs[row, probe.mask[row]][None])[0]
                whole.append(by_hand(direction.cell, vectors, direction.reverse))
        for sentence, values in zip(found["sentences"], strip["kept"], strict=True):
            row = probe.ids.tolist().index(sentence["id"])
            assert sentence["words"] == data.vocabulary.decode(probe.inputs[row, probe.mask[row]].tolist())
            assert values == pytest.approx(whole[row].mean(1).tolist(), abs=1e-4)
        last = found["epochs"][-1]["recurrences"][direction.reverse]
        assert (last["layer"], last["direction"]) == (strip["layer"], strip["direction"])
        (counted,) = (gate for gate in last["gates"] if gate["keeps"])
        values = torch.cat(whole)
        assert sum(counted["counts"]) == values.numel()
        assert counted["counts"] == torch.histc(values, 20, 0, 1).int().tolist()
        assert counted["mean"] == pytest.approx(float(values.mean()), abs=1e-4)


def test_training_is_the_same_without(tmp_path: Path) -> None:
    plain, _ = trained(tmp_path)
    watched, _ = trained(tmp_path, [partial(Gates, tmp_path)])
    assert all(map(torch.equal, weights(plain), weights(watched)))


def test_a_model_without_gates_writes_nothing(tmp_path: Path) -> None:
    trained(tmp_path, [partial(Gates, tmp_path)], ElmanCell)
    assert not (tmp_path / "gates.json").exists()


def test_gates_that_were_taken_out_are_none(tmp_path: Path) -> None:
    probe = probe_batch(word_order(tmp_path), 3)

    def names(cell: type[Cell] | partial[Cell]) -> list[tuple[str, bool]]:
        (first, _) = recurrences(classifier(word_order(tmp_path), cell).eval(), probe)
        return [(name, keeps) for name, keeps, _ in gates_of(first)]

    assert names(LSTMCell) == [("i", False), ("f", True), ("o", False)]
    assert names(partial(GreffLSTMCell, coupled=True)) == [("1 - i", True), ("o", False)]
    assert names(partial(GreffLSTMCell, output_gate=False)) == [("i", False), ("f", True)]


def test_ends_of_a_histogram() -> None:
    values = torch.tensor([[0.0, 0.09, 0.1], [0.9, 0.91, 1.0]])
    found = opening("z", True, values)
    assert found.counts[0] == 1
    assert found.counts[1] == 1
    assert found.counts[2] == 1
    assert found.counts[18] == 2
    assert found.counts[19] == 1
    assert (found.shut, found.open) == (0.3333, 0.3333)


def test_a_resumed_run_goes_on(tmp_path: Path) -> None:
    _, (looker,) = trained(tmp_path, [partial(Gates, tmp_path)])
    data = word_order(tmp_path)
    other = Gates(tmp_path, data, probe_batch(data, 6))
    other.load_state_dict(looker.state_dict())
    assert other.results == looker.results
    assert other.cost.calls == 2
