"""How recordings and their transcripts are prepared for batches."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from lightning_seq.data.cache import check_limits
from lightning_seq.data.front_end import FrontEnd
from lightning_seq.errors import one_of
from lightning_seq.field_checks import check_fields
from lightning_seq.files import Plain
from lightning_seq.value_types import OneOf, Size

NORMALISE = ("none", "global", "sequence", "group")
LEVELS = ("word", "spaced", "character")


@dataclass(frozen=True)
class SpeechSettings:
    """How the examples of a source are prepared.

    front_end: from a recording to features. Of ready features only its deltas are computed.
    normalise: subtract the mean and divide by the deviation of each feature: of all frames of training (`global`), of
               the own utterance (`sequence`), or of all utterances of the speaker in the same split (`group`; of a new
               recording, its own).
    level, lower: of transcripts, see `Segmenter`: the units are words or characters.
    min_count: of units in training; the others are unknown.

    Raises UserError for values out of range.
    """

    front_end: FrontEnd = field(default_factory=FrontEnd)
    normalise: Annotated[str, OneOf(NORMALISE)] = "group"
    level: Annotated[str, OneOf(LEVELS)] = "character"
    lower: bool = True
    min_count: Size = 1

    def __post_init__(self) -> None:
        check_fields(self, "data")
        one_of("data.level", self.level, LEVELS)
        check_limits(min_count=self.min_count)

    def to_plain(self) -> dict[str, Plain]:
        return {**vars(self), "front_end": self.front_end.to_plain()}
