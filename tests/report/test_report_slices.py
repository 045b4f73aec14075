"""The metric on parts of the test split, from predictions made by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet
from scipy.stats import binomtest, t

from lightning_seq.files import sha256
from lightning_seq.records.record import Record, read, runs_in, write
from lightning_seq.report.dashboard.page import Page
from lightning_seq.report.dashboard.slices import (
    Predicted,
    bootstrap,
    cuts,
    effective_size,
    measured,
    read_predicted,
    slices,
    wilson,
)
from lightning_seq.report.predictions import span_counts
from lightning_seq.report.summary import summarise


def save(run: Path, columns: dict[str, Any], seed: int = 1, **fields: Any) -> None:
    run.mkdir(parents=True)
    path = run / "predictions.parquet"
    parquet.write_table(pa.table(columns), path)
    entry = {"path": path.name, "sha256": sha256(path)}
    given = {"task": "classification", "data": "own", "metrics": {"test/accuracy": 0.5}, **fields}
    write(run, Record("done", "demo", run.name[:-6], seed, artifacts={"predictions": entry}, **given))


def columns(right: list[bool], classes: list[str] | None = None) -> dict[str, Any]:
    """Nine examples of lengths 1 to 9, of which the fifth has an unknown word; the later, the rarer."""
    targets = classes or ["a", "b", "b"] * 3
    return {
        "id": range(9),
        "target": targets,
        "prediction": [target if each else "?" for target, each in zip(targets, right, strict=True)],
        "loss": [0.1] * 9,
        "length": np.arange(1, 10, dtype=np.int32),
        "unknown": [0.0, 0, 0, 0, 0.2, 0, 0, 0.05, 0],
        "rarity": np.linspace(2, 6, 9),
    }


def test_slices_are_cut_and_counted(tmp_path: Path) -> None:
    right = [True, True, True, True, False, False, False, True, False]
    save(tmp_path / "rnn-seed1", columns(right))
    held = read_predicted(tmp_path / "rnn-seed1" / "predictions.parquet", "accuracy")
    assert held is not None
    found = {(each.kind, each.name): each.mask.nonzero()[0].tolist() for each in cuts(held)}
    assert found == {
        ("", "all examples"): list(range(9)),
        ("length", "short, up to 3 words"): [0, 1, 2],
        ("length", "middle, up to 6"): [3, 4, 5],
        ("length", "long, over 6"): [6, 7, 8],
        ("unknown words", "none"): [0, 1, 2, 3, 5, 6, 8],
        ("unknown words", "up to 10%"): [7],
        ("unknown words", "over 10%"): [4],
        ("frequency of words", "the third of the most frequent"): [0, 1, 2],
        ("frequency of words", "the middle third"): [3, 4, 5],
        ("frequency of words", "the third of the rarest"): [6, 7, 8],
        ("class", "b"): [1, 2, 4, 5, 7, 8],
        ("class", "a"): [0, 3, 6],
    }
    values = {each.name: measured([held], each.mask) for each in cuts(held)}
    assert values["all examples"].value == pytest.approx(5 / 9)  # type: ignore[union-attr]
    assert values["middle, up to 6"].value == pytest.approx(1 / 3)  # type: ignore[union-attr]
    wanted = binomtest(1, 3).proportion_ci(method="wilson")
    middle = values["middle, up to 6"]
    assert middle is not None
    assert (middle.low, middle.high) == pytest.approx((wanted.low, wanted.high), abs=1e-6)


def test_captions_are_cut_by_the_length_of_the_target(tmp_path: Path) -> None:
    exact = [1.0, 1.0, 1.0, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0]
    save(tmp_path / "rnn-seed1", columns([False] * 9) | {"exact_match": exact}, task="captioning")
    held = read_predicted(tmp_path / "rnn-seed1" / "predictions.parquet", "exact_match")
    assert held is not None
    assert held.classes is None
    shares = [measured([held], part.mask) for part in cuts(held) if part.kind == "length"]
    assert [share and round(share.value, 4) for share in shares] == [1.0, 0.6667, 0.0]
    page = Page(["rnn"])
    text = slices(page, runs_in(tmp_path), summarise(tmp_path))
    assert "short, up to 3 words" in text
    assert "Share of the pictures whose caption is one of their references" in text


def test_a_mean_over_seeds_has_the_examples_interval(tmp_path: Path) -> None:
    """Two runs on the same nine examples are nine examples, not eighteen."""
    for seed, right in ((1, [True] * 9), (2, [True] * 3 + [False] * 6)):
        save(tmp_path / f"rnn-seed{seed}", columns(right), seed)
    runs = [read_predicted(tmp_path / f"rnn-seed{seed}" / "predictions.parquet", "accuracy") for seed in (1, 2)]
    found = measured([run for run in runs if run is not None], np.ones(9, dtype=bool))
    assert found is not None
    assert found.value == pytest.approx(6 / 9)
    assert (found.low, found.high) == pytest.approx(wilson(6 / 9, 9))


def test_the_page_has_a_row_for_each_slice(tmp_path: Path) -> None:
    save(tmp_path / "<rnn>-seed1", columns([True] * 9, ["<script>", "b", "b"] * 3))
    save(tmp_path / "gru-seed1", columns([False] * 9, ["<script>", "b", "b"] * 3))
    summary = summarise(tmp_path)
    text = slices(Page(summary.groups[0].labels), runs_in(tmp_path), summary)
    assert "&lt;script&gt;" in text
    assert "<script>" not in text
    assert "<rnn>" not in text
    assert text.count('scope="row"') == 12
    assert "1.000<small>0.701 – 1.000</small>" in text
    assert "0.000<small>0.000 – 0.299</small>" in text
    assert "few" in text


def test_runs_that_say_nothing_of_their_examples_have_no_slices(tmp_path: Path) -> None:
    kept = {name: values for name, values in columns([True] * 9).items() if name != "rarity"}
    save(tmp_path / "rnn-seed1", kept)
    summary = summarise(tmp_path)
    assert slices(Page(["rnn"]), runs_in(tmp_path), summary) == ""
    (tmp_path / "rnn-seed1" / "predictions.parquet").write_bytes(b"broken")
    record = read(tmp_path / "rnn-seed1")
    entry = {"path": "predictions.parquet"}
    write(tmp_path / "rnn-seed1", record.with_(artifacts={"predictions": entry}))
    assert slices(Page(["rnn"]), runs_in(tmp_path), summarise(tmp_path)) == ""


TAGGED = {
    "id": [0, 0, 0, 1, 1, 2, 2, 2],
    "position": [0, 1, 2, 0, 1, 0, 1, 2],
    "target": ["B-A", "I-A", "O", "B-A", "B-B", "O", "O", "O"],
    "prediction": ["B-A", "I-A", "B-B", "B-A", "I-A", "O", "O", "B-A"],
    "length": np.array([3, 3, 3, 2, 2, 3, 3, 3], dtype=np.int32),
    "unknown": [0.0] * 8,
    "rarity": [1.0] * 8,
}


def test_spans_of_each_sentence() -> None:
    """Sentence 0: A found, B too much; 1: two given, one (of both words) found and wrong; 2: one too much."""
    ids, positions = (np.array(TAGGED[name]) for name in ("id", "position"))
    order = np.random.default_rng(1).permutation(8)
    tags = [pa.array(TAGGED[name]).take(pa.array(order)) for name in ("target", "prediction")]
    known, counts = span_counts(ids[order], positions[order], *tags)
    assert known.tolist() == [0, 1, 2]
    assert counts.tolist() == [[1, 0, 0], [2, 1, 1], [1, 2, 0]]


@pytest.mark.parametrize(("kind", "value"), [("f1", 2 * 1 / (4 + 3)), ("tokens", 5 / 8)])
def test_taggers_by_span_or_by_token(tmp_path: Path, kind: str, value: float) -> None:
    save(tmp_path / "rnn-seed1", TAGGED, task="tagging")
    held = read_predicted(tmp_path / "rnn-seed1" / "predictions.parquet", kind)
    assert held is not None
    found = measured([held], np.ones(3, dtype=bool))
    assert found is not None
    assert found.value == pytest.approx(value)
    assert found.low < value < found.high
    assert {each.kind for each in cuts(held)} == {"", "length"}


def test_nothing_to_count_is_no_number(tmp_path: Path) -> None:
    save(tmp_path / "rnn-seed1", TAGGED | {"prediction": TAGGED["target"]}, task="tagging")
    held = read_predicted(tmp_path / "rnn-seed1" / "predictions.parquet", "f1")
    assert held is not None
    assert measured([held], np.array([False, False, True])) is None


def test_the_bootstrap_covers_as_often_as_it_says() -> None:
    """Token accuracy in sentences whose tokens hang together: a ratio of 0.7, found again by 95 of 100 intervals."""
    random, inside = np.random.default_rng(3), 0
    for _ in range(200):
        of = random.integers(2, 12, size=150)
        share = random.beta(7, 3, size=150)
        low, high = bootstrap(random.binomial(of, share)[None].astype(float), of[None].astype(float))
        inside += low <= 0.7 <= high
    assert 180 <= inside <= 198


GROUPS = ["g", "g", "g", "h", "h", "h", "i", "i", "i"]


def test_examples_of_a_group_count_by_their_clustered_standard_error(tmp_path: Path) -> None:
    """Right are 3, 2 and 0 of three examples each: the sums of deviations from 5/9 are 4/3, 1/3 and -5/3."""
    right = [True, True, True, True, True, False, False, False, False]
    save(tmp_path / "rnn-seed1", columns(right) | {"group": GROUPS})
    held = read_predicted(tmp_path / "rnn-seed1" / "predictions.parquet", "accuracy")
    assert held is not None
    assert held.groups is not None
    clustered = 3 / 2 * ((4 / 3) ** 2 + (1 / 3) ** 2 + (5 / 3) ** 2) / 9**2
    independent = (5 * (4 / 9) ** 2 + 4 * (5 / 9) ** 2) / 8 / 9
    size = 9 * independent / clustered * (t.ppf(0.975, 8) / t.ppf(0.975, 2)) ** 2
    assert size == pytest.approx(0.9233, abs=1e-4)
    assert effective_size(held.hits, held.groups) == pytest.approx(size)
    found = measured([held], np.ones(9, dtype=bool), held.groups)
    assert found is not None
    assert found.value == pytest.approx(5 / 9)
    assert (found.low, found.high) == pytest.approx(wilson(5 / 9, size))


def test_groups_of_one_example_change_nothing_and_one_group_tells_nothing(tmp_path: Path) -> None:
    save(tmp_path / "rnn-seed1", columns([True] * 4 + [False] * 5))
    held = read_predicted(tmp_path / "rnn-seed1" / "predictions.parquet", "accuracy")
    assert held is not None
    assert held.groups is None
    all_examples = np.ones(9, dtype=bool)
    alone, plain = measured([held], all_examples, np.arange(9)), measured([held], all_examples)
    assert alone is not None
    assert plain is not None
    assert (alone.low, alone.high) == pytest.approx((plain.low, plain.high))
    same = measured([held], all_examples, np.zeros(9))
    assert same is not None
    assert (same.value, same.low, same.high) == (pytest.approx(4 / 9), 0.0, 1.0)
    groups = np.repeat([0, 1, 2], 3)
    assert effective_size(np.ones(9), groups) == 3
    assert effective_size(np.tile([1.0, 0.0, 0.0], 3), groups) == 9


def test_the_bootstrap_draws_whole_groups_and_covers_as_often_as_it_says() -> None:
    """Sentences of 40 documents, whose shares of right tokens differ: 0.7 on average."""
    random, inside, alone = np.random.default_rng(4), 0, 0
    groups = np.repeat(np.arange(40), 8)
    for _ in range(200):
        of = random.integers(2, 12, size=320).astype(float)
        hits = random.binomial(of.astype(int), random.beta(7, 3, size=40)[groups]).astype(float)
        run = Predicted(np.arange(320), hits, of, {}, None)
        for chosen in (groups, None):
            found = measured([run], np.ones(320, dtype=bool), chosen)
            assert found is not None
            if chosen is None:
                alone += found.low <= 0.7 <= found.high
            else:
                inside += found.low <= 0.7 <= found.high
    assert 178 <= inside <= 198
    assert alone < 140


def test_the_page_tells_of_groups(tmp_path: Path) -> None:
    """One of the runs was made before predictions had groups."""
    right = [True, True, True, True, True, False, False, False, False]
    save(tmp_path / "rnn-seed1", columns(right))
    save(tmp_path / "gru-seed1", columns(right) | {"group": GROUPS})
    summary = summarise(tmp_path)
    text = slices(Page(summary.groups[0].labels), runs_in(tmp_path), summary)
    assert "Intervals are over 3 groups of examples" in text
    low, high = wilson(5 / 9, 0.923277)
    assert text.count(f"0.556<small>{low:.3f} – {high:.3f}</small>") == 2


def test_examples_of_different_splits_are_not_joined(tmp_path: Path) -> None:
    """Two seeds that draw the test split have as many examples, and not the same ones."""
    for seed, right in ((1, [True] * 9), (2, [False] * 9)):
        for label in ("rnn", "gru"):
            drawn = ["train", "validation", "test"]
            marks = {"split": f"split {seed}"}
            save(tmp_path / f"{label}-seed{seed}", columns(right), seed, drawn=drawn, fingerprints=marks)
    text = str(slices(Page(["gru", "rnn"]), runs_in(tmp_path), summarise(tmp_path)))
    assert "Runs that were tested on other examples are left out." in text
