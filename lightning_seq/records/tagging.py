"""What taggers left behind: how good they are at each class, what they take for what, and their worst sentences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lightning_seq.files import read_json
from lightning_seq.records.numbers import number

OUTSIDE = "O"


@dataclass(frozen=True)
class ClassScore:
    """How good a run is at one class; numbers are None where they are not known. support: how often it comes."""

    precision: float | None
    recall: float | None
    f1: float | None
    support: int


@dataclass(frozen=True)
class Token:
    """A token with its tag and what was taken for it. target: None where it does not count."""

    text: str
    target: str | None
    prediction: str

    @property
    def wrong(self) -> bool:
        return self.target is not None and self.target != self.prediction


@dataclass(frozen=True)
class Sentence:
    """A sentence as a run tagged it. number: its place in the test split."""

    number: str
    tokens: tuple[Token, ...]
    loss: float | None

    @property
    def errors(self) -> int:
        return sum(token.wrong for token in self.tokens)


@dataclass(frozen=True)
class Tagged:
    """A `tagging.json`.

    labels:    the tags, in the order of their ids.
    pairs:     how often each (target, prediction) came.
    scores:    of tokens, by tag.
    spans:     of whole spans, by kind; empty where tags mark none.
    sentences: those with errors first, as the file has them: the worst first.
    """

    labels: tuple[str, ...]
    pairs: dict[tuple[str, str], int]
    scores: dict[str, ClassScore]
    spans: dict[str, ClassScore]
    sentences: tuple[Sentence, ...]

    @property
    def usual(self) -> str | None:
        """The tag that goes without saying: outside of all spans, or what more than half of the tokens have."""
        if OUTSIDE in self.labels:
            return OUTSIDE
        counts: dict[str, int] = {}
        for (target, _), count in self.pairs.items():
            counts[target] = counts.get(target, 0) + count
        return next((tag for tag, count in counts.items() if 2 * count > sum(counts.values())), None)


def read_tagged(path: Path) -> Tagged:
    """Read a `tagging.json`; parts that it does not have are empty.

    Raises one of `files.DAMAGE` for one of another form.
    """
    plain = read_json(path, dict)
    labels = tuple(str(label) for label in plain.get("labels", ()))
    sentences = [_sentence(entry, labels) for entry in plain.get("sentences", ())]
    return Tagged(
        labels,
        _pairs(plain.get("confusion", ()), labels),
        {str(entry["label"]): _score(entry, "support") for entry in plain.get("per_class", ())},
        {str(entry["kind"]): _score(entry, "spans") for entry in plain.get("spans", ())},
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


def _score(entry: dict[str, Any], count: str) -> ClassScore:
    precision, recall, f1 = (number(entry.get(name)) for name in ("precision", "recall", "f1"))
    return ClassScore(precision, recall, f1, int(number(entry.get(count)) or 0))


def _sentence(entry: dict[str, Any], labels: Sequence[str]) -> Sentence:
    def name(tag: Any) -> str | None:
        if isinstance(tag, int) and not isinstance(tag, bool):
            return labels[tag] if 0 <= tag < len(labels) else None
        return None if tag is None else str(tag)

    rows = zip(entry["tokens"], entry["target"], entry["prediction"], strict=True)
    tokens = tuple(Token(str(token), name(target), name(prediction) or "") for token, target, prediction in rows)
    return Sentence(str(entry.get("id", "")), tokens, number(entry.get("loss")))
