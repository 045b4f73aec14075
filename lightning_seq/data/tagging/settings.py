"""What is done to tagged sentences before they are batches."""

from __future__ import annotations

from dataclasses import dataclass, field

from lightning_seq.data.tagging.spelling import WordForm
from lightning_seq.errors import UserError, near
from lightning_seq.files import Plain
from lightning_seq.text.bio_tags import check_scheme

UNSEEN = ("error", "ignore")


@dataclass(frozen=True)
class TagSettings:
    """What is done to the sentences of a source.

    form:            which word a token counts as.
    min_count, max_vocabulary: of these words, in training; the others are unknown.
    max_word_length: characters of a token that are kept, from its beginning.
    max_length:      tokens of a sentence that are kept, from its beginning; None for all.
    scheme:          see `SCHEMES`.
    repair:          whether tags that are malformed in their scheme are mended (in BIO an I-X that follows neither B-X
                     nor I-X becomes B-X), or are an error.
    unseen_tags:     `error` or `ignore`: what a tag or intent is that training does not have.

    Raises UserError for values out of range.
    """

    form: WordForm = field(default_factory=WordForm)
    min_count: int = 1
    max_vocabulary: int | None = None
    max_word_length: int = 30
    max_length: int | None = None
    scheme: str = "auto"
    repair: bool = False
    unseen_tags: str = "error"

    def __post_init__(self) -> None:
        check_scheme(self.scheme)
        if self.unseen_tags not in UNSEEN:
            raise UserError(f"data.unseen_tags is {self.unseen_tags!r}; {near(str(self.unseen_tags), UNSEEN)}")
        if self.max_length is not None and self.max_length < 1:
            raise UserError(f"data.max_length is {self.max_length}, expected at least 1, or null for no limit")
        if self.max_word_length < 1:
            raise UserError(f"data.max_word_length is {self.max_word_length}, expected at least 1")

    def to_plain(self) -> Plain:
        return vars(self) | {"form": self.form.to_plain()}
