"""What importing costs, and what is handed out."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import lightning_seq


def test_every_public_name_is_there() -> None:
    for name in lightning_seq.__all__:
        assert getattr(lightning_seq, name).__name__.lower().endswith(name.lower())
    with pytest.raises(AttributeError, match="nothing_of_the_kind"):
        _ = lightning_seq.nothing_of_the_kind


def test_the_package_and_its_help_cost_no_torch() -> None:
    code = (
        "import sys, lightning_seq\n"
        "from lightning_seq.cli.verbs import VERBS\n"
        "from lightning_seq.cli.help import help_of\n"
        "assert all(help_of(verb) for verb in [None, *VERBS])\n"
        "heavy = {'torch', 'lightning', 'gensim', 'datasets', 'wandb', 'hydra', 'pandas'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_no_two_files_import_each_other() -> None:
    """Inside functions and for type checkers too; the other half of what import-linter keeps (see pyproject.toml)."""
    package = Path(lightning_seq.__file__).parent
    names = {
        path: ".".join(("lightning_seq", *path.relative_to(package).with_suffix("").parts))
        for path in package.rglob("*.py")
    }
    imports = {names[path]: set(_imported(path, {*names.values()})) for path in names}
    assert len(imports) > 300
    assert imports["lightning_seq.cells.lstm"] >= {"lightning_seq.cells.cell"}
    assert [(a, b) for a in imports for b in imports[a] if a < b and a in imports.get(b, ())] == []


def _imported(path: Path, modules: set[str]) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names if name.name in modules)
        if isinstance(node, ast.ImportFrom) and node.module:
            within = [f"{node.module}.{name.name}" for name in node.names]
            yield from (name if name in modules else node.module for name in within)
