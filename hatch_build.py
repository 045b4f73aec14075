"""Compiles the fused engine into the wheel where there is a C compiler; without one, or with LIGHTNING_SEQ_PURE=1, the
wheel is pure and everything works all the same."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SOURCES = Path("lightning_seq/engines/csrc")
LIBRARY = Path("lightning_seq/engines/_fused.so")
# Nothing is compiled for the builder's own CPU: functions are cloned for several and chosen when they are loaded.
FLAGS = (
    "-O3", "-std=c11", "-fPIC", "-shared", "-fvisibility=hidden", "-fno-math-errno", "-fno-trapping-math",
)  # fmt: skip
BETTER = (
    ("-fopenmp", "-ffp-contract=fast", "-mprefer-vector-width=512"), ("-fopenmp",),
    ("-fopenmp", "-DFUSED_NO_CLONES"), ("-DFUSED_NO_CLONES",),
)  # fmt: skip
"""Tried in turn: the first that the compiler takes."""


def compile_engine(root: Path) -> bool:
    """Write `_fused.so`, whole or not at all, unless it is newer than its sources; return whether there is one."""
    library = root / LIBRARY
    compiler = os.environ.get("CC") or shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if os.environ.get("LIGHTNING_SEQ_PURE") == "1" or compiler is None or sys.platform == "win32":
        return False
    sources = [*(root / SOURCES).iterdir(), root / "hatch_build.py"]
    if library.is_file() and library.stat().st_mtime > max(source.stat().st_mtime for source in sources):
        return True
    partial = library.with_suffix(".part")
    for better in BETTER:
        command = [*compiler.split(), *FLAGS, *better, str(root / SOURCES / "fused.c"), "-o", str(partial)]
        if subprocess.run(command, capture_output=True, check=False).returncode == 0:
            partial.replace(library)
            return True
    for left in (partial, library):
        left.unlink(missing_ok=True)
    return False


class BuildHook(BuildHookInterface):  # type: ignore[type-arg]
    """Called by hatchling for every wheel, also for an editable one."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if self.target_name != "wheel" or not compile_engine(Path(self.root)):
            return
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{_platform()}"
        if version != "editable":
            build_data["force_include"][str(LIBRARY)] = str(LIBRARY)


def _platform() -> str:
    tag = sysconfig.get_platform().replace("-", "_").replace(".", "_")
    return tag if platform.system() != "Darwin" else f"macosx_11_0_{platform.machine()}"
