"""The kinds of task, and which one a model is of."""

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
from lightning_seq.errors import UserError
from lightning_seq.spec import Bits, DataSpec

KINDS = (
    classification.KIND,
    tagging.KIND,
    language_modelling.KIND,
    sequences_of_sets.KIND,
    sequence_to_sequence.KIND,
    regression.KIND,
)


def kind_of(spec: DataSpec) -> TaskKind:
    """The kind of task that data are for. Raises TypeError for targets that no kind of task has."""
    if isinstance(spec.targets, Bits) and not spec.targets.shifted:
        return bits.KIND
    for kind in KINDS:
        if type(spec.targets) is kind.targets:
            return kind
    raise TypeError(f"no kind of task predicts {type(spec.targets).__name__}")


def check_verb(verb: str, kind: TaskKind) -> None:
    """Raises UserError, with the verbs that fit, for a model that the verb is not for."""
    if verb not in kind.verbs:
        others = [other.name for other in KINDS if verb in other.verbs]
        raise UserError(
            f"{verb} is for {' and '.join(others)}, and this checkpoint is {kind.name}: use {' or '.join(kind.verbs)}"
        )
