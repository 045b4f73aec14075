"""Tagged sentences in files of the user's own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from lightning_seq.data.sources.conll import Conll
from lightning_seq.data.sources.conllu import Conllu
from lightning_seq.data.sources.files import decoded, split_file
from lightning_seq.data.sources.keys import origins
from lightning_seq.data.sources.table import Cut, Loaded
from lightning_seq.data.sources.tagged import TaggedTable
from lightning_seq.errors import UserError, near
from lightning_seq.files import Plain, sha256
from lightning_seq.text.lines import check_encoding
from lightning_seq.value_types import Fraction, Seed

_KINDS: dict[str, Callable[..., Conllu | Conll]] = {"conllu": Conllu, "conll": Conll}
_TREEBANK = {"train": "train", "validation": "dev", "test": "test"}
"""How Universal Dependencies names the files of a treebank: `en_ewt-ud-dev.conllu`."""


@dataclass(frozen=True)
class TaggedFiles:
    """One file per split; a validation or test split that is not given is cut from train.

    kind:    `conllu`, read by `Conllu`, or `conll`, read by `Conll`.
    tokens_column, tag_column: see there; None: the default.
    train:   a file; or, for `.conllu`, the directory of a treebank, in which the files of all splits are found.

    encoding: of the files, by Python's name.
    validation_fraction, test_fraction, split_seed: see `Cut`.

    An example's id is the line it begins on.
    """

    kind: Literal["conllu", "conll"]
    train: str | None
    validation: str | None = None
    test: str | None = None
    tokens_column: int | str | None = None
    tag_column: int | str | None = None
    encoding: str = "utf-8"
    validation_fraction: Fraction = 0.1
    test_fraction: Fraction = 0.1
    split_seed: Seed = 1
    cut: Cut = field(init=False, repr=False)
    reading: Conllu | Conll = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "cut", Cut(self.validation_fraction, self.test_fraction, self.split_seed))
        if self.kind not in _KINDS:
            raise UserError(f"there is no kind of file {self.kind!r}; {near(str(self.kind), _KINDS)}")
        given = {"tokens_column": self.tokens_column, "tag_column": self.tag_column}
        columns = {name: column for name, column in given.items() if column is not None}
        object.__setattr__(self, "reading", _KINDS[self.kind](**columns))
        check_encoding(self.encoding, "data.encoding")
        if not self.train:
            treebank = " or data.train=DIR of a treebank" if isinstance(self.reading, Conllu) else ""
            raise UserError(f"tagged sentences need a file to train on: give data.train=FILE{treebank}")

    def describe(self) -> str:
        return Path(str(self.train)).name

    def identity(self) -> Plain:
        return {
            "kind": type(self.reading).__name__,
            "files": {split: sha256(path) for split, path in self._paths().items()},
            "columns": self.reading.to_plain(),
            "cut": self.cut.to_plain(),
            **({"encoding": self.encoding} if self.encoding != "utf-8" else {}),
        }

    def origins(self) -> dict[str, str]:
        given = {"train": self.train, "validation": self.validation, "test": self.test}
        if Path(str(self.train)).expanduser().is_dir():  # of a treebank: the files in it
            given = {split: given[split] or str(path) for split, path in self._paths().items()}
            given["train"] = str(self._paths()["train"])
        return origins(given)

    def load(self) -> Loaded[TaggedTable]:
        """Raises UserError, with file and line, for a mistake in the files."""
        tables = {}
        for split, path in self._paths().items():
            tables[split] = self.reading.table(str(path), decoded(path, self.encoding))
            if not len(tables[split]):
                raise UserError(f"{path} has no sentences: expected one token a line")
        completed, notes = self.cut.completed(tables)
        return Loaded(completed, notes=notes)

    def _paths(self) -> dict[str, Path]:
        given = {"train": self.train, "validation": self.validation, "test": self.test}
        paths = {split: Path(path).expanduser() for split, path in given.items() if path}
        if isinstance(self.reading, Conllu) and paths["train"].is_dir():
            paths = _treebank(paths["train"]) | {split: path for split, path in paths.items() if split != "train"}
        for split, path in paths.items():
            split_file(split, path)
        return paths


def _treebank(directory: Path) -> dict[str, Path]:
    paths = {}
    for split, part in _TREEBANK.items():
        found = sorted(directory.glob(f"*-{part}.conllu"))
        if len(found) > 1:
            raise UserError(
                f"{directory} has {len(found)} files *-{part}.conllu, {found[0].name} and {found[1].name} among them: "
                f"expected one treebank; give data.{split}=FILE"
            )
        if found:
            paths[split] = found[0]
    if "train" not in paths:
        there = ", ".join(sorted(file.name for file in directory.glob("*.conllu"))[:6]) or "none"
        raise UserError(
            f"{directory} has no *-train.conllu to train on (.conllu files there: {there}): "
            "expected a treebank as Universal Dependencies releases it; or give data.train=FILE"
        )
    return paths
