"""tagging.json: the scores of a tagger by class, its confusion matrix, and its worst sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from lightning_seq.files import Plain
from lightning_seq.records.json_record import JsonRecord
from lightning_seq.records.numbers import number

OUTSIDE = "O"


@dataclass(frozen=True)
class ClassScore(JsonRecord):
    """The scores of a run for one class; None for unknown numbers.

    support:   how often the class occurs.
    predicted: how often it was predicted; known for spans only.
    """

    precision: float | None = None
    recall: float | None = None
    f1: float | None = None
    support: int = 0
    predicted: int | None = None

    def to_plain(self) -> dict[str, Plain]:
        """A row of `per_class`, or of `spans`."""
        scores = {"precision": self.precision, "recall": self.recall, "f1": self.f1}
        if self.predicted is None:
            return {**scores, "support": self.support}
        return {**scores, "predicted": self.predicted, "spans": self.support}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Plain]) -> Self:
        return super().from_plain({"support": plain.get("spans", 0), **plain})


@dataclass(frozen=True)
class Token:
    """A token with its tag and the predicted tag. target: None if the token does not count."""

    text: str
    target: str | None
    prediction: str

    @property
    def wrong(self) -> bool:
        return self.target is not None and self.target != self.prediction


@dataclass(frozen=True)
class Sentence:
    """A sentence as a run tagged it. number: its place in the test split; loss: the sum over its tokens, in nats."""

    number: str
    tokens: tuple[Token, ...]
    loss: float | None

    @property
    def errors(self) -> int:
        return sum(token.wrong for token in self.tokens)

    def to_plain(self) -> dict[str, Plain]:
        return {
            "id": int(self.number),
            "tokens": [token.text for token in self.tokens],
            "target": [token.target for token in self.tokens],
            "prediction": [token.prediction for token in self.tokens],
            "loss": self.loss,
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Plain], labels: Sequence[str]) -> Sentence:
        """Tags are names, or places in `labels`."""

        def name(tag: Plain) -> str | None:
            if isinstance(tag, int) and not isinstance(tag, bool):
                return labels[tag] if 0 <= tag < len(labels) else None
            return None if tag is None else str(tag)

        rows = zip(plain["tokens"], plain["target"], plain["prediction"], strict=True)
        tokens = tuple(Token(str(token), name(target), name(prediction) or "") for token, target, prediction in rows)
        return cls(str(plain.get("id", "")), tokens, number(plain.get("loss")))


@dataclass(frozen=True)
class Tagged(JsonRecord):
    """A `tagging.json`.

    labels:    the tags, in the order of their ids.
    pairs:     how often each (target, prediction) occurred.
    scores:    of tokens, by tag.
    spans:     of whole spans, by kind; empty if the tags mark no spans.
    sentences: those with errors first, as the file has them: the worst first.
    """

    labels: tuple[str, ...]
    pairs: dict[tuple[str, str], int]
    scores: dict[str, ClassScore]
    spans: dict[str, ClassScore]
    sentences: tuple[Sentence, ...]

    @property
    def usual(self) -> str | None:
        """The tag that a page does not write: `O`, or the tag of more than half of the tokens."""
        if OUTSIDE in self.labels:
            return OUTSIDE
        counts: dict[str, int] = {}
        for (target, _), count in self.pairs.items():
            counts[target] = counts.get(target, 0) + count
        return next((tag for tag, count in counts.items() if 2 * count > sum(counts.values())), None)

    def to_plain(self) -> dict[str, Plain]:
        return {
            "labels": list(self.labels),
            "confusion": [[self.pairs.get((row, column), 0) for column in self.labels] for row in self.labels],
            "per_class": [{"label": label, **score.to_plain()} for label, score in self.scores.items()],
            "spans": [{"kind": kind, **score.to_plain()} for kind, score in self.spans.items()],
            "sentences": [sentence.to_plain() for sentence in self.sentences],
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Plain]) -> Self:
        """Absent parts are empty; sentences with errors come first. Raises one of `files.DAMAGE` for another form."""
        labels = tuple(str(label) for label in plain.get("labels", ()))
        sentences = [Sentence.from_plain(entry, labels) for entry in plain.get("sentences", ())]
        return cls(
            labels,
            _pairs(plain.get("confusion", ()), labels),
            {str(entry["label"]): ClassScore.from_plain(entry) for entry in plain.get("per_class", ())},
            {str(entry["kind"]): ClassScore.from_plain(entry) for entry in plain.get("spans", ())},
            tuple(sorted(sentences, key=lambda sentence: not sentence.errors)),
        )


def _pairs(confusion: Sequence[Sequence[int]], labels: Sequence[str]) -> dict[tuple[str, str], int]:
    if not confusion:
        return {}
    return {
        (target, prediction): int(count)
        for target, row in zip(labels, confusion, strict=True)
        for prediction, count in zip(labels, row, strict=True)
        if count
    }
