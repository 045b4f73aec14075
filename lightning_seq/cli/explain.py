"""`lightning-seq explain`: a cell, layer or scorer as its docstring tells it, with its parameters counted."""

from __future__ import annotations

import ast
import inspect
import operator
import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

from rich.console import Console
from rich.table import Table
from torch import nn

from lightning_seq.attention.scorer import Scorer
from lightning_seq.cells.cell import Cell
from lightning_seq.cells.elman import ElmanCell
from lightning_seq.cells.lstm import LSTMCell
from lightning_seq.cli.console import command_console, say
from lightning_seq.cli.explain_model import explain_model, known_models
from lightning_seq.cli.find_cell import MakeCell, find, known_cells
from lightning_seq.cli.find_scorer import find_scorer, known_scorers, our_scorer
from lightning_seq.cli.sizes import given_sizes, sizes
from lightning_seq.cli.verbs import Explain
from lightning_seq.errors import UserError, first_line
from lightning_seq.layers.bidirectional import Bidirectional
from lightning_seq.layers.cbrnn import CBRNN
from lightning_seq.layers.recurrent import Recurrent
from lightning_seq.layers.stacked import Stacked

SIZES = {"input_size": 100, "hidden_size": 128}
SCORER_SIZES = {"query_size": 128, "value_size": 256}
FIELDS = ("State", "Gate order", "Parameters", "Elsewhere")
LAYERS: dict[str, type[nn.Module]] = {kind.__name__: kind for kind in (Recurrent, Bidirectional, CBRNN, Stacked)}
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


def parameters_of(kind: type[nn.Module]) -> str | None:
    """The formula in a docstring's `Parameters`, without its full stop."""
    formula = read_docstring(kind).fields.get("Parameters", "").rstrip(".")
    return formula if FORMULA.fullmatch(formula) else None


def run(arguments: Explain) -> int:
    """Print what one cell, layer, scorer or model is. Raises UserError for an unknown name and an unknown size."""
    console, name = command_console(), arguments.name
    if name in LAYERS:
        sizes(arguments, SIZES)
        _print(read_docstring(LAYERS[name]), None, console)
        return 0
    scorer = find_scorer(name)
    if scorer is not None:
        made = sizes(arguments, SCORER_SIZES)
        built = scorer(made["query_size"], made["value_size"])
        _print(read_docstring(type(built)), built, console)
        return 0
    made = sizes(arguments, SIZES)
    if name in known_models():
        explain_model(
            name, made, given_sizes(arguments), console, lambda kind, cell: _print(read_docstring(kind), cell, console)
        )
        return 0
    found = find(name, (*known_scorers(), *known_models(), *LAYERS))
    if len(found) > 1:
        raise UserError(f"{name} has {len(found)} cells: give one, such as {next(iter(found))}")
    cell = _made(name, next(iter(found.values())), made["input_size"], made["hidden_size"])
    _print(read_docstring(type(cell)), cell, console)
    return 0


def _made(name: str, make: MakeCell, input_size: int, hidden_size: int) -> Cell:
    try:
        return make(input_size, hidden_size)
    except (TypeError, ValueError, RuntimeError, AssertionError) as error:
        raise UserError(
            f"{name} refuses input_size={input_size} hidden_size={hidden_size} ({first_line(error)}): give other sizes"
        ) from error


def _print(explained: Explained, cell: Cell | Scorer | None, console: Console) -> None:
    say(console, explained.title)
    say(console)
    for equation in explained.equations:
        say(console, f"    {equation}")
    if explained.equations:
        say(console)
    for key, value in explained.fields.items():
        text = value if key != "Parameters" or cell is None else _arithmetic(value, cell)
        say(console, f"{key + ':':13}{text}")
    for paragraph in explained.rest:
        say(console)
        say(console, paragraph)


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


def listing() -> None:
    """Print every cell, layer and scorer, with the parameters of one size."""
    console = command_console()
    cells = {name: find(name)[name](SIZES["input_size"], SIZES["hidden_size"]) for name in known_cells()}
    console.print(_table("cell", {name: ("", cell) for name, cell in cells.items()}))
    say(console, f"\nparameters at {' '.join(f'{key}={value}' for key, value in SIZES.items())}\n")
    console.print(_table("layer", _examples()))
    made = {name: our_scorer(name)(SCORER_SIZES["query_size"], SCORER_SIZES["value_size"]) for name in known_scorers()}
    console.print()
    console.print(_table("scorer", {name: ("", scorer) for name, scorer in made.items()}))
    say(console, f"\nparameters of scorers at {' '.join(f'{key}={value}' for key, value in SCORER_SIZES.items())}")


def _table(kind: str, made: Mapping[str, tuple[str, nn.Module]]) -> Table:
    """made: by name, the cells of a layer (empty for a cell or a scorer) and the module."""
    table = Table(box=None, pad_edge=False)
    table.add_column(kind)
    if kind == "layer":
        table.add_column("over")
    table.add_column("parameters", justify="right")
    table.add_column("what it is", overflow="fold")
    for name, (over, module) in made.items():
        count = sum(parameter.numel() for parameter in module.parameters())
        table.add_row(name, *([over] if over else []), f"{count:,}", read_docstring(type(module)).title)
    return table


def _examples() -> dict[str, tuple[str, nn.Module]]:
    """Each layer over cells of the size that is listed, and the names of these cells."""
    D, H = SIZES["input_size"], SIZES["hidden_size"]
    return {
        "Recurrent": ("lstm", Recurrent(LSTMCell(D, H))),
        "Bidirectional": ("two lstm", Bidirectional(LSTMCell(D, H), LSTMCell(D, H))),
        "CBRNN": ("two elman", CBRNN(ElmanCell(D, H), ElmanCell(D, H))),
        "Stacked": ("two lstm", Stacked([Recurrent(LSTMCell(D, H)), Recurrent(LSTMCell(H, H))])),
    }
