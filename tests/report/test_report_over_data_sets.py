"""A comparison over several data sets: which labels and sets count, on which scale, and what all outputs say of it."""

from __future__ import annotations

import csv as sheets
import json
from math import log
from pathlib import Path

import numpy as np
import pytest
import vl_convert

from lightning_seq.records.record import Record
from lightning_seq.report import tables
from lightning_seq.report.dashboard.over_data_sets import over_data_sets as section
from lightning_seq.report.dashboard.page import Page
from lightning_seq.report.over_data_sets import DataSet, OverDataSets, over_data_sets
from lightning_seq.report.summary import Summary, summarise_runs
from lightning_seq.report.wandb.summary import log_comparison
from lightning_seq.report.write import write_report
from tests.report.made_data_sets import ACCURACY, BASELINES, LEVELS, PERPLEXITY, comparison, make_data_sets, record
from tests.report.printed import printed


def summary_of(records: list[Record]) -> Summary:
    return summarise_runs(Path("many"), [(Path("many") / f"{each.label}-seed{each.seed}", each) for each in records])


def over(records: list[Record]) -> OverDataSets:
    found = summary_of(records).over
    assert found is not None
    return found


def test_labels_are_ranked_on_one_scale() -> None:
    found = over(comparison())
    assert found.names == ("d0", "d1")
    assert [row.name for row in found.labels] == ["gru", "lstm", "rnn"]
    assert [row.ranks for row in found.labels] == [(1, 1), (2, 2), (3, 3)]
    for row in found.labels:  # accuracies and perplexities, higher and lower is better
        assert row.scores == (pytest.approx(LEVELS[row.name]), pytest.approx(LEVELS[row.name]))
        assert row.middle.value == pytest.approx(LEVELS[row.name])
        assert (row.middle.low, row.middle.high) == (
            pytest.approx(LEVELS[row.name] - 0.01),
            pytest.approx(LEVELS[row.name] + 0.01),
        )
    assert (found.thresholds[0], found.thresholds[-1]) == (pytest.approx(0.49), pytest.approx(0.71))
    assert [row.profile[0].value for row in found.labels] == [1.0, 1.0, pytest.approx(2 / 3)]
    assert found.friedman == pytest.approx(1 / 6, abs=0.015)


def test_a_few_data_sets_decide_no_pair() -> None:
    found = over(comparison())
    assert found.sentences == (
        "Over 2 data sets, gru ranks first (mean rank 1 of 3). Ranks on 2 data sets decide no pair: 3 labels need at "
        "least 7.",
        "On each of these data sets, every run of gru is better than all runs of lstm.",
    )
    assert not any(pair.told_apart for pair in found.pairs)
    assert "with 3 about 90 %" in found.how[2]


def test_enough_data_sets_decide() -> None:
    found = over(comparison(8, spread=0.08))
    assert found.sentences[0] == (
        "Over 8 data sets, gru ranks first (mean rank 1 of 3); gru beats lstm and rnn; 1 of 1 other pair is told apart."
    )
    chance = found.pairs[0].improvement
    assert found.sentences[1] == (
        "On these data sets, a run of gru is better than a run of lstm with probability 0.89 (95 % CI "
        f"{chance.low:.2f} to {chance.high:.2f})."
    )
    assert chance.value == pytest.approx(8 / 9)
    assert [pair.p for pair in found.pairs] == [pytest.approx(3 / 128)] * 3


def test_what_is_not_decided_is_named() -> None:
    records = comparison(7, seeds=1)
    for number, each in enumerate(records):
        if each.model == "gru" and each.data in ("d2", "d4"):
            records[number] = record("gru", each.data, 1, 0.55)
    found = over(records)
    assert found.sentences == (
        "Over 7 data sets, gru ranks first (mean rank 1.29 of 3); gru beats rnn; not decided: gru against lstm; 1 of 1 "
        "other pair is told apart.",
        "On these data sets, a run of gru is better than a run of lstm with probability 0.71.",
    )
    assert found.how[2] == "One seed for some labels: their runs give no interval."


def test_another_label_may_lead_by_its_scores() -> None:
    records = [
        record(label, f"d{number}", seed, score)
        for number in range(5)
        for label, score in (("rnn", 0.9 if number < 2 else 0.5), ("lstm", 0.52))
        for seed in (1, 2)
    ]
    found = over(records)
    assert [row.mean_rank for row in found.labels] == [pytest.approx(1.4), pytest.approx(1.6)]
    assert found.sentences[0].startswith("Over 5 data sets, lstm ranks first (mean rank 1.4 of 2). ")
    assert found.sentences[2] == (
        "By the scores themselves, rnn leads: their interquartile mean is 0.620, that of lstm 0.520."
    )
    assert len(over(comparison()).sentences) == 2


def test_failed_runs_count_as_worst() -> None:
    records = comparison()
    failed = next(number for number, each in enumerate(records) if each.model == "gru")
    records[failed] = record("gru", "d0", 1, None)
    found = over(records)
    gru = next(row for row in found.labels if row.name == "gru")
    assert gru.scores == (pytest.approx((0.0 + 0.7 + 0.71) / 3), pytest.approx(0.7))  # 0 is the baseline
    assert gru.ranks == (3, 1)
    assert "1 failed run counts as the worst run of the data set, or as its baseline if that is worse." in found.how
    lost = next(number for number, each in enumerate(records) if each.model == "lstm")
    records[lost] = record("lstm", "d0", 1, -0.4)
    gru = next(row for row in over(records).labels if row.name == "gru")
    assert gru.scores[0] == pytest.approx((-0.4 + 0.7 + 0.71) / 3)


def test_data_sets_with_other_pairs_of_labels_do_not_hide_a_comparison() -> None:
    found = over([*comparison(), *(record(label, "other", 1, 0.5) for label in ("rnn", "cnn"))])
    assert (found.names, len(found.labels)) == (("d0", "d1"), 3)
    by_set = {"d0": ("rnn", "lstm", "gru"), "d1": ("rnn", "lstm"), "d2": ("lstm", "gru"), "d3": ("rnn", "lstm")}
    found = over(
        [record(label, data, seed, LEVELS[label]) for data in by_set for label in by_set[data] for seed in (1, 2)]
    )
    assert found.names == ("d0", "d1", "d3")
    assert [row.name for row in found.labels] == ["lstm", "rnn"]
    assert "d2 does not have both lstm and rnn; gru has results on d0 alone" in found.how[-1]


def test_what_is_missing_is_left_out_and_told() -> None:
    records = [
        *comparison(),
        record("irnn", "d0", 1, 0.9),
        *(record(label, "bare", 1, 0.5, PERPLEXITY, baseline={}) for label in LEVELS),
        *(record(label, "alone", 1, 0.5) for label in ("cnn", "mlp")),
        *(
            record(label, "apart", 1, 0.5, label=f"{label}-{split}", fingerprints={"split": split})
            for label in LEVELS
            for split in ("one", "other")
        ),
    ]
    found = over(records)
    assert found.names == ("d0", "d1")
    assert {row.name for row in found.labels} == {*LEVELS}
    assert found.how[-1] == (
        "Left out of these ranks: bare has no baseline that test/perplexity is measured from; apart has several test "
        "sets; alone does not have both gru and lstm; irnn-datad0 has results on d0 alone (labels of two data "
        "sets are the same if their model, cell, attention and initialisation are)."
    )


def test_a_share_without_a_baseline_is_measured_from_zero() -> None:
    found = over([*comparison(1), *(record(label, "d1", 1, level, baseline={}) for label, level in LEVELS.items())])
    assert [row.scores[1] for row in found.labels] == [pytest.approx(0.5 + 0.5 * level) for level in (0.7, 0.6, 0.5)]
    assert found.how[1].endswith(" Without a baseline, 0 is the metric's own: d1.")


def test_it_needs_two_data_sets_with_two_labels_in_common() -> None:
    assert summary_of(comparison(1)).over is None
    assert summary_of([record("rnn", "d0", 1, 0.5), record("rnn", "d1", 1, 0.5)]).over is None
    assert summary_of([record(*run, 1, 0.5) for run in (("rnn", "d0"), ("gru", "d0"), ("cnn", "d1"))]).over is None


def test_distances_of_one_problem_are_no_data_sets() -> None:
    def far(label: str, length: int) -> Record:
        source = {"_target_": "data.Adding", "length": length}
        return record(label, "adding", 1, 0.5, label=f"{label}-{length}", config={"data": {"source": source}})

    runs = [far(label, length) for label in LEVELS for length in (20, 50)]
    assert summary_of(runs).over is None
    assert over([*runs, *comparison()]).how[-1] == "Left out of these ranks: adding has several test sets."


def test_the_split_that_a_seed_draws_makes_no_other_label() -> None:
    """Two rnn of one data set differ in their rate; one of them lacks a seed."""
    records = []
    for each in comparison():
        config = {**each.config, "data": {"name": each.data, "source": {"split_seed": each.seed}}}
        records.append(each.with_(config=config))
        if each.model == "rnn" and each.seed < 3:
            fast = {**config, "optimizer": {"lr": 0.2}}
            records.append(each.with_(label=f"{each.label}-fast", config=fast))
    assert sorted(row.name for row in over(records).labels) == ["gru", "lstm", "rnn", "rnn-fast"]


def test_sizes_that_were_solved_for_and_rates_that_validation_chose_make_no_other_label() -> None:
    records = []
    for each in comparison():
        config = each.config | {"model": {"hidden_size": 8 if each.data == "d0" else 9}}
        records.append(each.with_(config=config, match={"kind": "parameters", "key": "model.hidden_size"}))
    assert len(over(records).labels) == 3
    records[0] = records[0].with_(status="failed", match={}, metrics={})  # it failed before its size was solved
    assert len(over(records).labels) == 3
    assert summary_of([each.with_(match={}) for each in records]).over is None

    tried = []
    for each in comparison():
        for rate, chosen in ((0.1, each.data == "d0"), (0.2, each.data == "d1")):
            config = each.config | {"optimizer": {"lr": rate}, "task": {"monitor": "val/loss"}}
            metrics = each.metrics | {"val/loss": 1.0 if chosen else 2.0}
            tried.append(each.with_(label=f"{each.label}-lr{rate}", config=config, metrics=metrics))
    found = over(tried)
    assert [row.name for row in found.labels] == ["gru", "lstm", "rnn"]
    assert all(len(row.ranks) == 2 for row in found.labels)


def test_names_are_the_words_that_labels_share() -> None:
    records = [each.with_(label=each.model + ("-marks" if each.data == "d1" else "")) for each in comparison()]
    assert [row.name for row in over(records).labels] == ["gru", "lstm", "rnn"]
    records = [each.with_(label=f"{each.data}{each.model}") for each in comparison()]
    assert [row.name for row in over(records).labels] == ["gru", "lstm", "rnn"]


def test_labels_that_do_not_differ_seldom_beat_each_other() -> None:
    random = np.random.default_rng(1)
    alarms, comparisons = 0, 150
    for _ in range(comparisons):
        runs = [
            DataSet(f"d{s}", ACCURACY, 0.5, [(Path(), record(label, f"d{s}", 1, random.uniform())) for label in LEVELS])
            for s in range(7)
        ]
        found = over_data_sets(runs)
        assert found is not None
        alarms += " beats " in found.sentences[0]
    assert alarms / comparisons <= 0.05 + 2 * (0.05 * 0.95 / comparisons) ** 0.5


def test_a_perplexity_of_the_baseline_or_worse_has_no_score_above_zero() -> None:
    found = over([*comparison(1, 1), *(record(label, "d1", 1, -0.5, PERPLEXITY) for label in LEVELS)])
    assert found.labels[0].scores[1] == pytest.approx(-0.5)
    assert log(BASELINES[PERPLEXITY]) == 4.0


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return make_data_sets(tmp_path / "many")


def test_every_output_has_it(directory: Path) -> None:
    summary = write_report(directory)
    assert summary.over is not None
    first = summary.over.sentences[0]
    rows = list(sheets.DictReader((directory / "over_data_sets.csv").open()))
    assert [row["label"] for row in rows] == ["gru", "lstm", "rnn"]
    assert {name: rows[1][name] for name in ("mean rank", "rank on d1", "score on d0", "better than gru")} == {
        "mean rank": "2", "rank on d1": "2", "score on d0": "0.6", "better than gru": "0",
    }  # fmt: skip
    assert (rows[1]["better than lstm"], rows[1]["better than rnn"], rows[1]["p against rnn"]) == ("", "1", "1")
    text = (directory / "table.md").read_text()
    assert "| gru | 1.00 | 0.700 | " in text.split("## Over data sets")[1]
    assert f"- {first}" in text
    assert "| gru | lstm | 1.00 | – | 1.000 | not decided |" in text
    tex = (directory / "table.tex").read_text()
    assert r"\caption{many: over 2 data sets. Over 2 data sets, gru ranks first" in tex
    assert r"gru & 1.00 & 0.700 & " in tex
    shown = " ".join(printed(summary, 100).split())
    assert "many: over 2 data sets (d0, d1)" in shown
    assert "gru 1.00 1 1 0.700" in shown
    assert first in shown
    page = (directory / "dashboard.html").read_text(encoding="utf-8")
    assert first in page.split('<section id="over-data-sets">')[1].split("</section>")[0]


def test_a_report_without_it_removes_the_file_of_an_earlier_one(directory: Path) -> None:
    write_report(directory)
    for path in [*directory.glob("*/record.json")]:
        if "datad1" in str(path) or "d1" in json.loads(path.read_text())["data"]:
            path.unlink()
    assert write_report(directory).over is None
    assert not (directory / "over_data_sets.csv").exists()


@pytest.mark.parametrize("seeds", [1, 3])
def test_the_charts_compile(seeds: int) -> None:
    summary = summary_of(comparison(seeds=seeds))
    page = Page([label for group in summary.groups for label in group.labels])
    text = section(page, summary)
    assert text.count('class="chart"') == 2
    ranks = page.tables[page.charts["chart0"]["table"]]
    kinds = [row[0] for row in ranks["rows"]]
    assert {kind: kinds.count(kind) for kind in kinds} == {"seed": 6, "mean": 3, "tie": 1, "member": 3}
    for chart in page.charts.values():
        table = page.tables[chart["table"]]
        rows = [dict(zip(table["columns"], row, strict=True)) for row in table["rows"]]
        for row in rows:
            row |= {key: names[row[key]] for key, names in table["names"].items() if row[key] is not None}
        spec = chart["spec"] | {"width": 400, "datasets": {chart["table"]: rows}}
        assert "gru" in vl_convert.vegalite_to_svg(spec)
    (area,) = [chart for chart in page.charts.values() if "score" in chart["title"] or "profile" in chart["title"]]
    assert sum(layer["mark"]["type"] == "area" for layer in area["spec"]["layer"]) == (seeds > 1)


def test_names_are_escaped() -> None:
    attack = "<img src=x onerror=alert(1)>"
    records = [each.with_(data=f"{attack}{each.data}") for each in comparison()]
    summary = summary_of([each.with_(label=f"{each.model} {attack}-{each.data[-2:]}") for each in records])
    page = Page()
    assert "<img" not in section(page, summary)
    assert "<img" not in page.json()
    assert "<img src" not in tables.markdown(summary)


def test_wandb_has_its_tables(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WANDB_MODE", raising=False)
    run = log_comparison(directory)
    (labels,) = run.glob("files/media/table/comparison/over_data_sets_*.json")
    table = json.loads(labels.read_text())
    assert table["columns"][:3] == ["label", "mean rank", "interquartile mean"]
    assert [row[:2] for row in table["data"]] == [["gru", 1], ["lstm", 2], ["rnn", 3]]
