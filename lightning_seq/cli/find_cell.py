"""Find the cells of a name: a choice of `cell=`, a class, or all cells of a module."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from importlib import import_module
from types import ModuleType

from torch import nn

from lightning_seq.builders.build import takes_a_cell
from lightning_seq.cells.cell import Cell
from lightning_seq.cells.combined import CombinedCell
from lightning_seq.cells.conv_lstm import ConvLSTMCell
from lightning_seq.cells.external import ExternalCell
from lightning_seq.config.compose import compose
from lightning_seq.config.groups import groups
from lightning_seq.config.targets import class_at, factory
from lightning_seq.config.tree import Config
from lightning_seq.errors import UserError, near
from lightning_seq.own_modules import admit

MakeCell = Callable[[int, int], Cell]


UNCONFIGURED: dict[str, MakeCell] = {
    "combined": lambda input_size, hidden_size: CombinedCell(hidden_size),
    "conv_lstm": lambda input_size, hidden_size: ConvLSTMCell(input_size, hidden_size, space=(8,)),
}
"""Cells that are not a choice of `cell=`, because an encoder over vectors has no use for them."""


def known_cells() -> tuple[str, ...]:
    """Our cells: the choices of `cell=` without the adapter, and `UNCONFIGURED`."""
    return tuple(sorted({*groups()["cell"], *UNCONFIGURED} - {"external"}))


def find(name: str, other_names: Sequence[str] = ()) -> dict[str, MakeCell]:
    """By name, functions from (input_size, hidden_size) to a cell.

    name:        a choice of `cell=` (`lstm`); a class (`my_package.MyCell`) with our contract or torch's convention; or
                 a module, for every class in it whose name ends in `Cell`. A class or module is imported.
    other_names: further choices that the error names to the user.

    Raises UserError for an unknown cell.
    """
    if name in UNCONFIGURED:
        return {name: UNCONFIGURED[name]}
    if name in known_cells():
        node = compose(["model=recurrent", f"cell={name}"])["cell"]
        return {name: factory(node, "cell")}
    if name in groups()["model"]:
        cell = cell_of(compose([f"model={name}"]))
        built = f"made of the cell {cell}: give {cell}" if cell else "not made of cells"
        raise UserError(f"{name} is a model, {built}; `lightning-seq explain {name}` says more")
    try:
        kind = class_at(name, "the cell", (), [name.partition(".")[0]]) if "." in name else None
    except UserError:
        cells = _cells_of(name, other_names)
        if not cells:
            raise
        return cells
    if kind is not None:
        return {name: _maker(kind)}
    cells = _cells_of(name, other_names)
    if not cells:
        choices = near(name, (*known_cells(), *other_names))
        raise UserError(f"the module {name} has no class whose name ends in 'Cell'; {choices}")
    return cells


def cell_of(config: Config) -> str | None:
    """The choice of `cell=` of the configured model; None for a model without cells."""
    return str(config["choices"]["cell"]) if takes_a_cell(config) else None


def passed_over(name: str) -> list[str]:
    """The torch modules that a module defines and that `find` leaves out, because their names do not end in `Cell`."""
    return [
        key
        for key, kind in _classes(import_module(name))
        if not key.endswith("Cell") and f"{kind.__module__}.".startswith(f"{name}.")
    ]


def _classes(module: ModuleType) -> Iterator[tuple[str, type[nn.Module]]]:
    for key, kind in vars(module).items():
        if inspect.isclass(kind) and issubclass(kind, nn.Module) and not inspect.isabstract(kind):
            yield key, kind


def _cells_of(name: str, other_names: Sequence[str]) -> dict[str, MakeCell]:
    admit([name])
    try:
        module = import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and not name.startswith(error.name):
            raise UserError(f"{name} needs the module {error.name}: install it") from error
        choices = near(name, (*known_cells(), *other_names))
        raise UserError(f"there is no cell {name!r}; {choices}; a class of your own is my_package.MyCell") from error
    return {f"{name}.{key}": _maker(kind) for key, kind in _classes(module) if key.endswith("Cell")}


def _maker(kind: type) -> MakeCell:
    if issubclass(kind, Cell):
        return partial(kind)
    if not issubclass(kind, nn.Module):
        raise UserError(f"{kind.__name__} is not a torch module: expected a cell, (x_t, state) -> state")
    return partial(ExternalCell, path=kind)
