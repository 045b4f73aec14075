"""questions.json: answers to questions about pictures by epoch; test_questions.json: those to questions about test
pictures; both with the attention of each look."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Self

from lightning_seq.files import Plain
from lightning_seq.records.json_record import JsonRecord, Key
from lightning_seq.records.numbers import thin
from lightning_seq.records.pictures import LONGEST_TEXT, Grid, check_weights, checked_grid, checked_png

MOST_QUESTIONS, MOST_LOOKS, MOST_KINDS = 60, 8, 30
MOST_WATCHED, MOST_EPOCHS = 4, 12


@dataclass(frozen=True)
class EpochAnswer(JsonRecord):
    """The likeliest answer after an epoch, with its probability. weights: see `AskedQuestion`."""

    epoch: int
    answer: str
    probability: float
    weights: tuple[str, ...] = ()


@dataclass(frozen=True)
class WatchedQuestion(JsonRecord):
    """A question about a validation picture. number: its row in the split; target: the true answer."""

    number: Annotated[int, Key("id")]
    png: str
    question: str
    target: str
    answers: tuple[EpochAnswer, ...]

    @classmethod
    def from_plain(cls, plain: Mapping[str, Plain]) -> Self:
        """Of answers of many epochs `MOST_EPOCHS` are kept. Raises one of `files.DAMAGE` for another form."""
        read = super().from_plain({**plain, "answers": thin(list(plain["answers"]), MOST_EPOCHS)})
        answers = (
            replace(one, answer=one.answer[:LONGEST_TEXT], weights=one.weights[:MOST_LOOKS]) for one in read.answers
        )
        return replace(
            read,
            png=checked_png(read.png),
            question=read.question[:LONGEST_TEXT],
            target=read.target[:LONGEST_TEXT],
            answers=tuple(answers),
        )


@dataclass(frozen=True)
class WatchedQuestions(JsonRecord):
    """A `questions.json`. grid: None without attention."""

    grid: Grid | None
    questions: tuple[WatchedQuestion, ...]

    @classmethod
    def from_plain(cls, plain: Mapping[str, Plain]) -> Self:
        """Of many questions the first `MOST_WATCHED` are kept. Raises one of `files.DAMAGE` for another form."""
        grid = checked_grid(plain["grid"])
        read = tuple(map(WatchedQuestion.from_plain, plain["questions"][:MOST_WATCHED]))
        check_weights((row for one in read for answer in one.answers for row in answer.weights), grid)
        return cls(grid, read)


@dataclass(frozen=True)
class KindOfQuestion(JsonRecord):
    """n: of the test split; chance: accuracy there of the most frequent answer to this kind in training."""

    name: str
    n: int
    chance: float


@dataclass(frozen=True)
class AskedQuestion(JsonRecord):
    """A question about a test picture. number: its row in the split; png: the picture as PNG in base64.

    kind:    empty where it is unknown.
    target:  the true answer; truth: its probability.
    answer:  the likeliest one, and its probability.
    shared:  whether the data alone chose the question, so that all runs have it; the others are a run's worst and best.
    weights: for each look at the picture a string of `LEVELS`, one for each place, row by row; empty without attention.
    """

    number: Annotated[int, Key("id")]
    png: str
    question: str
    kind: str
    target: str
    truth: float
    answer: str
    probability: float
    shared: bool
    weights: tuple[str, ...] = ()

    @property
    def is_right(self) -> bool:
        return self.answer == self.target

    @classmethod
    def from_plain(cls, plain: Mapping[str, Plain]) -> Self:
        """Raises one of `files.DAMAGE` for another form."""
        one = super().from_plain(plain)
        return replace(
            one,
            png=checked_png(one.png),
            question=one.question[:LONGEST_TEXT],
            kind=one.kind[:LONGEST_TEXT],
            target=one.target[:LONGEST_TEXT],
            answer=one.answer[:LONGEST_TEXT],
            weights=one.weights[:MOST_LOOKS],
        )


@dataclass(frozen=True)
class AskedQuestions(JsonRecord):
    """A `test_questions.json`: the questions of the least probable true answer first.

    n:    of the test split.
    grid: None without attention.
    kinds: of questions; empty where they are unknown. chance: as that of a kind, of all questions.
    """

    n: int
    chance: float
    grid: Grid | None
    kinds: tuple[KindOfQuestion, ...]
    questions: tuple[AskedQuestion, ...]

    @classmethod
    def from_plain(cls, plain: Mapping[str, Plain]) -> Self:
        """Of many questions the first `MOST_QUESTIONS` are kept. Raises one of `files.DAMAGE` for another form."""
        read = super().from_plain(
            {**plain, "kinds": plain["kinds"][:MOST_KINDS], "questions": plain["questions"][:MOST_QUESTIONS]}
        )
        read = replace(read, grid=checked_grid(plain["grid"]))
        check_weights((row for one in read.questions for row in one.weights), read.grid)
        return read
