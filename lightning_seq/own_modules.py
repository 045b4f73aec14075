"""Modules of the user in the working directory: only those that the user names are imported from there.

A working directory may hold files of somebody else, and libraries try to import optional modules, such as `org`. So the
directory is not on the path of this process or of its children. Named modules are looked for there after all others.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType


class _NamedModules(MetaPathFinder):
    """Finds modules of the working directory by their names, without parts after a dot."""

    def __init__(self) -> None:
        self.names: set[str] = set()

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        return _spec(fullname) if path is None and fullname in self.names else None


_NAMED = _NamedModules()


def admit(names: Iterable[str]) -> None:
    """Let this process import these modules, and the packages that hold them, from the working directory."""
    if _NAMED not in sys.meta_path:
        sys.meta_path.append(_NAMED)
    _NAMED.names |= {name.partition(".")[0] for name in names}


def lies_here(name: str) -> bool:
    """Whether the working directory has a module of this name. Parts of packages are not looked for."""
    return name.isidentifier() and _spec(name) is not None


def _spec(name: str) -> ModuleSpec | None:
    return PathFinder.find_spec(name, [str(Path.cwd())])


def python(*words: str) -> list[str]:
    """The command of a Python process that does not import modules from its working directory."""
    return [sys.executable, "-P", *words]
