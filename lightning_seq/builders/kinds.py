"""The kinds of task."""

from __future__ import annotations

from lightning_seq.builders import (
    bits,
    captioning,
    classification,
    forecasting,
    language_modelling,
    next_frame,
    regression,
    sequence_to_sequence,
    sequences_of_sets,
    speech_recognition,
    tagging,
    vectors,
    video,
    visual_dialog,
    visual_questions,
)
from lightning_seq.builders.task_kind import TaskKind
from lightning_seq.errors import UserError
from lightning_seq.spec import Bits, Class, DataSpec, Features, Grid, Tags

KINDS = (
    classification.KIND,
    tagging.KIND,
    language_modelling.KIND,
    sequences_of_sets.KIND,
    sequence_to_sequence.KIND,
    captioning.KIND,
    speech_recognition.KIND,
    visual_questions.KIND,
    visual_dialog.KIND,
    regression.KIND,
    forecasting.KIND,
    next_frame.KIND,
)


def kind_of(spec: DataSpec) -> TaskKind:
    """The kind of task of the data. Raises TypeError if no kind has such targets."""
    if isinstance(spec.targets, Bits) and not spec.targets.shifted:
        return bits.KIND
    if isinstance(spec.inputs, Features) and type(spec.targets) in (Class, Tags):
        return vectors.CLASSES if type(spec.targets) is Class else vectors.TAGS
    if isinstance(spec.inputs, Grid) and type(spec.targets) in (Class, Tags):
        return video.CLASSES if type(spec.targets) is Class else video.TAGS
    for kind in KINDS:
        if type(spec.targets) is kind.targets:
            return kind
    raise TypeError(f"no kind of task predicts {type(spec.targets).__name__}")


def check_verb(verb: str, kind: TaskKind) -> None:
    """Raises UserError, naming the verbs that fit, for a verb that does not fit the model."""
    if verb not in kind.verbs:
        others = [other.name for other in KINDS if verb in other.verbs]
        raise UserError(
            f"{verb} is for {' and '.join(others)}, and this checkpoint is {kind.name}: use {' or '.join(kind.verbs)}"
        )
