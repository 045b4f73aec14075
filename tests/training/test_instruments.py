"""What looks inside: the same for all, its cost and its files in the record, training untouched."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from lightning_seq.cli.main import main
from lightning_seq.identity import INSTRUMENTS
from lightning_seq.records.record import read
from tests.runs import TINY


@pytest.mark.dashboard
def test_a_run_that_is_looked_into_is_the_same_run(own: list[str]) -> None:
    place = Path(own[2].removeprefix("runs="))
    words = ["train", "model=bilstm", *own, *TINY, "task.dropout=0.2", "model.recurrent_dropout=0.2"]
    assert main([*words, "name=plain"]) == main([*words, "name=seen", "callbacks=inside"]) == 0
    plain, seen = (place / name / "bilstm-seed1" for name in ("plain", "seen"))
    weights = [
        torch.load(each / "checkpoints" / "best.ckpt", weights_only=True)["state_dict"] for each in (plain, seen)
    ]
    assert all(torch.equal(weight, weights[1][name]) for name, weight in weights[0].items())
    without, record = read(plain), read(seen)
    assert without.metrics == record.metrics
    assert without.fingerprints == record.fingerprints
    assert without.instruments == {}
    assert set(record.instruments) == set(INSTRUMENTS) <= set(record.artifacts)
    assert all(cost["seconds"] > 0 and cost["calls"] >= 2 for cost in record.instruments.values())
    page = (place / "seen" / "dashboard.html").read_text(encoding="utf-8")
    for title in ("Gradient flow through time", "Gates", "States", "Attributions", "Slices"):
        assert f"<h2>{title}</h2>" in page


def test_no_architecture_is_looked_at_more_closely(own: list[str], refused: Callable[..., str]) -> None:
    entries = (
        "entries=[{label: a, overrides: ['model=rnn']}, {label: b, overrides: ['model=gru', 'callbacks.gates=true']}]"
    )
    assert "a has callbacks.gates=False, b has True" in refused("compare", entries, *own, *TINY)
