"""An entry of a comparison, prepared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lightning_seq.config.entry import Entry

if TYPE_CHECKING:
    from lightning_seq.builders.inputs import Inputs


@dataclass
class PreparedEntry:
    """An entry whose data and vectors are in the cache and whose model can be built.

    monitor, mode: the validation metric that selects, and whether its `max` or `min` is best.
    """

    entry: Entry
    data: Any
    inputs: Inputs
    parameters: dict[str, int]
    monitor: str
    mode: str
