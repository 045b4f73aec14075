"""Equal tuning: the same points for every architecture, chosen on validation, the test split left alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightning_seq.cli.main import main
from lightning_seq.comparison.tune import Range, _best, point, read_space
from lightning_seq.config.compose import compose
from lightning_seq.errors import UserError
from lightning_seq.records.record import read
from lightning_seq.significance.effect_sizes import expected_best
from tests.runs import TINY

SMALL = [
    *(word for word in TINY if not word.startswith(("optimizer", "trainer.max_epochs"))),
    "trainer.max_epochs=1", "launcher=inline", "seeds=1",
]  # fmt: skip
SPACE = "tune.space={optimizer.lr: [0.001, 0.1, log], task.dropout: [0, 0.6]}"


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=7), st.sampled_from(["max", "min"]))
def test_the_expected_best_is_the_mean_over_all_sets(values: list[float], mode: str) -> None:
    best = max if mode == "max" else min
    for n in range(1, len(values) + 1):
        every = [best(chosen) for chosen in combinations(values, n)]
        assert expected_best(values, n, mode) == pytest.approx(sum(every) / len(every), abs=1e-9)


def test_the_expected_best_is_unbiased() -> None:
    """Of n uniform draws it is n / (n + 1); estimates from 8 trials are right in the mean, with replacement too low."""
    draws = np.random.default_rng(0).uniform(size=(4000, 8))
    for n in (1, 3, 6):
        estimates = [expected_best(row, n) for row in draws.tolist()]
        assert np.mean(estimates) == pytest.approx(n / (n + 1), abs=0.01)
    powers = np.diff((np.arange(9) / 8) ** 6)
    assert (np.sort(draws) * powers).sum(1).mean() < 6 / 7 - 0.02


def test_the_expected_best_of_one_is_the_mean_and_of_all_the_best() -> None:
    values = [0.3, 0.9, 0.6]
    assert expected_best(values, 1) == pytest.approx(0.6)
    assert [expected_best(values, 3, mode) for mode in ("max", "min")] == [0.9, 0.3]
    for n in (0, 4):
        with pytest.raises(ValueError, match="expected 1 to 3"):
            expected_best(values, n)


def test_points_are_the_same_for_every_architecture_and_stay_when_there_are_more() -> None:
    space = read_space({"optimizer.lr": [1e-4, 1e-2, "log"], "task.dropout": [0, 0.6]})
    lstm, transformer = compose(["model=lstm"]), compose(["model=transformer"])
    for number in (1, 2, 7):
        assert point(space, 1, number, lstm) == point(space, 1, number, transformer)
    wider = space | {"trainer.gradient_clip_val": Range(0.1, 1)}
    assert point(space, 1, 3, lstm).items() < point(wider, 1, 3, lstm).items()
    assert point(space, 1, 3, lstm) != point(space, 1, 4, lstm) != point(space, 2, 4, lstm)


def test_points_fill_their_space() -> None:
    space = read_space(
        {"optimizer": {"lr": [1e-4, 1e-2, "log"]}, "task.dropout": [0, 0.6], "model.hidden_size": [3, 5]}
    )
    config = compose(["model=lstm"])
    drawn = [point(space, 1, number, config) for number in range(600)]
    rates, dropouts = ([values[key] for values in drawn] for key in ("optimizer.lr", "task.dropout"))
    assert min(rates) >= 1e-4 and max(rates) <= 1e-2  # noqa: PT018
    assert np.mean(np.log10(rates)) == pytest.approx(-3, abs=0.1)
    assert np.mean(dropouts) == pytest.approx(0.3, abs=0.03)
    sizes = [values["model.hidden_size"] for values in drawn]
    assert {type(size) for size in sizes} == {int}
    assert min(np.bincount(sizes)[3:6]) > 150
    assert set(sizes) == {3, 4, 5}


def test_the_best_trial_is_chosen_and_one_that_diverged_counts_as_the_worst() -> None:
    assert _best("x", [0.2, None, 0.9, 0.9], "val/accuracy", "max") == (2, [0.2, 0.2, 0.9, 0.9])
    assert _best("x", [0.2, None, 0.9], "val/loss", "min") == (0, [0.2, 0.9, 0.9])
    with pytest.raises(UserError, match="no trial of x gave a finite val/loss"):
        _best("x", [None], "val/loss", "min")


@pytest.mark.dashboard
def test_every_architecture_is_tuned_equally_and_tested_once(
    own: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["compare", "model=rnn,bag_of_embeddings", "tune=2", SPACE, *own]
    words += [word for word in SMALL if "hidden" not in word]
    place = Path(own[2].removeprefix("runs=")) / "csv"
    assert main(words) == 0
    report = json.loads((place / "tune/tune.json").read_text())
    assert report["space"] == {"optimizer.lr": [0.001, 0.1, "log"], "task.dropout": [0, 0.6]}
    assert report["entries"]["rnn"]["points"] == report["entries"]["bag_of_embeddings"]["points"]
    for label, found in report["entries"].items():
        trials = [read(place / "tune" / f"{label}-trial{k}") for k in (1, 2)]
        assert [trial.metrics["val/accuracy"] for trial in trials] == found["values"]
        for trial, values in zip(trials, found["points"], strict=True):
            assert not [name for name in trial.metrics if name.startswith("test/")]
            assert trial.config["optimizer"]["lr"] == values["optimizer.lr"]
            assert trial.config["task"]["dropout"] == values["task.dropout"]
        final = read(place / f"{label}-seed1")
        assert final.metrics["test/accuracy"] is not None
        assert found["values"][found["chosen"] - 1] == max(found["values"])
        assert final.config["optimizer"]["lr"] == found["points"][found["chosen"] - 1]["optimizer.lr"]
        assert found["expected_best"] == pytest.approx([np.mean(found["values"]), max(found["values"])])
    batches = {read(place / "tune" / f"{label}-trial1").fingerprints["batches"] for label in report["entries"]}
    assert len(batches) == 1
    assert {path.name for path in place.glob("*-*")} == {"rnn-seed1", "bag_of_embeddings-seed1"}

    finished = read(place / "rnn-seed1").finished
    capsys.readouterr()
    assert main(words) == 0
    said = capsys.readouterr().out
    assert "4 of 4 runs are done already" in said
    assert "2 of 2 runs are done already" in said
    assert read(place / "rnn-seed1").finished == finished


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["tune=-1"], "tune.trials=-1: expected a whole number from 0 to 1000"),
        (["tune=many"], "expected a whole number"),
        (["tune.space.optimizer.rate=[1,2]"], "tune.space.optimizer.rate: rnn has no such key"),
        (["tune.space.optimizer.lr=[0.1,0.01]"], "expected the smaller number first"),
        (["tune.space.optimizer.lr=[0.1,0.1]"], "expected the smaller number first"),
        (["tune.space.optimizer.lr=[0.1]"], "expected [low, high] or [low, high, log]"),
        (["tune.space.optimizer.lr=[0,0.1,log]"], "a logarithm needs numbers above 0"),
        (["tune.space.optimizer.lr=[0.01,0.1,exp]"], "expected [low, high] or [low, high, log]"),
        (["tune.space.optimizer.lr=null"], "tune.space is empty"),
        (["tune.space.model.bidirectional=[0,1]"], "expected a key that holds a number"),
        (["tune.space.seed=[1,9]"], "expected a key of the model"),
        (["tune.space.data.batch_size=[4,9]"], "expected a key of the model"),
        (["optimizer.lr=0.1,0.2"], "rnn-lr0.1 sets it itself"),
        (["match=parameters", "tune.space.model.hidden_size=[4,9]"], "match=parameters solves it"),
        (["tune.space.model.hidden_size=[0.5,4,log]"], "expected whole ends"),
        (["tune=1,2"], "does not change the model"),
    ],
)
def test_a_space_that_is_none_is_refused(
    words: list[str], message: str, own: list[str], refused: Callable[..., str]
) -> None:
    tune = [] if words[0].startswith("tune=") else ["tune=2"]
    assert message in refused("compare", "model=rnn", *tune, *words, *own, *SMALL)
    assert not (Path(own[2].removeprefix("runs=")) / "csv").exists()


def test_a_point_at_which_nothing_can_be_built_ends_it_before_the_first_trial(
    own: list[str], refused: Callable[..., str]
) -> None:
    words = ["model=transformer", "model.model_size=8", "tune=2", "tune.space.model.heads=[5,7]"]
    small = [word for word in SMALL if "hidden_size" not in word]
    assert "transformer-trial1: " in refused("compare", *words, *own, *small)
    assert not (Path(own[2].removeprefix("runs=")) / "csv").exists()


def test_a_lone_run_is_not_tuned(own: list[str], refused: Callable[..., str]) -> None:
    small = [word for word in SMALL if not word.startswith("seeds=")]
    assert "tune=… is for compare" in refused("train", "model=rnn", "tune=2", *own, *small)
