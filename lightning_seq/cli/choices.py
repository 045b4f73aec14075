"""What the choices and keys of `conf/` mean: the comments of its files and the docstrings of its classes.

Neither Hydra nor torch is imported: `--help` and `--list` are made of this.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import lightning_seq
from lightning_seq.config.annotations import AnyOf, Scalar
from lightning_seq.config.groups import conf_directory, groups
from lightning_seq.config.schema import kind_at
from lightning_seq.config.words import SHORT
from lightning_seq.identity import value_at

KINDS = {"int": "N", "float": "X", "bool": "true|false"}
"""What stands for the value of a key whose default is null, by the type of its annotation."""

ROOT = "config"
"""The file of the keys that belong to no group."""


@dataclass(frozen=True)
class Setting:
    """A key of the configuration with its default, and its meaning where its file has a comment above it."""

    key: str
    default: Any
    meaning: str

    @property
    def kind(self) -> str:
        """N: a whole number; X: a number; true: a switch; WORD; LIST."""
        words = {bool: "true|false", int: "N", float: "X", list: "LIST", dict: "{KEY: VALUE}"}
        if self.default is not None:
            return words.get(type(self.default), "WORD")
        kind = kind_at(_node(self.key.partition(".")[0]), self.key)
        options = kind.options if isinstance(kind, AnyOf) else (kind,)
        types = {option.type for option in options if isinstance(option, Scalar)}
        return next((word for name, word in KINDS.items() if name in types), "WORD")

    @property
    def shown(self) -> str:
        """The default as it is typed."""
        if self.default is None or isinstance(self.default, bool):
            return {None: "null", True: "true", False: "false"}[self.default]
        return str(self.default)


def setting(key: str) -> Setting:
    """The key as the default choice of its group has it. Raises KeyError where no file has it."""
    group, _, path = SHORT.get(key, key).partition(".")
    chain = list(_chain(group, default_choices()[group])) if group in groups() else [(ROOT, "")]
    path = path if group in groups() else SHORT.get(key, key)
    found = meaning = None
    for file, root in chain:  # the first file that has it decides, as in Hydra; any may say what it means
        values, comments = _read(file)
        place = f"{root}.{path}" if root else path
        if place in comments:
            found = found or (value_at(values, place),)
            meaning = meaning or comments[place]
    if found is None:
        raise KeyError(key)
    return Setting(key, found[0], meaning or "")


def _node(group: str) -> dict[str, dict[str, Any]]:
    """The keys by which the schema of a group is found, as its default choice has them."""
    found = {}
    for name in ("_target_", "kind"):
        with suppress(KeyError):
            found[name] = setting(f"{group}.{name}").default
    return {group: found}


def about(group: str, choice: str) -> str:
    """What a choice is, in a sentence: the comment its file begins with, else its class's docstring."""
    text = (conf_directory() / group / f"{choice}.yaml").read_text(encoding="utf-8")
    said = []
    for line in text.splitlines():
        if not line.startswith("#"):
            break
        if not line.startswith("# @package"):
            said.append(line.lstrip("# "))
    if said:
        return " ".join(said)
    target = re.search(r"^\s*_target_: (\S+)", text, re.MULTILINE)
    return _first_sentence(target.group(1)) if target else ""


@cache
def default_choices() -> dict[str, str]:
    """The choice of each group where nothing else is said."""
    values, _ = _read(ROOT)
    return {group: choice for item in values["defaults"] if isinstance(item, dict) for group, choice in item.items()}


def _chain(group: str, choice: str) -> Iterator[tuple[str, str]]:
    """The file of a choice and those it builds on, the latest word first; and where in each the group's keys are."""
    file = f"{group}/{choice}"
    values, _ = _read(file)
    yield file, group if "@package _global_" in _text(file) else ""
    for item in values.get("defaults", []):
        base = next(iter(item)) if isinstance(item, dict) else item
        match = re.fullmatch(rf"(?:/{group}/)?([\w/]+)(?:@\w+)?", base)
        if match and match.group(1) != "_self_" and not isinstance(item, dict):
            room = choice.rpartition("/")[0]
            yield from _chain(group, f"{room}/{match.group(1)}" if room else match.group(1))


def _text(file: str) -> str:
    return (conf_directory() / f"{file}.yaml").read_text(encoding="utf-8")


@cache
def _read(file: str) -> tuple[dict[str, Any], dict[str, str]]:
    """The file's plain values; and each key's comment, the lines directly above it, by its path."""
    import yaml

    text = _text(file)
    comments: dict[str, str] = {}
    parents: list[tuple[int, str]] = []
    above: list[str] = []
    for line in text.splitlines():
        key = re.match(r"( *)([\w-]+):", line)
        if line.lstrip().startswith("#"):
            above.append(line.strip().lstrip("# "))
            continue
        if key:
            if not comments:  # what a file begins with is said of the whole file
                above = []
            depth = len(key.group(1))
            parents = [*(parent for parent in parents if parent[0] < depth), (depth, key.group(2))]
            comments[".".join(name for _, name in parents)] = " ".join(above)
        above = []
    return yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader)) or {}, comments


def _first_sentence(target: str) -> str:
    """Of the docstring of a class of ours, which is read and not imported."""
    module, _, name = target.rpartition(".")
    file = Path(lightning_seq.__file__).parents[1].joinpath(*module.split(".")).with_suffix(".py")
    if not file.is_file():
        return ""
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef) and node.name == name:
            return (ast.get_docstring(node) or "").partition("\n\n")[0].replace("\n", " ")
    return ""
