"""A docstring of a cell, layer or scorer in its parts, printed with the parameters counted."""

from __future__ import annotations

import ast
import inspect
import operator
import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

from rich.console import Console
from torch import nn

from lightning_seq.attention.scorer import Scorer
from lightning_seq.cells.cell import Cell
from lightning_seq.errors import UserError
from lightning_seq.terminal import say

FIELDS = ("State", "Gate order", "Parameters", "Elsewhere")
FORMULA = re.compile(r"[\dA-Z+*() -]+")
OPERATORS = {ast.Add: operator.add, ast.Mult: operator.mul, ast.Sub: operator.sub}


@dataclass(frozen=True)
class Explained:
    """The parts of a docstring.

    title:     its first line, with the paper.
    equations: its indented block.
    fields:    the texts of those of `FIELDS` that it has.
    rest:      its other paragraphs: notes and arguments.
    """

    title: str
    equations: list[str]
    fields: dict[str, str]
    rest: list[str]


def read_docstring(kind: type[nn.Module]) -> Explained:
    """Raises UserError for a class without a docstring."""
    text = inspect.getdoc(kind) if "__doc__" in vars(kind) else None
    if not text:
        raise UserError(f"{kind.__name__} has no docstring: there is nothing to explain it by")
    title, *paragraphs = text.split("\n\n")
    equations: list[str] = []
    fields: dict[str, str] = {}
    rest: list[str] = []
    for paragraph in paragraphs:
        lines = paragraph.split("\n")
        if not equations and all(line.startswith("    ") for line in lines):
            equations = [line[4:] for line in lines]
            continue
        notes, *parts = re.split(rf"^({'|'.join(FIELDS)}): ", paragraph, flags=re.MULTILINE)
        if notes:
            rest.append(notes.removesuffix("\n"))
        fields |= {name: " ".join(value.split()) for name, value in zip(parts[::2], parts[1::2], strict=True)}
    return Explained(" ".join(title.split()), equations, fields, rest)


def sizes_of(module: Cell | Scorer) -> dict[str, int]:
    """The letters of parameter formulas: D, H, P or O, and for maps K (taps of a kernel) and S (positions); of a scorer
    Q, D, A, L and P."""
    if isinstance(module, Scorer):
        names = {"Q": "query_size", "D": "value_size", "A": "hidden_size", "L": "max_length", "P": "key_size"}
        return {letter: getattr(module, name) for letter, name in names.items() if hasattr(module, name)}
    output_size = module.output_shape[0]
    letters = {"D": module.input_shape[0], "H": int(getattr(module, "hidden_size", output_size))}
    letters |= {"P": output_size, "O": output_size}
    if len(module.input_shape) > 1:
        U = module.recurrent_weights().get("U")
        letters |= {} if U is None else {"K": U[0, 0].numel()}
        letters["S"] = prod(module.input_shape[1:])
    return letters


def evaluate(formula: str, letters: Mapping[str, int]) -> int:
    """A formula of letters, numbers, +, - and *. Raises ValueError for anything else."""

    def value(node: ast.expr) -> int:
        if isinstance(node, ast.BinOp) and type(node.op) in OPERATORS:
            return int(OPERATORS[type(node.op)](value(node.left), value(node.right)))
        if isinstance(node, ast.Constant) and isinstance(node.value, int):
            return node.value
        if isinstance(node, ast.Name) and node.id in letters:
            return letters[node.id]
        raise ValueError(f"{formula!r} is not a formula of {', '.join(letters)}")

    return value(ast.parse(formula, mode="eval").body)


def parameters_of(kind: type[nn.Module]) -> str | None:
    """The formula in a docstring's `Parameters`, without its full stop."""
    formula = read_docstring(kind).fields.get("Parameters", "").rstrip(".")
    return formula if FORMULA.fullmatch(formula) else None


def parameter_count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def print_docstring(kind: type[nn.Module], module: Cell | Scorer | None, console: Console) -> None:
    """module: one of the class, to count its parameters; None for no count."""
    explained = read_docstring(kind)
    say(console, f"{explained.title}\n")
    if explained.equations:
        say(console, "".join(f"    {equation}\n" for equation in explained.equations))
    for key, value in explained.fields.items():
        say(console, f"{key + ':':13}{value if key != 'Parameters' or module is None else _arithmetic(value, module)}")
    for paragraph in explained.rest:
        say(console, f"\n{paragraph}")


def _arithmetic(value: str, module: Cell | Scorer) -> str:
    formula, letters, count = value.rstrip("."), sizes_of(module), parameter_count(module)
    try:
        if not FORMULA.fullmatch(formula):
            raise ValueError(formula)
        total = evaluate(formula, letters)
    except (ValueError, SyntaxError):  # words, or a letter that only its author knows
        return f"{formula}: here {count:,}"
    numbers = re.sub(r"[A-Z]", lambda letter: str(letters[letter[0]]), formula)
    line = f"{formula} = {numbers} = {total:,}"
    return line if total == count else f"{line}; with its options here {count:,}"
