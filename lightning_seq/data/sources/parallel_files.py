"""Pairs of texts in files of the user's own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from lightning_seq.data.sources.files import decoded
from lightning_seq.data.sources.keys import origins
from lightning_seq.data.sources.pairs import PairTable
from lightning_seq.data.sources.table import SPLITS, Cut, Loaded
from lightning_seq.data.sources.text_files import given_files
from lightning_seq.errors import UserError
from lightning_seq.files import Plain, sha256
from lightning_seq.printable import number_of
from lightning_seq.text.lines import check_encoding, split_lines
from lightning_seq.value_types import Fraction, Seed

_SHOWN = 40


@dataclass(frozen=True)
class ParallelFiles:
    """Two files per split whose lines belong together, or one with a tab between the two texts of a line.

    train, validation, test: the sources; or, where no file with targets is given beside it, both.
    train_target, validation_target, test_target: the targets, as many lines.
    source_column, target_column: of a file with tabs: names in its first line; None for a file without such a line,
        whose first two columns are taken and all others left aside.

    encoding: of all files, by Python's name.
    source_language, target_language: names that the checkpoint keeps.
    validation_fraction, test_fraction, split_seed: see `Cut`.

    A validation or test split that is not given is cut from train. An example's id is its line.
    """

    train: str | None
    validation: str | None = None
    test: str | None = None
    train_target: str | None = None
    validation_target: str | None = None
    test_target: str | None = None
    source_column: str | None = None
    target_column: str | None = None
    encoding: str = "utf-8"
    source_language: str | None = None
    target_language: str | None = None
    validation_fraction: Fraction = 0.1
    test_fraction: Fraction = 0.1
    split_seed: Seed = 1
    cut: Cut = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "cut", Cut(self.validation_fraction, self.test_fraction, self.split_seed))
        check_encoding(self.encoding, "data.encoding")
        if not self.train:
            raise UserError(
                "pairs need a file to train on: give data.train=FILE and data.train_target=FILE, line by line, "
                "or data.train=FILE alone with a tab between source and target"
            )
        for split in SPLITS:
            if getattr(self, f"{split}_target") and not getattr(self, split):
                raise UserError(
                    f"data.{split}_target={getattr(self, f'{split}_target')} has no sources: give data.{split}=FILE"
                )
        if (self.source_column is None) != (self.target_column is None):
            raise UserError(
                f"data.source_column={self.source_column} and data.target_column={self.target_column}: "
                "expected both, or neither for a file without a line of names"
            )

    @property
    def language_pair(self) -> tuple[str | None, str | None]:
        return self.source_language, self.target_language

    def describe(self) -> str:
        return Path(str(self.train)).name

    def identity(self) -> Plain:
        return {
            "files": {
                split: [sha256(path) for path in (source, target) if path]
                for split, (source, target) in self._paths().items()
            },
            "columns": [self.source_column, self.target_column],
            "cut": self.cut.to_plain(),
            **({"encoding": self.encoding} if self.encoding != "utf-8" else {}),
        }

    def origins(self) -> dict[str, str]:
        return origins({"train": self.train, "validation": self.validation, "test": self.test})

    def load(self) -> Loaded[PairTable]:
        """Raises UserError, with file and line, for a mistake in the files."""
        tables, notes = {}, []
        for split, (source, target) in self._paths().items():
            table, blank = PairTable([], [], []), 0
            for line, first, second in self._together(source, target) if target else self._tabbed(source):
                if not first.strip() and not second.strip():
                    blank += 1
                    continue
                _check_text(source, line, first, "source")
                _check_text(target or source, line, second, "target")
                table.sources.append(first)
                table.targets.append(second)
                table.ids.append(line)
            if blank:
                notes.append(f"{split}: {number_of(blank, 'line')} blank on both sides left out")
            tables[split] = table
        completed, cuts = self.cut.completed(tables)
        return Loaded(completed, notes=[*notes, *cuts])

    def _paths(self) -> dict[str, tuple[Path, Path | None]]:
        sources = dict(given_files(self.train, self.validation, self.test))
        targets = {}
        for split in sources:
            if given := getattr(self, f"{split}_target"):
                targets[split] = _there(f"{split}_target", given)
        return {split: (path, targets.get(split)) for split, path in sources.items()}

    def _tabbed(self, path: Path) -> Iterator[tuple[int, str, str]]:
        lines = split_lines(decoded(path, self.encoding))
        places, begin = (0, 1), 1
        if self.source_column is not None and self.target_column is not None:
            header = [name.strip() for name in lines[0].split("\t")]
            for setting, name in (("source_column", self.source_column), ("target_column", self.target_column)):
                if name not in header:
                    raise UserError(
                        f"{path} has no column {name!r} (data.{setting}): its columns are {', '.join(header)}; "
                        f"give data.{setting}=NAME"
                    )
            places, begin, lines = (header.index(self.source_column), header.index(self.target_column)), 2, lines[1:]
        for number, line in enumerate(lines, begin):
            if not line.strip():
                yield number, "", ""
                continue
            values = line.split("\t")
            if len(values) <= max(places):
                wanted = f"{max(places) + 1} columns" if begin == 2 else "a source, a tab and its target"
                raise UserError(
                    f"{path}, line {number}: {len(values) - 1} tabs, expected {wanted}; "
                    "for targets in a file of their own give it as data.train_target=FILE"
                )
            yield number, values[places[0]], values[places[1]]

    def _together(self, source: Path, target: Path) -> Iterator[tuple[int, str, str]]:
        first, second = (split_lines(decoded(path, self.encoding)) for path in (source, target))
        if len(first) != len(second):
            longer, lines = (source, first) if len(first) > len(second) else (target, second)
            number = min(len(first), len(second)) + 1
            text = lines[number - 1]
            shown = text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
            raise UserError(
                f"{source} has {len(first):,} lines and {target} has {len(second):,}: expected as many, line by line; "
                f"the first without a partner is line {number} of {longer} ({shown!r})"
            )
        for number, (left, right) in enumerate(zip(first, second, strict=True), 1):
            yield number, left, right


def _there(setting: str, given: str) -> Path:
    path = Path(given).expanduser()
    if not path.is_file():
        what = "is a directory" if path.is_dir() else "is not there"
        raise UserError(f"data.{setting}={given} {what}: expected a file with a line for each line of the sources")
    return path


def _check_text(path: Path, line: int, text: str, side: str) -> None:
    if not text.strip():
        raise UserError(
            f"{path}, line {line}: the {side} is empty: expected at least one word; fill it in or take the pair out"
        )
