"""The examples on which labels disagree, from predictions made by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet
from scipy.stats import binomtest

from lightning_seq.files import sha256
from lightning_seq.records.record import Record, runs_in, write
from lightning_seq.report.dashboard.disagreements import MOST_EXAMPLES, MOST_LABELS, disagreements
from lightning_seq.report.dashboard.page import Page as Drawn
from lightning_seq.report.disagreements import Disagreement, answers, disagreement
from lightning_seq.report.summary import summarise
from tests.report.page import ATTACKS, Page

TARGETS = ["law", "acts", "law", "acts", "law", "acts"]


def save(directory: Path, label: str, seed: int, columns: dict[str, Any], **fields: Any) -> None:
    run = directory / f"{label}-seed{seed}"
    run.mkdir(parents=True)
    path = run / "predictions.parquet"
    parquet.write_table(pa.table(columns), path)
    entry = {"path": path.name, "sha256": sha256(path)}
    given = {"task": "classification", "data": "own", "metrics": {"test/accuracy": 0.5}, **fields}
    write(run, Record("done", "demo", label, seed, artifacts={"predictions": entry}, **given))


def classified(right: str, **more: Any) -> dict[str, Any]:
    """`101…`: whether each of the six examples is right; the rows of the file are in another order."""
    order = [3, 0, 1, 5, 4, 2]
    said = [target if mark == "1" else "other" for target, mark in zip(TARGETS, right, strict=True)]
    columns = {"id": [f"k{row}" for row in range(6)], "row": range(6), "target": TARGETS, "prediction": said}
    columns |= {"beginning": [f"text number {row}" for row in range(6)], **more}
    return {name: [list(values)[row] for row in order] for name, values in columns.items()}


def drawn(directory: Path) -> str:
    summary = summarise(directory)
    return disagreements(Drawn(summary.groups[0].labels), runs_in(directory), summary)


def test_a_label_is_right_with_most_of_its_seeds(tmp_path: Path) -> None:
    for seed, (rnn, gru) in enumerate([("110100", "011000"), ("110000", "011101"), ("100010", "111001")], 1):
        save(tmp_path / "demo", "rnn", seed, classified(rnn))
        save(tmp_path / "demo", "gru", seed, classified(gru))
    found, seed, notes = answers(runs_in(tmp_path / "demo"), "classification", ["rnn", "gru"])
    assert (seed, notes) == (None, [])
    assert found["rnn"].scores.tolist() == [1, 1, 0, 0, 0, 0]
    assert found["gru"].scores.tolist() == [0, 1, 1, 0, 0, 1]
    pair = disagreement("rnn", "gru", found)
    assert [places.tolist() for places in pair.better] == [[0], [2, 5]]  # example 2: by 3 seeds of 3, example 5: by 2
    assert (pair.both, pair.neither) == (1, 2)
    text = Page(drawn(tmp_path / "demo")).text
    assert "6 examples. A label is right where more than half of its 3 seeds are." in text
    assert "rnn right, gru wrong: 1" in text
    assert "id k0 text text number 0 true class law rnn law 3 seeds gru other 2 seeds , law 1 seed" in text
    assert text.index("id k2") < text.index("id k5")


@pytest.mark.parametrize("counts", [(0, 0), (3, 0), (12, 3), (32, 18), (5, 5)])
def test_p_is_the_exact_one(counts: tuple[int, int]) -> None:
    pair = Disagreement(("a", "b"), (np.arange(counts[0]), np.arange(counts[1])), 9, 2)
    expected = binomtest(counts[0], sum(counts)).pvalue if sum(counts) else 1.0
    assert pair.p == pytest.approx(expected)


def test_with_two_seeds_one_right_answer_is_not_most(tmp_path: Path) -> None:
    save(tmp_path / "demo", "rnn", 1, classified("110000"))
    save(tmp_path / "demo", "rnn", 2, classified("101000"))
    found, _, _ = answers(runs_in(tmp_path / "demo"), "classification", ["rnn"])
    assert found["rnn"].scores.tolist() == [1, 0, 0, 0, 0, 0]
    assert found["rnn"].share.tolist() == [1, 0.5, 0.5, 0, 0, 0]


def test_runs_on_other_examples_are_left_out(tmp_path: Path) -> None:
    directory = tmp_path / "demo"
    for label in ("rnn", "gru"):
        save(directory, label, 1, classified("110000"), fingerprints={"split": "one"})
    save(directory, "gru", 2, classified("000000"), fingerprints={"split": "two"})
    found, _, notes = answers(runs_in(directory), "classification", ["rnn", "gru"])
    assert list(found["gru"].runs) == [1]
    assert notes == ["Runs that were tested on other examples are left out."]


def test_seeds_that_draw_the_test_split_are_not_joined(tmp_path: Path) -> None:
    """A source that makes its examples has equal numbers, and so an equal mark of the split, for other examples."""
    for label in ("rnn", "gru"):
        for seed in (1, 2):
            fields = {"fingerprints": {"split": "one"}, "drawn": ["train", "validation", "test"]}
            save(tmp_path / "demo", label, seed, classified("110000"), **fields)
    found, _, notes = answers(runs_in(tmp_path / "demo"), "classification", ["rnn", "gru"])
    assert [list(each.runs) for each in found.values()] == [[1], [1]]
    assert notes == ["Runs that were tested on other examples are left out."]


def test_groups_of_examples_have_no_p(tmp_path: Path) -> None:
    for label, right in (("rnn", "110000"), ("gru", "000011")):
        save(tmp_path / "demo", label, 1, classified(right, group=[1, 1, 2, 2, 3, 3]))
    text = Page(drawn(tmp_path / "demo")).text
    assert "Examples form groups and are not independent: p is left out." in text
    assert "McNemar" not in text
    assert "One seed of each label." in text


def tagged(predictions: list[str]) -> dict[str, Any]:
    """Two sentences of three and two tokens, the rows of the second first."""
    return {
        "id": [40, 40, 12, 12, 12],
        "row": [1, 1, 0, 0, 0],
        "position": [0, 1, 2, 0, 1],
        "token": ["it", "barks", "<b>", "the", "dog"],
        "target": ["O", "B-VP", "O", "B-NP", "I-NP"],
        "prediction": predictions,
    }


def test_taggers_are_compared_by_errors_of_one_seed(tmp_path: Path) -> None:
    directory = tmp_path / "demo"
    more = {"task": "tagging", "metrics": {"test/accuracy": 0.7}}
    save(directory, "rnn", 1, tagged(["O", "B-VP", "O", "O", "O"]), **more)
    save(directory, "gru", 1, tagged(["O", "B-VP", "O", "B-NP", "O"]), **more)
    save(directory, "gru", 2, tagged(["O", "O", "O", "O", "O"]), **more)
    found, seed, _ = answers(runs_in(directory), "tagging", ["rnn", "gru"])
    assert seed == 1
    assert found["rnn"].scores.tolist() == pytest.approx([1 / 3, 1])
    assert found["gru"].scores.tolist() == pytest.approx([2 / 3, 1])
    pair = disagreement("rnn", "gru", found)
    assert [places.tolist() for places in pair.better] == [[], [0]]
    assert (pair.both, pair.neither) == (1, 0)
    page = drawn(directory)
    assert "gru better than rnn: 1" in Page(page).text
    assert page.index(">the<small>B-NP") < page.index(">dog<small>I-NP → O") < page.index("&lt;b&gt;")


def test_translators_are_compared_by_chrf_of_one_seed(tmp_path: Path) -> None:
    from sacrebleu.metrics import CHRF

    directory, references = tmp_path / "demo", ["a ship sails home", "the sea is deep"]
    said = {"rnn": ["a ship sails home", "the see is"], "gru": ["a ship", "the sea was deep"]}
    for label, predictions in said.items():
        columns = {"id": [1, 2], "row": [0, 1], "source": ["x", "y"], "target": references, "prediction": predictions}
        save(directory, label, 3, columns, task="sequence_to_sequence", metrics={"test/bleu": 20.0})
    found, seed, _ = answers(runs_in(directory), "sequence_to_sequence", ["rnn", "gru"])
    wanted = CHRF().sentence_score("the see is", ["the sea is deep"]).score / 100
    assert seed == 3
    assert found["rnn"].scores.tolist() == pytest.approx([1, wanted])
    assert [places.tolist() for places in disagreement("rnn", "gru", found).better] == [[0], [1]]
    text = Page(drawn(directory)).text
    assert "Seed 3 of each label. The score of a sentence is chrF (Popović 2015)." in text
    assert "rnn better than gru: 1" in text
    assert "p: the exact sign test for this pair alone" in text
    assert "the sea was deep chrF" in text


def test_lists_are_short_and_texts_escaped(tmp_path: Path) -> None:
    size = MOST_EXAMPLES + 4
    columns = {"row": range(size), "target": [ATTACKS[1]] * size, "beginning": [ATTACKS[0] * 9] * size}
    labels = [f"cell{number}" for number in range(MOST_LABELS + 2)]
    for label in labels:
        said = [ATTACKS[1] if label == "cell0" else ATTACKS[2]] * size
        save(tmp_path / "demo", label, 1, columns | {"prediction": said})
    page = drawn(tmp_path / "demo")
    assert page.count("<li>") == (MOST_LABELS - 1) * MOST_EXAMPLES
    assert "4 more in predictions.parquet." in page
    assert "2 more labels are left out." in page
    assert "<script" not in page
    assert "<img" not in page
    assert ATTACKS[0][:20] in Page(page).text


def test_one_label_or_another_task_has_no_section(tmp_path: Path) -> None:
    save(tmp_path / "one", "rnn", 1, classified("110000"))
    assert drawn(tmp_path / "one") == ""
    for label in ("rnn", "gru"):
        save(tmp_path / "bits", label, 1, classified("110000"), task="bits")
    assert drawn(tmp_path / "bits") == ""
