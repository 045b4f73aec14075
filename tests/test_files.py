"""Directories that are built once, by whoever comes first, and never trusted unless whole."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lightning_seq.errors import UserError
from lightning_seq.files import existing_file, fingerprint, new_file, replacing, sha256, write_json, write_text
from lightning_seq.sealed import damage_of, sealed_directory

BUILDER = """
import sys, time
from pathlib import Path
from lightning_seq.sealed import sealed_directory
place, name, seconds = Path(sys.argv[1]), sys.argv[2], float(sys.argv[3])
def build(directory):
    (directory / "half").write_text(name)
    with (place / "built.txt").open("a") as said:
        said.write(name + "\\n")
    time.sleep(seconds)
    (directory / "other half").write_text(name)
print((sealed_directory(place / "cache" / "data", build) / "other half").read_text(), flush=True)
"""


def builder(place: Path, name: str, seconds: float) -> subprocess.Popen[str]:
    words = [sys.executable, "-c", BUILDER, str(place), name, str(seconds)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True)


def built(place: Path) -> list[str]:
    said = place / "built.txt"
    return said.read_text().split() if said.exists() else []


def wait_for(place: Path, count: int) -> None:
    begun = time.monotonic()
    while len(built(place)) < count:
        assert time.monotonic() - begun < 30
        time.sleep(0.01)


def hidden(place: Path) -> list[str]:
    return [path.name for path in (place / "cache").glob(".*.part")]


def test_builders_at_once_build_once(tmp_path: Path) -> None:
    found = [process.communicate(timeout=60)[0] for process in [builder(tmp_path, str(n), 0.3) for n in range(4)]]
    (first,) = built(tmp_path)
    assert found == [f"{first}\n"] * 4


def test_after_a_killed_builder_the_next_one_builds(tmp_path: Path) -> None:
    killed = builder(tmp_path, "killed", 60)
    wait_for(tmp_path, 1)
    waiting = builder(tmp_path, "waiting", 0)
    time.sleep(0.3)
    assert built(tmp_path) == ["killed"]
    killed.send_signal(signal.SIGKILL)
    assert waiting.communicate(timeout=60)[0] == "waiting\n"
    killed.communicate()
    assert built(tmp_path) == ["killed", "waiting"]
    assert hidden(tmp_path) == []


SEALS = {
    "emptied": b"{}",
    "names a part": b'{"a": "%s"}',
    "deep": b"[" * 100_000,
    "huge number": b'{"a": ' + b"9" * 5000 + b"}",
    "cut": b'{"a": ',
    "a list": b'["a", "numbers"]',
    "not UTF-8": b'{"\xff": "a"}',
    "not a number": b'{"a": NaN, "numbers": Infinity}',
    "very long": b'{"a": "%s", "numbers": "%s"}' + b" " * (1 << 21),
}


@pytest.mark.parametrize("damage", SEALS)
def test_a_seal_that_cannot_be_believed_is_built_again(damage: str, tmp_path: Path) -> None:
    def build(directory: Path) -> None:
        for name in ("a", "numbers"):
            (directory / name).write_bytes(name.encode())

    target = sealed_directory(tmp_path / "data", build)
    seal = target / "sums.json"
    sums = [sha256(target / name).encode() for name in ("a", "numbers")]
    seal.write_bytes(SEALS[damage] % tuple(sums[: SEALS[damage].count(b"%s")]))
    assert damage_of(target) is not None
    assert damage_of(sealed_directory(target, build)) is None


@pytest.mark.parametrize("damage", ["cut", "flipped", "gone", "seal gone", "seal emptied"])
def test_what_is_damaged_is_built_again(damage: str, tmp_path: Path) -> None:
    def build(directory: Path) -> None:
        (directory / "numbers").write_bytes(bytes(range(200)))

    target = sealed_directory(tmp_path / "data", build)
    file, seal = target / "numbers", target / "sums.json"
    whole = file.read_bytes()
    if damage == "cut":
        file.write_bytes(whole[:-1])
    elif damage == "flipped":
        file.write_bytes(whole[:100] + bytes([whole[100] ^ 1]) + whole[101:])
    elif damage == "seal emptied":
        seal.write_text("{}")
    else:
        (file if damage == "gone" else seal).unlink()
    assert damage_of(target) is not None
    assert sealed_directory(target, build) == target
    assert file.read_bytes() == whole
    assert damage_of(target) is None


def test_what_is_whole_is_not_built_again(tmp_path: Path) -> None:
    count = 0

    def build(directory: Path) -> None:
        nonlocal count
        count += 1
        (directory / "file").write_text("x")

    for _ in range(2):
        sealed_directory(tmp_path / "data", build)
    assert count == 1


def test_a_builder_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def build(directory: Path) -> None:
        (directory / "file").write_text("x")
        raise OSError("no room")

    with pytest.raises(OSError, match="no room"):
        sealed_directory(tmp_path / "cache" / "data", build)
    assert not (tmp_path / "cache" / "data").exists()
    assert hidden(tmp_path) == []


def test_a_file_is_on_disk_before_it_takes_the_place_of_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, seen = tmp_path / "file", []
    file.write_text("old")
    fsync = os.fsync

    def flushed(handle: int) -> None:
        seen.append((file.read_text(), os.pread(handle, 9, 0)))
        fsync(handle)

    monkeypatch.setattr(os, "fsync", flushed)
    write_text(file, "new")
    assert seen == [("old", b"new")]
    assert file.read_text() == "new"


def test_a_writer_that_fails_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("old")

    def half() -> None:
        with replacing(file) as temporary:
            temporary.write_text("ne")
            raise OSError("no room")

    with pytest.raises(OSError, match="no room"):
        half()
    with pytest.raises(ValueError, match="Out of range float"):
        write_json(file, {"loss": float("nan")})
    assert file.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_others_may_read_what_the_umask_lets_them(tmp_path: Path) -> None:
    """A temporary file or directory is its owner's alone."""
    before = os.umask(0o022)
    try:
        write_text(tmp_path / "file", "x")
        sealed = sealed_directory(tmp_path / "data", lambda directory: write_text(directory / "file", "x"))
    finally:
        os.umask(before)
    assert [path.stat().st_mode & 0o777 for path in (tmp_path / "file", sealed, sealed / "file")] == [
        0o644, 0o755, 0o644,
    ]  # fmt: skip


def test_the_order_of_keys_does_not_change_a_fingerprint() -> None:
    assert fingerprint({"a": 1, "b": [2, None]}) == fingerprint({"b": [2, None], "a": 1})
    assert fingerprint({"a": 1, "b": 2}) != fingerprint({"a": 2, "b": 1})


def test_a_path_that_no_file_has_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "verses.txt").write_text("a\n")
    os.mkfifo(tmp_path / "pipe")
    for path, reason in [
        ("~nosuchuser_of_a_test/a.txt", "no such user"),
        (str(tmp_path / "loop"), "symbolic links"),
        (str(tmp_path / ("n" * 300)), "too long"),
        ("\udcff.txt", "not UTF-8"),
        ("", "expected a path"),
        ("a\0b", "expected a path"),
        (str(tmp_path), "is a directory"),
        (str(tmp_path / "verse.txt"), "did you mean verses.txt"),
        (str(tmp_path / "none" / "a.txt"), "no directory"),
        (str(tmp_path / "pipe"), "a pipe"),
        ("/dev/zero", "a device"),
    ]:
        with pytest.raises(UserError, match=reason) as refused:
            existing_file(path, "file")
        assert str(refused.value).startswith("file=")
    assert existing_file(tmp_path / "verses.txt", "file") == tmp_path / "verses.txt"
    assert existing_file(tmp_path / "pipe", "file", stream=True) == tmp_path / "pipe"
    with pytest.raises(UserError, match="a device"):
        existing_file("/dev/zero", "file", stream=True)


def test_a_file_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    for path, reason in [
        (tmp_path, "is a directory"),
        (tmp_path / "none" / "a.csv", "there is no directory"),
        (Path("/dev/null"), "a device"),
    ]:
        with pytest.raises(UserError, match=reason):
            new_file(path, "output")
    assert new_file(tmp_path / "a.csv", "output") == tmp_path / "a.csv"
