"""`lightning-seq explain`: a cell, layer, scorer or model by its docstring, with its parameters counted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table
from torch import nn

from lightning_seq.cells.elman import ElmanCell
from lightning_seq.cells.lstm import LSTMCell
from lightning_seq.cli.docstrings import parameter_count, print_docstring, read_docstring
from lightning_seq.cli.find_cell import cell_of, find, known_cells
from lightning_seq.cli.find_scorer import find_scorer, known_scorers, our_scorer
from lightning_seq.cli.verbs import Explain
from lightning_seq.config.compose import compose
from lightning_seq.config.groups import groups
from lightning_seq.config.targets import factory, resolve
from lightning_seq.config.tree import plain_differences
from lightning_seq.errors import UserError, first_line
from lightning_seq.layers.bidirectional import Bidirectional
from lightning_seq.layers.cbrnn import CBRNN
from lightning_seq.layers.recurrent import Recurrent
from lightning_seq.layers.stacked import Stacked
from lightning_seq.models.sequence_writer import SequenceWriter
from lightning_seq.terminal import command_console, say

SIZES = {"input_size": 100, "hidden_size": 128}
SCORER_SIZES = {"query_size": 128, "value_size": 256}
LAYERS: dict[str, type[nn.Module]] = {kind.__name__: kind for kind in (Recurrent, Bidirectional, CBRNN, Stacked)}


def known_models() -> tuple[str, ...]:
    """The choices of `model=` that are not also the name of a cell: such a name is explained as a cell."""
    return tuple(sorted({*groups()["model"]} - {*groups()["cell"]}))


def run(arguments: Explain) -> int:
    """Print the docstring of one cell, layer, scorer or model. Raises UserError for an unknown name or size."""
    console, name = command_console(), arguments.name
    scorer = None if name in LAYERS else find_scorer(name)
    size = arguments.sizes(SIZES if scorer is None else SCORER_SIZES)
    if name in LAYERS:
        print_docstring(LAYERS[name], None, console)
    elif scorer is not None:
        built = scorer(size["query_size"], size["value_size"])
        print_docstring(type(built), built, console)
    elif name in known_models():
        _explain_model(arguments, size, console)
    else:
        _explain_cell(name, size, console)
    return 0


def _explain_cell(name: str, size: Mapping[str, int], console: Console) -> None:
    cells = find(name, (*known_scorers(), *known_models(), *LAYERS))
    if len(cells) > 1:
        raise UserError(f"{name} has {len(cells)} cells: give one, such as {next(iter(cells))}")
    (make,) = cells.values()
    try:
        cell = make(size["input_size"], size["hidden_size"])
    except (TypeError, ValueError, RuntimeError, AssertionError) as error:
        raise UserError(f"{name} refuses {_shown(size)} ({first_line(error)}): give other sizes") from error
    print_docstring(type(cell), cell, console)


def _explain_model(arguments: Explain, size: Mapping[str, int], console: Console) -> None:
    """Print the layers, the settings and the cell of a choice of `model=`, or its docstring.

    Raises UserError for a size that the model does not have.
    """
    name = arguments.name
    config = compose([f"model={name}"])
    cell, model = cell_of(config), dict(config["model"])
    kind = resolve(model["_target_"], "model")
    if arguments.hidden_size is not None and "hidden_size" not in model:
        raise UserError(f"hidden_size={size['hidden_size']}: model={name} has no hidden_size, take it out")
    if cell is None or issubclass(kind, SequenceWriter):
        say(console, f"model={name}" + (f", over the cell {cell} (cell= takes another one)" if cell else "") + "\n")
        print_docstring(kind, None, console)
        return
    model["hidden_size"] = size["hidden_size"]
    encoder = factory(model, "model")(size["input_size"], cell=factory(config["cell"], "cell"))
    stack = getattr(encoder, "recurrent", encoder).stack
    layers, top = len(stack.layers), stack.layers[-1]
    first = "a convolution, then " if stack is not getattr(encoder, "stack", None) else ""
    layer = f"{layers} layer{'s' if layers > 1 else ''} {type(top).__name__}"
    say(console, f"model={name}: {first}{layer} over the cell {cell}")
    changed = [
        f"{key}={str(value).lower() if isinstance(value, bool) else value}"
        for key, _, value in plain_differences(compose(["model=recurrent", f"cell={cell}"]), config)
        if key.partition(".")[0] in ("model", "cell", "init") and not key.endswith("_target_")
    ]
    if changed:
        say(console, f"Settings:    {' '.join(changed)}")
    say(console, f"Parameters:  {parameter_count(encoder):,} at {_shown(size)}")
    say(console, f"\n--- layer {type(top).__name__}\n")
    print_docstring(type(top), None, console)
    built = getattr(stack.layers[0], "forwards", stack.layers[0]).cell
    say(console, f"\n--- cell {cell}\n")
    print_docstring(type(built), built, console)


def _shown(size: Mapping[str, int]) -> str:
    return " ".join(f"{key}={value}" for key, value in size.items())


def listing() -> None:
    """Print every cell, layer and scorer, with the parameters of one size."""
    console = command_console()
    D, H = SIZES.values()
    layers = [
        Recurrent(LSTMCell(D, H)),
        Bidirectional(LSTMCell(D, H), LSTMCell(D, H)),
        CBRNN(ElmanCell(D, H), ElmanCell(D, H)),
        Stacked([Recurrent(LSTMCell(D, H)), Recurrent(LSTMCell(H, H))]),
    ]
    _print_table("cell", {name: find(name)[name](D, H) for name in known_cells()}, console)
    say(console, f"\nparameters at {_shown(SIZES)}\n")
    cells = ("lstm", "two lstm", "two elman", "two lstm")
    _print_table("layer", {type(layer).__name__: layer for layer in layers}, console, cells)
    console.print()
    scorers = {name: our_scorer(name)(*SCORER_SIZES.values()) for name in known_scorers()}
    _print_table("scorer", scorers, console)
    say(console, f"\nparameters of scorers at {_shown(SCORER_SIZES)}")


def _print_table(kind: str, modules: Mapping[str, nn.Module], console: Console, cells: Sequence[str] = ()) -> None:
    """cells: of layers, the names of the cells of each."""
    table = Table(box=None, pad_edge=False)
    table.add_column(kind)
    if cells:
        table.add_column("over")
    table.add_column("parameters", justify="right")
    table.add_column("what it is", overflow="fold")
    for number, (name, module) in enumerate(modules.items()):
        title = read_docstring(type(module)).title
        table.add_row(name, *cells[number : number + 1], f"{parameter_count(module):,}", title)
    console.print(table)
