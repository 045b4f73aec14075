"""What is said of a comparison, what stands in bold, and the scores of examples that it rests on."""

from __future__ import annotations

import csv as sheets
import io
import re
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from rich.console import Console
from sacrebleu.metrics import BLEU

from lightning_seq.files import sha256
from lightning_seq.records.record import Record, read, runs_in, write
from lightning_seq.report import tables, verdict
from lightning_seq.report.dashboard.dashboard import dashboard
from lightning_seq.report.escape import latex
from lightning_seq.report.examples import example_scores
from lightning_seq.report.formats import mean_and_std
from lightning_seq.report.summary import summarise
from lightning_seq.report.terminal_table import terminal
from lightning_seq.report.verdict import NO_PAIR, ONE_SEED, Verdict, gap, judge
from lightning_seq.report.write import write_report
from lightning_seq.significance import Pair
from tests.report.printed import printed

Make = Callable[..., Path]


def pair(better: str, other: str, points: float, apart: bool, seeds: int = 5) -> Pair:
    low = 0.5 * points if apart else -0.004
    numbers = tuple(range(1, seeds + 1))
    return Pair(better, other, numbers, 0, points, low, 2 * points - low, 0.001, 0.004 if apart else 0.4, 1.0)


def said(
    monkeypatch: pytest.MonkeyPatch, means: dict[str, float], tied: set[frozenset[str]], **given: Any
) -> tuple[str, Verdict]:
    """The sentence on labels with these mean accuracies, of which those pairs are tied and all others told apart."""
    found = [
        pair(*sorted((a, b), key=lambda label: -means[label]), abs(means[a] - means[b]), frozenset((a, b)) not in tied)
        for a, b in combinations(means, 2)
    ]
    monkeypatch.setattr(verdict, "compare", lambda *_: found)
    scores = {label: dict.fromkeys(range(1, 6), mean) for label, mean in means.items()}
    held = judge("test/accuracy", scores, {}, given.pop("parameters", {}), **given)
    (sentence,) = held.sentences
    return sentence, held


def both(*labels: str) -> set[frozenset[str]]:
    return {frozenset(two) for two in combinations(labels, 2)}


MATCH = {"kind": "parameters", "count": "all", "target": 200_000, "mismatch": 0.001}


def test_two_that_are_tied_and_one_that_beats_both(monkeypatch: pytest.MonkeyPatch) -> None:
    means = {"LSTM": 0.750, "GRU": 0.753, "BiLSTM": 0.774}
    sentence, held = said(monkeypatch, means, both("LSTM", "GRU"), matches=dict.fromkeys(means, MATCH))
    assert sentence == (
        "At 200k parameters and 5 seeds, GRU and LSTM cannot be told apart (0.3 points, 95 % CI -0.4 to 1.0); "
        "BiLSTM beats both by 2.1 to 2.4 points."
    )
    assert held.best == "BiLSTM"
    assert held.beaten("BiLSTM") == ["GRU", "LSTM"]


def test_none_of_three_can_be_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    sentence, held = said(monkeypatch, {"a": 0.75, "b": 0.751, "c": 0.756}, both("a", "b", "c"))
    assert sentence == "With 5 seeds, c, b and a cannot be told apart (at most 0.6 points, 95 % CI -0.4 to 1.6)."
    assert held.best is None


def test_a_chain_names_both_ties_and_the_one_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    sentence, held = said(monkeypatch, {"a": 0.70, "b": 0.71, "c": 0.72}, both("a", "b") | both("b", "c"))
    assert sentence.startswith("With 5 seeds, c and b cannot be told apart (1.0 points")
    assert "; b and a cannot be told apart (1.0 points" in sentence
    assert sentence.endswith("; c beats a by 2.0 points (95 % CI 1.0 to 3.0).")
    assert held.best is None


def test_winners_that_are_tied_are_named_together(monkeypatch: pytest.MonkeyPatch) -> None:
    means = {"a": 0.6, "b": 0.62, "c": 0.7, "d": 0.701, "e": 0.65}
    sentence, held = said(monkeypatch, means, both("c", "d"))
    assert "d and c beat all others by 5.0 to 10.1 points" in sentence
    assert "; e beats b and a by 3.0 to 5.0 points; b beats a by 2.0 points" in sentence
    assert held.best is None


def test_of_many_labels_the_best_are_spoken_of_and_the_rest_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    means = {f"m{number}": 0.5 + 0.01 * number for number in range(12)}
    sentence, _ = said(monkeypatch, means, both("m11", "m10"))
    assert sentence.count(" beats ") == 1
    assert "m11 and m10 cannot be told apart" in sentence
    assert "m11 beats m9, m8, m7, m6, m5, m4, m3, m2 and 2 others by 2.0 to 11.0 points" in sentence
    assert sentence.endswith("65 of all 66 pairs can be told apart.")


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
    assert gap("test/accuracy", 0.0123, -0.004) == ["1.2", "-0.4"]
    assert gap("test/accuracy", 0.0123, -0.0004) == ["1.23", "-0.04"]
    assert gap("test/bleu", 1.26, 0.34) == ["1.3", "0.3"]
    assert gap("test/perplexity", 12.346, 1.0) == ["12.35", "1.00"]
    assert gap("test/nll", 0.1234, 0.0) == ["0.123", "0.000"]
    assert gap("test/accuracy", -0.0) == ["0.0"]


def test_one_seed_and_no_seed_in_common_conclude_nothing() -> None:
    assert judge("test/accuracy", {"a": {1: 0.5}, "b": {1: 0.6}}, {}, {}).sentences == (ONE_SEED,)
    assert judge("test/accuracy", {"a": {1: 0.5, 2: 0.5}, "b": {3: 0.6, 4: 0.6}}, {}, {}).sentences == (NO_PAIR,)
    assert judge("test/accuracy", {"a": {1: 0.5, 2: 0.5}}, {}, {}) == Verdict()
    assert judge(None, {"a": {}, "b": {}}, {}, {}) == Verdict()


def test_what_rests_on_two_seeds_or_leaves_pairs_out_says_so() -> None:
    scores = {"a": {1: 0.5, 2: 0.51}, "b": {1: 0.7, 2: 0.72}, "c": {3: 0.7, 4: 0.72}}
    how = " ".join(judge("test/accuracy", scores, {}, {}, notes=["Something."]).how)
    assert "Two seeds can only tell very large differences" in how
    assert "2 pairs have fewer than two seeds in common and no verdict." in how
    assert "training runs (seeds) alone" in how
    assert how.endswith("Something.")


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
    assert all(pair.examples == 600 for pair in group.verdict.pairs)
    assert "over training runs (seeds) and 600 test examples" in group.verdict.how[0]
    means = {row.label: row.metric("test/accuracy").mean for row in group.rows}
    for each in group.verdict.pairs:
        assert each.difference == pytest.approx(means[each.better] - means[each.other])
    assert group.verdict.best == "birnn"
    (sentence,) = group.verdict.sentences
    number = r"\d+\.\d+"
    tie = rf"cannot be told apart \({number} points, 95 % CI -{number} to {number}\)"
    assert re.search(rf"{tie}; birnn beats both by {number} to {number} points\.$", sentence)


def test_the_sentence_stands_in_every_place(decided: Path) -> None:
    summary = summarise(decided)
    (sentence,) = summary.groups[0].verdict.sentences
    assert sentence in tables.markdown(summary)
    assert sentence in printed(summary, 300)
    page = dashboard(decided)
    assert sentence in page
    assert page.index('<section id="verdict">') < page.index(sentence) < page.index('<section id="comparison">')
    assert page.count('<tr><td class="left">') == 3
    assert latex(sentence) in tables.tex(summary)
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
    assert dashboard(undecided).count("best mean</small>") == 1
    console = Console(width=100, file=io.StringIO(), record=True, force_terminal=True, color_system="standard")
    console.print(terminal(summary))
    label = group.marked()[0].label
    assert not re.search(rf"\x1b\[1m{label}", console.export_text(styles=True))


def test_a_table_for_latex_is_whole_and_safe(make_comparison: Make, tmp_path: Path) -> None:
    labels = ("a&b_c%", "\\input{x}$^~", "[x]--#{}")
    directory = make_comparison(tmp_path / "demo", labels=labels, seeds=2)
    write_report(directory)
    text = (directory / "table.tex").read_text()
    for line in ("\\toprule", "\\midrule", "\\bottomrule", "\\end{tabular}", "\\end{table}"):
        assert text.count(line) == 1
    body = text.split("\\midrule\n")[1].split("\n\\bottomrule")[0].splitlines()
    (columns,) = map(len, re.findall(r"\\begin\{tabular\}\{(lr+)\}", text))
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
    scores, notes = example_scores(runs, "test/accuracy")
    assert (len(scores), notes) == (15, [])
    for run, record in runs:
        table = parquet.read_table(run / "predictions.parquet").sort_by("id")
        right = np.array(table["target"].to_pylist()) == np.array(table["prediction"].to_pylist())
        assert (scores[record.label, record.seed] == right).all()
    directory = answered(tmp_path / "other", make_comparison, {"rnn": 0.6, "lstm": 0.6}, seeds=2)
    run = directory / "rnn-seed1"
    right = np.arange(610) % 3 > 0
    save(run, read(run), np.arange(10, 610), right, **{"test/accuracy": float(right[10:].mean())})
    scores, (note,) = example_scores(runs_in(directory), "test/accuracy")
    assert ("rnn", 1) not in scores
    assert len(scores) == 3
    assert "different examples" in note


def test_predictions_that_do_not_add_up_are_left_to_the_seeds(make_comparison: Make, tmp_path: Path) -> None:
    directory = answered(tmp_path / "demo", make_comparison, {"rnn": 0.6, "lstm": 0.6}, seeds=3)
    record = read(directory / "rnn-seed2")
    write(directory / "rnn-seed2", record.with_(metrics={**record.metrics, "test/accuracy": 0.123}))
    (group,) = summarise(directory).groups
    assert [each.examples for each in group.verdict.pairs] == [0]
    assert any("do not add up to test/accuracy are not used: rnn, seed 2." in line for line in group.verdict.how)


def test_the_loss_of_a_classifier_is_judged_by_its_examples_too(decided: Path) -> None:
    scores, _ = example_scores(runs_in(decided), "test/loss")
    assert set(np.unique(np.stack(list(scores.values())))) == {0.1, 2.0}
    assert example_scores(runs_in(decided), "test/macro_f1") == ({}, [])
    assert example_scores(runs_in(decided), "val/accuracy") == ({}, [])


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
    scores, notes = example_scores([(run, record)], "test/f1")
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
