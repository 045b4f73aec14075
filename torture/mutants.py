"""`python -m torture.mutants [NAME…] [--room ROOM] [--copy DIRECTORY]`: does a test fail for each fault of the package?

`mutants.toml` lists the faults, called mutants, by the rooms of the package. In a copy of the tree each one is made in
turn, and its tests are run, without the fault and with it; then the file is put back.

Ends with 1 where a mutant survives its tests, where they fail without it, or where the tree has not a text or a test of
the list.
"""

from __future__ import annotations

import argparse
import importlib
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import pytest
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[1]
LIST = Path(__file__).with_name("mutants.toml")
PACKAGE, TESTS = "lightning_seq", "tests"
SUFFIXES = (".py", ".c", ".h", ".inc", ".js", ".css", ".html", ".j2")
NOT_COPIED = (".git", ".venv", "__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache", "runs", "dist")
PRELOADED = ("torch", "lightning.pytorch", "torchmetrics", "scipy.optimize", "pyarrow.parquet", "omegaconf", "yaml")
QUICK = ("-O0", "-std=c11", "-fPIC", "-shared", "-fvisibility=hidden", "-DFUSED_NO_CLONES")
RESULTS = CAUGHT, SURVIVED, BROKEN = "caught", "SURVIVED", "BROKEN"
"""BROKEN: its tests also fail without the fault, so they prove nothing."""
LONGEST = 600.0
"""Seconds after which the tests of a mutant are ended: a fault that hangs counts as caught."""


@dataclass(frozen=True)
class Mutant:
    """A fault: `replacement` for `text`, which is once in the package; one of `tests` must fail then."""

    room: str
    name: str
    text: str
    replacement: str
    tests: tuple[str, ...]


def read_mutants(path: Path = LIST) -> list[Mutant]:
    """All mutants, room by room."""
    rooms = tomllib.loads(path.read_text(encoding="utf-8"))
    return [
        Mutant(room, name, text, replacement, tuple(tests))
        for room, mutants in rooms.items()
        for name, (text, replacement, *tests) in mutants.items()
    ]


def sources(root: Path) -> dict[Path, str]:
    """The text of every file of the package."""
    files = sorted(path for path in (root / PACKAGE).rglob("*") if path.suffix in SUFFIXES and path.is_file())
    return {path: path.read_text(encoding="utf-8") for path in files}


def place_of(mutant: Mutant, texts: dict[Path, str]) -> Path | str:
    """The file with the mutant's text, or the problem of the text."""
    holders = [path for path, text in texts.items() for _ in range(text.count(mutant.text))]
    if len(holders) == 1:
        return holders[0]
    return f"{mutant.room} {mutant.name}: {mutant.text!r} is {len(holders)} times in the package, expected once"


def nodes_of(mutant: Mutant, root: Path) -> list[str]:
    """The arguments of pytest: each test of the mutant in every file of that name that has its function.

    Raises LookupError for a file or a function that is not there.
    """
    nodes = []
    for test in mutant.tests:
        name, _, function = test.partition("::")
        has_it = re.compile(rf"^def {re.escape(function.partition('[')[0])}\(", re.MULTILINE)
        files = sorted(
            path
            for path in (root / TESTS).rglob(name)
            if not function or has_it.search(path.read_text(encoding="utf-8"))
        )
        if not files:
            raise LookupError(f"{mutant.room} {mutant.name}: there is no test {test} below {TESTS}/")
        nodes += ["::".join(filter(None, [path.relative_to(root).as_posix(), function])) for path in files]
    return nodes


def problems_of(mutants: Sequence[Mutant], root: Path) -> list[str]:
    """A line for each text that is not exactly once in the package and for each missing test."""
    texts, problems = sources(root), []
    for mutant in mutants:
        place = place_of(mutant, texts)
        problems += [place] if isinstance(place, str) else []
        try:
            nodes_of(mutant, root)
        except LookupError as error:
            problems.append(str(error.args[0]))
    return problems


def copy_tree(root: Path, copy: Path) -> None:
    shutil.copytree(root, copy, ignore=shutil.ignore_patterns(*NOT_COPIED), symlinks=True, dirs_exist_ok=True)


def preload() -> None:
    """Import large packages once: each run of tests is a copy of this process."""
    for name in PRELOADED:
        importlib.import_module(name)


def run_tests(nodes: Sequence[str], copy: Path) -> tuple[int, str]:
    """pytest's exit code, and what it printed, in a copy of this process that has the copied tree as its own.

    Byte code is not kept: a mutant may have the size of the original.
    """
    with tempfile.TemporaryFile("w+", encoding="utf-8") as output:
        child = os.fork()
        if child == 0:
            os.setsid()
            _become_pytest(nodes, copy, output.fileno())
        begun = time.monotonic()
        while (ended := os.waitpid(child, os.WNOHANG))[0] == 0:
            if time.monotonic() - begun > LONGEST:
                os.killpg(child, signal.SIGKILL)
                os.waitpid(child, 0)
                return 1, f"ended after {LONGEST:.0f} s"
            time.sleep(0.02)
        output.seek(0)
        return abs(os.waitstatus_to_exitcode(ended[1])), output.read()


def _become_pytest(nodes: Sequence[str], copy: Path, output: int) -> NoReturn:
    code = 3
    try:
        for stream in (1, 2):
            os.dup2(output, stream)
        os.chdir(copy)
        paths = [str(copy), *filter(None, [os.environ.get("PYTHONPATH")])]
        os.environ |= {"PYTHONPATH": os.pathsep.join(paths), "PYTHONDONTWRITEBYTECODE": "1"}
        sys.dont_write_bytecode = True
        sys.path = [str(copy), *(path for path in sys.path if path and Path(path).resolve() != ROOT)]
        for name in [name for name in sys.modules if name.partition(".")[0] in (PACKAGE, TESTS, __package__)]:
            del sys.modules[name]
        code = int(pytest.main(["-x", "-q", "-p", "no:cacheprovider", *nodes]))
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


@contextmanager
def compiled(copy: Path) -> Iterator[None]:
    """Build the compiled engine of the copy from its sources, unoptimised; then put the one before back."""
    sources, library = copy / PACKAGE / "engines" / "csrc", copy / PACKAGE / "engines" / "_fused.so"
    before = library.read_bytes()
    compiler = shlex.split(os.environ.get("CC", "cc"))
    try:
        subprocess.run([*compiler, *QUICK, str(sources / "fused.c"), "-o", str(library)], check=True)
        yield
    finally:
        library.write_bytes(before)


def with_fault(mutant: Mutant, copy: Path) -> int:
    """Make the fault in the copy, run its tests, and take it out again: pytest's exit code."""
    place = place_of(mutant, sources(copy))
    if isinstance(place, str):
        raise LookupError(place)
    original = place.read_text(encoding="utf-8")
    place.write_text(original.replace(mutant.text, mutant.replacement), encoding="utf-8")
    try:
        with compiled(copy) if place.suffix in (".c", ".h", ".inc") else nullcontext():
            return run_tests(nodes_of(mutant, copy), copy)[0]
    finally:
        place.write_text(original, encoding="utf-8")


def result_of(mutant: Mutant, copy: Path, console: Console) -> str:
    """Run the tests of a mutant without its fault and with it, and print the result in one line."""
    begun = time.monotonic()
    code, printed = run_tests(nodes_of(mutant, copy), copy)
    if code != 0:
        result = BROKEN
        console.print(printed[-3000:], markup=False, soft_wrap=True)
    else:
        result = SURVIVED if with_fault(mutant, copy) == 0 else CAUGHT
    seconds = time.monotonic() - begun
    console.print(f"{result:8} {mutant.room} {mutant.name} ({seconds:.0f} s)", markup=False)
    return result


def print_rooms(results: dict[Mutant, str], console: Console) -> None:
    table = Table("room", "mutants", *RESULTS)
    rooms = {room: [mutant for mutant in results if mutant.room == room] for room in {each.room: 0 for each in results}}
    for room, mutants in {**rooms, "all": [*results]}.items():
        found = [results[mutant] for mutant in mutants]
        table.add_row(room, str(len(found)), *(str(found.count(result)) for result in RESULTS))
    console.print(table)


def chosen(mutants: Sequence[Mutant], names: Sequence[str], room: str | None) -> list[Mutant]:
    """Raises SystemExit for a name or a room that is not in the list."""
    unknown = sorted({*names} - {mutant.name for mutant in mutants})
    if unknown or room not in {None, *(mutant.room for mutant in mutants)}:
        raise SystemExit(f"there is no mutant or room {', '.join(unknown) or room}: see {LIST.name}")
    return [mutant for mutant in mutants if (not names or mutant.name in names) and room in (None, mutant.room)]


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m torture.mutants", description="Make faults; run their tests.")
    parser.add_argument("names", nargs="*", help="mutants (all)")
    parser.add_argument("--room", help="the mutants of one room of the package")
    parser.add_argument("--copy", type=Path, help="where the tree is copied to, an empty directory (a temporary one)")
    given = parser.parse_args(arguments)
    mutants, console = chosen(read_mutants(), given.names, given.room), Console(width=120, highlight=False)
    problems = problems_of(mutants, ROOT)
    for line in problems:
        console.print(line, markup=False, soft_wrap=True)
    if problems:
        return 1
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    preload()
    with tempfile.TemporaryDirectory() as temporary:
        copy = (given.copy or Path(temporary) / "tree").resolve()
        copy_tree(ROOT, copy)
        results = {mutant: result_of(mutant, copy, console) for mutant in mutants}
    print_rooms(results, console)
    return int(any(result != CAUGHT for result in results.values()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
