"""Checkpoint files: whole or known to be damaged, and always one to go on from."""

from __future__ import annotations

import errno
import hashlib
import os
import random
import stat
from pathlib import Path
from typing import Any

import pytest
import torch

from lightning_seq.errors import UserError
from lightning_seq.files import sha256
from lightning_seq.lightning_internals import END
from lightning_seq.training import checkpoints
from lightning_seq.training.checkpoint_files import CheckpointFiles
from lightning_seq.training.checkpoints import (
    BEFORE,
    BEST,
    LAST,
    OF_BEST,
    good_checkpoints,
    is_good,
    read_checkpoint,
    remove_before,
    share_weights,
    sidecar,
    write_checkpoint,
)
from lightning_seq.training.resume import KEY


def of(step: int) -> dict[str, Any]:
    return {"global_step": step, "state_dict": {"weight": torch.arange(100.0) + step}}


def steps(directory: Path) -> list[int]:
    return [read_checkpoint(path)["global_step"] for path in good_checkpoints(directory)]


def test_the_last_two_are_kept_with_their_sums(tmp_path: Path) -> None:
    for step in range(4):
        write_checkpoint(tmp_path / LAST, of(step))
    assert steps(tmp_path) == [3, 2]
    assert {path.name for path in tmp_path.iterdir()} == {LAST, BEFORE, f"{LAST}.sha256", f"{BEFORE}.sha256"}
    for name in (LAST, BEFORE):
        digest = hashlib.sha256((tmp_path / name).read_bytes()).hexdigest()
        assert sidecar(tmp_path / name).read_text() == f"{digest}  {name}\n"


@pytest.mark.parametrize("name", [LAST, "best.ckpt"])
def test_wherever_it_is_killed_a_good_one_is_there(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Killed(BaseException):
        pass

    rename, left = os.replace, [0]

    def renaming(*given: Any) -> None:
        left[0] -= 1
        if left[0] == 0:
            raise Killed
        rename(*given)

    monkeypatch.setattr(Path, "replace", lambda self, target: renaming(self, target))
    seen = set()
    for moment in range(1, 8):
        directory = tmp_path / str(moment)
        for step in (1, 2):
            write_checkpoint(directory / name, of(step))
        left[0] = moment
        try:
            write_checkpoint(directory / name, of(3))
        except Killed:
            pass
        else:
            assert moment > 2
            break
        left[0] = 0
        found = steps(directory) if name == LAST else [read_checkpoint(directory / name)["global_step"]]
        assert found
        assert found[0] in (2, 3)
        seen.add(found[0])
        write_checkpoint(directory / name, of(4))
        assert is_good(directory / name)
    assert 2 in seen


def test_truncations_and_bit_flips_are_noticed(tmp_path: Path) -> None:
    draw, path = random.Random(1), tmp_path / LAST
    write_checkpoint(path, of(1))
    whole = path.read_bytes()
    for number in range(20):
        content = bytearray(whole)
        if number % 2:
            content = content[: draw.randrange(len(whole))]
        else:
            content[draw.randrange(len(whole))] ^= 1 << draw.randrange(8)
        path.write_bytes(content)
        assert not is_good(path)
        with pytest.raises(UserError, match="damaged"):
            read_checkpoint(path)
    path.write_bytes(whole)
    assert is_good(path)


def test_a_damaged_one_never_takes_the_place_of_the_one_before(tmp_path: Path) -> None:
    for step in (1, 2):
        write_checkpoint(tmp_path / LAST, of(step))
    (tmp_path / LAST).write_bytes(b"damaged")
    CheckpointFiles().save_checkpoint(of(3), tmp_path / LAST)
    assert steps(tmp_path) == [3, 1]


def test_a_full_disk_is_one_line_and_what_was_there_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for step in (1, 2):
        write_checkpoint(tmp_path / LAST, of(step))

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(checkpoints.torch, "save", full)
    with pytest.raises(UserError, match=r"last\.ckpt cannot be written \(No space left on device\)"):
        write_checkpoint(tmp_path / LAST, of(3))
    assert steps(tmp_path) == [2, 1]
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_not_written(
    value: float, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    files, checkpoint = CheckpointFiles(), of(2)
    files.save_checkpoint(of(1), tmp_path / LAST)
    checkpoint["state_dict"]["weight"][7] = value
    files.save_checkpoint(checkpoint, tmp_path / LAST)
    files.save_checkpoint({**of(2), "current_model_state": checkpoint["state_dict"]}, tmp_path / LAST)
    assert steps(tmp_path) == [1]
    assert "not finite" in caplog.text


def test_nothing_in_a_checkpoint_is_run(tmp_path: Path) -> None:
    class Planted:
        def __reduce__(self) -> tuple[Any, tuple[str]]:
            return os.system, (f"touch {tmp_path / 'run'}",)

    write_checkpoint(tmp_path / LAST, {"state_dict": {}, "planted": Planted()})
    with pytest.raises(UserError, match="read safely"):
        CheckpointFiles().load_checkpoint(tmp_path / LAST, weights_only=False)
    assert not (tmp_path / "run").exists()


def test_one_that_has_taken_the_place_of_another_has_its_own_sum_alone(tmp_path: Path) -> None:
    path = tmp_path / "best.ckpt"
    for step in (1, 2):
        write_checkpoint(path, of(step))
    assert sidecar(path).read_text() == f"{hashlib.sha256(path.read_bytes()).hexdigest()}  best.ckpt\n"


def test_one_without_its_sum_never_takes_the_place_of_the_one_before(tmp_path: Path) -> None:
    for step in (1, 2):
        write_checkpoint(tmp_path / LAST, of(step))
    sidecar(tmp_path / LAST).unlink()
    write_checkpoint(tmp_path / LAST, of(3))
    assert steps(tmp_path) == [3, 1]


def test_that_it_was_renamed_is_on_disk_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed: list[tuple[bool, bool]] = []
    fsync = os.fsync

    def heard(handle: int) -> None:
        flushed.append((stat.S_ISDIR(os.fstat(handle).st_mode), is_good(tmp_path / LAST)))
        fsync(handle)

    monkeypatch.setattr(os, "fsync", heard)
    write_checkpoint(tmp_path / LAST, of(1))
    assert flushed[-1] == (True, True)


def test_weights_are_shared_with_a_whole_best_one_that_has_the_same_bits(tmp_path: Path) -> None:
    best, weight = tmp_path / BEST, of(0)["state_dict"]["weight"]
    write_checkpoint(best, of(0))
    assert share_weights(of(0), best) == {"global_step": 0, OF_BEST: sha256(best)}
    negative = weight.clone()
    negative[0] = -0.0
    for other in (negative, weight.view(torch.int32), weight.reshape(10, 10)):
        assert "state_dict" in share_weights({"state_dict": {"weight": other}}, best)
    assert "state_dict" in share_weights({"state_dict": {"weight": weight, "bias": weight}}, best)
    sidecar(best).write_text(f"{'0' * 64}  {BEST}\n")
    assert "state_dict" in share_weights(of(0), best)
    best.unlink()
    assert "state_dict" in share_weights(of(0), best)


def test_the_last_one_keeps_its_weights_until_the_end_of_the_run(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / BEST, of(1))
    for place, shared in (("batch", False), (END, True)):
        CheckpointFiles().save_checkpoint({**of(1), KEY: {"place": place}}, tmp_path / LAST)
        assert (OF_BEST in torch.load(tmp_path / LAST, weights_only=True)) == shared


def test_the_one_before_is_removed_where_the_last_one_is_whole(tmp_path: Path) -> None:
    for step in (1, 2):
        write_checkpoint(tmp_path / LAST, of(step))
    content = (tmp_path / LAST).read_bytes()
    (tmp_path / LAST).write_bytes(b"damaged")
    remove_before(tmp_path)
    assert steps(tmp_path) == [1]
    (tmp_path / LAST).write_bytes(content)
    remove_before(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {LAST, f"{LAST}.sha256"}
