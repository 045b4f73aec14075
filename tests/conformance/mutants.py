"""Broken cells and layers, each with one mistake that has been made in published code. The suite must catch them all.

`python -m tests.conformance.mutants` prints which check caught each.
"""

from __future__ import annotations

from typing import Any

from lightning_seq.cells.external import ExternalCell
from lightning_seq.cells.gru import GRUCell
from lightning_seq.cells.lstm import LSTMCell
from lightning_seq.conformance.check import failure
from lightning_seq.conformance.oracles import ORACLES
from lightning_seq.conformance.suite import CHECKS, Subject
from lightning_seq.layers.bidirectional import Bidirectional

from .broken_cells import (
    BiasTwice,
    CountsForNothing,
    CountsInFloats,
    CoupledToItself,
    D,
    Detached,
    FeedsHiddenBack,
    FlippedKernel,
    GRUBiasOutside,
    GRUMirrored,
    H,
    InPlace,
    LSTMForgetsC,
    LSTMForgetsH,
    LSTMWithoutTanh,
    MGUMirrored,
    NormPerGate,
    OutputOfAnotherState,
    OutputStays,
    PeepholeOfOldMemory,
    PeepholesSwapped,
    ProjectsMemory,
    RandomStart,
    Remembers,
    ResetAfterInstead,
    SaysAnotherWidth,
    SinglePrecision,
    Truncated,
    permuted,
)
from .broken_layers import (
    BackwardIsForward,
    ForgetsTheState,
    ForgetsTheStates,
    HalvesSwapped,
    HandsOutTheState,
    IgnoresLengths,
    IgnoresNoise,
    LastColumn,
    LeaksIntoPadding,
    LosesTheOddStep,
    MasksBefore,
    MultipliesByTheMask,
    NeverReverses,
    OneDirectionTwice,
    ReversesPadding,
    SwapsTheStates,
)
from .other_cells import Outputs, ReadoutCell
from .unchecked import BroadcastsState, CastsToFit, CutsToFit, IgnoresMoreState, ProjectsWhatItKnows


def cell(kind: Any, *sizes: Any, **options: Any) -> Subject:
    """With the oracle of the class that it was broken from."""
    oracle = next((ORACLES[base] for base in kind.__mro__ if base in ORACLES), None)
    return Subject(lambda: kind(*(sizes or (D, H)), **options), oracle=oracle)


def layer(kind: Any, reverse: bool = False) -> Subject:
    return Subject(lambda: LSTMCell(D, H), reverse=reverse, recurrent=kind)


def pair(kind: Any) -> Subject:
    def made(forwards: Any, backwards: Any, engine: str) -> Bidirectional:
        return kind(forwards, backwards, engine=engine)

    return Subject(lambda: GRUCell(D, H), bidirectional=made)


MUTANTS: dict[str, tuple[Subject, str]] = {
    "LSTM: i and f swapped": (cell(permuted(LSTMCell, (1, 0, 2, 3))), "oracle"),
    "LSTM: g and o swapped": (cell(permuted(LSTMCell, (0, 1, 3, 2))), "oracle"),
    "LSTM: no tanh on the way out": (cell(LSTMWithoutTanh), "oracle"),
    "LSTM: c is not carried": (cell(LSTMForgetsC), "everything counts"),
    "LSTM: h is not carried": (cell(LSTMForgetsH), "everything counts"),
    "LSTM: h is detached at each step": (cell(Truncated), "gradients"),
    "peephole LSTM: o sees c_{t-1}": (cell(PeepholeOfOldMemory), "oracle"),
    "peephole LSTM: p_i and p_f swapped": (cell(PeepholesSwapped), "oracle"),
    "GRU: r and z swapped": (cell(permuted(GRUCell, (1, 0, 2))), "oracle"),
    "GRU: z mirrored": (cell(GRUMirrored), "oracle"),
    "GRU: b_n outside the reset product": (cell(GRUBiasOutside), "oracle"),
    "GRU reset before: resets after": (cell(ResetAfterInstead), "oracle"),
    "minimal gated unit: f mirrored": (cell(MGUMirrored), "oracle"),
    "coupled gates: f = i": (cell(CoupledToItself, coupled=True), "oracle"),
    "projected LSTM: projects c, not h": (cell(ProjectsMemory, D, H, 2), "oracle"),
    "Jordan: feeds h back": (cell(FeedsHiddenBack, D, H), "oracle"),
    "layer norm: each gate by itself": (cell(NormPerGate), "oracle"),
    "ConvLSTM: kernel flipped": (cell(FlippedKernel, 2, 2, [5]), "oracle"),
    "Elman: bias added twice": (cell(BiasTwice), "columns"),
    "Elman: state detached at each step": (cell(Detached), "gradients"),
    "Elman: state kept as an attribute": (cell(Remembers), "start"),
    "Elman: writes into the state it was given": (cell(InPlace), "start"),
    "Elman: starts from a random state": (cell(RandomStart), "start"),
    "Elman: projects in single precision": (cell(SinglePrecision), "oracle"),
    "layer: mask dropped": (layer(IgnoresLengths), "alone"),
    "layer: never reverses": (layer(NeverReverses, reverse=True), "reverse"),
    "layer: reverses the padding too": (layer(ReversesPadding, reverse=True), "reverse"),
    "layer: carried state forgotten": (layer(ForgetsTheState), "chunks"),
    "layer: state wiped where the mask is False": (layer(MasksBefore), "alone"),
    "layer: outputs beyond the end": (layer(LeaksIntoPadding), "padding"),
    "layer: padding multiplied away": (layer(MultipliesByTheMask), "padding"),
    "layer: final state from the last column": (layer(LastColumn), "alone"),
    "layer: last step of an odd length lost": (layer(LosesTheOddStep), "oracle"),
    "layer: noise ignored": (layer(IgnoresNoise), "zoneout"),
    "layer: cuts a wider input": (layer(CutsToFit), "refuses what does not fit"),
    "layer: casts another type": (layer(CastsToFit), "refuses what does not fit"),
    "layer: ignores more state": (layer(IgnoresMoreState), "refuses what does not fit"),
    "Elman: one row of state for all": (cell(BroadcastsState), "refuses what does not fit"),
    "layer norm: cuts a wider input": (cell(ProjectsWhatItKnows), "refuses what does not fit"),
    "bidirectional: halves swapped": (pair(HalvesSwapped), "bidirectional"),
    "bidirectional: both run forward": (pair(BackwardIsForward), "bidirectional"),
    "bidirectional: one cell for both": (pair(OneDirectionTwice), "bidirectional"),
    "bidirectional: forgets its first states": (pair(ForgetsTheStates), "bidirectional"),
    "bidirectional: first states swapped": (pair(SwapsTheStates), "bidirectional"),
    "zoneout: the output is the first tensor of the state": (
        Subject(lambda: ReadoutCell(D, H), recurrent=HandsOutTheState),
        "zoneout",
    ),
    "zoneout: the same, of a torch module": (
        Subject(lambda: ExternalCell(D, H, Outputs), recurrent=HandsOutTheState),
        "zoneout",
    ),
    "SCRN: its output follows another state": (cell(OutputOfAnotherState), "zoneout"),
    "LSTM: its output does not follow zoneout": (cell(OutputStays), "zoneout"),
    "readout: the output is wider than it says": (cell(SaysAnotherWidth), "shapes"),
    "clockwork: an integer that becomes a real number": (cell(CountsInFloats), "shapes"),
    "clockwork: the counter counts for nothing": (cell(CountsForNothing), "everything counts"),
}
"""Each with the check that must be among those that catch it."""


def caught_by(subject: Subject, only: str | None = None) -> list[str]:
    """The names of the checks that fail; `only` names the one check to run."""
    checks = [check for check in CHECKS if only in (None, check.name) and check.applies(subject)]
    return [check.name for check in checks if failure(check, subject) is not None]


if __name__ == "__main__":
    from rich.console import Console
    from rich.table import Table

    table = Table("mutant", "caught by", box=None)
    for name, (subject, _) in MUTANTS.items():
        table.add_row(name, ", ".join(caught_by(subject)) or "NOTHING")
    Console(width=150).print(table)
