"""How far a comparison is."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from lightning_seq.cli.main import main
from lightning_seq.comparison import status as of_status
from lightning_seq.comparison.plan import announce
from lightning_seq.comparison.status import (
    State,
    comparisons_in,
    duration,
    plan_lines,
    seconds_left,
    state_of,
    states_of,
    status,
    summary_of,
)
from lightning_seq.comparison.tune import FOLDER
from lightning_seq.errors import UserError
from lightning_seq.records import comparison as plans
from lightning_seq.records.comparison import FILE, Looks, read_plan
from lightning_seq.records.record import Record, write
from lightning_seq.training.directory import CONFIG, run_lock
from tests.stand_in import runs_of

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def record(label: str, seed: int, state: str, seconds: float | None, **more: object) -> Record:
    end = None if seconds is None else (NOON + timedelta(seconds=seconds)).isoformat()
    config = {"trainer": {"max_epochs": 8}, "task": {"monitor": "val/accuracy"}}
    return Record(state, "x", label, seed, started=NOON.isoformat(), finished=end, config=config, **more)  # type: ignore[arg-type]


@pytest.fixture
def comparison(tmp_path: Path) -> Path:
    runs = runs_of(tmp_path, ["a", "b"], [1, 2, 3])
    announce(runs, 2)
    where = {run.title: run.directory for run in runs}
    for name in ("a-seed1", "b-seed1", "a-seed2", "b-seed2"):
        where[name].mkdir()
        (where[name] / CONFIG).write_text("choices: {}")
    write(where["a-seed1"], record("a", 1, "done", 100.0))
    write(where["b-seed1"], record("b", 1, "failed", 5.0, error="MemoryError: no [room]"))
    curves = {"val/accuracy": [[8, 1, 20.0, 0.5], [16, 2, 40.0, 0.75]]}
    write(where["a-seed2"], record("a", 2, "running", None, curves=curves))
    write(where["b-seed2"], record("b", 2, "running", None))
    return tmp_path / "x"


def test_every_run_is_told_of(comparison: Path) -> None:
    with run_lock(comparison / "a-seed2"):
        states = {state.run: state for state in states_of(comparison, NOON + timedelta(seconds=40))}
    assert {run: state.status for run, state in states.items()} == {
        "a-seed1": "done", "b-seed1": "failed", "a-seed2": "running", "b-seed2": "interrupted",
        "a-seed3": "waiting", "b-seed3": "waiting",
    }  # fmt: skip
    running = states["a-seed2"]
    assert (running.epoch, running.epochs, running.value, running.seconds) == (2, 8, "accuracy 0.7500", 40.0)
    assert states["b-seed1"].reason == "MemoryError: no [room]"
    assert states["b-seed2"].reason == "its process is gone"
    left = seconds_left(list(states.values()), jobs=2)
    assert left == pytest.approx((60 + 4 * 100) / 2)  # nothing of b is done: it is taken to need what a needs


def test_the_time_left() -> None:
    done = [State("a-seed1", "a", "done", seconds=100.0), State("b-seed1", "b", "done", seconds=10.0)]
    waiting = [State(f"b-seed{seed}", "b", "waiting") for seed in (2, 3)]
    assert seconds_left([*done, *waiting], 1) == 20
    assert seconds_left([*done, State("a-seed2", "a", "waiting"), *waiting], 4) == 100  # not less than its longest
    assert seconds_left([State("a-seed1", "a", "running", epoch=2, epochs=8, seconds=30.0)], 1) == 90
    assert seconds_left([State("a-seed1", "a", "waiting")], 1) is None
    assert seconds_left([*done, State("a-seed2", "a", "running", seconds=500.0)], 1) == 0
    assert "no estimate" in summary_of([State("a-seed1", "a", "waiting")], 1)
    assert summary_of(done, 1) == "2 runs: 2 done"


@pytest.mark.parametrize(("seconds", "said"), [(5, "5 s"), (95, "2 min"), (12_000, "3 h 20 min"), (190_800, "2 d 5 h")])
def test_durations(seconds: float, said: str) -> None:
    assert duration(seconds) == said


def test_it_is_plain_when_piped_and_a_table_on_a_terminal(comparison: Path) -> None:
    plain = StringIO()
    status(comparison, Console(file=plain, width=40))
    lines = plain.getvalue().splitlines()
    assert "b-seed1\tfailed\t\t\t\t5 s\tMemoryError: no [room]" in lines
    assert lines[-1].startswith(f"{comparison}: 6 runs: 1 failed, 2 interrupted, 2 waiting, 1 done; about 4 min left")
    shown = StringIO()
    status(comparison, Console(file=shown, width=120, force_terminal=True))
    assert "MemoryError: no [room]" in shown.getvalue()
    assert "\x1b[" in shown.getvalue()


def test_a_directory_of_comparisons_lists_them(comparison: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`status runs` and `report runs` name what is inside and the command for each."""
    runs = comparison.parent
    announce(runs_of(runs, ["c"], [1], "name=y"), 1)
    for verb in ("status", "report"):
        assert main([verb, str(runs)]) == 0
        lines = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
        assert [line[0] for line in lines] == ["x", "y"]
        assert lines[0][1].startswith("6 runs: 1 failed, 2 interrupted, 2 waiting, 1 done")
        assert lines[0][2] == f"lightning-seq {verb} {comparison}"
        assert lines[1][1].startswith("1 run: 1 waiting")
    assert not (runs / "dashboard.html").exists()
    (runs / "x" / FILE).unlink()  # a comparison without a plan is one, too
    (runs / "y" / FILE).unlink()
    assert comparisons_in(runs) == [comparison]
    assert comparisons_in(comparison) == []
    assert comparisons_in(comparison / "a-seed1") == []
    shown = StringIO()
    status(runs, Console(file=shown, width=300, force_terminal=True))
    assert f"lightning-seq status {comparison}" in shown.getvalue()


def test_a_damaged_record_and_a_missing_plan(comparison: Path) -> None:
    (comparison / "a-seed1" / "record.json").write_text('{"schema"')
    (comparison / FILE).unlink()
    states = {state.run: state for state in states_of(comparison)}
    assert len(states) == 4
    assert states["a-seed1"].status == "failed"
    assert "is not a record" in states["a-seed1"].reason


def test_what_is_no_comparison(tmp_path: Path) -> None:
    for place, said in ((tmp_path, "holds no run"), (tmp_path / "none", "is not there")):
        with pytest.raises(UserError, match=said):
            status(place, Console(file=StringIO()))


def test_a_plan_grows_and_a_damaged_one_is_written_anew(tmp_path: Path) -> None:
    announce(runs_of(tmp_path, ["a"], [1]), 1)
    announce(runs_of(tmp_path, ["b"], [1, 2]), 4)
    plan = read_plan(tmp_path / "x")
    assert plan is not None
    assert plan.runs == {"a-seed1": "a", "b-seed1": "b", "b-seed2": "b"}
    assert (plan.jobs, plan.launcher) == (4, "local")
    (tmp_path / "x" / FILE).write_text("{}")
    assert read_plan(tmp_path / "x") is None
    announce(runs_of(tmp_path, ["b"], [1]), 1)
    assert read_plan(tmp_path / "x").runs == {"b-seed1": "b"}  # type: ignore[union-attr]
    later = (tmp_path / "x" / FILE).read_text().replace('"schema": 1', '"schema": 2')
    (tmp_path / "x" / FILE).write_text(later)
    assert read_plan(tmp_path / "x") is None


def test_commands_that_announce_at_once_lose_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_json = plans.write_json

    def slowly(path: Path, value: object) -> None:
        time.sleep(0.05)
        write_json(path, value)

    monkeypatch.setattr(plans, "write_json", slowly)
    planned = [runs_of(tmp_path, [label], [1]) for label in "abcd"]
    threads = [threading.Thread(target=announce, args=(runs, 1)) for runs in planned]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    plan = read_plan(tmp_path / "x")
    assert plan is not None
    assert sorted(plan.runs) == ["a-seed1", "b-seed1", "c-seed1", "d-seed1"]


def test_a_run_that_is_at_work_has_no_part_of_its_earlier_attempt(comparison: Path) -> None:
    place, now = comparison / "b-seed1", NOON + timedelta(seconds=40)
    with run_lock(place):
        state = state_of(place, now=now)
    assert (state.status, state.reason, state.seconds) == ("running", "", 40.0)
    with run_lock(comparison / "a-seed1"):  # it has written its record, and is about to let go
        state = state_of(comparison / "a-seed1", now=now)
    assert (state.status, state.seconds) == ("done", 100.0)
    (comparison / "a-seed3").mkdir()
    with run_lock(comparison / "a-seed3"):  # it has not written one yet
        assert state_of(comparison / "a-seed3").status == "running"
    assert state_of(comparison / "a-seed3").status == "waiting"


def test_the_record_is_believed_where_a_lock_cannot_be_tried(comparison: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def of_somebody_else(directory: Path) -> bool:
        raise PermissionError(directory)

    monkeypatch.setattr(of_status, "is_running", of_somebody_else)
    states = {state.run: state.status for state in states_of(comparison)}
    assert (states["a-seed2"], states["b-seed1"], states["a-seed3"]) == ("running", "failed", "waiting")


def test_a_metric_that_is_no_number(comparison: Path) -> None:
    curves = {"val/accuracy": [[8, 1, 20.0, None]]}
    write(comparison / "a-seed1", record("a", 1, "failed", 9.0, curves=curves))
    state = state_of(comparison / "a-seed1")
    assert (state.value, state.step, state.trained) == ("not finite", 8, None)


def test_trials_are_told_of_before_the_runs(comparison: Path) -> None:
    announce(runs_of(comparison / FOLDER / "..", ["t"], [1]), 1)  # writes x/x/comparison.json
    (comparison / "x").rename(comparison / FOLDER)
    plain = StringIO()
    status(comparison, Console(file=plain))
    lines = plain.getvalue().splitlines()
    assert lines[0] == "t-seed1\twaiting\t\t\t\t\t"
    assert lines[1].startswith(f"{comparison / FOLDER}: 1 run: 1 waiting; no estimate")
    assert lines[-1].startswith(f"{comparison}: 6 runs")


def test_a_finished_run_shows_the_validation_that_chose_its_weights(tmp_path: Path) -> None:
    curves = {"val/accuracy": [[8, 1, 20.0, 0.9], [16, 2, 40.0, 0.85]]}
    write(tmp_path, record("a", 1, "done", 100.0, curves=curves, metrics={"val/accuracy": 0.9, "test/accuracy": 0.8}))
    state = state_of(tmp_path)
    assert (state.epoch, state.value) == (2, "accuracy 0.9000")
    write(tmp_path, record("a", 1, "failed", 100.0, curves=curves))
    assert state_of(tmp_path).value == "accuracy 0.8500"


def test_the_plan_of_looks_is_named(tmp_path: Path) -> None:
    looks = Looks((3, 4, 6), (0.001, 0.004, 0.045), {})
    runs = runs_of(tmp_path, ["a", "b"], [1, 2, 3])
    announce(runs, 1, looks)

    def told(*ended: str) -> str:
        for title in ended:
            label, _, seed = title.rpartition("-seed")
            (tmp_path / "x" / title).mkdir(exist_ok=True)
            write(tmp_path / "x" / title, Record("done", "x", label, int(seed)))
        plan = read_plan(tmp_path / "x")
        assert plan is not None
        return plan_lines(plan, states_of(tmp_path / "x"))[-1]

    assert told("a-seed1", "b-seed1", "a-seed2") == (
        "seeds=auto: looks after 3, 4, 6 seeds, until every pair is decided; 1 seed done, 0 of 3 looks read, 0 of the "
        "level 0.05 spent; the next one, if a pair is open, after 3"
    )
    assert "3 seeds done, 1 of 3 looks read, 0.001 of the level 0.05 spent" in told("b-seed2", "a-seed3", "b-seed3")
    announce(runs_of(tmp_path, ["a", "b"], [4, 5, 6]), 1)
    assert "3 seeds done, 1 of 3 looks" in told("a-seed4")
    assert told(*(f"{label}-seed{seed}" for label in "ab" for seed in (4, 5, 6))).endswith(
        "6 seeds done, 3 of 3 looks read, 0.05 of the level 0.05 spent; none is left"
    )
    output = StringIO()
    status(tmp_path / "x", Console(file=output, width=300))
    assert "3 of 3 looks read" in output.getvalue()
