"""Tagged sentences in files of the user."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from lightning_seq.data.sources.conll import Conll
from lightning_seq.data.sources.conllu import Conllu
from lightning_seq.data.sources.keys import origins
from lightning_seq.data.sources.split_files import SplitFiles, decoded, split_file
from lightning_seq.data.sources.table import Cut, Loaded
from lightning_seq.data.sources.tagged import TaggedTable
from lightning_seq.errors import UserError
from lightning_seq.files import Plain
from lightning_seq.text.lines import split_lines

_KINDS: dict[str, Callable[..., Conllu | Conll]] = {"conllu": Conllu, "conll": Conll}
_TREEBANK = {"train": "train", "validation": "dev", "test": "test"}
"""The names of Universal Dependencies for the files of a treebank: `en_ewt-ud-dev.conllu`."""


@dataclass(frozen=True)
class TaggedFiles(SplitFiles, Cut):
    """Tagged sentences; the id of an example is the line that it begins on.

    kind:  `conllu`, read by `Conllu`, or `conll`, read by `Conll`.
    tokens_column, tag_column: of that class; None: its default.
    train: a file; or, for `conllu`, the directory of a treebank with the files of all splits.
    """

    kind: Literal["conllu", "conll"] = field(kw_only=True)
    tokens_column: int | str | None = None
    tag_column: int | str | None = None
    reading: Conllu | Conll = field(init=False, repr=False)

    advice = "give data.train=FILE, or for data=conllu data.train=DIR of a treebank"

    def __post_init__(self) -> None:
        super().__post_init__()
        columns = {"tokens_column": self.tokens_column, "tag_column": self.tag_column}
        chosen = {name: column for name, column in columns.items() if column is not None}
        object.__setattr__(self, "reading", _KINDS[self.kind](**chosen))

    def identity(self) -> Plain:
        return {
            "kind": type(self.reading).__name__,
            "columns": self.reading.to_plain(),
            "cut": self.shares(),
            **({"whole_documents": True} if self.missing(self.given()) and len(self._documents("train")) > 1 else {}),
            **self.contents(),
        }

    def origins(self) -> dict[str, str]:
        if not Path(str(self.train)).expanduser().is_dir():
            return super().origins()
        paths = {split: str(path) for split, path in self.paths().items()}
        own = {"validation": self.validation, "test": self.test}
        return origins(paths | {split: path for split, path in own.items() if path})

    def groups_of(self, split: str, ids: np.ndarray) -> np.ndarray | None:
        """The document of each sentence, counted from 1; None for a file that marks fewer than two."""
        starts = self._documents(split)
        return np.searchsorted(starts, ids) if len(starts) > 1 else None

    def _documents(self, split: str) -> list[int]:
        """The lines on which the documents begin in the file of a split."""
        lines = split_lines(decoded(Path(self.origins()[split]).expanduser(), self.encoding))
        return [number for number, line in enumerate(lines, 1) if line.startswith(self.reading.document)]

    def load(self) -> Loaded[TaggedTable]:
        """Raises UserError, with file and line, for a mistake in the files."""
        tables = {}
        for split, path in self.paths().items():
            tables[split] = self.reading.table(str(path), decoded(path, self.encoding))
            if not len(tables[split]):
                raise UserError(f"{path} has no sentences: expected one token a line")
        return self.loaded(tables)

    def paths(self) -> dict[str, Path]:
        """The files, by split, those of a treebank too. Raises UserError for a file that does not exist."""
        directory = Path(str(self.train)).expanduser()
        if not (isinstance(self.reading, Conllu) and directory.is_dir()):
            return super().paths()
        own = {"validation": self.validation, "test": self.test}
        paths = _treebank(directory) | {split: Path(path).expanduser() for split, path in own.items() if path}
        return {split: split_file(split, path) for split, path in paths.items()}


def _treebank(directory: Path) -> dict[str, Path]:
    paths = {}
    for split, part in _TREEBANK.items():
        files = sorted(directory.glob(f"*-{part}.conllu"))
        if len(files) > 1:
            raise UserError(
                f"{directory} has {len(files)} files *-{part}.conllu, {files[0].name} and {files[1].name} among them: "
                f"expected one treebank; give data.{split}=FILE"
            )
        if files:
            paths[split] = files[0]
    if "train" not in paths:
        names = ", ".join(sorted(file.name for file in directory.glob("*.conllu"))[:6]) or "none"
        raise UserError(
            f"{directory} has no *-train.conllu to train on (its .conllu files: {names}): "
            "expected a treebank as Universal Dependencies releases it; or give data.train=FILE"
        )
    return paths
