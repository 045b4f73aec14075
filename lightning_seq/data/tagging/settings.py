"""How tagged sentences are prepared for batches."""

from __future__ import annotations

from dataclasses import dataclass, field

from lightning_seq.data.cache import check_limits
from lightning_seq.data.tagging.spelling import WordForm
from lightning_seq.errors import UserError, near
from lightning_seq.files import Plain
from lightning_seq.text.bio_tags import check_scheme

UNSEEN = ("error", "ignore")


@dataclass(frozen=True)
class TagSettings:
    """How the sentences of a source are prepared.

    form:            from a token to its word in the vocabulary.
    min_count, max_vocabulary: of these words, in training; the others are unknown.
    max_word_length: characters of a token that are kept, from its beginning.
    max_length:      tokens of a sentence that are kept, from its beginning; None for all.
    scheme:          see `SCHEMES`.
    repair:          correct tags that are malformed in their scheme (in BIO an I-X that follows neither B-X nor I-X
                     becomes B-X); without it they are an error.
    unseen_tags:     `error`, or `ignore` to leave tags and intents that training does not have out of the count.

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
        check_limits(max_length=self.max_length, max_word_length=self.max_word_length)

    def to_plain(self) -> Plain:
        return vars(self) | {"form": self.form.to_plain()}
