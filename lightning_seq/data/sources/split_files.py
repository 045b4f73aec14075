"""Files of the user, one for each split."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from lightning_seq.data.sources.keys import origins
from lightning_seq.data.sources.table import Shares
from lightning_seq.errors import UserError, near
from lightning_seq.files import Plain, sha256
from lightning_seq.text.lines import FileLines, check_encoding, read_text


@dataclass(frozen=True)
class SplitFiles(Shares):
    """One file for each split; a validation or test split without a file is cut from train.

    encoding: of the files, by Python's name; a byte order mark is left out.
    """

    train: str | None
    validation: str | None = None
    test: str | None = None
    encoding: str = "utf-8"

    advice = "give data.train=FILE"
    """For a source without a file to train on."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_encoding(self.encoding, "data.encoding")
        if not self.train:
            raise UserError(f"data.train is not given: expected a file to train on; {self.advice}")

    def describe(self) -> str:
        return Path(str(self.train)).name

    def origins(self) -> dict[str, str]:
        return origins({"train": self.train, "validation": self.validation, "test": self.test})

    def given(self) -> Collection[str]:
        return self.paths().keys()

    def contents(self) -> dict[str, Plain]:
        """The part of the identity that the files decide."""
        return {"files": {split: sha256(path) for split, path in self.paths().items()}, **self.encoded()}

    def encoded(self) -> dict[str, Plain]:
        """The encoding, where it is not UTF-8."""
        return {"encoding": self.encoding} if self.encoding != "utf-8" else {}

    def paths(self) -> dict[str, Path]:
        """The files, by split. Raises UserError, with the near names, for a file that does not exist."""
        paths = {"train": self.train, "validation": self.validation, "test": self.test}
        return {split: split_file(split, Path(path).expanduser()) for split, path in paths.items() if path}


def split_file(split: str, path: Path) -> Path:
    """The path. Raises UserError, with the near names, for a file that does not exist."""
    if path.is_dir():
        raise UserError(f"data.{split}={path} is a directory: expected a file")
    if not path.is_file():
        if not path.parent.is_dir():
            raise UserError(f"data.{split}={path} is not there: there is no directory {path.parent}")
        others = [other.name for other in path.parent.glob(f"*{path.suffix}") if other.is_file()]
        hint = f"; {near(path.name, others)}" if others else ": give the path of a file"
        raise UserError(f"data.{split}={path} is not there{hint}")
    return path


def decoded(path: Path, encoding: str = "utf-8") -> str:
    """The text of a file. Raises UserError for an empty file, and as `read_text` does."""
    text = read_text(path, encoding, "data.encoding")
    if not text.strip():
        raise _empty(path)
    return text


def checked_lines(path: Path, encoding: str = "utf-8") -> FileLines:
    """The lines of a file, for one that may be large. Raises UserError as `decoded` does."""
    lines = FileLines.of(path, encoding, "data.encoding")
    if not any(map(str.strip, lines)):
        raise _empty(path)
    return lines


def _empty(path: Path) -> UserError:
    return UserError(f"{path} is empty: expected one example a line")
