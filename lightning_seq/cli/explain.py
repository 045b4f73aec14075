"""`lightning-seq explain`: a cell, layer or scorer as its docstring tells it, with its parameters counted."""

from __future__ import annotations

import ast
import inspect
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import prod
from typing import Any

from rich.console import Console
from rich.table import Table
from torch import nn

from lightning_seq.attention.scorer import Scorer
from lightning_seq.cells.cell import Cell
from lightning_seq.cli.explain_model import explain_model, known_models
from lightning_seq.cli.find_cell import MakeCell, find, known_cells
from lightning_seq.cli.find_scorer import find_scorer, known_scorers, our_scorer
from lightning_seq.errors import UserError, first_line, near

SIZES = {"input_size": 100, "hidden_size": 128}
SCORER_SIZES = {"query_size": 128, "value_size": 256}
FIELDS = ("State", "Gate order", "Parameters", "Elsewhere")
LAYERS = ("Recurrent", "Bidirectional", "CBRNN", "Stacked")
FORMULA = re.compile(r"[\dA-Z+*() -]+")


@dataclass(frozen=True)
class Explained:
    """What a docstring of the house's form says.

    title:     its first line, with the paper.
    equations: its indented block.
    fields:    `State`, `Gate order`, `Parameters`, `Elsewhere`, as far as they are there.
    rest:      its other paragraphs: notes and arguments.
    """

    title: str
    equations: list[str]
    fields: dict[str, str]
    rest: list[str]


def read_docstring(kind: type[Any]) -> Explained:
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
        current: str | None = None
        kept = []
        for line in lines:
            match = re.match(rf"({'|'.join(FIELDS)}): (.*)", line)
            if match:
                current = match[1]
                fields[current] = match[2].strip()
            elif current is not None:
                fields[current] += " " + line.strip()
            else:
                kept.append(line)
        if kept:
            rest.append("\n".join(kept))
    return Explained(" ".join(title.split()), equations, fields, rest)


def sizes_of(cell: Cell | Scorer) -> dict[str, int]:
    """The letters of parameter formulas: D, H, P or O, and for maps K (a kernel's taps) and S (places); of a scorer
    Q, D, A, L and P."""
    if isinstance(cell, Scorer):
        own = {"A": "hidden_size", "L": "max_length", "P": "key_size"}
        here = {letter: getattr(cell, name) for letter, name in own.items() if hasattr(cell, name)}
        return {"Q": cell.query_size, "D": cell.value_size, **here}
    letters = {"D": cell.input_shape[0], "H": int(getattr(cell, "hidden_size", cell.output_shape[0]))}
    letters["P"] = letters["O"] = cell.output_shape[0]
    if len(cell.input_shape) > 1:
        U = cell.recurrent_weights().get("U")
        letters |= {} if U is None else {"K": U[0, 0].numel()}
        letters["S"] = prod(cell.input_shape[1:])
    return letters


OPERATORS = {ast.Add: operator.add, ast.Mult: operator.mul, ast.Sub: operator.sub}


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


def parameters_of(kind: type[Any]) -> str | None:
    """The formula in a docstring's `Parameters`, without its full stop."""
    formula = read_docstring(kind).fields.get("Parameters", "").rstrip(".")
    return formula if FORMULA.fullmatch(formula) else None


def explain(words: Sequence[str], console: Console) -> None:
    """Print what one cell, layer, scorer or model is. Raises UserError for an unknown name, key or size."""
    names = [word for word in words if "=" not in word]
    if len(names) != 1:
        raise UserError(
            f"explain takes one cell, layer, scorer or model, {' '.join(names) or 'nothing'} came: see explain --list"
        )
    scorer = None if names[0] in LAYERS else find_scorer(names[0])
    sizes, given = dict(SIZES if scorer is None else SCORER_SIZES), set[str]()
    for word in words:
        key, equals, value = word.partition("=")
        if not equals:
            continue
        if key not in sizes:
            raise UserError(f"{word}: there is no key {key!r} for explain; {near(key, sizes)}")
        if not re.fullmatch(r"[0-9]{1,9}", value) or int(value) < 1:
            raise UserError(f"{word}: expected a whole number of at least 1")
        sizes[key] = int(value)
        given.add(key)
    if names[0] in LAYERS:
        _print(read_docstring(_layer(names[0])), None, console)
        return
    if scorer is not None:
        made = scorer(sizes["query_size"], sizes["value_size"])
        _print(read_docstring(type(made)), made, console)
        return
    if names[0] in known_models():
        explain_model(
            names[0], sizes, given, _say(console), lambda kind, cell: _print(read_docstring(kind), cell, console)
        )
        return
    found = find(names[0], (*known_scorers(), *known_models(), *LAYERS))
    if len(found) > 1:
        raise UserError(f"{names[0]} has {len(found)} cells: give one, such as {next(iter(found))}")
    cell = _made(names[0], next(iter(found.values())), sizes["input_size"], sizes["hidden_size"])
    _print(read_docstring(type(cell)), cell, console)


def _layer(name: str) -> type[Any]:
    import lightning_seq

    kind: type[Any] = getattr(lightning_seq, name)
    return kind


def _made(name: str, make: MakeCell, input_size: int, hidden_size: int) -> Cell:
    try:
        return make(input_size, hidden_size)
    except (TypeError, ValueError, RuntimeError, AssertionError) as error:
        raise UserError(
            f"{name} refuses input_size={input_size} hidden_size={hidden_size} ({first_line(error)}): give other sizes"
        ) from error


def _say(console: Console) -> Callable[..., None]:
    return partial(console.print, markup=False, highlight=False, soft_wrap=True)


def _print(explained: Explained, cell: Cell | Scorer | None, console: Console) -> None:
    say = _say(console)
    say(explained.title)
    say()
    for equation in explained.equations:
        say(f"    {equation}")
    if explained.equations:
        say()
    for key, value in explained.fields.items():
        say(
            f"{key + ':':13}{value}"
            if key != "Parameters" or cell is None
            else f"{key + ':':13}{_arithmetic(value, cell)}"
        )
    for paragraph in explained.rest:
        say()
        say(paragraph)


def _arithmetic(value: str, cell: Cell | Scorer) -> str:
    formula, letters = value.rstrip("."), sizes_of(cell)
    count = sum(parameter.numel() for parameter in cell.parameters())
    try:
        if not FORMULA.fullmatch(formula):
            raise ValueError(formula)
        total = evaluate(formula, letters)
    except (ValueError, SyntaxError):  # words, or a letter that only its author knows
        return f"{formula}: here {count:,}"
    filled = re.sub(r"[A-Z]", lambda letter: str(letters[letter[0]]), formula)
    said = f"{formula} = {filled} = {total:,}"
    return said if total == count else f"{said}; with its options here {count:,}"


def listing(console: Console) -> None:
    """Every cell, layer and scorer, with the parameters of one size."""
    table = Table(box=None, pad_edge=False)
    table.add_column("cell")
    table.add_column("parameters", justify="right")
    table.add_column("what it is", overflow="fold")
    for name in known_cells():
        cell = find(name)[name](SIZES["input_size"], SIZES["hidden_size"])
        count = sum(parameter.numel() for parameter in cell.parameters())
        table.add_row(name, f"{count:,}", read_docstring(type(cell)).title)
    console.print(table)
    console.print(f"\nparameters at {' '.join(f'{key}={value}' for key, value in SIZES.items())}\n", highlight=False)
    layers = Table(box=None, pad_edge=False)
    layers.add_column("layer")
    layers.add_column("over")
    layers.add_column("parameters", justify="right")
    layers.add_column("what it is", overflow="fold")
    for name, (over, layer) in _examples().items():
        count = sum(parameter.numel() for parameter in layer.parameters())
        layers.add_row(name, over, f"{count:,}", read_docstring(_layer(name)).title)
    console.print(layers)
    scorers = Table(box=None, pad_edge=False)
    scorers.add_column("scorer")
    scorers.add_column("parameters", justify="right")
    scorers.add_column("what it is", overflow="fold")
    for name in known_scorers():
        scorer = our_scorer(name)(SCORER_SIZES["query_size"], SCORER_SIZES["value_size"])
        count = sum(parameter.numel() for parameter in scorer.parameters())
        scorers.add_row(name, f"{count:,}", read_docstring(type(scorer)).title)
    console.print()
    console.print(scorers)
    sizes = " ".join(f"{key}={value}" for key, value in SCORER_SIZES.items())
    console.print(f"\nparameters of scorers at {sizes}", highlight=False)


def _examples() -> dict[str, tuple[str, nn.Module]]:
    """Each layer over cells of the size that is listed, and what these are."""
    from lightning_seq import CBRNN, Bidirectional, ElmanCell, LSTMCell, Recurrent, Stacked

    D, H = SIZES["input_size"], SIZES["hidden_size"]
    return {
        "Recurrent": ("lstm", Recurrent(LSTMCell(D, H))),
        "Bidirectional": ("two lstm", Bidirectional(LSTMCell(D, H), LSTMCell(D, H))),
        "CBRNN": ("two elman", CBRNN(ElmanCell(D, H), ElmanCell(D, H))),
        "Stacked": ("two lstm", Stacked([Recurrent(LSTMCell(D, H)), Recurrent(LSTMCell(H, H))])),
    }
