"""Running text in files of the user."""

from __future__ import annotations

from dataclasses import dataclass

from lightning_seq.data.sources.corpus import Corpus, Tail
from lightning_seq.data.sources.split_files import SplitFiles, checked_lines
from lightning_seq.errors import UserError
from lightning_seq.files import Plain


@dataclass(frozen=True)
class TextFiles(SplitFiles, Tail):
    """Running text. Line ends of Windows count as plain ones."""

    def identity(self) -> Plain:
        return {"text": "files", "tail": self.shares(), **self.contents()}

    def load(self) -> Corpus:
        """Raises UserError for a missing file, an empty one, and one that is not in the encoding."""
        lines = {split: checked_lines(path, self.encoding) for split, path in self.paths().items()}
        completed, notes = self.completed(lines, self.describe())
        return Corpus(completed, notes=notes)


@dataclass(frozen=True)
class PennTreebank(TextFiles):
    """The user's own copy of the Penn Treebank as Mikolov et al. 2010 prepared it.

    Raises UserError, with the origin of the text, unless all three files are given.
    """

    def __post_init__(self) -> None:
        if not (self.train and self.validation and self.test):
            raise UserError(
                "data=ptb: the Penn Treebank belongs to the LDC (LDC99T42) and is not downloaded: expected your own "
                "copy as Mikolov et al. 2010 prepared it; give data.train=ptb.train.txt data.validation=ptb.valid.txt "
                "data.test=ptb.test.txt, or take data=wikitext2"
            )
        super().__post_init__()
