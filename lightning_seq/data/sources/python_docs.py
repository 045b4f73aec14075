"""Python's own documentation: running text of every installation."""

from __future__ import annotations

import ast
import inspect
import sys
import sysconfig
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lightning_seq.data.sources.corpus import Corpus, gathered, lines_of
from lightning_seq.errors import UserError
from lightning_seq.field_checks import check_fields
from lightning_seq.files import Plain, fingerprint
from lightning_seq.value_types import Seed

TOPICS = "pydoc_data/topics.py"
_TESTS = {"test", "tests", "idle_test", "__pycache__"}


@dataclass(frozen=True)
class PythonDocs:
    """The doc strings of the standard library's public modules, and the topics of `help()`.

    Sources are parsed, not imported. A module or a topic is a document; about 80 % of the documents are for training,
    10 % for validation, 10 % for test, in the order of their names. The text depends on the version of Python.
    """

    split_seed: Seed = 1

    def __post_init__(self) -> None:
        check_fields(self, "data")

    def describe(self) -> str:
        return f"python_docs ({sys.version.split()[0]})"

    def identity(self) -> Plain:
        files = [[file.relative_to(_library()).as_posix(), file.stat().st_size] for file in _files()]
        return {
            "text": "python_docs",
            "python": sys.version,
            "files": fingerprint(files),
            "split_seed": self.split_seed,
        }

    def load(self) -> Corpus:
        """Raises UserError when this Python has no sources of its standard library."""
        documents = [document for file in _files() for document in _documents(file)]
        if not documents:
            raise UserError(f"{_library()} holds no sources with doc strings: expected those of the standard library")
        lines = [[*lines_of(f"{document.strip()}\n"), "\n"] for document in documents]
        return Corpus(gathered(lines, self.split_seed), revision=f"Python {sys.version.split()[0]}")


def _library() -> Path:
    return Path(sysconfig.get_paths()["stdlib"])


def _files() -> list[Path]:
    """Sources of the public modules and the topics, in the order of their paths."""
    files = []
    for entry in _library().iterdir():
        name = entry.name.removesuffix(".py")
        if name in sys.stdlib_module_names and not name.startswith("_"):
            files += [entry] if entry.is_file() else list(entry.rglob("*.py"))
    paths = {file.relative_to(_library()).parts: file for file in files}
    return [paths[parts] for parts in sorted(paths) if not _TESTS.intersection(parts)]


def _documents(file: Path) -> Iterator[str]:
    """The topics one by one; the doc strings of any other module as one text. Empty texts are left out, and modules
    that this Python cannot parse."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(file.read_text(encoding="utf-8"))
    except (OSError, SyntaxError, ValueError):
        return
    if file.relative_to(_library()).as_posix() == TOPICS:
        for node in tree.body:
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Dict):
                topics = ast.literal_eval(node.value)
                yield from (inspect.cleandoc(topics[name]) for name in sorted(topics) if topics[name].strip())
    elif texts := list(_doc_strings(tree)):
        yield "\n\n".join(texts)


def _doc_strings(node: ast.AST) -> Iterator[str]:
    """In the order of the source."""
    if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        text = ast.get_docstring(node)
        if text and text.strip():
            yield text.strip()
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.stmt | ast.ExceptHandler | ast.match_case):
            yield from _doc_strings(child)
