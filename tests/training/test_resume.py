"""Runs that are killed and gone on with end as those that were not. The long version is `make torture`."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from lightning_seq.cli.main import main
from lightning_seq.records.record import Record, read, write
from lightning_seq.training.checkpoints import BEFORE, LAST, OF_BEST, is_good, read_checkpoint, write_checkpoint
from lightning_seq.training.loggers.curve_logger import CurveLogger
from lightning_seq.training.random_states import restore_random_states
from lightning_seq.training.resume import ResumePoints
from lightning_seq.training.signals import Interrupted
from tests.runs import TINY
from torture.killed import Runner, Scene, differences, struck

KILL, TERM, INT = signal.SIGKILL, signal.SIGTERM, signal.SIGINT

CELLS = [
    ("classification", "batch", 7, TERM),  # between two batches whose gradients are accumulated
    pytest.param("classification", "validation", 2, INT, marks=pytest.mark.slow),
    pytest.param("classification", "epoch", 2, KILL, marks=pytest.mark.slow),
    ("classification", "writing", 3, KILL),
    pytest.param("language_modelling", "batch", 30, KILL, marks=pytest.mark.slow),
    ("language_modelling", "validation", 17, TERM),  # while the averaged weights are in the place of the others
    ("visual_questions", "batch", 8, TERM),  # in the second epoch, with a worker
    ("visual_dialog", "batch", 8, TERM),
    ("tagging", "batch", 36, KILL),  # in an epoch that max_steps cuts short, with early stopping
]


@pytest.fixture(scope="module")
def stage(runner: Runner, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], tuple[Runner, Scene, Path]]:
    root, straight = tmp_path_factory.mktemp("killed"), dict[str, Path]()

    def of(task: str) -> tuple[Runner, Scene, Path]:
        scene = Scene.of(task, root)
        if task not in straight:
            run = scene.run("straight")
            runner.finish(run)
            straight[task] = run.directory
        return runner, scene, straight[task]

    return of


@pytest.mark.parametrize(("task", "place", "count", "number"), CELLS)
def test_a_killed_run_ends_as_one_that_was_not(
    task: str, place: str, count: int, number: signal.Signals, stage: Callable[[str], tuple[Runner, Scene, Path]]
) -> None:
    runner, scene, straight = stage(task)
    code, directory = struck(runner, scene, f"{place}{count}", place, count, number)
    assert code == (-number if number == KILL else 128 + number)
    assert read(directory).resumed_at
    assert not any(differences(straight, directory).values()), differences(straight, directory)
    assert not list(directory.rglob("*.part"))


def test_two_runs_that_differ_are_told_apart(
    stage: Callable[[str], tuple[Runner, Scene, Path]], tmp_path: Path
) -> None:
    _, _, straight = stage("classification")
    other = tmp_path / "other"
    shutil.copytree(straight, other)
    assert not any(differences(straight, other).values())
    checkpoint = read_checkpoint(other / "checkpoints" / LAST)
    next(iter(checkpoint["state_dict"].values())).view(-1)[0] += 1e-6
    write_checkpoint(other / "checkpoints" / LAST, checkpoint)
    record = read(other)
    record.curves["train/loss"][2][3] += 1e-6  # type: ignore[operator]
    write(other, record.with_(fingerprints={**record.fingerprints, "batches": "0"}))
    found = differences(straight, other)
    assert [len(found[kind]) for kind in ("losses", "samples", "weights")] == [1, 1, 1]


def run_of(own: list[str], label: str = "gru") -> Path:
    return Path(own[2].removeprefix("runs=")) / "csv" / f"{label}-seed1"


@pytest.fixture
def before_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the checkpoint before the last one, as a run does that is ended in its test."""
    monkeypatch.setattr("lightning_seq.training.outcome.remove_before", lambda directory: None)


def left_unfinished(directory: Path) -> Record:
    """As if it had been ended in its test."""
    record = read(directory)
    write(directory, record.with_(status="interrupted", metrics={}))
    return record


def test_the_ways_to_resume(own: list[str], refused: Callable[..., str]) -> None:
    words = ["train", "model=gru", *own, *TINY]
    assert "no checkpoint to resume from" in refused(*words, "resume=must")
    assert "choose from: auto, must, never" in refused(*words, "resume=perhaps")
    assert main(words) == 0
    done = left_unfinished(run_of(own))
    assert main([*words, "resume=must"]) == 0
    gone_on = read(run_of(own))
    assert gone_on.resumed_at == [16]
    assert (gone_on.metrics, gone_on.curves) == (done.metrics, done.curves)  # to the seconds: nothing was trained again
    left_unfinished(run_of(own))
    assert main([*words, "resume=never"]) == 0
    anew = read(run_of(own))
    assert not anew.resumed_at
    assert anew.curves != done.curves
    assert anew.metrics == done.metrics


def test_a_comparison_goes_on_with_what_was_interrupted(own: list[str]) -> None:
    words = ["compare", "model=gru,rnn", "seeds=1", "launcher=inline", *own, *TINY]
    assert main(words) == 0
    left_unfinished(run_of(own))
    assert main(words) == 0
    assert read(run_of(own)).resumed_at == [16]
    assert not read(run_of(own, "rnn")).resumed_at


def test_a_checkpoint_of_other_data_is_refused_by_name(own: list[str], refused: Callable[..., str]) -> None:
    words = ["train", "model=gru", *own, *TINY]
    assert main(words) == 0
    left_unfinished(run_of(own))
    before = read(run_of(own))
    file = Path(own[1].removeprefix("data.train="))
    file.write_text(file.read_text().replace("wave", "foam"))
    said = refused(*words)
    assert f"data.train={file} has changed since" in said
    assert "resume=never to start it again" in said
    write(run_of(own), before.with_(files={}))  # older runs recorded no files
    assert f"has data={before.fingerprints['data']}, now it is " in refused(*words)
    write(run_of(own), before)
    assert main([*words, "resume=never"]) == 0
    assert read(run_of(own)).fingerprints["data"] != before.fingerprints["data"]


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: os.truncate(path, 100)])
def test_a_run_whose_chosen_weights_are_gone_is_not_resumed(
    damage: Callable[[Path], None], own: list[str], refused: Callable[..., str]
) -> None:
    """Otherwise the run would be tested with its last weights, and nobody would be told."""
    words = ["train", "model=gru", *own, *TINY, "trainer.max_epochs=3", "optimizer.lr=1e-9"]
    assert main(words) == 0
    done, best = left_unfinished(run_of(own)), run_of(own) / "checkpoints/best.ckpt"
    last = torch.load(best.with_name(LAST), weights_only=True)
    last.pop(OF_BEST, None)
    write_checkpoint(best.with_name(LAST), {**last, "state_dict": torch.load(best, weights_only=True)["state_dict"]})
    damage(best)
    said = refused(*words)
    assert "best.ckpt is missing or damaged, and this run had selected its weights" in said
    assert "resume=never to start again" in said
    assert main([*words, "resume=never"]) == 0
    assert read(run_of(own)).metrics == done.metrics


@pytest.mark.usefixtures("before_is_kept")
def test_a_damaged_checkpoint_is_left_out_and_the_one_before_used(
    own: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    words = ["train", "model=gru", *own, *TINY, "callbacks.checkpoint_every_n_steps=3"]
    assert main(words) == 0
    done, kept = left_unfinished(run_of(own)), run_of(own) / "checkpoints"
    content = bytearray((kept / LAST).read_bytes())
    content[len(content) // 2] ^= 4
    (kept / LAST).write_bytes(content)
    assert main(words) == 0
    assert "last.ckpt is damaged" in caplog.text
    gone_on = read(run_of(own))
    assert gone_on.resumed_at == [14]
    assert gone_on.metrics == done.metrics
    assert gone_on.fingerprints == done.fingerprints
    assert is_good(kept / LAST)
    assert is_good(kept / BEFORE)


@pytest.mark.usefixtures("before_is_kept")
def test_a_run_that_was_moved_knows_its_best(own: list[str], tmp_path: Path) -> None:
    words = ["train", "model=gru", *own, *TINY]
    assert main(words) == 0
    done = left_unfinished(run_of(own))
    last = run_of(own) / "checkpoints" / LAST
    best = torch.load(last, weights_only=True)["callbacks"]
    shutil.move(tmp_path / "runs", tmp_path / "elsewhere")
    words[words.index(own[2])] = f"runs={tmp_path / 'elsewhere'}"
    shutil.copy(*[tmp_path / "elsewhere" / "csv" / "gru-seed1" / "checkpoints" / name for name in (BEFORE, LAST)])
    shutil.copy(*[tmp_path / "elsewhere/csv/gru-seed1/checkpoints" / f"{name}.sha256" for name in (BEFORE, LAST)])
    assert main(words) == 0
    there = tmp_path / "elsewhere" / "csv" / "gru-seed1"
    assert read(there).metrics == done.metrics
    after = torch.load(there / "checkpoints" / LAST, weights_only=True)["callbacks"]
    (key,) = [key for key in best if key.startswith("ModelCheckpoint")]
    assert Path(after[key]["best_model_path"]).parent == there / "checkpoints"
    assert after[key]["best_model_score"] == best[key]["best_model_score"]


def test_a_run_that_had_stopped_early_is_not_trained_on(own: list[str]) -> None:
    words = ["train", "model=gru", *own, *TINY, "trainer.max_epochs=9", "optimizer.lr=1e-9"]
    words += ["callbacks.early_stopping.patience=1"]
    assert main(words) == 0
    done = left_unfinished(run_of(own))
    assert len(done.curves["val/loss"]) < 9
    assert main(words) == 0
    gone_on = read(run_of(own))
    assert (gone_on.curves, gone_on.metrics) == (done.curves, done.metrics)


@pytest.mark.parametrize("max_steps", [-1, 6, 5])
def test_what_validation_has_drawn_is_drawn_again_when_it_is_made_again(max_steps: int, tmp_path: Path) -> None:
    """When all 5 steps are done it is not: Lightning would not go back into it, and what stands is from before it."""
    module: Any = SimpleNamespace(_running=None, _logged_at=0, _epoch_sums=(0.0, 0.0), _last_loss=None, _step={})
    points = ResumePoints(tmp_path, {}, CurveLogger(tmp_path, float, dict))
    counts = {"ready": 2, "started": 2, "processed": 2, "completed": 2}
    progress = {"current": dict(counts), "total": dict(counts), "is_last_batch": True}
    loops = {
        "epoch_progress": {}, "epoch_loop.batch_progress": {}, "epoch_loop.val_loop.batch_progress": progress,
        "state_dict": {"combined_loader": [{"position": 3}]},
    }  # fmt: skip
    checkpoint: dict[str, Any] = {"loops": {"fit_loop": loops}}
    trainer: Any = SimpleNamespace(
        state=SimpleNamespace(fn="fit"), fit_loop=SimpleNamespace(max_steps=max_steps), global_step=5, world_size=1,
        callbacks=[], save_checkpoint=lambda path: points.on_save_checkpoint(trainer, module, checkpoint),
    )  # fmt: skip
    points.on_validation_start(trainer, module)
    drawn = torch.rand(3)
    points.signals.number = signal.SIGTERM
    with pytest.raises(Interrupted):
        points.on_validation_batch_end(trainer, module, None, None, 1)
    if max_steps == 5:
        assert "resume" not in checkpoint
        return
    restore_random_states(checkpoint["resume"]["ranks"][0]["random"])
    assert torch.equal(torch.rand(3), drawn)
