"""Compare recurrent networks fairly: PyTorch Lightning experiments for sequence models, on word2vec inputs.

The classes and functions of this module work in any torch script, without configuration files.
"""

import sys

if sys.argv[:1] == ["-m"] and "lightning_seq" in sys.orig_argv[-len(sys.argv)] and not sys.flags.safe_path:
    del sys.path[0]  # the working directory: `python -m` searches it before Python's own modules

from typing import TYPE_CHECKING

from lightning_seq.lazy import handed_on

if TYPE_CHECKING:
    from lightning_seq.cells.cell import Cell, Noise, Step
    from lightning_seq.cells.combined import CombinedCell
    from lightning_seq.cells.conv_lstm import ConvLSTMCell
    from lightning_seq.cells.elman import ElmanCell
    from lightning_seq.cells.external import ExternalCell
    from lightning_seq.cells.greff_lstm import GreffLSTMCell
    from lightning_seq.cells.gru import GRUCell
    from lightning_seq.cells.gru_reset_before import GRUResetBeforeCell
    from lightning_seq.cells.jordan import JordanCell
    from lightning_seq.cells.layer_norm_gru import LayerNormGRUCell
    from lightning_seq.cells.layer_norm_lstm import LayerNormLSTMCell
    from lightning_seq.cells.lstm import LSTMCell
    from lightning_seq.cells.minimal_gated import MinimalGatedCell
    from lightning_seq.cells.peephole_lstm import PeepholeLSTMCell
    from lightning_seq.cells.projected_lstm import ProjectedLSTMCell
    from lightning_seq.cells.update_gate import UpdateGateCell
    from lightning_seq.inference.load import load
    from lightning_seq.layers.bidirectional import Bidirectional
    from lightning_seq.layers.cbrnn import CBRNN
    from lightning_seq.layers.dropout import LockedDropout, Regularisation
    from lightning_seq.layers.recurrent import GRU, LSTM, Elman, Recurrent
    from lightning_seq.layers.stacked import Stacked
    from lightning_seq.spec import Batch, DataSpec, Encoded

__version__ = "0.2.0"
__all__ = [
    "CBRNN", "GRU", "LSTM", "Batch", "Bidirectional", "Cell", "CombinedCell", "ConvLSTMCell", "DataSpec", "Elman",
    "ElmanCell", "Encoded", "ExternalCell", "GRUCell", "GRUResetBeforeCell", "GreffLSTMCell", "JordanCell",
    "LSTMCell", "LayerNormGRUCell", "LayerNormLSTMCell", "LockedDropout", "MinimalGatedCell", "Noise",
    "PeepholeLSTMCell", "ProjectedLSTMCell", "Recurrent", "Regularisation", "Stacked", "Step", "UpdateGateCell",
    "load",
]  # fmt: skip

_HOMES = {
    "cells.cell": ("Cell", "Noise", "Step"),
    "cells.combined": ("CombinedCell",),
    "cells.conv_lstm": ("ConvLSTMCell",),
    "cells.elman": ("ElmanCell",),
    "cells.external": ("ExternalCell",),
    "cells.greff_lstm": ("GreffLSTMCell",),
    "cells.gru": ("GRUCell",),
    "cells.gru_reset_before": ("GRUResetBeforeCell",),
    "cells.jordan": ("JordanCell",),
    "cells.layer_norm_gru": ("LayerNormGRUCell",),
    "cells.layer_norm_lstm": ("LayerNormLSTMCell",),
    "cells.lstm": ("LSTMCell",),
    "cells.minimal_gated": ("MinimalGatedCell",),
    "cells.peephole_lstm": ("PeepholeLSTMCell",),
    "cells.projected_lstm": ("ProjectedLSTMCell",),
    "cells.update_gate": ("UpdateGateCell",),
    "inference.load": ("load",),
    "layers.bidirectional": ("Bidirectional",),
    "layers.cbrnn": ("CBRNN",),
    "layers.dropout": ("LockedDropout", "Regularisation"),
    "layers.recurrent": ("Elman", "GRU", "LSTM", "Recurrent"),
    "layers.stacked": ("Stacked",),
    "spec": ("Batch", "DataSpec", "Encoded"),
}


__getattr__ = handed_on(__name__, _HOMES)  # `import lightning_seq` does not import torch


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
