"""`seeds=auto`: the plan comes before the runs, seeds are added only while something is open, and it can be resumed."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from lightning_seq.cli.main import main
from lightning_seq.comparison import compare as compared
from lightning_seq.comparison.plan import announce
from lightning_seq.records.comparison import FILE, read_plan
from lightning_seq.records.record import Record, write
from lightning_seq.report.stamp import is_current
from lightning_seq.report.summary import summarise
from lightning_seq.significance.sequential import plan
from lightning_seq.training.planned import Planned
from lightning_seq.training.signals import Interrupted
from tests.stand_in import runs_of

Score = Callable[[Planned], float | None]


def train(run: Planned, score: float | None) -> None:
    """The record of a run; it failed if it has no score."""
    run.directory.mkdir(parents=True, exist_ok=True)
    metrics = {} if score is None else {"test/accuracy": score, "val/accuracy": score}
    status, choices = "failed" if score is None else "done", run.config["choices"]
    record = Record(
        status, "x", run.entry.label, run.seed, task=choices["task"], data=choices["data"], metrics=metrics,
        config=run.config, started=f"2026-01-01T00:00:{run.seed:02}", finished=f"2026-01-01T00:01:{run.seed:02}",
    )  # fmt: skip
    write(run.directory, record)


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """`compare seeds=auto` with runs that have the accuracy of `score`; returns the runs in their order."""

    def prepared(entries: Sequence[object], *_: object) -> list[SimpleNamespace]:
        return [SimpleNamespace(entry=entry, monitor="val/accuracy") for entry in entries]

    monkeypatch.setattr(compared, "_prepare", prepared)
    monkeypatch.setattr(compared, "_check_made_alike", lambda *_: None)

    def of(score: Score, *words: str, dies_at: str = "", code: int = 0) -> list[str]:
        trained: list[str] = []

        def run(runs: Sequence[Planned], jobs: int, *_: object) -> None:
            announce(runs, jobs)
            for one in runs:
                if one.is_done():
                    continue
                if one.title == dies_at:
                    raise Interrupted(signal.SIGTERM)
                trained.append(one.title)
                train(one, score(one))

        monkeypatch.setattr(compared, "_run", run)
        known = [f"runs={tmp_path}", "name=x", "seeds=auto", "logger=none", "data=verses_genre", "model=lstm,gru"]
        given = {word.partition("=")[0]: word for word in (*known, *words)}
        assert main(["compare", *given.values()]) == code
        return trained

    return of


def noise(spread: float, **means: float) -> Score:
    """Normal scores around the mean of the label's beginning."""

    def score(run: Planned) -> float:
        label = run.entry.label.partition("-")[0]
        draw = np.random.default_rng([run.seed, *label.encode()]).normal()
        return means[label] + spread * float(draw)

    return score


def titles(labels: Sequence[str], first: int, last: int) -> list[str]:
    return [f"{label}-seed{seed}" for seed in range(first, last + 1) for label in labels]


def test_a_clear_difference_ends_at_the_first_look(
    command: Callable[..., list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    score = noise(0.0001, lstm=0.9, gru=0.5)
    assert command(score) == titles(["lstm", "gru"], 1, 3)
    said = capsys.readouterr().out
    assert "seeds=auto: the verdict is read after 3, 4, 6, 9, 14, 20 seeds, until no pair is open" in said
    assert "look 1 of 6, 3 seeds, level 0.0005: no pair is open" in said
    looks = json.loads((tmp_path / "x" / FILE).read_text())["looks"]
    assert looks["seeds"] == [3, 4, 6, 9, 14, 20]
    assert looks["levels"] == list(plan(20).levels)
    assert looks["metrics"]["verses_genre"][:2] == ["relation_f1", "accuracy"]
    (group,) = summarise(tmp_path / "x").groups
    assert group.verdict.how[-1] == (
        "By the plan from before the first run (seeds=auto, max_seeds=20): look 1 of 6, after 3 seeds; level 0.0005."
    )
    assert group.verdict.best == "lstm"
    assert "99.95 % CI" in " ".join(group.verdict.sentences)
    assert "99.95 % CI" in (tmp_path / "x" / "table.md").read_text()
    assert command(score) == []
    assert is_current(tmp_path / "x")
    assert command(score, "name=two", "max_seeds=2") == titles(["lstm", "gru"], 1, 2)


def test_seeds_are_added_until_the_pair_is_decided_and_no_more_than_allowed(
    command: Callable[..., list[str]], tmp_path: Path
) -> None:
    assert command(noise(0.01, lstm=0.75, gru=0.725)) == titles(["lstm", "gru"], 1, 9)
    (group,) = summarise(tmp_path / "x").groups
    assert "look 4 of 6, after 9 seeds; level 0.0031." in group.verdict.how[-1]
    assert "With 9 seeds, lstm beats gru by" in " ".join(group.verdict.sentences)
    assert command(noise(0.05, lstm=0.75, gru=0.75), "name=y", "max_seeds=6") == titles(["lstm", "gru"], 1, 6)
    (group,) = summarise(tmp_path / "y").groups
    assert "max_seeds=6): look 3 of 3, after 6 seeds; level 0.034." in group.verdict.how[-1]
    assert "not decided" in " ".join(group.verdict.sentences)
    assert not any("would decide" in sentence for sentence in group.verdict.sentences)  # no level is left for more
    assert [pair.needed for pair in group.verdict.pairs] == [None]


def test_a_killed_comparison_goes_on_with_its_plan(
    command: Callable[..., list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    score = noise(0.01, lstm=0.75, gru=0.725)
    whole = command(score, "name=whole")
    first = command(score, dies_at="lstm-seed5", code=143)
    before = read_plan(tmp_path / "x")
    (group,) = summarise(tmp_path / "x").groups
    assert "look 2 of 6, after 4 seeds" in group.verdict.how[-1]  # seeds above 4 are not part of the verdict
    assert "With 4 seeds" in " ".join(group.verdict.sentences)
    assert [*first, *command(score)] == whole
    after = read_plan(tmp_path / "x")
    assert before is not None
    assert after is not None
    assert after.looks == before.looks
    assert [addition.seeds for addition in after.additions] == [(1, 2, 3), (4,), (5, 6), (7, 8, 9)]
    assert summarise(tmp_path / "x").groups == summarise(tmp_path / "whole").groups
    assert main(["status", str(tmp_path / "x")]) == 0
    assert "18 runs: 18 done" in capsys.readouterr().out


def test_only_the_labels_of_an_open_test_set_get_more_seeds(command: Callable[..., list[str]], tmp_path: Path) -> None:
    def score(run: Planned) -> float:
        if "trec" in run.entry.label:
            return noise(0.05, lstm=0.75, gru=0.75)(run)
        return noise(0.0001, lstm=0.9, gru=0.5)(run)

    trained = command(score, "data=verses_genre,trec", "max_seeds=4")
    assert sorted(run for run in trained if run.endswith("seed4")) == ["gru-datatrec-seed4", "lstm-datatrec-seed4"]
    assert len(trained) == 14
    how = {group.data: group.verdict.how[-1] for group in summarise(tmp_path / "x").groups}
    assert "look 1 of 2, after 3 seeds" in how["verses_genre"]
    assert "look 2 of 2, after 4 seeds" in how["trec"]


def test_a_label_that_always_fails_asks_for_no_more_seeds(command: Callable[..., list[str]]) -> None:
    clear = noise(0.0001, lstm=0.9, gru=0.5)
    trained = command(lambda run: None if run.entry.label == "rnn" else clear(run), "model=lstm,gru,rnn", code=1)
    assert trained == titles(["lstm", "gru", "rnn"], 1, 3)


def test_a_look_with_one_good_run_of_a_label_is_not_decided(command: Callable[..., list[str]]) -> None:
    clear = noise(0.0001, lstm=0.9, gru=0.5)
    trained = command(lambda run: None if run.title in ("gru-seed2", "gru-seed3") else clear(run), code=1)
    assert trained == titles(["lstm", "gru"], 1, 4)


def test_what_a_plan_refuses(
    command: Callable[..., list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(*words: str) -> str:
        with pytest.raises(SystemExit, match="2"):
            command(noise(0.0001, lstm=0.9, gru=0.5), *words)
        return capsys.readouterr().err

    assert "there is one label: give seeds=3" in refused("model=lstm")
    assert "max_seeds=1: expected a whole number from 2 to 200" in refused("max_seeds=1")
    for run in runs_of(tmp_path, ["lstm"], [1]):
        train(run, 0.5)
    assert f"{tmp_path / 'x'} has runs, and seeds=auto makes its plan before the first one" in refused()
    command(noise(0.0001, lstm=0.9, gru=0.5), "name=y")
    assert "give max_seeds=20, or name=NEW" in refused("name=y", "max_seeds=9")


def test_a_dry_run_shows_all_runs_that_may_be_needed(
    command: Callable[..., list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[int] = []
    monkeypatch.setattr("lightning_seq.comparison.dry_run.show_plan", lambda ready, runs, *_: shown.append(len(runs)))
    assert command(noise(0.01, lstm=0.75, gru=0.725), "dry_run=true", "max_seeds=6") == []
    assert shown == [12]
    assert not (tmp_path / "x" / FILE).exists()


@pytest.mark.parametrize(
    "looks",
    [
        {"seeds": [3, 4], "levels": [0.05], "metrics": {}},
        {"seeds": [4, 3], "levels": [0.01, 0.04], "metrics": {}},
        {"seeds": [], "levels": [], "metrics": {}},
        {"seeds": [3], "levels": [0.05]},
        [3],
    ],
)
def test_a_damaged_plan_of_looks_is_not_used(looks: object, tmp_path: Path) -> None:
    plain = {"schema": 1, "launcher": "local", "jobs": 1, "runs": {"a-seed1": "a"}, "looks": looks}
    (tmp_path / FILE).write_text(json.dumps(plain))
    assert read_plan(tmp_path) is None
