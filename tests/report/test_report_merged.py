"""Comparisons of several directories as one, and what is refused by name."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Mapping
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from lightning_seq.errors import UserError
from lightning_seq.records.record import Record, read, runs_in, write
from lightning_seq.report.merge import merge, write_merged

Make = Callable[..., Path]

PRINTS = {"config": "c", "data": "da7a", "split": "5911", "batches": "ba7c", "embedding": "e3b"}


def with_(directory: Path, change: Callable[[Record], Record], label: str = "") -> None:
    for run, record in runs_in(directory):
        if not label or record.label == label:
            write(run, change(record))


def configured(directory: Path, **groups: Mapping[str, Any]) -> None:
    """Change keys of the groups of every configuration in the directory."""
    for run, record in runs_in(directory):
        config = {**record.config, **{name: {**record.config.get(name, {}), **held} for name, held in groups.items()}}
        write(run, record.with_(config=config))


def renamed(directory: Path, seed: int) -> None:
    """Seeds from `seed` on, as another machine would have run."""
    for run, record in runs_in(directory):
        number = record.seed + seed - 1
        config = {**record.config, "seed": number}
        write(run, record.with_(seed=number, config=config, started=record.started.replace("2026", "2027")))
        run.rename(run.parent / f"{record.label}-seed{number}")


@pytest.fixture
def two(make_comparison: Make, tmp_path: Path) -> tuple[Path, Path]:
    """Seeds 1 and 2 of rnn and gru; 3 and 4 of rnn, gru and lstm, made a year later."""
    one = make_comparison(tmp_path / "here" / "first", labels=("rnn", "gru"), seeds=2)
    other = make_comparison(tmp_path / "there" / "second one", labels=("rnn", "gru", "lstm"), seeds=2)
    renamed(other, 3)
    return one, other


def refusal(*directories: Path) -> str:
    with pytest.raises(UserError) as refused:
        merge(directories)
    return str(refused.value)


def test_seeds_of_two_machines_are_one_comparison(two: tuple[Path, Path], tmp_path: Path) -> None:
    summary = write_merged(two, tmp_path / "joint")
    (group,) = summary.groups
    assert {row.label: row.seeds for row in group.rows} == {"rnn": (1, 2, 3, 4), "gru": (1, 2, 3, 4), "lstm": (3, 4)}
    assert group.rows[0].metric("test/accuracy").n == 4
    assert summary.name == "joint"
    assert f"{two[0]} (4 runs)" in summary.sources
    assert f"{two[1]} (6 runs)" in summary.sources
    assert {path.name for path in (tmp_path / "joint").iterdir()} == {
        "dashboard.html", "table.csv", "table.md", "table.tex",
    }  # fmt: skip
    assert not (two[0] / "dashboard.html").exists()
    assert {len(merge(directories)) for directories in (two, two[::-1])} == {10}


def test_what_failed_is_linked_where_it_lies(two: tuple[Path, Path], tmp_path: Path) -> None:
    with_(two[1], lambda record: record.with_(status="failed", error="it ended"), "lstm")
    output = tmp_path / "reports" / "joint"
    summary = write_merged(two, output)
    assert len(summary.problems) == 2
    for problem in summary.problems:
        assert problem.log is not None
        assert (output / problem.log).resolve() == two[1] / f"lstm-seed{problem.seed}" / "log.txt"


def test_every_link_of_the_page_leads_to_a_file(two: tuple[Path, Path], tmp_path: Path) -> None:
    output = tmp_path / "reports" / "joint"
    write_merged(two, output)
    page = (output / "dashboard.html").read_text(encoding="utf-8")
    links = [unquote(unescape(found)) for found in re.findall(r'href="(\.[^"]*)"', page)]
    assert any("second one" in found for found in links)
    for found in links:
        assert (output / found).is_file(), found


def test_a_copy_is_taken_once_and_what_is_done_preferred(two: tuple[Path, Path], tmp_path: Path) -> None:
    one = two[0]
    copy = shutil.copytree(one, tmp_path / "copy")
    assert len(merge([one, copy])) == len(merge([one, one])) == 4
    run = one / "gru-seed1"
    write(run, read(run).with_(status="interrupted", metrics={}))
    assert {path.parent for path, record in merge([one, copy]) if record.label == "gru" and record.seed == 1} == {copy}
    assert {path.parent for path, record in merge([copy, one]) if record.label == "gru" and record.seed == 1} == {copy}


def test_one_run_with_two_results_is_refused(two: tuple[Path, Path], tmp_path: Path) -> None:
    one = two[0]
    copy = shutil.copytree(one, tmp_path / "copy")
    run = copy / "gru-seed2"
    before = read(run).metrics["test/accuracy"]
    write(run, read(run).with_(metrics={**read(run).metrics, "test/accuracy": 0.5}))
    assert refusal(one, copy).startswith(
        f"gru seed 2 of {copy} has test/accuracy=0.5, gru seed 2 of {one} has test/accuracy={before}: "
    )


@pytest.mark.parametrize("field", ["data", "split"])
def test_other_data_and_another_split_are_refused_by_name(two: tuple[Path, Path], field: str) -> None:
    before = read(two[0] / "gru-seed1").fingerprints[field]
    with_(
        two[1],
        lambda record: record.with_(fingerprints={**record.fingerprints, field: "0ther"}),
        "gru",
    )
    said = refusal(*two)
    assert said.startswith(f"gru seed 3 of {two[1]} has {field} fingerprint 0ther, gru seed 1 of {two[0]} has {before}")
    assert "\n" not in said
    assert f"{field} fingerprint {before}, gru seed 3 of {two[1]} has 0ther" in refusal(*two[::-1])
    with_(two[1], lambda record: record.with_(fingerprints={**record.fingerprints, field: "0ther"}))
    assert f"rnn seed 3 of {two[1]} has {field} fingerprint 0ther, rnn seed 1 of {two[0]} has {before}" in refusal(*two)


def test_another_data_set_or_task_without_a_common_label_is_refused(make_comparison: Make, tmp_path: Path) -> None:
    one = make_comparison(tmp_path / "one", labels=("rnn",), seeds=1)
    other = make_comparison(tmp_path / "other", labels=("lstm",), seeds=1, data="imdb")
    assert (
        f"lstm seed 1 of {other} has data imdb (classification), rnn seed 1 of {one} has verses_genre (classification)"
        ": they have neither a data set nor a label in common"
    ) in refusal(one, other)
    with_(other, lambda record: record.with_(data="verses_genre", task="tagging"))
    assert "verses_genre (tagging)" in refusal(one, other)


def test_the_same_labels_on_another_data_set_are_compared_over_data_sets(
    two: tuple[Path, Path], tmp_path: Path
) -> None:
    with_(two[1], lambda record: record.with_(data="imdb"))
    configured(two[1], trainer={"max_epochs": 2})
    summary = write_merged(two, tmp_path / "joint")
    assert [group.data for group in summary.groups] == ["verses_genre", "imdb"]
    assert [group.labels for group in summary.groups] == [["rnn", "gru"], ["rnn", "gru", "lstm"]]
    assert summary.over is not None
    assert summary.over.names == ("verses_genre", "imdb")
    assert [row.name for row in summary.over.labels] == ["gru", "rnn"]
    assert summary.over.how[-1] == (
        "Left out of these ranks: lstm has results on imdb alone (labels of two data sets are the same if their model, "
        "cell, attention and initialisation are)."
    )
    assert (tmp_path / "joint" / "over_data_sets.csv").is_file()


def test_a_second_data_set_beside_the_common_one_stays_apart(
    two: tuple[Path, Path], make_tagging: Make, tmp_path: Path
) -> None:
    make_tagging(two[1], labels=("rnn-chunks",), seeds=1)
    assert [group.data for group in write_merged(two, tmp_path / "joint").groups] == ["verses_genre", "conll2000"]


def test_seeds_that_draw_splits_and_seeds_that_do_not_are_refused(two: tuple[Path, Path]) -> None:
    with_(two[1], lambda record: record.with_(drawn=["train", "validation", "test"]))
    said = refusal(*two)
    assert f"of {two[1]} has vary, which draws split, " in said
    assert f"of {two[0]} has nothing: labels of one table are compared on the same splits" in said


def test_another_headline_metric_is_refused(two: tuple[Path, Path]) -> None:
    with_(two[1], lambda record: record.with_(metrics={"test/macro_f1": 0.5}))
    said = refusal(*two)
    assert f"of {two[1]} has headline metric test/macro_f1" in said
    assert f"of {two[0]} has test/accuracy" in said


def test_success_by_another_tolerance_is_refused(two: tuple[Path, Path]) -> None:
    configured(two[0], task={"tolerance": 0.04})
    configured(two[1], task={"tolerance": 0.1})
    assert f"rnn seed 3 of {two[1]} has task.tolerance 0.1, rnn seed 1 of {two[0]} has 0.04" in refusal(*two)


@pytest.mark.parametrize(
    ("groups", "field"),
    [
        ({"model": {"hidden_size": 256}}, "model.hidden_size 256"),
        ({"optimizer": {"lr": 0.1}}, "optimizer.lr 0.1"),
        ({"data": {"batch_size": 8}}, "data.batch_size 8"),
        ({"trainer": {"max_epochs": 2}}, "trainer.max_epochs 2"),
        ({"callbacks": {"early_stopping": None}}, "callbacks.early_stopping None"),
    ],
)
def test_one_label_of_two_configurations_is_refused(
    two: tuple[Path, Path], groups: dict[str, dict[str, Any]], field: str
) -> None:
    for directory in two:
        configured(directory, callbacks={"early_stopping": {"patience": 3}})
    assert len(merge(two)) == 10
    configured(two[1], **groups)
    said = refusal(*two)
    assert said.startswith(f"rnn seed 3 of {two[1]} has {field}, rnn seed 1 of {two[0]} has ")
    assert "one label is one configuration" in said


def test_what_belongs_to_a_machine_or_a_version_may_differ(two: tuple[Path, Path]) -> None:
    configured(two[0], trainer={"accelerator": "cpu", "threads": 2}, data={"train": "/here/a.csv"}, callbacks={})
    configured(
        two[1],
        trainer={"accelerator": "gpu", "threads": 9, "progress": False},
        data={"train": "/there/b.csv", "num_workers": 4},
        callbacks={"gates": True},
        task={"new": 1},
    )
    with_(two[1], lambda record: record.with_(fingerprints={**record.fingerprints, "embedding": "0ther"}))
    assert len(merge(two)) == 10


def far(directory: Path, lengths: tuple[int, ...], label: str = "rnn-{}", **fingerprints: str) -> Path:
    """A memory problem at some distances, each of which has data of its own."""
    for length in lengths:
        name = label.format(length)
        run = directory / f"{name}-seed1"
        run.mkdir(parents=True)
        held = {**PRINTS, "data": f"d{length}", "split": f"s{length}", **fingerprints}
        data = {"source": {"_target_": "lightning_seq.data.sources.adding.Adding", "length": length}}
        write(
            run,
            Record(
                status="done", name="far", label=name, seed=1, task="regression", data="adding", model="rnn",
                fingerprints=held, metrics={"test/success": 1.0}, config={"data": data},
            ),
        )  # fmt: skip
    return directory


def test_distances_may_be_shared_out_between_machines(tmp_path: Path) -> None:
    near, wide = far(tmp_path / "near", (20, 50)), far(tmp_path / "wide", (100, 200))
    assert len(merge([near, wide])) == 4
    other = far(tmp_path / "other", (50, 100), "gru-{}", split="0ther")
    said = refusal(near, other)
    assert said.startswith(f"gru-50 seed 1 of {other} has split fingerprint 0ther, rnn-50 seed 1 of {near} has s50: ")
    lone = [far(tmp_path / f"lone{length}", (length,), "rnn") for length in (20, 50)]
    assert "has data.length 50, rnn seed 1" in refusal(*lone)


def test_data_that_differ_on_purpose_must_be_in_the_other_too(two: tuple[Path, Path]) -> None:
    def counted(least: int) -> Callable[[Record], Record]:
        def changed(record: Record) -> Record:
            config = {**record.config, "data": {**record.config["data"], "min_count": least}}
            return record.with_(fingerprints={**record.fingerprints, "data": f"min{least}"}, config=config)

        return changed

    with_(two[0], counted(2), "gru")
    with_(two[1], counted(2), "gru")
    assert len(merge(two)) == 10
    with_(two[1], counted(3), "lstm")
    assert len(merge(two)) == 10  # all that the first holds is in the second
    with_(two[1], counted(3), "gru")
    assert f"gru seed 3 of {two[1]} has data fingerprint min3, gru seed 1 of {two[0]} has min2" in refusal(*two)


def test_a_record_of_another_version_is_refused(two: tuple[Path, Path]) -> None:
    path = two[1] / "lstm-seed3" / "record.json"
    path.write_text(path.read_text().replace('"schema": 2', '"schema": 9'))
    assert "has schema 9" in refusal(*two)


def test_a_place_that_is_none_is_refused(two: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds runs of its own"):
        write_merged(two, two[1])
    (tmp_path / "file").write_text("x")
    with pytest.raises(UserError, match="is a file"):
        write_merged(two, tmp_path / "file")
    assert "is not there" in refusal(two[0], tmp_path / "nowhere")
