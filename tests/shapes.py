"""Shapes are checked in tests: every function of these rooms that annotates one raises when it is wrong."""

from __future__ import annotations

import ast
import random
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

from beartype import beartype
from jaxtyping import _import_hook, config, install_import_hook

ROOMS = ("cells", "engines", "layers", "attention", "losses")
SHAPES = {"Float", "Int", "Bool", "Shaped"}
checked = beartype
"""The name of it is part of the name of each compiled file: other tests that use jaxtyping's hook write others."""


class Transformer(_import_hook.JaxtypingTransformer):
    """jaxtyping's own checks every function; half the time of a conformance test went into those without a shape."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        signature = [node.args, *([node.returns] if node.returns else [])]
        names = {part.id for side in signature for part in ast.walk(side) if isinstance(part, ast.Name)}
        if names & SHAPES:
            return super().visit_FunctionDef(node)
        self.generic_visit(node)
        return node


@contextmanager
def unchecked() -> Iterator[None]:
    """As for a user: what the package itself refuses is refused, and nothing more."""
    config.update("jaxtyping_disable", True)
    try:
        yield
    finally:
        config.update("jaxtyping_disable", False)


def check() -> None:
    """From here on, in this process, for what is imported after it."""
    # beartype checks one random item of each list. It draws from a generator of its own here: the state of Python's
    # generator is part of a run's record.
    patch("beartype._check.code.codemain.getrandbits", random.Random(0).getrandbits).start()
    patch.object(_import_hook, "JaxtypingTransformer", Transformer).start()
    install_import_hook([f"lightning_seq.{room}" for room in ROOMS], f"{__name__}.checked")
