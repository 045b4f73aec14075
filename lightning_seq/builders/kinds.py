"""The kinds of task, by the type of their targets."""

from __future__ import annotations

from lightning_seq.builders import (
    bits,
    classification,
    language_modelling,
    regression,
    sequence_to_sequence,
    sequences_of_sets,
    tagging,
)
from lightning_seq.builders.task_kind import TaskKind
from lightning_seq.spec import Bits, Class, DataSpec, NextToken, Tags, TokenSequence, Values

KINDS: dict[type, TaskKind] = {
    Class: classification.KIND,
    Tags: tagging.KIND,
    NextToken: language_modelling.KIND,
    Bits: sequences_of_sets.KIND,
    TokenSequence: sequence_to_sequence.KIND,
    Values: regression.KIND,
}


def kind_of(spec: DataSpec) -> TaskKind:
    """Raises TypeError for targets that no kind of task has."""
    if isinstance(spec.targets, Bits) and not spec.targets.shifted:
        return bits.KIND
    if type(spec.targets) not in KINDS:
        raise TypeError(f"no kind of task predicts {type(spec.targets).__name__}")
    return KINDS[type(spec.targets)]
