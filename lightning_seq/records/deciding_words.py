"""deciding_words.json: the attribution of a prediction to words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Self

from lightning_seq.files import Plain
from lightning_seq.records.json_record import JsonRecord, Key
from lightning_seq.records.sentences import Sentence

LEAST_RISE = 0.01


@dataclass(frozen=True)
class Integrated(JsonRecord):
    """Integrated gradients of a sentence.

    words: of each word.
    total: of all words, also of those that are left out at the end.
    rise:  the score of the sentence less the score of the baseline; `total` approximates it.
    steps: of the integral.
    """

    words: tuple[float, ...]
    total: float
    rise: float
    steps: int

    @property
    def error(self) -> float:
        """Of completeness: how far `total` is from `rise`, relative to `rise`."""
        return completeness_error(self.total, self.rise)


def completeness_error(total: float, rise: float) -> float:
    """|total - rise| over |rise|, or over 0.01 where |rise| is less."""
    return abs(total - rise) / max(abs(rise), LEAST_RISE)


@dataclass(frozen=True)
class Decision(JsonRecord):
    """How a run came to its prediction for one sentence.

    target:     the sentence's own class.
    prefixes:   the score of that class after each word.
    gradients:  gradient times input of each word.
    integrated: None in files of version 0.1.
    """

    target: Annotated[str, Key("class")]
    prediction: str
    prefixes: tuple[float, ...]
    gradients: tuple[float, ...]
    integrated: Integrated | None = None

    def cut(self, size: int) -> Decision:
        """The scores of the first `size` words. Raises ValueError if there are fewer."""
        scores = [self.prefixes, self.gradients, *([self.integrated.words] if self.integrated else [])]
        if min(map(len, scores)) < size:
            raise ValueError(f"expected {size} numbers")
        integrated = self.integrated and replace(self.integrated, words=self.integrated.words[:size])
        return replace(self, prefixes=self.prefixes[:size], gradients=self.gradients[:size], integrated=integrated)


@dataclass(frozen=True)
class Pattern(JsonRecord):
    """Words that raised the score of a class over the threshold, by how much, and in how many sentences."""

    words: tuple[str, ...]
    rise: float
    sentences: int


@dataclass(frozen=True)
class Decided(JsonRecord):
    """A `deciding_words.json`.

    says:     what the scores are: `probability` or `score`.
    patterns: of each class.
    """

    says: str
    threshold: float
    sentences: tuple[Sentence, ...]
    decisions: tuple[Decision, ...]
    patterns: dict[str, tuple[Pattern, ...]]
    epoch: int = 0

    def to_plain(self) -> dict[str, Plain]:
        pairs = zip(self.sentences, self.decisions, strict=True)
        sentences = [sentence.to_plain() | decision.to_plain() for sentence, decision in pairs]
        patterns = [{"class": name, **pattern.to_plain()} for name, mine in self.patterns.items() for pattern in mine]
        head = {"epoch": self.epoch, "says": self.says, "threshold": self.threshold}
        return {**head, "sentences": sentences, "patterns": patterns}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Plain]) -> Self:
        """Raises one of `files.DAMAGE` for another form."""
        patterns: dict[str, list[Plain]] = {}
        for entry in plain["patterns"]:
            patterns.setdefault(entry["class"], []).append(entry)
        whole = super().from_plain({"threshold": 0, **plain, "decisions": plain["sentences"], "patterns": patterns})
        pairs = zip(whole.decisions, whole.sentences, strict=True)
        return replace(whole, decisions=tuple(decision.cut(len(sentence.words)) for decision, sentence in pairs))
