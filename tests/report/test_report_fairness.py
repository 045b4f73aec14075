"""The verdict begins with what is unequal: sizes, tuning, convergence, a shared machine."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lightning_seq.records.record import Record
from lightning_seq.report.dashboard.dashboard import dashboard
from lightning_seq.report.fairness import best_is_last, fairness, unequal
from lightning_seq.report.summary import summarise
from lightning_seq.report.verdict import ONE_SEED
from tests.report.page import Page

Make = Callable[..., Path]


def run(
    label: str, seed: int = 1, recurrent: int = 100_000, values: tuple[float, ...] = (0.5, 0.8, 0.7), **more: Any
) -> Record:
    curve = [[10.0 * step, float(step), 1.0 * step, value] for step, value in enumerate(values, 1)]
    return Record(
        "done",
        "demo",
        label,
        seed,
        parameters={"total": recurrent + 20_000, "embedding": 10_000, "recurrent": recurrent},
        curves={"val/accuracy": curve},
        selected_by="val/accuracy",
        **more,
    )


def test_equal_tuned_and_converged_runs_have_nothing_to_tell() -> None:
    records = [run("a"), run("b", recurrent=101_000)]
    assert [item.equal for item in fairness(records, {"a", "b"})] == [True, True, True, None]
    assert unequal(fairness(records, {"a", "b"})) == ""


def test_everything_unequal_is_named_first() -> None:
    records = [
        run("rnn", recurrent=29_000, values=(0.5, 0.6, 0.7), throughput={"cpu_share": 0.4}),
        run("lstm", recurrent=117_000, throughput={"cpu_share": 0.99}),
        run("lstm", 2, recurrent=117_000, values=(0.5, 0.9), throughput={"cpu_share": 1.9}),
    ]
    assert unequal(fairness(records, {"lstm"})) == (
        "Conditions: sizes differ (29k to 117k recurrent parameters); rnn is not tuned; 2 of 3 runs were best "
        "in the last epoch and may not have converged; other programs held up 1 run, so that speeds do not compare."
    )
    assert "no label is tuned" in unequal(fairness(records))


def test_equal_recurrences_in_models_of_other_sizes() -> None:
    """As of task.fusion=question,film, which differ in the encoder of pictures and in the head."""

    def sized(label: str, total: int) -> Record:
        return run(label).with_(parameters={"total": total, "embedding": 10_000, "recurrent": 100_000})

    apart = [sized("question", 120_000), sized("film", 134_000)]
    assert (
        unequal(fairness(apart, {"question", "film"})) == "Conditions: sizes differ (120k to 134k parameters in all)."
    )
    (size,) = [item for item in fairness(apart) if item.name == "size"]
    assert (size.equal, size.values) == (False, {"120k": ("question",), "134k": ("film",)})
    alike = [sized("question", 120_000), sized("concat", 133_000)]
    (size,) = [item for item in fairness(alike) if item.name == "size"]
    assert (size.equal, size.meaning) == (True, "recurrent parameters")


def test_the_best_epoch_is_that_of_the_metric_that_selected_the_weights() -> None:
    assert best_is_last(run("a", values=(0.5, 0.6, 0.7))) is True
    assert best_is_last(run("a", values=(0.5, 0.7, 0.7))) is False
    assert best_is_last(run("a", values=(0.5,))) is None
    losses = run("a").with_(selected_by="val/loss", curves={"val/loss": [[1, 1, 1, 0.9], [2, 2, 2, 0.8]]})
    assert best_is_last(losses) is True
    assert best_is_last(losses.with_(selected_by=None)) is None


def test_tuned_labels_are_those_of_the_comparison(make_comparison: Make, tmp_path: Path) -> None:
    directory = make_comparison(tmp_path / "demo", labels=("rnn", "gru", "lstm"), seeds=2)
    entry = {"metric": "val/accuracy", "mode": "max", "points": [{"optimizer.lr": 0.1}], "values": [0.5], "chosen": 1,
             "expected_best": [0.5]}  # fmt: skip
    (directory / "tune").mkdir()
    (directory / "tune" / "tune.json").write_text(json.dumps({"entries": {"rnn": entry, "gru": entry}}))
    (group,) = summarise(directory).groups
    assert "lstm is not tuned" in group.verdict.sentences[0]
    text = Page(dashboard(directory)).text
    assert "size recurrent parameters no 33k rnn 88.3k gru 117k lstm" in text
    assert "tuned settings chosen by `tune` no yes rnn, gru no lstm" in text
    assert "converged the best epoch is before the last" in text
    assert "machine at least 0.9 CPU seconds per second of training not recorded" in text


def test_nothing_is_unequal_where_nothing_is_compared(make_comparison: Make, tmp_path: Path) -> None:
    (group,) = summarise(make_comparison(tmp_path / "demo", seeds=1)).groups
    assert group.verdict.sentences == (ONE_SEED,)
    assert [item.equal for item in group.fairness] == [False, False, None, None]


def test_models_without_a_recurrence_are_sized_without_their_embedding() -> None:
    records = [run("a", recurrent=0), run("b", recurrent=50_000)]
    (size, *_) = fairness(records)
    assert (size.meaning, size.equal, size.values) == (
        "parameters without the embedding",
        False,
        {"10k": ("a",), "60k": ("b",)},
    )
