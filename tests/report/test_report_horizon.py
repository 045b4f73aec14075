"""How far back each architecture remembers: runs of one model at several distances, and what the page says of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from lightning_seq.records.record import Record
from lightning_seq.report.dashboard.memory_horizon import (
    SOLVED,
    DistanceResult,
    architectures,
    horizons,
    longest,
    memory_horizon,
)
from lightning_seq.report.dashboard.page import Page
from lightning_seq.report.summary import summarise_runs
from lightning_seq.report.test_sets import distance

Make = Callable[..., Path]

SUCCESS = {
    ("rnn", 20): (1.0, 0.97, 0.4),
    ("rnn", 50): (0.1, 0.02, 0.95),
    ("rnn", 100): (0.93, 0.93, 0.93),
    ("lstm", 20): (1.0, 1.0, 1.0),
    ("lstm", 50): (1.0, SOLVED, 0.89),
    ("lstm", 100): (0.95, None, 0.99),
}


def run(label: str, seed: int = 1, length: int = 20, share: float | None = 1.0, **changes: Any) -> Record:
    config = {
        "model": {"hidden_size": 64, **changes.pop("model_config", {})},
        "cell": {"_target_": "cells.Cell"},
        "optimizer": {"lr": changes.pop("lr", 0.002)},
        "data": {"source": {"_target_": "data.Adding", "length": length}, "batch_size": 50},
    }
    given = {
        "status": "done", "name": "far", "label": label, "seed": seed, "task": "regression", "data": "adding",
        "model": label.rpartition("-")[0], "cell": "elman", "metrics": {"test/success": share, "test/mse": 0.1},
        "config": config, "started": f"2026-01-05T10:00:{seed:02d}",
    }  # fmt: skip
    return Record(**(given | changes))


def comparison(success: Mapping[tuple[str, int], tuple[float | None, ...]] = SUCCESS) -> list[Record]:
    return [
        run(f"{model}-{length}", seed, length, share)
        for (model, length), shares in success.items()
        for seed, share in enumerate(shares, 1)
    ]


def page_of(records: list[Record]) -> tuple[str, Page]:
    runs = [(Path("far") / f"{record.label}-seed{record.seed}", record) for record in records]
    page = Page(list(dict.fromkeys(record.label for record in records)))
    return memory_horizon(page, runs, summarise_runs(Path("far"), runs)), page


def test_the_distance_is_the_setting_of_the_problem() -> None:
    for source, key in (("Adding", "length"), ("CopyMemory", "distance"), ("Agreement", "distance")):
        config = {"data": {"source": {"_target_": f"data.{source}", "length": 10, "distance": 33}}}
        assert distance(run("rnn-20", config=config)) == config["data"]["source"][key]
    assert distance(run("rnn-20", config={"data": {"source": {"_target_": "data.Verses", "distance": 33}}})) is None
    assert distance(run("rnn-20", config={})) is None


def test_success_is_counted_over_seeds_at_each_distance() -> None:
    found = horizons(comparison())
    assert list(found) == ["rnn", "lstm"]
    assert [(result.distance, result.solved, len(result.values)) for result in found["rnn"]] == [
        (20, 2, 3), (50, 1, 3), (100, 3, 3),
    ]  # fmt: skip
    assert [(result.distance, result.solved) for result in found["lstm"]] == [(20, 3), (50, 2), (100, 2)]
    assert found["lstm"][2].mean == pytest.approx(0.97)


def test_the_longest_distance_has_every_shorter_one_solved() -> None:
    found = horizons(comparison())
    assert longest(found["rnn"]) == 20
    assert longest(found["lstm"]) == 100
    assert longest([DistanceResult(20, {1: 0.95, 2: 0.1})]) is None  # half is not most
    assert longest([DistanceResult(50, {1: 0.95}), DistanceResult(20, {1: 0.3})]) is None
    assert longest([]) is None


def test_a_run_that_failed_has_not_solved_it_and_one_that_was_stopped_says_nothing() -> None:
    records = [
        run("rnn-20", 1, 20, 1.0),
        run("rnn-20", 2, 20, status="failed", metrics={}),
        run("rnn-20", 3, 20, status="interrupted", metrics={}),
        run("rnn-50", 1, 50, 1.0),
    ]
    (results,) = horizons(records).values()
    assert results[0].values == {1: 1.0, 2: None}
    assert not results[0].holds
    assert longest(results) is None


def test_one_distance_is_no_horizon() -> None:
    assert horizons([run("rnn-20"), run("lstm-20")]) == {}
    assert page_of([run("rnn-20"), run("lstm-20")])[0] == ""


def test_architectures_are_told_by_their_configuration_and_not_by_labels() -> None:
    records = [
        run("a", 1, 20, model="lstm"),
        run("b", 1, 50, model="lstm", lr=0.01),  # tuned at its distance
        run("c", 1, 20, model="lstm", model_config={"hidden_size": 128}),
        run("d", 1, 50, model="lstm", model_config={"hidden_size": 128}),
        run("e", 1, 20, model="recurrent", cell="gru"),
        run("f", 1, 20, model="recurrent", cell="lstm"),
    ]
    found = {name: [record.label for record in members] for name, members in architectures(records).items()}
    assert found == {
        "lstm (hidden_size 64)": ["a", "b"],
        "lstm (hidden_size 128)": ["c", "d"],
        "recurrent (gru)": ["e"],
        "recurrent (lstm)": ["f"],
    }


def test_what_sets_labels_at_one_distance_apart_sets_architectures_apart() -> None:
    tried = ((0.01, 20), (0.01, 50), (0.001, 50), (0.001, 20))
    records = [run(f"{lr}-{length}", 1, length, model="rnn", lr=lr) for lr, length in tried]
    found = {name: [record.label for record in members] for name, members in architectures(records).items()}
    assert found == {"rnn (lr 0.01)": ["0.01-20", "0.01-50"], "rnn (lr 0.001)": ["0.001-50", "0.001-20"]}
    same = [run(f"{name}-20", model="rnn") for name in "xy"]
    assert list(architectures(same)) == ["rnn", "rnn (y-20)"]
    more = [run("rnn", 1, 20, 1.0, model="rnn"), *(run(f"rnn-{far}", 2, far, 0.5, model="rnn") for far in (20, 50))]
    (results,) = horizons(more).values()
    assert [(result.values, result.labels) for result in results] == [
        ({1: 1.0, 2: 0.5}, {1: "rnn", 2: "rnn-20"}),
        ({2: 0.5}, {2: "rnn-50"}),
    ]


def test_the_page_says_how_far_each_gets() -> None:
    html, page = page_of(comparison())
    assert "Longest distance solved: lstm 100 (the longest tried); rnn 20." in html
    assert "<td>1 of 3" in html
    assert "<td><b>2 of 3</b>" in html
    assert '<a href="#run-4" title="seed 2">0.020</a>' in html
    assert "at least 90 %" in html
    (chart,) = page.charts.values()
    rows = page.tables[chart["table"]]["rows"]
    assert [0, 2, 50, 0.02] in rows
    assert [1, None, 100, pytest.approx(0.97)] in rows
    assert [row for row in rows if row[:3] == [1, 2, 100]] == []  # it gave no number
    assert page.tables[chart["table"]]["names"] == {"label": ["rnn", "lstm"]}
    assert '"label":["rnn","lstm"]' in page.json()
    values = json.dumps(chart["spec"])
    assert '"log"' in values
    assert str(SOLVED) in values


def test_the_page_escapes_what_names_hold() -> None:
    records = [run("x", 1, length, model="<script>alert(1)</script>") for length in (20, 50)]
    html, _ = page_of(records)
    assert "&lt;script&gt;" in html
    assert "<script>" not in html
