"""The meanings of the choices and keys of `conf/`: comments of its files and docstrings of its classes, for `--help`.

Neither Hydra nor torch is imported.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from itertools import takewhile
from pathlib import Path
from typing import Any

import yaml

import lightning_seq
from lightning_seq.config.annotations import AnyOf, Scalar
from lightning_seq.config.groups import conf_directory, groups
from lightning_seq.config.schema import kind_at
from lightning_seq.config.words import SHORT
from lightning_seq.identity import value_at

KINDS = {"int": "N", "float": "X", "bool": "true|false"}
"""The word for the value of a key whose default is null, by the type of its annotation."""
ROOT = "config"
"""The file of the keys that belong to no group."""


@dataclass(frozen=True)
class Setting:
    """A key of the configuration with its default, and with the comment above it as its meaning."""

    key: str
    default: object
    meaning: str

    @property
    def kind(self) -> str:
        """The word for its value: `N` for a whole number, `X` for any number, `true|false`, `WORD`, `LIST`."""
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
            return json.dumps(self.default)
        return str(self.default)


def setting(key: str) -> Setting:
    """The key as the default choice of its group has it. Raises KeyError where no file has it."""
    long = SHORT.get(key, key)
    group, _, path = long.partition(".")
    chain: Iterable[tuple[str, str]] = [(ROOT, "")]
    if group in groups():
        chain, long = _chain(group, default_choices()[group]), path
    defaults, meanings = [], []
    for file, root in chain:
        values, comments = _read(file)
        path = f"{root}.{long}" if root else long
        if path in comments:
            defaults.append(value_at(values, path))
            meanings.append(comments[path])
    if not defaults:
        raise KeyError(key)
    return Setting(key, defaults[0], next(filter(None, meanings), ""))  # the first file decides, as in Hydra


def _node(group: str) -> dict[str, dict[str, Any]]:
    """The default choice of a group with the keys that select its schema."""
    node = {}
    for name in ("_target_", "kind"):
        with suppress(KeyError):
            node[name] = setting(f"{group}.{name}").default
    return {group: node}


def about(group: str, choice: str) -> str:
    """A sentence on a choice: the comment at the top of its file, else the docstring of its class."""
    text = _text(f"{group}/{choice}")
    top = takewhile(lambda line: line.startswith("#"), text.splitlines())
    comment = " ".join(line.lstrip("# ") for line in top if not line.startswith("# @package"))
    if comment:
        return comment
    target = re.search(r"^\s*_target_: (\S+)", text, re.MULTILINE)
    return _first_sentence(target.group(1)) if target else ""


@cache
def default_choices() -> dict[str, str]:
    """The default choice of each group."""
    values, _ = _read(ROOT)
    return {group: choice for item in values["defaults"] if isinstance(item, dict) for group, choice in item.items()}


def _chain(group: str, choice: str) -> Iterator[tuple[str, str]]:
    """The file of a choice, then the files it builds on; with each, the path of the group's keys in it."""
    file = f"{group}/{choice}"
    values, _ = _read(file)
    yield file, group if "@package _global_" in _text(file) else ""
    for item in values.get("defaults", []):
        match = None if isinstance(item, dict) else re.fullmatch(rf"(?:/{group}/)?([\w/]+)(?:@\w+)?", item)
        if match and match.group(1) != "_self_":
            folder, slash, _ = choice.rpartition("/")
            yield from _chain(group, folder + slash + match.group(1))


def _text(file: str) -> str:
    return (conf_directory() / f"{file}.yaml").read_text(encoding="utf-8")


@cache
def _read(file: str) -> tuple[dict[str, Any], dict[str, str]]:
    """The values of a file, and by the path of each key the comment in the lines directly above it."""
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
            if not comments:  # the comment at the top of a file is about the file
                above = []
            depth = len(key.group(1))
            parents = [*(parent for parent in parents if parent[0] < depth), (depth, key.group(2))]
            comments[".".join(name for _, name in parents)] = " ".join(above)
        above = []
    return yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader)) or {}, comments


def _first_sentence(target: str) -> str:
    """The first paragraph of the docstring of one of our classes, which is read and not imported."""
    module, _, name = target.rpartition(".")
    file = Path(lightning_seq.__file__).parents[1].joinpath(*module.split(".")).with_suffix(".py")
    if not file.is_file():
        return ""
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef) and node.name == name:
            return (ast.get_docstring(node) or "").partition("\n\n")[0].replace("\n", " ")
    return ""
