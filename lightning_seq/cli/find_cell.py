"""Which cell a name means: a choice of `cell=`, a class, or all cells of a package."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib import import_module
from typing import Any

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

MakeCell = Callable[[int, int], Cell]


BESIDE: dict[str, MakeCell] = {
    "combined": lambda input_size, hidden_size: CombinedCell(hidden_size),
    "conv_lstm": lambda input_size, hidden_size: ConvLSTMCell(input_size, hidden_size, space=(8,)),
}
"""Cells that are no choice of `cell=`, because an encoder over vectors has no use for them."""


def known_cells() -> tuple[str, ...]:
    """Our cells: the choices of `cell=` without the adapter, and those other_names them."""
    return tuple(sorted({*groups()["cell"], *BESIDE} - {"external"}))


def find(name: str, other_names: Sequence[str] = ()) -> dict[str, MakeCell]:
    """By name, what makes a cell from (input_size, hidden_size).

    name:   a choice of `cell=` (`lstm`), a class (`my_package.MyCell`) with our contract or torch's convention, or a
            module, for every class in it whose name ends in `Cell`. The user has named it: it is imported.
    other_names: further choices that the error names to the user.

    Raises UserError where there is no such cell.
    """
    if name in BESIDE:
        return {name: BESIDE[name]}
    if name in known_cells():
        node = compose(["model=recurrent", f"cell={name}"])["cell"]
        return {name: factory(node, "cell")}
    if name in groups()["model"]:
        cell = cell_of(compose([f"model={name}"]))
        made = f"made of the cell {cell}: give {cell}" if cell else "not made of cells"
        raise UserError(f"{name} is a model, {made}; `lightning-seq explain {name}` says more")
    if "." not in name:
        found = _cells_of(name, other_names)
        if not found:
            choices = near(name, (*known_cells(), *other_names))
            raise UserError(f"the module {name} has no class whose name ends in 'Cell'; {choices}")
        return found
    try:
        kind = class_at(name, "the cell", [name.partition(".")[0]])
    except UserError:
        found = _cells_of(name, other_names)
        if found:
            return found
        raise
    return {name: _maker(kind)}


def cell_of(config: Config) -> str | None:
    """The choice of `cell=` that the configured model is made of; None for a model without cells."""
    return str(config["choices"]["cell"]) if takes_a_cell(config) else None


def passed_over(name: str) -> list[str]:
    """The torch modules that a module defines and that `find` does not take, since their names do not end in `Cell`."""
    return [
        key
        for key, kind in vars(import_module(name)).items()
        if inspect.isclass(kind)
        and issubclass(kind, nn.Module)
        and not key.endswith("Cell")
        and not inspect.isabstract(kind)
        and (kind.__module__ == name or kind.__module__.startswith(f"{name}."))
    ]


def _cells_of(name: str, other_names: Sequence[str]) -> dict[str, MakeCell]:
    try:
        module = import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and not name.startswith(error.name):
            raise UserError(f"{name} needs the module {error.name}: install it") from error
        choices = near(name, (*known_cells(), *other_names))
        raise UserError(f"there is no cell {name!r}; {choices}; a class of your own is my_package.MyCell") from error
    return {
        f"{name}.{key}": _maker(kind)
        for key, kind in vars(module).items()
        if inspect.isclass(kind)
        and key.endswith("Cell")
        and issubclass(kind, nn.Module)
        and not inspect.isabstract(kind)
    }


def _maker(kind: type[Any], arguments: Mapping[str, Any] | None = None) -> MakeCell:
    if issubclass(kind, Cell):
        return partial(kind, **(arguments or {}))
    if not issubclass(kind, nn.Module):
        raise UserError(f"{kind.__name__} is not a torch module: expected a cell, (x_t, state) -> state")
    return partial(ExternalCell, path=kind, arguments=arguments)
