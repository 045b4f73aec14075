"""What is said of a comparison, what stands in bold, and the scores of examples that it rests on."""

from __future__ import annotations

import csv as sheets
import io
import re
from collections.abc import Callable
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
from lightning_seq.report import tables
from lightning_seq.report.dashboard.dashboard import dashboard
from lightning_seq.report.escape import latex
from lightning_seq.report.examples import example_scores
from lightning_seq.report.formats import mean_and_std
from lightning_seq.report.summary import summarise
from lightning_seq.report.terminal_table import terminal
from lightning_seq.report.write import write_report
from tests.report.printed import printed

Make = Callable[..., Path]


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
    assert "\nlabel & runs & \\shortstack[r]{test/\\\\accuracy} & recurrent & parameters & tokens/s \\\\\n" in text
    assert len(body) == 3
    for line in body:
        assert line.endswith(" \\\\")
        assert len(re.findall(r"(?<!\\)&", line)) == columns - 1
    assert body[0].startswith("a\\&b\\_\\allowbreak{}c\\% & 2 & ")
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
