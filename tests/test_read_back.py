"""JSON, YAML and caches that the package wrote are read within bounds, or refused with a reason."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from lightning_seq.errors import UserError
from lightning_seq.files import (
    DEEPEST,
    MOST_DIGITS,
    DamagedError,
    read_json,
    read_text,
    read_yaml,
    write_json,
    write_text,
)
from lightning_seq.sealed import cached, damage_of, sealed_directory

from .damage import CONTENTS, DAMAGES, damage


@pytest.mark.parametrize("kind", [kind for kind in DAMAGES if kind != "a dangling link"])
def test_a_damaged_file_says_why(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    said = damage(path, kind)
    with pytest.raises(DamagedError, match=said):
        read_json(path, dict)


def test_a_missing_file_and_a_path_below_a_file(tmp_path: Path) -> None:
    damage(tmp_path / "link", "a dangling link")
    for name in ("link", "none"):
        with pytest.raises(FileNotFoundError):
            read_text(tmp_path / name)
    write_text(tmp_path / "file", "x")
    with pytest.raises(DamagedError, match="Not a directory"):
        read_text(tmp_path / "file" / "name")


def test_bounds_are_inclusive(tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    path.write_text('{"a": "é"}', encoding="utf-8")
    assert read_json(path, dict, most=11) == {"a": "é"}
    with pytest.raises(DamagedError, match="it has 11 bytes, expected at most 10"):
        read_json(path, dict, most=10)
    write_json(path, {"a": 10 ** (MOST_DIGITS - 1)})
    assert read_json(path, dict) == {"a": 10 ** (MOST_DIGITS - 1)}
    write_json(path, {"a": 10**MOST_DIGITS})
    with pytest.raises(DamagedError, match=f"of {MOST_DIGITS + 1} digits"):
        read_json(path, dict)
    path.write_text("[" * DEEPEST + "]" * DEEPEST)
    assert len(read_json(path, list)) == 1
    path.write_text("[" * (DEEPEST + 1) + "]" * (DEEPEST + 1))
    with pytest.raises(DamagedError, match="nested"):
        read_json(path, list)
    path.write_text("{}")
    with pytest.raises(DamagedError, match="a mapping, expected a list"):
        read_json(path, list)


@pytest.mark.parametrize("half", ["\\ud83d", "\\uD83D", "\\udC00"])
def test_half_a_character_is_damage_however_it_is_written(half: str, tmp_path: Path) -> None:
    (tmp_path / "file.json").write_text(f'{{"a": "{half}"}}', encoding="utf-8")
    with pytest.raises(DamagedError, match="half of a surrogate pair"):
        read_json(tmp_path / "file.json", dict)


def test_a_file_of_more_than_256_mib_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "file").open("wb") as file:
        file.truncate((1 << 28) + 1)
    with pytest.raises(DamagedError, match="has 268,435,457 bytes, expected at most 268,435,456"):
        read_text(tmp_path / "file")


def test_numbers_that_are_not_finite_are_missing(tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    path.write_text('{"a": [NaN, Infinity, -Infinity, 1e999, -1e999, 1e300, 2]}')
    assert read_json(path, dict) == {"a": [None] * 5 + [1e300, 2]}


def test_what_is_written_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    plain = {"a": [1, -2.5, None, True, "\\ud83d 😀 \u2028"], "b": {"c": []}, "d": {}}
    write_json(path, plain)
    assert read_json(path, dict) == plain
    path.write_text('{"a": "\\ud83d\\ude00"}')  # both halves
    assert read_json(path, dict) == {"a": "😀"}


ALIASES = "a: &a [1, 2, 3]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n" for before, name in pairwise("abcdefghijklm")
)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("a: " + "[" * 100_000, "nested"),
        ("a: " + "[" * 200 + "]" * 200, "nested"),
        ("a: " + "9" * 10_000, r"4300 digits\) for integer string conversion: value has 10000 digits$"),
        ("a: " + "9" * 101, "a number of 101 digits"),
        ("- a", "a list, expected a mapping"),
        ("", "a single value, expected a mapping"),
        ("a: [", "not YAML"),
        ("a: 2026-01-01", "date is not JSON"),
        ("a: !!int ''", "not YAML"),
        ("? [a]\n: b", "not YAML"),
        ("a: !!python/object/apply:os.getcwd []", "not YAML"),
        ("a: &a [*a]", "repeat too many parts"),
        (ALIASES, "repeat too many parts"),
        ("a: 1\n" * 300_000, "1,500,000 bytes"),
    ],
)
def test_damaged_yaml_says_why(content: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(content)
    with pytest.raises(DamagedError, match=said):
        read_yaml(path)


def test_yaml_may_name_a_part_twice(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("a: &a {b: 1.5, 2: null}\nc: *a\n")
    assert read_yaml(path) == {"a": {"b": 1.5, 2: None}, "c": {"b": 1.5, 2: None}}


def build(directory: Path) -> None:
    write_json(directory / "meta.json", {"words": ["a"]})


def read(directory: Path) -> str:
    return str(read_json(directory / "meta.json", dict)["words"][0])


@pytest.mark.parametrize("kind", CONTENTS)
def test_a_cache_that_is_sealed_and_cannot_be_read_is_made_again(
    kind: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    target = tmp_path / "data"

    def planted(directory: Path) -> None:
        damage(directory / "meta.json", kind)

    assert damage_of(sealed_directory(target, planted)) is None
    caplog.set_level(logging.WARNING)
    assert cached(target, build, read) == "a"
    (line,) = caplog.messages
    assert line.startswith(f"{target} cannot be read (")
    assert line.endswith("): it is made again")
    assert cached(target, planted, read) == "a"
    assert len(caplog.messages) == 1


def test_a_cache_that_another_process_has_made_again_is_read(tmp_path: Path) -> None:
    target, looks = sealed_directory(tmp_path / "data", build), []

    def late(directory: Path) -> str:
        looks.append(directory)
        if len(looks) == 1:
            raise DamagedError("as it was before")
        return read(directory)

    def refuse(directory: Path) -> None:
        raise UserError("built once more")

    assert cached(target, refuse, late) == "a"
    assert len(looks) == 2


def test_a_cache_that_was_built_just_now_is_not_built_twice(tmp_path: Path) -> None:
    asked = []

    def refuse(directory: Path) -> None:
        asked.append(directory)
        raise UserError("the source is empty")

    with pytest.raises(UserError, match="the source is empty"):
        cached(tmp_path / "data", refuse, read)
    assert len(asked) == 1


REPLACED: dict[str, tuple[Callable[[Path], object], str]] = {
    "seal is a pipe": (lambda target: damage(target / "sums.json", "a pipe"), "sums.json cannot be read: it is a pipe"),
    "seal is a directory": (lambda target: damage(target / "sums.json", "a directory"), "Is a directory"),
    "seal is a dangling link": (lambda target: damage(target / "sums.json", "a dangling link"), "is not there"),
    "file is a pipe": (lambda target: damage(target / "meta.json", "a pipe"), "meta.json is not there"),
    "file is changed": (lambda target: damage(target / "meta.json", "deep"), "meta.json has another checksum"),
    "more files": (lambda target: write_text(target / "more", ""), "sums.json does not name more"),
}


@pytest.mark.parametrize("how", REPLACED)
def test_the_damage_of_a_cache_is_told_once(how: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    target = sealed_directory(tmp_path / "data", build)
    put, said = REPLACED[how]
    put(target)
    caplog.set_level(logging.WARNING)
    assert cached(target, build, read) == "a"
    assert damage_of(target) is None
    (line,) = caplog.messages
    assert line.startswith(f"{target} is damaged (")
    assert said in line
    assert line.endswith("): it is made again")


@pytest.mark.parametrize("kind", ["empty", "a pipe", "a dangling link", "a link"])
def test_a_file_a_pipe_or_a_link_at_the_path_of_a_cache_is_replaced(kind: str, tmp_path: Path) -> None:
    target = tmp_path / "data"
    if kind == "a link":
        (tmp_path / "elsewhere").mkdir()
        (tmp_path / "elsewhere" / "kept").write_text("x")
        target.symlink_to(tmp_path / "elsewhere")
    else:
        damage(target, kind)
    assert cached(target, build, read) == "a"
    assert not target.is_symlink()
    assert kind != "a link" or os.listdir(tmp_path / "elsewhere") == ["kept"]


def test_a_cache_that_is_built_the_first_time_says_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    assert cached(tmp_path / "data", build, read) == "a"
    assert caplog.messages == []
