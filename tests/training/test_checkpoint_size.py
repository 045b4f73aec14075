"""The checkpoints of a finished run hold nothing twice, and the last one alone holds the optimiser's state."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import lightning_seq
from lightning_seq.cli.main import main
from lightning_seq.files import sha256
from lightning_seq.records.record import read, write
from lightning_seq.training import outcome
from lightning_seq.training.checkpoint_files import OF_TRAINING
from lightning_seq.training.checkpoints import BEFORE, BEST, LAST, OF_BEST, is_good, read_checkpoint, write_checkpoint
from tests.runs import TINY

ONE_EPOCH = "trainer.max_epochs=1"
"""Its only validation is the best one."""
NOTHING_LEARNT = "optimizer.lr=1e-9"
"""No validation is better than the first one."""


def checkpoints_of(own: list[str]) -> Path:
    """The directory of the run's checkpoints."""
    return Path(own[2].removeprefix("runs=")) / "csv" / "gru-seed1" / "checkpoints"


def train(own: list[str], *words: str) -> Path:
    """Train; return the directory of the run's checkpoints."""
    assert main(["train", "model=gru", *own, *TINY, *words]) == 0
    return checkpoints_of(own)


def contents(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = torch.load(path, weights_only=True)
    return found


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(value, other[name]) for name, value in one.items())


def test_weights_are_kept_once_and_the_optimizer_in_the_last_one_alone(own: list[str]) -> None:
    kept = train(own, ONE_EPOCH)
    assert {path.name for path in kept.iterdir()} == {BEST, LAST, f"{BEST}.sha256", f"{LAST}.sha256"}
    best, last = contents(kept / BEST), contents(kept / LAST)
    assert set(best) == {"epoch", "global_step", "pytorch-lightning_version", "state_dict", "lightning_seq"}
    assert "state_dict" not in last
    assert last[OF_BEST] == sha256(kept / BEST)
    assert last["optimizer_states"][0]["state"][0]["exp_avg"].abs().sum() > 0
    assert same(read_checkpoint(kept / LAST)["state_dict"], best["state_dict"])
    texts = ["the old wave", "a barn"]
    answers = [lightning_seq.load(kept / name).probabilities(texts) for name in (BEST, LAST)]
    assert torch.equal(*answers)
    artifacts = read(kept.parent).artifacts
    assert {name: artifacts[name]["sha256"] for name in ("best", "last")} == {
        "best": sha256(kept / BEST),
        "last": sha256(kept / LAST),
    }


def test_a_last_one_after_the_best_has_weights_of_its_own(own: list[str]) -> None:
    kept = train(own, NOTHING_LEARNT)
    best, last = contents(kept / BEST), contents(kept / LAST)
    assert (best["global_step"], last["global_step"]) == (8, 16)
    assert OF_BEST not in last
    assert not same(best["state_dict"], last["state_dict"])
    assert not (kept / BEFORE).exists()


def test_the_optimizer_is_kept_in_the_best_one_on_demand(own: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    kept = train(own, ONE_EPOCH, "callbacks.keep_optimizer=true")
    best, last = contents(kept / BEST), contents(kept / LAST)
    assert {"loops", "callbacks", "optimizer_states", "lr_schedulers"} <= set(best)
    moments = [state["optimizer_states"][0]["state"][0]["exp_avg"] for state in (best, last)]
    assert torch.equal(*moments)
    assert last[OF_BEST] == sha256(kept / BEST)
    capsys.readouterr()
    train(own, ONE_EPOCH)  # the key makes no other run
    assert "is done already" in capsys.readouterr().out


def test_a_run_that_ended_before_its_record_was_written_resumes_at_its_last_step(
    own: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: Any) -> None:
        raise RuntimeError("ended here")

    with monkeypatch.context() as patched:
        patched.setattr(outcome, "_write_artifacts", killed)
        with pytest.raises(RuntimeError, match="ended here"):
            train(own)
    kept = checkpoints_of(own)
    assert not (kept / BEFORE).exists()
    weights = read_checkpoint(kept / LAST)
    train(own)
    again = read_checkpoint(kept / LAST)
    assert read(kept.parent).resumed_at == [16]
    assert same(again["state_dict"], weights["state_dict"])
    moments = [state["optimizer_states"][0]["state"][0]["exp_avg"] for state in (again, weights)]
    assert torch.equal(*moments)
    assert not (kept / BEFORE).exists()


def test_a_last_one_without_its_best_is_not_used(
    own: list[str], caplog: pytest.LogCaptureFixture, refused: Callable[..., str]
) -> None:
    kept = train(own, ONE_EPOCH)
    done = read(kept.parent)
    (kept / BEST).unlink()
    said = refused("predict", f"checkpoint={kept / LAST}", "text=the wave")
    assert said.endswith("has its weights in best.ckpt next to it, which is missing or has changed: "
                         "copy both files of the run")  # fmt: skip
    write(kept.parent, done.with_(status="interrupted", metrics={}))
    train(own, ONE_EPOCH)
    assert "last.ckpt has its weights in best.ckpt, which is missing or has changed" in caplog.text
    anew = read(kept.parent)
    assert not anew.resumed_at
    assert anew.metrics == done.metrics


def test_older_checkpoints_are_read_and_resumed(own: list[str]) -> None:
    """Older checkpoints hold all weights, and the best one holds the optimiser's state too."""
    kept = train(own, "callbacks.keep_optimizer=true")
    done, whole = read(kept.parent), read_checkpoint(kept / LAST)
    assert "state_dict" in whole
    assert OF_BEST not in whole
    for _ in range(2):
        write_checkpoint(kept / LAST, whole)
    assert is_good(kept / BEFORE)
    assert lightning_seq.load(kept / LAST).probabilities(["a wave"]).shape == (1, 2)
    write(kept.parent, done.with_(status="interrupted", metrics={}))
    train(own)
    again = read(kept.parent)
    assert again.resumed_at == [16]
    assert again.metrics == done.metrics
    assert not (kept / BEFORE).exists()


def test_what_the_best_one_leaves_out_is_in_the_last_one(own: list[str]) -> None:
    kept = train(own, ONE_EPOCH)
    assert set(contents(kept / LAST)) & set(OF_TRAINING) == {
        "loops", "callbacks", "optimizer_states", "lr_schedulers"
    }  # fmt: skip
