"""Every cell joins the conformance suite by one line."""

from __future__ import annotations

from collections.abc import Callable

import torch

from lightning_seq.cells.cell import Cell
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

from .other_cells import ClockworkCell, Outputs, ReadoutCell, SCRNCell

D, H = 3, 4

CELLS: dict[str, Callable[[], Cell]] = {
    "elman": lambda: ElmanCell(D, H),
    "elman_relu": lambda: ElmanCell(D, H, activation="relu"),
    "elman_logistic": lambda: ElmanCell(D, H, activation="logistic"),
    "elman_identity": lambda: ElmanCell(D, H, activation="identity"),
    "elman_without_bias": lambda: ElmanCell(D, H, bias=False),
    "jordan": lambda: JordanCell(D, H, output_size=2, output_activation="logistic"),
    "jordan_no_hidden_layer": lambda: JordanCell(D, H, hidden_layers=0),
    "jordan_three_hidden_layers": lambda: JordanCell(D, H, hidden_layers=3),
    "jordan_without_bias": lambda: JordanCell(D, H, bias=False),
    "lstm": lambda: LSTMCell(D, H),
    "lstm_without_bias": lambda: LSTMCell(D, H, bias=False),
    "lstm_frozen_bias": lambda: LSTMCell(D, H, bias={"f": 1.0, "o": -0.5}),
    "projected_lstm": lambda: ProjectedLSTMCell(D, H, 2),
    "projected_lstm_without_bias": lambda: ProjectedLSTMCell(D, H, 2, bias=False),
    "peephole_lstm": lambda: PeepholeLSTMCell(D, H),
    "peephole_lstm_full": lambda: PeepholeLSTMCell(D, H, peephole="full"),
    "greff_lstm": lambda: GreffLSTMCell(D, H),
    "greff_no_input_gate": lambda: GreffLSTMCell(D, H, input_gate=False),
    "greff_no_forget_gate": lambda: GreffLSTMCell(D, H, forget_gate=False),
    "greff_no_output_gate": lambda: GreffLSTMCell(D, H, output_gate=False),
    "greff_no_input_activation": lambda: GreffLSTMCell(D, H, input_activation=False),
    "greff_no_output_activation": lambda: GreffLSTMCell(D, H, output_activation=False),
    "greff_coupled": lambda: GreffLSTMCell(D, H, coupled=True),
    "greff_no_peepholes": lambda: GreffLSTMCell(D, H, peepholes=False),
    "greff_full_gate_recurrence": lambda: GreffLSTMCell(D, H, full_gate_recurrence=True),
    "greff_full_gate_recurrence_coupled": lambda: GreffLSTMCell(D, H, full_gate_recurrence=True, coupled=True),
    "gru": lambda: GRUCell(D, H),
    "gru_without_bias": lambda: GRUCell(D, H, bias=False),
    "gru_frozen_bias": lambda: GRUCell(D, H, bias={"z": 2.0, "n": 0.5}),
    "gru_reset_before": lambda: GRUResetBeforeCell(D, H),
    "gru_reset_before_frozen_bias": lambda: GRUResetBeforeCell(D, H, bias={"r": 0.3}),
    "update_gate": lambda: UpdateGateCell(D, H),
    "minimal_gated": lambda: MinimalGatedCell(D, H),
    "lstm_layernorm": lambda: LayerNormLSTMCell(D, H),
    "lstm_layernorm_without_bias": lambda: LayerNormLSTMCell(D, H, bias=False),
    "gru_layernorm": lambda: LayerNormGRUCell(D, H),
    "conv_lstm_1d": lambda: ConvLSTMCell(2, 2, [5]),
    "conv_lstm_2d_peepholes": lambda: ConvLSTMCell(2, 2, [3, 2], peepholes=True),
    "combined": lambda: CombinedCell(H),
    "external_lstm": lambda: ExternalCell(D, H, torch.nn.LSTMCell),
    "external_gru": lambda: ExternalCell(D, H, torch.nn.GRUCell, {"bias": False}),
    "external_output_of_its_own": lambda: ExternalCell(D, H, Outputs),
    "scrn": lambda: SCRNCell(D, H),
    "readout": lambda: ReadoutCell(D, H),
    "clockwork": lambda: ClockworkCell(D, H),
}

WITHOUT_ORACLE = ("external_lstm", "external_gru", "external_output_of_its_own", "scrn", "readout", "clockwork")
"""Somebody else's, or written as a user would."""
