"""`vary=init,split,vectors`: a seed also draws the splits and the word vectors, the same for all labels."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from lightning_seq.cli.main import main
from lightning_seq.comparison.grid import entries
from lightning_seq.comparison.plan import announce
from lightning_seq.comparison.tune import trial
from lightning_seq.config.entry import Entry
from lightning_seq.config.seeds import seeded
from lightning_seq.config.tree import Config
from lightning_seq.errors import UserError
from lightning_seq.identity import INIT, architecture, config_identity, value_at
from lightning_seq.records.comparison import read_plan
from lightning_seq.records.record import Record, read, runs_in, write
from lightning_seq.report.agreement import fingerprints
from lightning_seq.report.merge import write_merged
from lightning_seq.report.seed_draws import shared_variance
from lightning_seq.report.summary import Group, summarise
from lightning_seq.report.undecided import undecided
from lightning_seq.report.verdict import NO_BLOCK
from lightning_seq.significance.compare import compare
from tests.stand_in import runs_of

ALL = "vary=init,split,vectors"
KEYS = ("seed", "data.split_seed", "word2vec.seed")


def config_of(*words: str) -> Config:
    (entry,) = entries(["data=verses_genre", "model=rnn", "name=x", *words])
    return entry.config


@pytest.mark.parametrize(
    ("word", "drawn"),
    [("vary=init", (7, 1, 1)), ("vary=init,split", (7, 7, 1)), ("vary=[init,vectors]", (7, 1, 7)), (ALL, (7, 7, 7))],
)
def test_a_seed_sets_what_it_draws(word: str, drawn: tuple[int, ...]) -> None:
    config = config_of(word)
    run = seeded(config, 7)
    assert tuple(value_at(run, key) for key in KEYS) == drawn
    assert tuple(value_at(config, key) for key in KEYS) == (1, 1, 1)  # of the entry, for all seeds


def test_running_text_is_cut_at_a_place_that_a_seed_draws() -> None:
    words = ["data=text_words", "data.train=x.txt"]
    assert value_at(seeded(config_of(*words), 2), "data.split_seed") is None
    assert value_at(seeded(config_of(*words, ALL), 2), "data.split_seed") == 2


def test_the_default_leaves_the_identity_of_runs_as_it_was() -> None:
    before = {key: value for key, value in config_of().items() if key != "vary"}
    assert config_identity(config_of()) == config_identity(before)
    assert config_identity(config_of(ALL))["vary"] == ["init", "split", "vectors"]


def test_seeds_are_one_architecture() -> None:
    assert len({architecture(seeded(config_of(ALL), seed)) for seed in (1, 2)}) == 1
    assert len({architecture(config_of(f"data.split_seed={seed}")) for seed in (1, 2)}) == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["vary=split"], "a seed always draws the initialisation; expected init, or init,split,vectors"),
        (["vary=init,split,split"], "is not understood"),
        (["vary=init,order"], "expected a list of init or split or vectors"),
        (["vary=init,split", "data.split_seed=3"], "data.split_seed=… is given, and vary=init,split draws it"),
        ([ALL, "word2vec.seed=1,2"], "word2vec.seed=… is given"),
    ],
)
def test_what_is_refused(words: list[str], message: str) -> None:
    with pytest.raises(UserError) as caught:
        config_of(*words)
    assert message in str(caught.value)


def test_trials_share_one_split() -> None:
    run = trial(Entry("rnn", [], config_of(ALL, "tune=2")), 2, {})
    assert (run.config["vary"], value_at(run.config, "data.split_seed")) == (INIT, 1)


def test_the_plan_and_status_name_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    announce(runs_of(tmp_path, ["a", "b"], [1, 2], ALL), 1)
    plan = read_plan(tmp_path / "x")
    assert plan is not None
    assert plan.vary == ("init", "split", "vectors")
    assert main(["status", str(tmp_path / "x")]) == 0
    assert "each seed draws init, split, vectors" in capsys.readouterr().out


SCORES = {"a": [0.70, 0.80, 0.90, 0.75], "b": [0.66, 0.77, 0.86, 0.72], "c": [0.50, 0.62, 0.69, 0.53]}
"""Splits that are hard for all labels or for none: differences are certain, means are not."""


def made(directory: Path, scores: dict[str, Sequence[float | None]] = SCORES, first: int = 1) -> Path:
    """A comparison whose seeds draw split and vectors; a run without a score failed."""
    for label, values in scores.items():
        for seed, score in enumerate(values, first):
            (run,) = runs_of(directory.parent, [label], [seed], ALL, f"name={directory.name}")
            (directory / run.title).mkdir(parents=True)
            marks = {"data": f"d{seed}", "split": f"s{seed}", "embedding": f"v{seed}", "batches": f"b{seed}"}
            record = Record(
                "failed" if score is None else "done", directory.name, label, seed, task="classification",
                data="verses_genre", metrics={} if score is None else {"test/accuracy": score, "val/accuracy": score},
                config=run.config, fingerprints=marks, drawn=["train", "validation", "test", "vectors"],
                started=f"2026-01-01T00:00:{seed:02}", finished=f"2026-01-01T00:01:{seed:02}",
                baseline={"test/accuracy": seed / 10}, baseline_name="majority class",
            )  # fmt: skip
            write(directory / run.title, record)
    return directory


def group_of(directory: Path) -> Group:
    (group,) = summarise(directory).groups
    return group


def test_the_verdict_compares_seed_by_seed(tmp_path: Path) -> None:
    group = group_of(made(tmp_path / "x"))
    scores = {label: dict(enumerate(values, 1)) for label, values in SCORES.items()}
    expected = compare(scores, limits=(0.0, 1.0), rope=0.005, blocked=True).pairs
    found = {(pair.better, pair.other): (pair.difference, pair.low, pair.p) for pair in group.verdict.pairs}
    assert found == {(pair.better, pair.other): (pair.difference, pair.low, pair.p) for pair in expected}
    assert all(pair.told_apart for pair in group.verdict.pairs)
    assert not any(pair.told_apart for pair in compare(scores).pairs if {pair.better, pair.other} == {"a", "b"})
    first, second, *_ = group.verdict.sentences
    assert first.startswith("Conditions: each seed draws its own split and word vectors, the same for all labels; ")
    assert second.startswith("With 4 seeds, each with its own split and word vectors, a beats b and c by")
    how = " ".join(group.verdict.how)
    assert "over training runs (seeds) alone, each on its own test examples" in how
    assert "labels are compared seed by seed (blocks)" in how
    assert "99% comes from the split and word vectors that a seed draws (from 4 seeds)" in how
    assert not group.verdict.parts  # one test set for each seed is one comparison
    assert group.verdict.test_set == ""


def test_a_seed_without_one_label_is_in_no_number(tmp_path: Path) -> None:
    group = group_of(made(tmp_path / "x", {**SCORES, "b": [0.66, 0.77, 0.86, None]}))
    assert group.verdict.left_out == {("a", 4), ("c", 4)}
    assert [row.seeds for row in group.rows] == [(1, 2, 3)] * 3
    assert [row.done for row in group.rows] == [4, 3, 4]
    assert group.rows[0].metric("test/accuracy").mean == pytest.approx(0.8)
    assert any(line.startswith("Without seed 4 in the verdict") for line in group.verdict.how)
    assert any("If the failed run counts as the worst" in one or "Nothing changes" in one
               for one in group.verdict.sentences)  # fmt: skip


def test_labels_that_failed_in_different_seeds_need_more_seeds(tmp_path: Path) -> None:
    directory = made(tmp_path / "x", {"a": [None, 0.8, 0.9], "b": [0.66, 0.77, None]})
    group = group_of(directory)
    assert NO_BLOCK in group.verdict.sentences
    assert not group.verdict.pairs
    assert undecided(directory) == {"a", "b"}
    assert undecided(made(tmp_path / "y", {"a": [0.7, 0.8], "b": [None, None]})) == frozenset()


def test_the_baseline_is_the_mean_over_the_splits(tmp_path: Path) -> None:
    baseline = group_of(made(tmp_path / "x")).baseline
    assert baseline is not None
    assert baseline.metrics == {"test/accuracy": pytest.approx(0.25)}


def test_conditions_are_equal_seed_by_seed(tmp_path: Path) -> None:
    directory = made(tmp_path / "x")
    rows = {row.name: row for row in fingerprints([record for _, record in runs_in(directory)])}
    assert [rows[name].equal for name in ("data", "split", "batches", "embedding")] == [True] * 4
    assert rows["split"].values == {f"s{seed}": (f"seed {seed}",) for seed in (1, 2, 3, 4)}
    assert rows["split"].meaning == "train, validation and test split, seed by seed"
    other = read(directory / "b-seed2")
    write(directory / "b-seed2", other.with_(fingerprints={**other.fingerprints, "split": "another"}))
    (split,) = (row for row in fingerprints([record for _, record in runs_in(directory)]) if row.name == "split")
    assert split.equal is False
    assert [part.test_set for part in group_of(directory).verdict.parts] == ["test set 1", "test set 2"]


def test_the_shared_part_of_the_variance() -> None:
    """Recovers the components of a two-way layout, and is none without enough seeds."""
    generator = np.random.default_rng(0)
    shares = []
    for _ in range(300):
        splits, own = generator.normal(0, 2, 8), generator.normal(0, 1, (3, 8))
        scores = {label: dict(enumerate((splits + own[row]).tolist())) for row, label in enumerate("abc")}
        shares.append(shared_variance(scores, list("abc")))
    assert np.median(np.array(shares, float)) == pytest.approx(4 / 5, abs=0.03)
    assert shared_variance({"a": {1: 0.1, 2: 0.2}, "b": {1: 0.1, 2: 0.2}}, ["a", "b"]) is None
    assert shared_variance({"a": dict.fromkeys((1, 2, 3), 0.5), "b": dict.fromkeys((1, 2, 3), 0.4)}, ["a", "b"]) is None


def test_seeds_and_labels_of_several_machines_are_merged(tmp_path: Path) -> None:
    two = [made(tmp_path / "one", {"a": SCORES["a"], "b": SCORES["b"]}), made(tmp_path / "two", {"c": SCORES["c"]})]
    (group,) = write_merged(two, tmp_path / "all").groups
    assert len(group.verdict.pairs) == 3
    more = made(tmp_path / "more", {"a": [0.72, 0.83], "b": [0.69, 0.79]}, first=5)
    (group,) = write_merged([two[0], more], tmp_path / "joint").groups
    assert group.verdict.pairs[0].seeds == (6, 6)
    record = read(more / "a-seed5")
    write(more / "a-seed5", record.with_(config={**record.config, "vary": INIT}))
    with pytest.raises(UserError, match="vary"):
        write_merged([two[0], more], tmp_path / "other")


WORDS = (
    "data=csv", "model=rnn,gru", "seeds=2", "trainer.max_steps=2", "logger=none", "launcher=inline", "callbacks=none",
    "word2vec.epochs=1", "word2vec.vector_size=8", "word2vec.min_count=1", "model.hidden_size=4",
)  # fmt: skip


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    path = tmp_path / "texts.csv"
    rows = [f"{name} {number} of the {'hill' if number % 3 else 'sea'},{name}" for number in range(30) for name in "pq"]
    path.write_text("\n".join(["text,label", *rows, ""]))
    return path


def test_runs_of_a_seed_share_split_and_vectors(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], texts: Path
) -> None:
    words = ["compare", *WORDS, f"data.train={texts}", f"runs={tmp_path}", "name=x", f"cache={tmp_path / 'cache'}"]
    assert main([*words, "vary=init,split,vectors", "dry_run=true"]) == 0
    out = capsys.readouterr().out
    assert "each seed draws, the same for all labels: train, validation, test, vectors" in " ".join(out.split())
    assert not (tmp_path / "x").exists()
    assert main([*words, "vary=init,split,vectors"]) == 0
    records = {(record.label, record.seed): record for _, record in runs_in(tmp_path / "x")}
    for name in ("data", "split", "embedding"):
        values = {run: record.fingerprints[name] for run, record in records.items()}
        for seed in (1, 2):
            assert values["rnn", seed] == values["gru", seed]
        assert values["rnn", 1] != values["rnn", 2]
    for label, seed in product(("rnn", "gru"), (1, 2)):
        assert records[label, seed].drawn == ["train", "validation", "test", "vectors"]
    times = {run: record.started for run, record in records.items()}
    assert main([*words, "vary=init,split,vectors", "seeds=3"]) == 0  # the runs that are done stay
    now = {(record.label, record.seed): record.started for _, record in runs_in(tmp_path / "x")}
    assert times.items() < now.items()
    with pytest.raises(SystemExit, match="2"):
        main([*words, "vary=init,split"])
    assert "give another name=NAME" in capsys.readouterr().err


def test_a_test_file_is_the_same_for_all_seeds(tmp_path: Path, capsys: pytest.CaptureFixture[str], texts: Path) -> None:
    words = [*WORDS, f"data.train={texts}", f"runs={tmp_path}", "name=x", f"cache={tmp_path / 'cache'}", ALL]
    test = tmp_path / "test.csv"
    test.write_text("text,label\np 1 of the hill,p\nq 2 of the sea,q\n")
    assert main(["compare", *words, f"data.test={test}", "embedding=random", "embedding.size=4"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "vary=split: the test split is given in texts.csv, and the same for all seeds" in out
    assert "vary=vectors: embedding=random trains no word vectors" in out
    assert [record.drawn for _, record in runs_in(tmp_path / "x")] == [["train", "validation"]] * 4
    assert "each with its own train and validation split," in out
    assert "over training runs (seeds) alone, on these test examples" in out
    given = [f"data.validation={test}", f"data.test={test}", "name=y", "dry_run=true"]
    assert main(["compare", *words, *given]) == 0
    assert "vary=split: all splits are given in texts.csv" in " ".join(capsys.readouterr().out.split())
