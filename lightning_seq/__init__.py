"""Compare recurrent networks fairly: PyTorch Lightning experiments for sequence models, on word2vec inputs.

What is handed out here works in any torch script, without configuration files.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lightning_seq.cells.cell import Cell, Noise, Step
    from lightning_seq.cells.elman import ElmanCell
    from lightning_seq.cells.gru import GRUCell
    from lightning_seq.cells.lstm import LSTMCell
    from lightning_seq.experiment.load import load
    from lightning_seq.layers.bidirectional import Bidirectional
    from lightning_seq.layers.recurrent import GRU, LSTM, Elman, Recurrent
    from lightning_seq.layers.stacked import Stacked
    from lightning_seq.spec import Batch, DataSpec, Encoded

__version__ = "0.1.0"
__all__ = [
    "GRU",
    "LSTM",
    "Batch",
    "Bidirectional",
    "Cell",
    "DataSpec",
    "Elman",
    "ElmanCell",
    "Encoded",
    "GRUCell",
    "LSTMCell",
    "Noise",
    "Recurrent",
    "Stacked",
    "Step",
    "load",
]

_HOMES = {
    "cells.cell": ("Cell", "Noise", "Step"),
    "cells.elman": ("ElmanCell",),
    "cells.gru": ("GRUCell",),
    "cells.lstm": ("LSTMCell",),
    "experiment.load": ("load",),
    "layers.bidirectional": ("Bidirectional",),
    "layers.recurrent": ("Elman", "GRU", "LSTM", "Recurrent"),
    "layers.stacked": ("Stacked",),
    "spec": ("Batch", "DataSpec", "Encoded"),
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for, so that `import lightning_seq` costs no torch."""
    for module, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"lightning_seq.{module}"), name)
    raise AttributeError(f"module 'lightning_seq' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
