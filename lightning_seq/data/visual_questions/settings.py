"""How questions about pictures are prepared for batches."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from lightning_seq.data.captioning.settings import CaptionSettings
from lightning_seq.errors import UserError, one_of
from lightning_seq.text.vqa_answers import normalise_answer

NORMALISERS: Mapping[str, Callable[[str], str]] = {"none": lambda text: text, "vqa": normalise_answer}
"""What is done to answers before they are compared."""


@dataclass(frozen=True)
class QuestionSettings(CaptionSettings):
    """`max_length` is of questions.

    top_answers:       how many answers the model chooses from, the most frequent of training; None for all.
    normalise_answers: of all answers and choices, one of `NORMALISERS`.
    """

    top_answers: int | None = None
    normalise_answers: str = "none"

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of("data.normalise_answers", self.normalise_answers, NORMALISERS)
        if self.top_answers is not None and self.top_answers < 2:
            raise UserError(f"data.top_answers is {self.top_answers}: expected at least 2, or null for all")
