"""The fastest engine that can run a cell."""

from __future__ import annotations

from typing import Annotated

from torch import Tensor

from lightning_seq.cells.cell import Cell, Noise
from lightning_seq.engines.aten import Aten
from lightning_seq.engines.engine import Engine
from lightning_seq.engines.fused import Fused
from lightning_seq.engines.loop import Loop
from lightning_seq.engines.native import Native
from lightning_seq.errors import UserError, one_of
from lightning_seq.value_types import OneOf

ENGINES = ("auto", "fused", "aten", "native", "loop")
EngineName = Annotated[str, OneOf(ENGINES)]


def engines() -> dict[str, Engine]:
    """All engines by name, the fastest first."""
    return {engine.name: engine for engine in (Fused(), Aten(), Native(), Loop())}


def choose(wanted: str, cell: Cell, x: Tensor, noise: Noise | None = None, trace: bool = False) -> Engine:
    """The engine of that name, or for `auto` the fastest that can run the cell.

    Raises UserError for an unknown name, and for an engine that cannot run the cell.
    """
    known = engines()
    if one_of("engine", wanted, ENGINES) == "auto":
        return next(engine for engine in known.values() if engine.refuses(cell, x, noise, trace) is None)
    reason = known[wanted].refuses(cell, x, noise, trace)
    if reason is not None:
        raise UserError(f"engine={wanted} cannot run this cell: {reason}; use engine=auto or engine=loop")
    return known[wanted]
