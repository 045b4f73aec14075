"""The region of equivalence and the notes on added seeds, from `comparison.json`; speeds on a busy machine."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from lightning_seq.cli.main import main
from lightning_seq.comparison import compare as compared
from lightning_seq.comparison.plan import announce
from lightning_seq.errors import UserError
from lightning_seq.records.comparison import Addition, Looks, Plan, change_plan, read_plan
from lightning_seq.records.record import Record, read, write
from lightning_seq.report import tables
from lightning_seq.report.dashboard.result import forest
from lightning_seq.report.merge import write_merged
from lightning_seq.report.reading import Reading
from lightning_seq.report.scale import Scale, scale
from lightning_seq.report.stamp import is_current
from lightning_seq.report.summary import summarise
from lightning_seq.report.verdict import ONE_OF_PLAN
from lightning_seq.report.write import write_report
from tests.stand_in import runs_of

Make = Callable[..., Path]


def record(label: str, seed: int, minute: int, status: str = "done") -> tuple[Path, Record]:
    times = {"started": f"2026-01-01T00:{minute:02}", "finished": f"2026-01-01T00:{minute + 1:02}"}
    return Path("x", f"{label}-seed{seed}"), Record(status, "x", label, seed, **times)


def notes(runs: list[tuple[Path, Record]], *additions: tuple[tuple[int, ...], int]) -> list[str]:
    made = tuple(Addition(seeds, f"2026-01-01T00:{minute:02}") for seeds, minute in additions)
    return Reading(additions=made).at_look(runs)[2]


THREE = [record(label, seed, seed) for label in ("a", "b") for seed in (1, 2, 3)]
MORE = [record(label, seed, 10 + seed) for label in ("a", "b") for seed in (4, 5)]


def test_seeds_that_were_added_after_a_verdict_are_noted() -> None:
    said = "Seeds 4 and 5 were added after the verdict over 3 seeds was written; its level is then above 5 %."
    assert notes([*THREE, *MORE], ((1, 2, 3), 0), ((4, 5), 10)) == [said]
    assert notes([*THREE, *MORE], ((4, 5), 10)) == [said]  # the first seeds are of an earlier version
    later = [record(label, 6, 30) for label in ("a", "b")]
    assert notes([*THREE, *MORE, *later], ((1, 2, 3), 0), ((4, 5), 10), ((6,), 30))[1] == (
        "Seed 6 was added after the verdict over 5 seeds was written; its level is then above 5 %."
    )


def test_seeds_without_a_verdict_before_them_are_not_noted() -> None:
    assert notes([*THREE, *MORE], ((1, 2, 3, 4, 5), 0)) == []
    assert notes([*THREE, *MORE], ((1, 2, 3), 0), ((4, 5), 3)) == []  # given while the first runs were at work
    assert notes(THREE, ((1, 2, 3), 0), ((4, 5), 10)) == []  # none of their runs has begun
    one = [record(label, 1, 1) for label in ("a", "b")]
    assert notes([*one, *MORE], ((1,), 0), ((4, 5), 10)) == []
    failed = [record("a", seed, seed, "failed") for seed in (1, 2)] + [record("b", seed, seed) for seed in (1, 2)]
    assert notes([*failed, *MORE], ((1, 2), 0), ((4, 5), 10)) == []


def test_commands_record_the_seeds_that_they_add(tmp_path: Path) -> None:
    for seeds in ([1, 2], [1, 2], [1, 2, 3]):
        announce(runs_of(tmp_path, ["a", "b"], seeds), 1)
    plan = read_plan(tmp_path / "x")
    assert plan is not None
    assert [addition.seeds for addition in plan.additions] == [(1, 2), (3,)]
    assert plan.additions[0].time < plan.additions[1].time
    assert plan.seeds == {1, 2, 3}


LOOKS = Looks((3, 5), (0.01, 0.04), {})


def test_a_look_is_complete_when_all_its_runs_have_ended() -> None:
    reading = Reading(looks=LOOKS)
    assert reading.at_look(THREE[:-1])[:2] == ([], 0.05)
    assert "the verdict is first read after 3 seeds." in reading.at_look(THREE[:-1])[2][0]
    runs, level, (note, later) = reading.at_look([*THREE, *MORE[:-1]])
    assert later == "Runs of seeds above 3 are not in the verdict, its plot and the table."
    assert (runs, level) == (THREE, 0.01)
    assert note.endswith("(seeds=auto, max_seeds=5): look 1 of 2, after 3 seeds; level 0.01.")
    assert reading.at_look([*THREE[:-1], record("b", 3, 3, "failed")])[1] == 0.01
    assert reading.at_look([*THREE[:-1], record("b", 3, 3, "interrupted")])[0] == []
    more = [record(label, seed, 40) for label in ("a", "b") for seed in (6, 7)]
    assert reading.at_look([*THREE, *MORE, *more])[:2] == ([*THREE, *MORE], 0.04)


@pytest.mark.parametrize(
    ("level", "said"), [(0.05, "95 %"), (0.0031, "99.7 %"), (0.031, "97 %"), (1.1e-5, "99.999 %"), (math.nan, "")]
)
def test_the_coverage_in_words(level: float, said: str) -> None:
    assert Scale("points", level=level).coverage == said


@pytest.mark.parametrize("metric", ["test/accuracy", "test/perplexity", "test/bleu", "test/nll"])
def test_the_level_is_kept_in_every_scale(metric: str) -> None:
    assert scale(metric, level=0.01).level == 0.01


def test_merged_comparisons_share_their_plan_or_say_so(make_comparison: Make, tmp_path: Path) -> None:
    two = [make_comparison(tmp_path / name, labels=(name,), seeds=3) for name in ("rnn", "lstm")]
    for place in two:
        change_plan(place, lambda _: Plan({}, looks=LOOKS, rope=0.02))
    (group,) = write_merged(two, tmp_path / "joint").groups
    assert group.verdict.scale is not None
    assert (group.verdict.scale.level, group.verdict.scale.rope) == (0.01, 0.02)
    change_plan(two[1], lambda _: Plan({}))
    (group,) = write_merged(two, tmp_path / "joint", rope=0.03).groups
    assert group.verdict.scale is not None
    assert (group.verdict.scale.level, group.verdict.scale.rope) == (0.05, 0.03)
    assert any("different plans of seeds" in line for line in group.verdict.how)


def test_the_region_of_equivalence_is_recorded(
    make_comparison: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    directory = make_comparison(tmp_path / "demo", labels=("lstm", "gru"))
    (group,) = write_report(directory).groups
    assert "not decided" in " ".join(group.verdict.sentences)
    assert is_current(directory)
    assert main(["report", str(directory), "rope=0.1"]) == 0
    assert "gru equals lstm within 10 points" in " ".join(capsys.readouterr().out.split())
    assert is_current(directory)
    (group,) = summarise(directory).groups  # without the option
    assert group.verdict.scale is not None
    assert group.verdict.scale.rope == 0.1
    change_plan(directory, lambda plan: Plan((plan or Plan({})).runs, rope=0.2))
    assert not is_current(directory)
    with pytest.raises(SystemExit, match="2"):
        main(["report", str(directory), "rope=-1"])
    assert "rope is '-1', expected a number such as 0.8, of at least 0" in capsys.readouterr().err


def test_compare_records_the_region_and_keeps_it(tmp_path: Path) -> None:
    announce(runs_of(tmp_path, ["a"], [1], "rope=0.01"), 1)
    announce(runs_of(tmp_path, ["a"], [1]), 1)
    assert read_plan(tmp_path / "x").rope == 0.01  # type: ignore[union-attr]
    announce(runs_of(tmp_path, ["a"], [1], "rope=0"), 1)
    assert read_plan(tmp_path / "x").rope == 0  # type: ignore[union-attr]
    with pytest.raises(UserError, match="rope=-1"):
        runs_of(tmp_path, ["a"], [1], "rope=-1")


@pytest.mark.parametrize(("share", "jobs", "marked"), [(0.5, 1, True), (0.95, 1, False), (1.9, 2, True)])
def test_speed_is_marked_where_other_programs_held_up_a_run(
    make_comparison: Make, tmp_path: Path, share: float, jobs: int, marked: bool
) -> None:
    directory = make_comparison(tmp_path / "demo", labels=("lstm", "gru"), jobs=jobs)
    before = read(directory / "gru-seed2")
    write(directory / "gru-seed2", before.with_(throughput={**before.throughput, "cpu_share": share}))
    (group,) = summarise(directory).groups
    assert [row.shared_machine for row in group.rows] == [jobs > 1, marked]
    assert ("†" in tables.markdown(summarise(directory))) == marked


@pytest.mark.parametrize("levels", [(0.0, 0.05), (-0.1, 0.05), (1.0, 0.05), (0.05,)])
def test_a_plan_needs_a_level_that_can_be_simulated_for_each_look(levels: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match=r"a level from 0.0001 to 1 for each"):
        Looks((3, 5), levels, {})


def test_seeds_beyond_the_last_look_are_in_no_number(make_comparison: Make, tmp_path: Path) -> None:
    directory = make_comparison(tmp_path / "demo", labels=("rnn", "lstm"), seeds=4)
    (whole,) = summarise(directory).groups
    change_plan(directory, lambda _: Plan({}, looks=LOOKS))
    (group,) = summarise(directory).groups
    assert group.verdict.left_out == {("rnn", 4), ("lstm", 4)}
    assert [row.seeds for row in group.rows] == [(1, 2, 3)] * 2
    assert (group.seeds, [row.done for row in group.rows]) == ((1, 2, 3), [4, 4])
    for row, every in zip(group.rows, whole.rows, strict=True):
        three = [value for seed, value in every.metric("test/accuracy").values.items() if seed < 4]
        assert row.metric("test/accuracy").known == three
    marks = forest(group, group.verdict)
    drawn = sorted(mark.value for mark in marks if mark.kind == "seed" and mark.value is not None)
    assert drawn == sorted(value for row in group.rows for value in row.metric("test/accuracy").known)
    means = sorted(mark.value for mark in marks if mark.kind == "mean" and mark.value is not None)
    assert means[1] - means[0] == pytest.approx(group.verdict.pairs[0].difference)


def test_before_the_first_look_all_runs_are_shown(make_comparison: Make, tmp_path: Path) -> None:
    directory = make_comparison(tmp_path / "demo", labels=("rnn", "lstm"), seeds=2)
    change_plan(directory, lambda _: Plan({}, looks=LOOKS))
    (group,) = summarise(directory).groups
    assert [row.seeds for row in group.rows] == [(1, 2)] * 2
    assert group.verdict.pairs == ()


def test_a_plan_asks_for_no_other_seeds(make_comparison: Make, tmp_path: Path) -> None:
    failed = tuple((label, seed) for label in ("rnn", "lstm") for seed in (2, 3))
    directory = make_comparison(tmp_path / "demo", labels=("rnn", "lstm"), failed=failed)
    assert "Run more with seeds=3." in " ".join(summarise(directory).groups[0].verdict.sentences)
    change_plan(directory, lambda _: Plan({}, looks=LOOKS))
    assert summarise(directory).groups[0].verdict.sentences == (ONE_OF_PLAN,)


def test_a_region_has_a_limit_and_a_way_back(
    make_comparison: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    directory = make_comparison(tmp_path / "demo", labels=("lstm", "gru"))
    change_plan(directory, lambda _: Plan({}, rope=0.02))
    for value in ("1", "7"):
        with pytest.raises(SystemExit, match="2"):
            main(["report", str(directory), f"rope={value}"])
        said = f"rope={value} calls every difference of test/accuracy equal: expected less than 1, such as rope=0.005"
        assert said in capsys.readouterr().err
    assert read_plan(directory).rope == 0.02  # type: ignore[union-attr]
    for word in ("default", "null"):
        assert main(["report", str(directory), "rope=0.1"]) == 0
        assert main(["report", str(directory), f"rope={word}"]) == 0
        assert read_plan(directory).rope is None  # type: ignore[union-attr]
        assert summarise(directory).groups[0].verdict.scale.rope == 0.005  # type: ignore[union-attr]
    with pytest.raises(SystemExit, match="2"):
        main(["report", str(directory), "rope=usual"])


def test_differing_regions_of_merged_comparisons_are_told(make_comparison: Make, tmp_path: Path) -> None:
    two = [make_comparison(tmp_path / name, labels=(name,), seeds=3) for name in ("rnn", "lstm")]
    change_plan(two[0], lambda _: Plan({}, rope=0.02))
    said = "The comparisons have different ropes (0.02, default): the default is used here."
    (group,) = write_merged(two, tmp_path / "joint").groups
    assert said in group.verdict.how
    assert group.verdict.scale is not None
    assert group.verdict.scale.rope == 0.005
    assert said in (tmp_path / "joint" / "dashboard.html").read_text(encoding="utf-8")
    for rope in (0.03, "default"):
        (group,) = write_merged(two, tmp_path / "joint", rope=rope).groups  # type: ignore[arg-type]
        assert said not in group.verdict.how


@pytest.mark.parametrize("seeds", [1, 3])
def test_a_damaged_plan_is_told_on_the_page(make_comparison: Make, tmp_path: Path, seeds: int) -> None:
    directory = make_comparison(tmp_path / "demo", labels=("rnn", "lstm"), seeds=seeds)
    change_plan(directory, lambda _: Plan({}, rope=0.02))
    path = directory / "comparison.json"
    path.write_text(path.read_text()[:30])
    write_report(directory)
    page = (directory / "dashboard.html").read_text(encoding="utf-8")
    assert "demo/comparison.json cannot be read (" in page
    assert "the verdict is read without it." in page
    assert "demo/comparison.json cannot be read (" in (directory / "table.md").read_text(encoding="utf-8")


def test_compare_refuses_a_region_before_the_first_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        compared, "_prepare", lambda entries, *_: [SimpleNamespace(entry=one, monitor="val/loss") for one in entries]
    )
    monkeypatch.setattr(compared, "_check_made_alike", lambda *_: None)
    with pytest.raises(SystemExit, match="2"):
        main(["compare", "data=verses_genre", "model=lstm,gru", f"runs={tmp_path}", "logger=none", "rope=2"])
    assert "expected less than 1" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
