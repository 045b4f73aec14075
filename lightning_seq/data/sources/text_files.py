"""Running text in files of the user's own."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from lightning_seq.data.sources.corpus import Corpus, Tail
from lightning_seq.data.sources.files import decoded, split_file
from lightning_seq.errors import UserError
from lightning_seq.files import Plain, sha256
from lightning_seq.text.lines import check_encoding, split_lines
from lightning_seq.value_types import Fraction


@dataclass(frozen=True)
class TextFiles:
    """One file per split, UTF-8; a validation or test split that is not given is cut from the end of train.

    encoding: of the files, by Python's name.
    validation_fraction, test_fraction: see `Tail`.

    Line ends of Windows count as plain ones.
    """

    train: str | None
    validation: str | None = None
    test: str | None = None
    encoding: str = "utf-8"
    validation_fraction: Fraction = 0.1
    test_fraction: Fraction = 0.1
    tail: Tail = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "tail", Tail(self.validation_fraction, self.test_fraction))
        check_encoding(self.encoding, "data.encoding")
        if not self.train:
            raise UserError("data.train is not given: expected a file of text to train on, data.train=FILE")

    def describe(self) -> str:
        return Path(str(self.train)).name

    def identity(self) -> Plain:
        return {
            "text": "files",
            "files": {split: sha256(path) for split, path in given_files(self.train, self.validation, self.test)},
            "tail": self.tail.to_plain(),
            **({"encoding": self.encoding} if self.encoding != "utf-8" else {}),
        }

    def load(self) -> Corpus:
        """Raises UserError for a file that is not there, empty, or not UTF-8."""
        lines = {
            split: _ended(decoded(path, self.encoding))
            for split, path in given_files(self.train, self.validation, self.test)
        }
        completed, notes = self.tail.completed(lines, self.describe())
        return Corpus(completed, notes=notes)


def _ended(text: str) -> list[str]:
    """The lines, each with a line feed; the last one has none where the text has none."""
    lines = [f"{line}\n" for line in split_lines(text)]
    return lines if text.endswith("\n") else [*lines[:-1], lines[-1].removesuffix("\n")]


@dataclass(frozen=True)
class PennTreebank(TextFiles):
    """The user's own copy of the Penn Treebank as Mikolov et al. 2010 prepared it.

    Raises UserError, saying where it comes from, unless all three files are given.
    """

    def __post_init__(self) -> None:
        if not (self.train and self.validation and self.test):
            raise UserError(
                "data=ptb: the Penn Treebank belongs to the LDC (LDC99T42) and is not downloaded: expected your own "
                "copy as Mikolov et al. 2010 prepared it; give data.train=ptb.train.txt data.validation=ptb.valid.txt "
                "data.test=ptb.test.txt, or take data=wikitext2"
            )
        super().__post_init__()


def given_files(train: str | None, validation: str | None, test: str | None) -> list[tuple[str, Path]]:
    """The splits whose files are given, and the files. Raises UserError for one that is not there."""
    given = {"train": train, "validation": validation, "test": test}
    return [(split, split_file(split, Path(path).expanduser())) for split, path in given.items() if path]
