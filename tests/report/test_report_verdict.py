"""What is said of a comparison, what stands in bold, and the scores of examples that it rests on."""

from __future__ import annotations

import csv as sheets
import io
import re
from collections.abc import Callable
from itertools import combinations, product
from pathlib import Path
from random import Random
from time import process_time
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from sacrebleu.metrics import BLEU

from lightning_seq.files import sha256
from lightning_seq.records.record import Record, read, runs_in, write
from lightning_seq.report import tables, verdict
from lightning_seq.report.dashboard.dashboard import dashboard
from lightning_seq.report.escape import latex
from lightning_seq.report.examples import example_scores
from lightning_seq.report.formats import mean_and_std
from lightning_seq.report.scale import scale
from lightning_seq.report.summary import summarise
from lightning_seq.report.terminal_table import terminal
from lightning_seq.report.verdict import NO_PAIR, ONE_SEED, Evaluation, Verdict, clauses, judge
from lightning_seq.report.write import write_report
from lightning_seq.significance.compare import Comparison, Decision, Pair
from tests.report.printed import printed

Make = Callable[..., Path]


def pair(better: str, other: str, points: float, decision: Decision, seeds: int = 5) -> Pair:
    low = 0.5 * points if decision is Decision.BEATS else -0.004
    high = 0.004 if decision is Decision.EQUAL else 2 * points - low
    return Pair(better, other, (seeds, seeds), points, low, high, 0.004, 1.0, decision)


def said(
    monkeypatch: pytest.MonkeyPatch,
    means: dict[str, float],
    tied: set[frozenset[str]],
    equal: set[frozenset[str]] | None = None,
    **given: Any,
) -> tuple[str, Verdict]:
    """The sentence on labels with these mean accuracies: some pairs are not decided, some equal, all others differ."""

    def decision(labels: frozenset[str]) -> Decision:
        return Decision.OPEN if labels in tied else Decision.EQUAL if labels in (equal or ()) else Decision.BEATS

    pairs = tuple(
        pair(*sorted((a, b), key=lambda label: -means[label]), abs(means[a] - means[b]), decision(frozenset((a, b))))
        for a, b in combinations(means, 2)
    )
    monkeypatch.setattr(verdict, "compare", lambda *_: Comparison(pairs))
    scores = {label: dict.fromkeys(range(1, 6), mean) for label, mean in means.items()}
    result = judge("test/accuracy", Evaluation(scores), given.pop("parameters", {}), **given)
    return result.sentences[0], result


def both(*labels: str) -> set[frozenset[str]]:
    return {frozenset(two) for two in combinations(labels, 2)}


MATCH = {"kind": "parameters", "count": "all", "target": 200_000, "mismatch": 0.001}


def test_two_that_are_tied_and_one_that_beats_both(monkeypatch: pytest.MonkeyPatch) -> None:
    means = {"LSTM": 0.750, "GRU": 0.753, "BiLSTM": 0.774}
    sentence, result = said(monkeypatch, means, both("LSTM", "GRU"), matches=dict.fromkeys(means, MATCH))
    assert sentence == (
        "At 200k parameters and 5 seeds, BiLSTM beats GRU and LSTM by 2.1 to 2.4 points (95 % CIs from 1.1 to 3.6); "
        "not decided: GRU against LSTM (0.3 points, 95 % CI -0.4 to 1.0)."
    )
    assert result.best == "BiLSTM"
    assert result.beaten("BiLSTM") == ["GRU", "LSTM"]


def test_none_of_three_is_decided(monkeypatch: pytest.MonkeyPatch) -> None:
    sentence, result = said(monkeypatch, {"a": 0.75, "b": 0.751, "c": 0.756}, both("a", "b", "c"))
    assert sentence == ("With 5 seeds, not decided: among c, b and a (0.1 to 0.6 points, 95 % CIs from -0.4 to 1.6).")
    assert result.best is None


def test_equal_labels_are_equal_within_half_a_point(monkeypatch: pytest.MonkeyPatch) -> None:
    means = {"gru": 0.731, "lstm": 0.730, "rnn": 0.60}
    sentence, _ = said(monkeypatch, means, set(), both("gru", "lstm"))
    assert sentence == (
        "With 5 seeds, gru and lstm beat rnn by 13.0 to 13.1 points (95 % CIs from 6.5 to 19.7); "
        "gru equals lstm within 0.5 points."
    )


def test_a_pair_across_the_ranking_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tagging demo: birnn beats gru and lstm, and is not told apart from rnn, which is further behind."""
    means = {"birnn": 0.912, "gru": 0.847, "lstm": 0.844, "rnn": 0.841}
    sentence, _ = said(monkeypatch, means, both("gru", "lstm", "rnn") | both("birnn", "rnn"))
    assert "birnn beats gru and lstm by 6.5 to 6.8 points" in sentence
    assert "among gru, lstm and rnn" in sentence
    assert "birnn against rnn (7.1 points" in sentence


@settings(max_examples=200, deadline=None)
@given(st.integers(2, 20), st.randoms(use_true_random=False))
def test_the_clauses_name_every_pair_once_up_to_twenty_labels(labels: int, random: Random) -> None:
    names = [f"m{number}" for number in range(labels)]
    pairs = [pair(a, b, 0.01, random.choice(list(Decision))) for a, b in combinations(names, 2)]
    named = []
    for clause in clauses(names, pairs):
        two = combinations(clause.first, 2) if not clause.second else product(clause.first, clause.second)
        of_clause = [frozenset(labels) for labels in two]
        assert {frozenset((one.better, one.other)) for one in clause.pairs} == set(of_clause)
        assert {one.decision for one in clause.pairs} == {clause.decision}
        named += of_clause
    assert len(named) == len(set(named)) == len(pairs)
    text = verdict._sentence(names, Verdict(pairs=tuple(pairs), scale=scale("test/accuracy")))
    assert all(re.search(rf"\b{name}\b", text) for name in names) or "all others" in text


def test_more_than_twenty_labels_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    means = {f"m{number}": 0.5 + 0.01 * number for number in range(21)}
    sentence, _ = said(monkeypatch, means, both("m20", "m19"))
    assert sentence == (
        "With 5 seeds, m20 has the best mean and beats 19 of 20 others; of all 210 pairs, 209 are told apart, 0 are "
        "equal and 1 are not decided."
    )


@pytest.mark.parametrize(
    ("match", "parameters", "size"),
    [
        ({**MATCH, "count": "recurrent"}, {}, "At 200k recurrent parameters and"),
        ({**MATCH, "kind": "state", "target": 1024}, {}, "At 1.02k bytes of state and"),
        ({**MATCH, "mismatch": 0.3}, {}, "With"),
        ({}, {"total": 1_300_000, "embedding": 1_200_000, "recurrent": 90_000}, "At 90k recurrent parameters and"),
        ({}, {"total": 1_300_000, "embedding": 1_200_000}, "At 100k parameters without the embedding and"),
        ({}, {}, "With"),
    ],
)
def test_sizes_are_said_where_they_are_equal(
    monkeypatch: pytest.MonkeyPatch, match: dict[str, Any], parameters: dict[str, int], size: str
) -> None:
    means = {"a": 0.7, "b": 0.8}
    given = {"matches": dict.fromkeys(means, match), "parameters": dict.fromkeys(means, parameters)}
    assert said(monkeypatch, means, set(), **given)[0].startswith(f"{size} 5 seeds, b beats a by 10.0 points")
    if size != "With":
        given = {
            "matches": {"a": match, "b": {**match, "target": 5} if match else {}},
            "parameters": {"a": parameters, "b": {name: 2 * count for name, count in parameters.items()}},
        }
        assert said(monkeypatch, means, set(), **given)[0].startswith("With 5 seeds, ")


def test_differences_are_said_in_the_metrics_own_unit() -> None:
    assert scale("test/accuracy").shown(0.0123, -0.004) == ["1.2", "-0.4"]
    assert scale("test/accuracy").shown(0.0123, -0.0004) == ["1.23", "-0.04"]
    assert scale("test/bleu").shown(1.26, 0.34) == ["1.3", "0.3"]
    assert scale("test/nll").shown(0.1234, 0.0) == ["0.123", "0.000"]
    assert scale("test/nll").shown(12.346, 1.0) == ["12.35", "1.00"]
    assert scale("test/accuracy").shown(-0.0) == ["0.0"]
    assert scale("test/perplexity").shown(np.log(1.1)) == ["10.0"]
    assert scale("test/accuracy").size(0.01, 0.02) == "1.0 to 2.0 points"
    assert scale("test/accuracy").equal() == "0.5 points"
    assert scale("test/perplexity").equal() == "1 %"
    assert scale("test/accuracy", rope=0.02).equal() == "2 points"


def test_one_blow_up_of_a_perplexity_does_not_hide_a_difference() -> None:
    """The logarithm of a perplexity is compared."""
    scores = {"a": {1: 100.0, 2: 101.0, 3: 2000.0}, "b": {1: 50.0, 2: 50.5, 3: 50.2}, "c": {1: 70.0, 2: 70.4, 3: 70.1}}
    result = judge("test/perplexity", Evaluation(scores), {})
    between = {(one.better, one.other): one for one in result.pairs}
    assert between["b", "a"].difference == pytest.approx(
        np.mean(np.log([100, 101, 2000])) - np.mean(np.log([50, 50.5, 50.2]))
    )
    assert "the logarithm of test/perplexity" in result.how[0]
    without = {label: {seed: value for seed, value in runs.items() if seed < 3} for label, runs in scores.items()}
    assert (
        judge("test/perplexity", Evaluation(without), {})
        .sentences[0]
        .startswith("With 2 seeds, b beats c and a by 39.7 to 100.0 %")
    )


def test_perplexities_that_diverged_are_written_without_forty_digits() -> None:
    scores = {"a": {1: 120.0, 2: 3e38, 3: 150.0}, "b": {1: 110.0, 2: 105.0, 3: 130.0}}
    assert "over 1000000 %" in judge("test/perplexity", Evaluation(scores), {}).sentences[0]
    scores["a"][3] = 0.0
    scores["a"][2] = -1.0
    assert judge("test/perplexity", Evaluation(scores), {}).sentences == (NO_PAIR,)


def test_a_label_that_failed_in_every_seed_is_in_the_second_reading() -> None:
    scores = {"a": {1: 0.90, 2: 0.91, 3: 0.90}, "b": {1: 0.80, 2: 0.81, 3: 0.80}, "c": {}}
    *_, second = judge("test/accuracy", Evaluation(scores, failed={"c": frozenset({1, 2, 3})}), {}).sentences
    assert second.startswith("If the 3 failed runs count as the worst of all: a beats c")


def test_one_seed_and_one_label_conclude_nothing() -> None:
    assert judge("test/accuracy", Evaluation({"a": {1: 0.5}, "b": {1: 0.6}}), {}).sentences == (ONE_SEED,)
    assert judge("test/accuracy", Evaluation({"a": {1: 0.5, 2: 0.5}, "b": {3: 0.6}}), {}).sentences == (NO_PAIR,)
    assert judge("test/accuracy", Evaluation({"a": {1: 0.5, 2: 0.5}}), {}) == Verdict()
    assert judge(None, Evaluation({"a": {}, "b": {}}), {}) == Verdict()


def test_what_is_left_out_and_how_it_is_judged_is_said() -> None:
    scores = {"a": {1: 0.5, 2: 0.51}, "b": {1: 0.7, 2: 0.72}, "c": {3: 0.7}}
    result = judge("test/accuracy", Evaluation(scores), {}, notes=["Something."])
    how = " ".join(result.how)
    assert "Without a verdict, for fewer than two seeds: c." in how
    assert "training runs (seeds) alone" in how
    assert "Equal: the whole interval is inside ± 0.5 points, also where it excludes zero." in how
    assert how.endswith("Something.")


def test_seeds_that_would_decide_are_named() -> None:
    scores = {"a": {1: 0.70, 2: 0.72, 3: 0.71}, "b": {1: 0.73, 2: 0.72, 3: 0.745}, "c": {1: 0.2, 2: 0.21, 3: 0.19}}
    result = judge("test/accuracy", Evaluation(scores), {})
    needed = next(one.needed for one in result.pairs if {one.better, one.other} == {"a", "b"})
    assert needed is not None
    assert needed > 3
    assert result.sentences[1] == (
        f"If the differences are as large as they look: seeds={needed} decides b against a (2.2 points) (power 80 %)."
    )


def test_failed_seeds_count_as_the_worst_in_a_second_reading() -> None:
    scores = {"a": {1: 0.90, 2: 0.91, 3: 0.90, 4: 0.91}, "b": {1: 0.80, 2: 0.81, 3: 0.80, 4: 0.81}}
    (sentence, *_) = judge("test/accuracy", Evaluation(scores), {}).sentences
    assert "a beats b by 10.0 points" in sentence
    failed = {"a": frozenset({5, 6}), "b": frozenset[int]()}
    *_, second = judge("test/accuracy", Evaluation(scores, failed=failed), {}).sentences
    assert second == "If the 2 failed runs count as the worst of all: a against b is not decided."
    *_, same = judge("test/accuracy", Evaluation(scores, failed={"b": frozenset({5})}), {}).sentences
    assert same == "Nothing changes if the failed run counts as worst."


def test_runs_that_succeed_or_fail_are_compared_by_their_successes() -> None:
    scores = {
        "a": dict(enumerate([0.99] * 9 + [0.1])),
        "b": dict(enumerate([0.98] + [0.11] * 9)),
    }
    result = judge("test/success", Evaluation(scores), {})
    assert result.sentences[0].startswith("With 10 seeds, a beats b by 80.0 points of runs that succeed (95 % CI ")
    assert "clearly above or below 0.545" in result.how[0]


def answered(directory: Path, make_comparison: Make, chances: dict[str, float], seeds: int = 5, N: int = 600) -> Path:
    """A comparison of classifiers whose predictions are there and make up their accuracy."""
    make_comparison(directory, labels=tuple(chances), seeds=seeds)
    difficulty = np.random.default_rng(0).normal(0, 1, N)
    for order, (run, record) in enumerate(runs_in(directory)):
        random = np.random.default_rng([7, order])
        right = difficulty + random.normal(0, 0.6, N) < chances[record.label]
        save(run, record, random.permutation(N), right)
    return directory


def save(run: Path, record: Record, ids: np.ndarray, right: np.ndarray, **metrics: float) -> None:
    columns = {
        "id": ids,
        "target": ["law"] * len(ids),
        "prediction": np.where(right[ids], "law", "acts").tolist(),
        "loss": np.where(right[ids], 0.1, 2.0),
    }
    parquet.write_table(pa.table(columns), run / "predictions.parquet")
    entry = {"path": "predictions.parquet", "sha256": sha256(run / "predictions.parquet")}
    found = {"test/accuracy": float(np.float32(right.mean())), "test/loss": float(np.where(right, 0.1, 2.0).mean())}
    write(
        run,
        record.with_(
            metrics={**record.metrics, **found, **metrics}, artifacts={**record.artifacts, "predictions": entry}
        ),
    )


@pytest.fixture(scope="module")
def decided(make_comparison: Make, tmp_path_factory: pytest.TempPathFactory) -> Path:
    chances = {"rnn": 0.6, "lstm": 0.6, "birnn": 1.4}
    return answered(tmp_path_factory.mktemp("runs") / "decided", make_comparison, chances)


@pytest.fixture(scope="module")
def undecided(make_comparison: Make, tmp_path_factory: pytest.TempPathFactory) -> Path:
    chances = {"rnn": 0.6, "lstm": 0.6}
    return answered(tmp_path_factory.mktemp("runs") / "undecided", make_comparison, chances)


def test_the_verdict_is_over_runs_and_examples(decided: Path) -> None:
    (group,) = summarise(decided).groups
    assert "over training runs (seeds) and 600 test examples" in group.verdict.how[0]
    means = {row.label: row.metric("test/accuracy").mean for row in group.rows}
    for each in group.verdict.pairs:
        assert each.difference == pytest.approx(means[each.better] - means[each.other])
    assert group.verdict.best == "birnn"
    unequal, sentence, *_ = group.verdict.sentences
    assert unequal == "Conditions: sizes differ (33k to 117k recurrent parameters); no label is tuned."
    number = r"-?\d+\.\d+"
    beats = rf"birnn beats \w+ and \w+ by {number} to {number} points \(95 % CIs from {number} to {number}\)"
    assert re.search(
        rf"{beats}; not decided: \w+ against \w+ \({number} points, 95 % CI {number} to {number}\)\.$", sentence
    )


def test_the_sentence_stands_in_every_place(decided: Path) -> None:
    summary = summarise(decided)
    page = dashboard(decided)
    section = page.split('<section id="verdict">')[1].split('<section id="comparison">')[0]
    for sentence in summary.groups[0].verdict.sentences:  # the first names the unequal conditions
        assert sentence in tables.markdown(summary)
        assert sentence in printed(summary, 300)
        assert sentence in section
        assert latex(sentence) in tables.tex(summary)
    assert section.count('<tr><td class="left" data-value=') == 3
    rows = list(sheets.DictReader(io.StringIO(tables.csv(summary))))
    assert {row["label"]: set(filter(None, row["beats"].split("; "))) for row in rows} == {
        "rnn": set(),
        "lstm": set(),
        "birnn": {"rnn", "lstm"},
    }


def test_the_best_is_in_bold_where_it_beats_all_others(decided: Path) -> None:
    summary = summarise(decided)
    group = summary.groups[0]
    best = next(row for row in group.rows if row.label == "birnn")
    shown = mean_and_std(best.metric("test/accuracy"))
    assert tables.markdown(summary).count("**") == 2
    assert f"| **{shown}** |" in tables.markdown(summary)
    assert tables.tex(summary).count("\\textbf") == 1
    assert f"\\textbf{{{latex(shown)}}}" in tables.tex(summary)


def test_nothing_is_in_bold_where_chance_may_have_made_the_best(undecided: Path) -> None:
    summary = summarise(undecided)
    group = summary.groups[0]
    assert group.significant() is None
    assert len(group.marked()) == 1
    assert "**" not in tables.markdown(summary)
    assert "not in bold, as it does not beat every other" in tables.markdown(summary)
    assert "textbf" not in tables.tex(summary)
    assert "<span class=significant>" not in dashboard(undecided)
    console = Console(width=100, file=io.StringIO(), record=True, force_terminal=True, color_system="standard")
    console.print(terminal(summary))
    label = group.marked()[0].label
    assert not re.search(rf"\x1b\[1m{label}", console.export_text(styles=True))


def test_a_table_for_latex_is_whole_and_safe(make_comparison: Make, tmp_path: Path) -> None:
    labels = ("a&b_c%", "\\input{x}$^~", "[x]--#{}")
    directory = make_comparison(tmp_path / "demo", labels=labels, seeds=2)
    write_report(directory)
    text = (directory / "table.tex").read_text()
    for line in ("\\toprule", "\\midrule", "\\bottomrule", "\\end{tabularx}", "\\end{table}", "\\label{tab:demo}"):
        assert text.count(line) == 1
    body = text.split("\\midrule\n")[1].split("\n\\bottomrule")[0].splitlines()
    (right,) = map(len, re.findall(r"\\begin\{tabularx\}\{\\textwidth\}\{>\{.*\}X(r+)\}", text))
    columns = right + 1
    assert "\nlabel & runs & test/accuracy & recurrent & parameters & tokens/s \\\\\n" in text
    assert len(body) == 3
    for line in body:
        assert line.endswith(" \\\\")
        assert len(re.findall(r"(?<!\\)&", line)) == columns - 1
    assert body[0].startswith("a\\&b\\_c\\% & 2 & ")
    assert body[1].startswith("\\textbackslash{}input\\{x\\}\\$\\textasciicircum{}\\textasciitilde{} & ")
    assert body[2].startswith("{[}x{]}-{}-\\#\\{\\} & ")


def test_almost_stochastic_order_is_an_option(decided: Path, tmp_path: Path) -> None:
    assert "almost stochastic order" not in tables.markdown(summarise(decided))
    text = tables.markdown(summarise(decided, stochastic_order=True))
    assert "almost stochastic order (eps) |" in text
    rows = [line for line in text.split("### Every pair")[1].splitlines() if line.startswith("| birnn")]
    assert [row.split(" | ")[-1] for row in rows] == ["0.00 |"] * 2


def test_ids_out_of_order_are_paired_and_other_examples_are_not(
    decided: Path, make_comparison: Make, tmp_path: Path
) -> None:
    runs = runs_in(decided)
    scores, clusters, notes = example_scores(runs, "test/accuracy")
    assert (len(scores), clusters, notes) == (15, None, [])
    for run, record in runs:
        table = parquet.read_table(run / "predictions.parquet").sort_by("id")
        right = np.array(table["target"].to_pylist()) == np.array(table["prediction"].to_pylist())
        assert (scores[record.label, record.seed] == right).all()
    directory = answered(tmp_path / "other", make_comparison, {"rnn": 0.6, "lstm": 0.6}, seeds=2)
    run = directory / "rnn-seed1"
    right = np.arange(610) % 3 > 0
    save(run, read(run), np.arange(10, 610), right, **{"test/accuracy": float(right[10:].mean())})
    scores, _, (note,) = example_scores(runs_in(directory), "test/accuracy")
    assert ("rnn", 1) not in scores
    assert len(scores) == 3
    assert "different examples" in note


def test_predictions_that_do_not_add_up_are_left_to_the_seeds(make_comparison: Make, tmp_path: Path) -> None:
    directory = answered(tmp_path / "demo", make_comparison, {"rnn": 0.6, "lstm": 0.6}, seeds=3)
    record = read(directory / "rnn-seed2")
    write(directory / "rnn-seed2", record.with_(metrics={**record.metrics, "test/accuracy": 0.123}))
    (group,) = summarise(directory).groups
    assert any("over training runs (seeds) alone" in line for line in group.verdict.how)
    assert any("do not add up to test/accuracy are not used: rnn, seed 2." in line for line in group.verdict.how)


def test_the_loss_of_a_classifier_is_judged_by_its_examples_too(decided: Path) -> None:
    scores, *_ = example_scores(runs_in(decided), "test/loss")
    assert set(np.unique(np.stack(list(scores.values())))) == {0.1, 2.0}
    assert example_scores(runs_in(decided), "test/macro_f1") == ({}, None, [])
    assert example_scores(runs_in(decided), "val/accuracy") == ({}, None, [])


def tagger(directory: Path, sentences: list[tuple[list[str], list[str]]]) -> tuple[Path, dict[str, Any]]:
    directory.mkdir(parents=True)
    rows = [
        (number, place, *tags)
        for number, (target, prediction) in enumerate(sentences)
        for place, tags in enumerate(zip(target, prediction, strict=True))
    ]
    columns = dict(zip(("id", "position", "target", "prediction"), map(list, zip(*rows, strict=True)), strict=True))
    parquet.write_table(pa.table(columns), directory / "predictions.parquet")
    return directory, {"predictions": {"path": "predictions.parquet"}}


def test_f1_of_spans_and_accuracy_of_tokens_are_taken_apart_by_sentence(tmp_path: Path) -> None:
    sentences = [
        (["B-NP", "I-NP", "O", "B-VP"], ["B-NP", "I-NP", "O", "B-NP"]),  # 1 right of 2 found and 2 given
        (["O", "B-NP"], ["B-NP", "I-NP"]),  # 0 of 1 and 1
        (["I-NP", "I-NP", "I-VP"], ["I-NP", "I-NP", "B-VP"]),  # 2 of 2 and 2
        (["B-NP", "B-NP"], ["B-NP", "I-NP"]),  # 0 of 1 and 2
    ]
    run, artifacts = tagger(tmp_path / "rnn-seed1", sentences)
    f1, accuracy = 2 * 3 / (6 + 7), 6 / 11
    f1_without = [2 * 2 / (4 + 5), 2 * 3 / (5 + 6), 2 * 1 / (4 + 5), 2 * 3 / (5 + 5)]
    metrics = {"test/f1": f1, "test/accuracy": accuracy}
    record = Record("done", "demo", "rnn", 1, task="tagging", metrics=metrics, artifacts=artifacts)
    scores, _, notes = example_scores([(run, record)], "test/f1")
    assert notes == []
    found = scores["rnn", 1]
    assert found.mean() == pytest.approx(f1)
    assert np.diff(found) == pytest.approx(-3 * np.diff(f1_without))
    tokens = example_scores([(run, record)], "test/accuracy")[0]["rnn", 1]
    assert tokens == pytest.approx(np.array([3, 0, 2, 1]) * 4 / 11)


def test_bleu_is_taken_apart_as_sacrebleu_puts_it_together(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    words = ["in", "the", "beginning", "god", "made", "heaven", "and", "earth", ",", "it", "was", "good"]
    targets = [" ".join(random.choice(words, random.integers(5, 12))) for _ in range(30)]
    predictions = [" ".join(word if random.random() < 0.85 else "Lord" for word in text.split()) for text in targets]
    metric = BLEU(lowercase=True, tokenize="none", force=True)
    bleu = metric.corpus_score(predictions, [targets]).score
    run = tmp_path / "gru-seed1"
    run.mkdir()
    parquet.write_table(
        pa.table({"id": range(30), "target": targets, "prediction": predictions}), run / "predictions.parquet"
    )
    record = Record(
        "done",
        "demo",
        "gru",
        1,
        task="sequence_to_sequence",
        metrics={"test/bleu": bleu},
        artifacts={"predictions": {"path": "predictions.parquet"}},
        signatures={"bleu": str(metric.get_signature())},
    )
    found = example_scores([(run, record)], "test/bleu")[0]["gru", 1]
    assert found.mean() == pytest.approx(bleu)
    without = [
        metric.corpus_score(predictions[:n] + predictions[n + 1 :], [targets[:n] + targets[n + 1 :]]).score
        for n in range(30)
    ]
    assert found - bleu == pytest.approx(29 * (np.mean(without) - np.array(without)))


def test_labels_and_metrics_in_the_verdict_become_no_elements(make_comparison: Make, tmp_path: Path) -> None:
    attack = "<img src=x onerror=alert(1)>"
    page = dashboard(make_comparison(tmp_path / "demo", labels=(attack, "rnn", "lstm"), seeds=3))
    section = page.split('<section id="verdict">')[1].split("</section>")[0]
    assert "&lt;img src=x onerror=alert(1)&gt;" in section
    assert "<img" not in section


def test_six_labels_five_seeds_and_ten_thousand_examples_take_seconds(make_comparison: Make, tmp_path: Path) -> None:
    chances = {f"m{number}": 0.6 + 0.05 * number for number in range(6)}
    directory = answered(tmp_path / "demo", make_comparison, chances, N=10_000)
    begun = process_time()
    (group,) = summarise(directory).groups
    assert process_time() - begun < 6
    assert len(group.verdict.pairs) == 15
