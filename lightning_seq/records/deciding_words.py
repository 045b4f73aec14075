"""deciding_words.json: the attribution of a prediction to words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lightning_seq.files import Plain, read_json
from lightning_seq.records.numbers import number
from lightning_seq.records.sentences import Sentence, numbers, whole


@dataclass(frozen=True)
class Decision:
    """How a run came to its prediction for one sentence.

    target:    the sentence's own class.
    prefixes:  the score of that class after each word.
    gradients: gradient times input of each word.
    """

    target: str
    prediction: str
    prefixes: tuple[float, ...]
    gradients: tuple[float, ...]

    def to_plain(self) -> dict[str, Plain]:
        return {
            "class": self.target,
            "prediction": self.prediction,
            "prefixes": list(self.prefixes),
            "gradients": list(self.gradients),
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Plain], size: int) -> Decision:
        prefixes, gradients = (numbers(plain[name], size) for name in ("prefixes", "gradients"))
        return cls(str(plain["class"]), str(plain["prediction"]), prefixes, gradients)


@dataclass(frozen=True)
class Pattern:
    """Words that raised the score of a class over the threshold, by how much, and in how many sentences."""

    words: tuple[str, ...]
    rise: float
    sentences: int

    def to_plain(self) -> dict[str, Plain]:
        return {"words": list(self.words), "rise": self.rise, "sentences": self.sentences}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Plain]) -> Pattern:
        words = tuple(str(word) for word in plain["words"])
        return cls(words, numbers([plain["rise"]], 1)[0], int(plain["sentences"]))


@dataclass(frozen=True)
class Decided:
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
        return {
            "epoch": self.epoch,
            "says": self.says,
            "threshold": self.threshold,
            "sentences": [sentence.to_plain() | decision.to_plain() for sentence, decision in pairs],
            "patterns": [
                {"class": name, **pattern.to_plain()}
                for name, patterns in self.patterns.items()
                for pattern in patterns
            ],
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Plain]) -> Decided:
        """Raises one of `files.DAMAGE` for another form."""
        sentences = tuple(Sentence.from_plain(entry) for entry in plain["sentences"])
        patterns: dict[str, list[Pattern]] = {}
        for entry in plain["patterns"]:
            patterns.setdefault(str(entry["class"]), []).append(Pattern.from_plain(entry))
        return cls(
            str(plain["says"]),
            number(plain.get("threshold")) or 0.0,
            sentences,
            tuple(
                Decision.from_plain(entry, len(sentence.words))
                for entry, sentence in zip(plain["sentences"], sentences, strict=True)
            ),
            {name: tuple(of_class) for name, of_class in patterns.items()},
            whole(plain.get("epoch")),
        )


def read_deciding_words(path: Path) -> Decided:
    """Raises one of `files.DAMAGE` for a file of another form."""
    return Decided.from_plain(read_json(path, dict))
